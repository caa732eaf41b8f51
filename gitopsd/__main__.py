"""``python -m gitopsd`` is the command line."""

from gitopsd.cli import main

if __name__ == "__main__":
    main()

"""`python -m rig`: hands the arguments to the command line and its exit code to the shell."""

import sys

from rig.cli import main

sys.exit(main(sys.argv[1:]))

"""Progress for people: on standard error, with the elapsed time; standard output stays free for results."""

import sys
import time

_STARTED = time.monotonic()


def say(text: str) -> None:
    """Tell the person what is happening now."""
    elapsed = time.monotonic() - _STARTED
    print(f"[{elapsed:6.1f} s] {text}", file=sys.stderr, flush=True)

"""Waiting is always for a condition and always with a deadline; the only sleep of the rig is here."""

import time
from collections.abc import Callable
from typing import TypeVar

from rig.errors import WaitedTooLongError

Found = TypeVar("Found")


def wait_for(
    what: str, condition: Callable[[], Found | None], *, deadline_s: float = 30.0, every_s: float = 0.05
) -> Found:
    """Return what the condition found as soon as it is neither `None` nor `False`."""
    end = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found is not None and found is not False:
            return found
        if time.monotonic() > end:
            raise WaitedTooLongError(
                f"Waited {deadline_s:g} s for {what}",
                remedy="Look into the cluster's logs (`python -m rig status` names the folder), then start again.",
            )
        time.sleep(every_s)  # noqa: TID251 - the one place that waits

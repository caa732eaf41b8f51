"""What the operating system says of our children and files: the judge of 'nothing is left behind'."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rig.waiting import wait_for

PROC = Path("/proc")
needs_proc = pytest.mark.skipif(not (PROC / "self" / "task").exists(), reason="reads /proc, which only Linux has")


def children() -> set[int]:
    """All our descendants."""
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        for listed in (PROC / str(waiting.pop()) / "task").glob("*/children"):
            fresh = {int(pid) for pid in _text(listed).split()} - found
            found |= fresh
            waiting += fresh
    return found


def programs() -> dict[int, str]:
    """The command lines of our descendants."""
    return {pid: _text(PROC / str(pid) / "cmdline").replace("\0", " ") for pid in children()}


def is_gone(marker: str, *, within_s: float = 5) -> bool:
    """Whether no program of the machine has the marker in its command line; orphans count, and die a moment later."""
    return wait_for(f"the end of {marker}", lambda: not _running(marker), deadline_s=within_s, every_s=0.01)


def _running(marker: str) -> bool:
    return any(marker in _text(pid / "cmdline").replace("\0", " ") for pid in PROC.glob("[0-9]*"))


def environments() -> str:
    """The environments of our descendants, all in one text."""
    return "".join(_text(PROC / str(pid) / "environ") for pid in children())


def open_files() -> int:
    return len(list((PROC / "self" / "fd").iterdir()))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""

"""A terminal of a given width, with a person before it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def on_a_terminal(*arguments: str, columns: int = 80, **surroundings: str) -> str:
    """What a person sees."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **surroundings}
    ended = subprocess.run(
        [sys.executable, "-m", "gitopsd", *arguments], stdout=slave, stderr=slave, env=env, timeout=60, check=False
    )
    os.close(slave)
    seen = b""
    while chunk := _read(master):
        seen += chunk
    os.close(master)
    assert ended.returncode in (0, 1)
    return seen.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""

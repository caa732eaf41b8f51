"""The pipes of a child, moved chunk by chunk within bounds; and the end of a child with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections.abc import Callable
from typing import TypeAlias

CHUNK_BYTES = 65_536

# Moves one chunk and says whether there may be more; and what to do when there is none.
Step: TypeAlias = Callable[[], bool]
Finish: TypeAlias = Callable[[], None]


class SaidTooMuch(Exception):
    """It wrote more than it may."""


class Feed:
    """What a child is still to be told, by a pipe that does not block."""

    def __init__(self, pipe: int, content: bytes) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._unsent = memoryview(content)

    def step(self) -> bool:
        """See ``Step``."""
        try:
            self._unsent = self._unsent[os.write(self._pipe, self._unsent[:CHUNK_BYTES]) :]
        except BrokenPipeError:
            return False
        return bool(self._unsent)


class Intake:
    """What a child has written, up to so many bytes."""

    def __init__(self, pipe: int, bytes_max: int) -> None:
        self._pipe = pipe
        self._bytes_max = bytes_max
        self.content = bytearray()

    def step(self) -> bool:
        """See ``Step``.

        Raises:
            SaidTooMuch: it is more.
        """
        chunk = os.read(self._pipe, CHUNK_BYTES)
        self.content += chunk
        if len(self.content) > self._bytes_max:
            raise SaidTooMuch
        return bool(chunk)


def move(selector: selectors.BaseSelector, wait_s: float) -> None:
    """Take a step with every pipe that is ready; each is registered with its ``Step`` and its ``Finish``."""
    for key, _ in selector.select(wait_s):
        step, finish = key.data
        if not step():
            selector.unregister(key.fileobj)
            finish()


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal a child and all that it started; nothing, if there is nobody left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)

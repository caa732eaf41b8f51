"""One child from start to end: order and input go in, output and words come out in bounds, and nothing is left.

Its exit is seen but not taken before the whole group is killed: until then the number of the group cannot be another's.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from gitopsd.adapters.pipes import CHUNK_BYTES, Feed, Intake, move, signal_group

_LAUNCHER = Path(__file__).with_name("launcher.py")
_WORDS_MAX = 16_384
_REPORT_MAX = 4_096
_GRACE_S = 5.0


class TookTooLong(Exception):
    """The deadline came first."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child left: its status (a signal is negative), its output, its first words, and the launcher's report."""

    status: int
    stdout: bytes = field(repr=False)
    words: bytes = field(repr=False)
    report: tuple[str, ...]


def run(order: Mapping[str, Any], stdin: bytes, seconds: float, output_max: int) -> Ended:
    """Run what the order names, in the jail that it describes, to its end.

    Raises:
        TookTooLong: it and all it started are gone.
        SaidTooMuch: likewise.
        OSError: the machine cannot start another.
    """
    ends_at = time.monotonic() + seconds
    written = marshal.dumps({**order, "parent": os.getpid()})
    with _reported() as (report, told), _started(told) as child, _ending(child) as ended:
        streams = _Streams(child, struct.pack(">Q", len(written)) + written + stdin, output_max)
        streams.attend(report, ended, ends_at)
        status = child.wait()
    return Ended(
        status, bytes(streams.stdout.content), bytes(streams.words), tuple(streams.report.decode().splitlines())
    )


@contextlib.contextmanager
def _reported() -> Iterator[tuple[int, int]]:
    report, told = os.pipe()
    try:
        yield report, told
    finally:
        os.close(report)


@contextlib.contextmanager
def _started(told: int) -> Iterator[subprocess.Popen[bytes]]:
    try:
        child = subprocess.Popen(  # noqa: S603 - our own launcher, by its path
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
            pass_fds=(told,),
        )
    finally:
        os.close(told)
    try:
        yield child
    finally:
        _end(child)


@contextlib.contextmanager
def _ending(child: subprocess.Popen[bytes]) -> Iterator[int]:
    """A descriptor that is readable once the child has ended; a child still there afterwards is told to end."""
    ended = os.pidfd_open(child.pid)
    try:
        yield ended
    finally:
        if child.returncode is None:
            signal_group(child.pid, signal.SIGTERM)
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ)
                selector.select(_GRACE_S)
        os.close(ended)


class _Streams:
    """The pipes of a child, and what came out of them."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, output_max: int) -> None:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None  # noqa: S101, PT018 - all are pipes
        self._child = child
        self._pipes = child.stdin, child.stdout, child.stderr
        self._feed = Feed(child.stdin.fileno(), stdin)
        self.stdout = Intake(child.stdout.fileno(), output_max)
        self.words = bytearray()
        self.report = bytearray()

    def attend(self, report: int, ended: int, ends_at: float) -> None:
        """Move what there is to move until the child has ended and every pipe is at its end."""
        with selectors.DefaultSelector() as selector:
            self._register(selector, report)
            end_all = partial(signal_group, self._child.pid, signal.SIGKILL)
            selector.register(ended, selectors.EVENT_READ, (lambda: False, end_all))
            while selector.get_map():
                left_s = ends_at - time.monotonic()
                if left_s <= 0:
                    raise TookTooLong
                move(selector, left_s)

    def _register(self, selector: selectors.BaseSelector, report: int) -> None:
        stdin, stdout, stderr = self._pipes
        selector.register(stdin, selectors.EVENT_WRITE, (self._feed.step, lambda: _close(stdin)))
        selector.register(stdout, selectors.EVENT_READ, (self.stdout.step, stdout.close))
        for source, taken, most in ((stderr.fileno(), self.words, _WORDS_MAX), (report, self.report, _REPORT_MAX)):
            selector.register(source, selectors.EVENT_READ, (partial(_take, source, taken, most), lambda: None))


def _take(source: int, taken: bytearray, most: int) -> bool:
    """Keep the first bytes and read on, or the child would wait for us."""
    chunk = os.read(source, CHUNK_BYTES)
    taken += chunk[: most - len(taken)]
    return bool(chunk)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is None:
        signal_group(child.pid, signal.SIGKILL)
        child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream:
            _close(stream)


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        stream.close()

"""One git command from start to end: a fixed argument list, a deadline, a bound on output, and no child left behind.

GitPython starts it; we watch it, because its own time-out neither bounds output nor reaches children that detach.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from git import Git
from git.exc import GitCommandNotFound

from gitopsd.adapters.git.surroundings import Surroundings, unwanted_variables
from gitopsd.adapters.pipes import CHUNK_BYTES, Feed, Intake, move, signal_group

_STDERR_MAX = 65_536
_TICK_S = 0.25
_GRACE_S = 2.0
_NOT_STARTED = (126, 127)


class CommandStopped(Exception):
    """We ended the command before it ended itself."""


class TookTooLong(CommandStopped):
    """The deadline came first."""


class NotStarted(Exception):
    """The program is not there, or the machine cannot start another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``watch`` is called a few times a second and may raise ``CommandStopped`` to end the command."""

    deadline_s: float
    output_max: int = 8 * 1024 * 1024
    watch: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left: its status, and its two streams."""

    status: int
    stdout: bytes = field(repr=False)
    stderr: str = field(repr=False)


def run(arguments: Sequence[str], surroundings: Surroundings, limits: Limits, stdin: bytes = b"") -> Output:
    """Run git with these arguments to its end.

    Raises:
        CommandStopped, SaidTooMuch: a bound was reached; the command and all it started are gone.
        NotStarted: there is no git.
    """
    ends_at = time.monotonic() + limits.deadline_s
    with _started(arguments, surroundings) as child:
        stdout, stderr = _attend(child, stdin, limits, ends_at)
        try:
            status = child.wait(max(0.1, ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TookTooLong from None
    if status in _NOT_STARTED:
        raise NotStarted(stderr)
    return Output(status, stdout, stderr)


@contextlib.contextmanager
def _started(arguments: Sequence[str], surroundings: Surroundings) -> Iterator[subprocess.Popen[bytes]]:
    # GitPython can only add to the environment; env takes away what the child must not inherit.
    without = [part for name in unwanted_variables() if name not in surroundings.variables for part in ("-u", name)]
    try:
        held = Git().execute(
            ["env", *without, "git", *arguments],
            as_process=True,
            istream=subprocess.PIPE,
            shell=False,
            env=surroundings.variables,
            start_new_session=True,
        )
    except (OSError, GitCommandNotFound) as error:
        raise NotStarted(str(error)) from None
    child = held.proc
    assert child is not None  # noqa: S101 - GitPython types it as optional for after its end
    try:
        yield child
    finally:
        _end(child)


def _attend(child: subprocess.Popen[bytes], stdin: bytes, limits: Limits, ends_at: float) -> tuple[bytes, str]:
    streams = _Streams(child, stdin, limits.output_max)
    with selectors.DefaultSelector() as selector:
        streams.register(selector)
        while selector.get_map():
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise TookTooLong
            move(selector, min(left_s, _TICK_S))
            limits.watch()
    return bytes(streams.stdout.content), streams.stderr.decode(errors="replace")


class _Streams:
    """The three pipes of a child."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, output_max: int) -> None:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None  # noqa: S101, PT018 - all are pipes
        self._pipes = child.stdin, child.stdout, child.stderr
        self._feed = Feed(child.stdin.fileno(), stdin)
        self.stdout = Intake(child.stdout.fileno(), output_max)
        self.stderr = bytearray()

    def register(self, selector: selectors.BaseSelector) -> None:
        stdin, stdout, stderr = self._pipes
        selector.register(stdin, selectors.EVENT_WRITE, (self._feed.step, stdin.close))
        selector.register(stdout, selectors.EVENT_READ, (self.stdout.step, stdout.close))
        selector.register(stderr, selectors.EVENT_READ, (self._take_words, stderr.close))

    def _take_words(self) -> bool:
        chunk = os.read(self._pipes[2].fileno(), CHUNK_BYTES)
        self.stderr += chunk
        # The last words are the ones that tell why.
        del self.stderr[:-_STDERR_MAX]
        return bool(chunk)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is None:
        # Politely first: git then removes its locks and half-written packs.
        signal_group(child.pid, signal.SIGTERM)
        try:
            _await_end(child.pid)
        finally:
            signal_group(child.pid, signal.SIGKILL)
            child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _await_end(child: int) -> None:
    """Give it time to end. It is not reaped: until then its number, which is its group's, is nobody else's."""
    ended = os.pidfd_open(child)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            selector.select(_GRACE_S)
    finally:
        os.close(ended)

"""gitopsd to which something happens right before or right after one of its writes; nothing in it knows of that.

In this process (``struck``), or in one of its own that gets a signal from itself:
``python -m tests.cluster.crashing run CONFIG TRACE SIGKILL before "PATCH configmaps/a 1"``.
The trace is a file with one line per write, in order. Such writes go out one by one, so that before and after are that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gitopsd.adapters.clock import SystemClock
from gitopsd.adapters.cluster import Transport
from gitopsd.adapters.cluster.transport import is_write
from gitopsd.config import load_config
from gitopsd.daemon import Daemon
from gitopsd.daemon.wiring import wire
from gitopsd.ports import Answer, Call
from tests.cluster.stage import HastyClock

BEFORE, AFTER = "before", "after"
NEVER = "-"
SETTLE_S = 0.2
HASTE = "RIG_HASTE"
FACTOR = 10.0

Strike = Callable[[str, str], None]


class Struck(Transport):
    """A transport that says of each write when it is about to go out, and when it was answered."""

    def __init__(self, *arguments: Any, strike: Strike, side_by_side: int = 1, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._strike = strike
        self._turn = threading.Semaphore(side_by_side)
        self._counts: Counter[str] = Counter()

    def send(self, call: Call, **options: Any) -> Answer:
        if not is_write(call):
            return super().send(call, **options)
        with self._turn:
            write = self._name(call)
            self._strike(BEFORE, write)
            answer = super().send(call, **options)
            self._strike(AFTER, write)
            return answer

    def _name(self, call: Call) -> str:
        place = call.path.rpartition("/namespaces/")[2].partition("/")[2]
        if call.method == "POST":
            place = f"{place}/{json.loads(call.body or b'{}')['metadata']['name']}"
        self._counts[f"{call.method} {place}"] += 1
        return f"{call.method} {place} {self._counts[f'{call.method} {place}']}"


def struck(strike: Strike, *, side_by_side: int = 1) -> Callable[..., Transport]:
    """Return the road for ``wire`` on which each write is told, in this process."""
    return partial(Struck, strike=strike, side_by_side=side_by_side)


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls the process: this signal, on this side of this write."""

    signal: str = NEVER
    side: str = NEVER
    write: str = NEVER


UNHARMED = Fate()


@dataclass(slots=True)
class Nursery:
    """Starts processes by forking one that has imported everything, so that many of them cost little."""

    _mother: subprocess.Popen[str]

    def once(self, config: Path, trace: Path, fate: Fate = UNHARMED) -> int:
        """Run ``once`` to its end; return what the process ended with, a signal as a negative number."""
        assert self._mother.stdin
        assert self._mother.stdout
        trace.write_text("")
        request = ["once", str(config), str(trace), fate.signal, fate.side, fate.write]
        self._mother.stdin.write(json.dumps(request) + "\n")
        self._mother.stdin.flush()
        return int(self._mother.stdout.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery, for as long as it is needed."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-m", __name__], **pipes) as mother:
        yield Nursery(mother)
        mother.stdin.close()  # type: ignore[union-attr]


@contextmanager
def running(config: Path, trace: Path, fate: Fate = UNHARMED, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon in a process of its own that meets its fate; its log lies beside the trace, with ``.log``."""
    trace.write_text("")
    command = [sys.executable, "-m", __name__, "run", str(config), str(trace), fate.signal, fate.side, fate.write]
    with trace.with_suffix(".log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environ})
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _live(verb: str, config: str, trace: str, *fate: str) -> int:
    """Be a gitopsd; a hasty one where ``HASTE`` says when its time began to run faster."""
    began = os.environ.get(HASTE)
    clock = HastyClock(FACTOR, float(began)) if began else SystemClock()
    daemon = Daemon(wire(load_config(Path(config)), clock, struck(_signalling(Path(trace), Fate(*fate)))))
    if verb == "run":
        return daemon.run()
    daemon.once(60.0, lambda _: None)
    return 0


def _signalling(trace: Path, fate: Fate) -> Strike:
    def strike(side: str, write: str) -> None:
        if side == BEFORE:
            with trace.open("a") as file:
                file.write(f"{write}\n")
        if (side, write) == (fate.side, fate.write):
            os.kill(os.getpid(), signal.Signals[fate.signal])
            # A stop reaches this thread a moment later: it must not be on the wire by then.
            threading.Event().wait(SETTLE_S)

    return strike


def _bear() -> None:
    """Fork a process for each line, and say how it ended."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(_live(*json.loads(line)))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(_live(*sys.argv[1:]) if sys.argv[1:] else _bear())

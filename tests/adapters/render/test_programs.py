"""Programs run as often at once as there are cores; one that waits for another machine computes nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from gitopsd.adapters.render.jail import Jail, Ran
from gitopsd.adapters.render.programs import Program, Wish
from tests.adapters.render.jailed import needs_linux

pytestmark = needs_linux

DEADLINE_S = 30.0
CORES = len(os.sched_getaffinity(0))
PYTHON = Wish(name="python", asks=("--version",), least=((0, 0, 0),), path=Path(sys.executable))


class Waiting:
    """Stands for a jail in which whoever has a network waits until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.waiting = threading.Semaphore(0)

    def run(self, argv: Sequence[str], files: Iterable[tuple[str, bytes]], **given: Any) -> Ran:
        if given.get("network"):
            self.waiting.release()
            assert self.let_go.wait(DEADLINE_S)
        return Ran(0, b"3.13.3", "")


def test_who_waits_for_other_machines_keeps_nobody_waiting_who_does_not():
    jail = Waiting()
    program = Program(cast("Jail", jail), PYTHON)
    with ThreadPoolExecutor(CORES + 1) as pool:
        try:
            online = [pool.submit(program.run, [], [], network=True) for _ in range(CORES)]
            assert all(jail.waiting.acquire(timeout=DEADLINE_S) for _ in online)
            assert pool.submit(program.run, [], []).result(DEADLINE_S).code == 0
        finally:
            jail.let_go.set()


def test_no_more_have_a_network_at_once_than_there_are_cores():
    jail = Waiting()
    program = Program(cast("Jail", jail), PYTHON)
    with ThreadPoolExecutor(CORES + 1) as pool:
        try:
            for _ in range(CORES + 1):
                pool.submit(program.run, [], [], network=True)
            assert all(jail.waiting.acquire(timeout=DEADLINE_S) for _ in range(CORES))
            assert not jail.waiting.acquire(timeout=0.2)
        finally:
            jail.let_go.set()

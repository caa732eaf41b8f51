"""A hundred environments on one base, rendered in a process of their own so that its memory can be told."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gitopsd.adapters.clock import SystemClock
from gitopsd.adapters.git import GitSource, GitSourceSettings
from gitopsd.adapters.render import DirectoryRenderer, Larder, Shelf, Storage, Workshop
from gitopsd.adapters.render.tool import Product, Read, Task, Tool
from gitopsd.core.model import Decrypted, Environment
from gitopsd.core.recipes import Recipe
from tests.bench.meters import resident_mib
from tests.fakes.decryptor import Unopened

COUNT = 100
WORKERS = 8


@dataclass
class Told:
    """One round: seconds from before the fetch to the last set, and what ran meanwhile."""

    seconds: float
    cpu_s: float
    renders: int
    most_at_once: int
    digests: int


@dataclass
class Counted:
    """Implements ``Workshop`` and ``tool.Tool`` by the real ones, and counts."""

    workshop: Workshop
    tool: Tool | None = None
    renders: int = 0
    at_once: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tool_for(self, recipe: type[Recipe]) -> Tool:
        self.tool = self.workshop.tool_for(recipe)
        return self

    def version(self) -> str:
        return self.tool.version()

    def directories(self, task: Task, read: Read) -> tuple[str, ...]:
        return self.tool.directories(task, read)

    def make(self, task: Task, opened: Decrypted) -> Product:
        with self.counted():
            return self.tool.make(task, opened)

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.renders += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        yield
        with self.lock:
            self.at_once -= 1


def main() -> None:
    """Fetch and render all, each time a line comes in; print how it was."""
    url, cache, kustomize = sys.argv[1:]
    source = GitSource(GitSourceSettings(name="git", url=url, branch="main"), Path(cache) / "git", SystemClock())
    counted = Counted(Workshop(Path(cache) / "jail", {"kustomize": Path(kustomize)}))
    storage = Storage(Shelf(Path(cache) / "rendered"), lambda _: None)
    renderer = DirectoryRenderer(Larder(source, Unopened(), counted), storage=storage)
    for _ in sys.stdin:
        print(json.dumps({**asdict(a_round(source, renderer, counted)), **peaks()}), flush=True)  # noqa: T201


def a_round(source: GitSource, renderer: DirectoryRenderer, counted: Counted) -> Told:
    """Fetch once, then render every environment, as many side by side as there are workers."""
    counted.renders = counted.most = 0
    began, cpu = time.monotonic(), sum(os.times()[:4])
    source.fetch()
    environments = [Environment(name=f"e{n}", source="git", path=f"environments/e{n}") for n in range(COUNT)]
    with ThreadPoolExecutor(WORKERS) as workers:
        found = list(workers.map(lambda one: renderer.render(one, source.resolve(one)), environments))
    return Told(
        seconds=time.monotonic() - began,
        cpu_s=sum(os.times()[:4]) - cpu,
        renders=counted.renders,
        most_at_once=counted.most,
        digests=len({one.digest for one in found}),
    )


def peaks() -> dict[str, float]:
    """The most memory that this process, and any one child of it, ever had, in MiB."""
    # What the kernel counts for getrusage begins with what the process had that started this one.
    _, own_mib = resident_mib(os.getpid())
    return {"own_mib": own_mib, "tool_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}


if __name__ == "__main__":
    main()

"""What a bench measures with: a bound that fails, the limit of the server, and what a process costs."""

from __future__ import annotations

import http.client
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from rig.api import APPLY, Api
from rig.audit import Request
from tests.bench.thousand import Made
from tests.git_server import Request as GitRequest

IN_FLIGHT = 32
_APPLY = "fieldManager=limit&force=true&fieldValidation=Strict"


def show(what: str, measured: float, unit: str, *, bound: float, beside: str = "") -> None:
    """Print one line; fail where the bound is broken."""
    verdict = "ok" if measured <= bound else "BROKEN"
    ratio = f"{measured / bound:.2f} of the bound" if bound else "none allowed"
    more = f"; {beside}" if beside else ""
    print(f"\n  {verdict:6} {what}: {measured:.4g} {unit}, bound {bound:g} {unit}, {ratio}{more}")  # noqa: T201
    assert measured <= bound, f"{what}: {measured:.4g} {unit} is over {bound:g}"


def spread(values: Sequence[float]) -> str:
    """The median, and between what."""
    return f"median {median(values):.3g} ({min(values):.3g} to {max(values):.3g}, {len(values)} times)"


class Arrivals(list[GitRequest]):
    """What reaches a Git server, with the moment of each: put it in the place of ``GitServer.requests``."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def append(self, request: GitRequest) -> None:
        self.at.append(time.time())
        super().append(request)

    @property
    def fetches(self) -> int:
        """How many fetches there were."""
        return sum(1 for request in self if request.method == "GET")

    def fetch_that_brought(self, begin: int) -> float:
        """When the first fetch since then began that brought a commit: it asks twice, for names and for objects."""
        asked = [index for index in range(begin, len(self)) if self[index].method == "GET"]
        for number, index in enumerate(asked):
            until = asked[number + 1] if number + 1 < len(asked) else len(self)
            if until - index > 2:
                return self.at[index]
        raise AssertionError("no fetch brought a commit")


def instant(request: Request) -> float:
    """When the API server received it."""
    return datetime.fromisoformat(request.at).timestamp()


def resident_mib(pid: int) -> tuple[float, float]:
    """What a process has in memory: now, and at most so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = (line.split() for line in lines if line.startswith(("VmRSS:", "VmHWM:")))
    found = {name: int(kibibytes) / 1024 for name, kibibytes, _ in sizes}
    return found["VmRSS:"], found["VmHWM:"]


def cpu_s(pid: int) -> float:
    """What a process has used of the processor, its ended children with it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to send a set."""

    seconds: float
    requests: int
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.requests} requests, {self.cpu_s:.2f} s CPU"


def send_at_the_limit(kubeconfig: Path, made: Sequence[Made]) -> Cost:
    """Apply ready bytes over connections that are open: about as fast as this server takes them from one client."""
    api = Api.from_kubeconfig(kubeconfig)
    ready: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    for one in made:
        ready.put((f"{one.path}?{_APPLY}", json.dumps(one.body).encode()))
    everyone_is_connected = threading.Barrier(IN_FLIGHT + 1)
    before = time.process_time()
    with ThreadPoolExecutor(IN_FLIGHT) as lanes:
        sent = [lanes.submit(_send, api, ready, everyone_is_connected) for _ in range(IN_FLIGHT)]
        everyone_is_connected.wait(30)
        began = time.monotonic()
        counts = [lane.result() for lane in sent]
    assert sum(counts) == len(made)
    return Cost(time.monotonic() - began, len(made), time.process_time() - before)


def _send(api: Api, ready: queue.SimpleQueue[tuple[str, bytes]], everyone_is_connected: threading.Barrier) -> int:
    where = urlsplit(api.server)
    headers = {**api.headers, "Content-Type": APPLY, "User-Agent": "limit"}
    count = 0
    with closing(http.client.HTTPSConnection(where.hostname or "", where.port, context=api.tls, timeout=60)) as line:
        line.connect()
        everyone_is_connected.wait(30)
        while True:
            try:
                path, body = ready.get_nowait()
            except queue.Empty:
                return count
            line.request("PATCH", path, body, headers)
            answer = line.getresponse()
            said = answer.read()
            assert answer.status < http.client.BAD_REQUEST, said[:500]
            count += 1


def run_to_the_end(command: Sequence[str | Path]) -> tuple[float, float]:
    """Run it; return how long it took, and what it used of the processor."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        said = child.stderr.read() if child.stderr else ""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, said[-2000:]
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime

"""One commit to a base of a hundred environments: one fetch, and each is rendered once, on all cores and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig.binaries import build
from tests.adapters.render.repository import a_map
from tests.bench.meters import Arrivals, show
from tests.bench.shared_base import COUNT
from tests.git_server import GitServer

pytestmark = pytest.mark.bench

ROOT = Path(__file__).parents[2]
CORES = len(os.sched_getaffinity(0))
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {0}}}\nspec: {{replicas: 1}}\n"
BASE = {
    **{f"base/d{n}.yaml": DEPLOYMENT.format(f"d{n}") for n in range(10)},
    **{f"base/m{n}.yaml": a_map(f"m{n}") for n in range(10)},
    "base/kustomization.yaml": "resources:\n" + "".join(f"- d{n}.yaml\n- m{n}.yaml\n" for n in range(10)),
}
OVERLAYS = {
    f"environments/e{n}/kustomization.yaml": f"resources: [../../base]\nnamePrefix: e{n}-\n" for n in range(COUNT)
}

# Beside kustomize alone, on as many cores, without a jail, a fetch or anything read of what it prints.
SECONDS_RATIO_MAX = 6.0
OWN_MIB_MAX = 150.0


@contextmanager
def renderers(server: GitServer, cache: Path) -> Iterator[Callable[[], dict[str, float]]]:
    """A process that renders all when it is called."""
    command = [sys.executable, "-m", "tests.bench.shared_base", server.url("environments"), str(cache), kustomize()]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:

        def a_round() -> dict[str, float]:
            child.stdin.write("\n")
            child.stdin.flush()
            return json.loads(child.stdout.readline())

        yield a_round
        child.stdin.close()
        assert child.wait(30) == 0


def kustomize() -> str:
    return str(build(("kustomize",))["kustomize"])


def seconds_of_kustomize_alone(folder: Path) -> float:
    for path, text in {**BASE, **OVERLAYS}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    commands = [[kustomize(), "build", folder / "environments" / f"e{n}"] for n in range(COUNT)]
    began = time.monotonic()
    with ThreadPoolExecutor(CORES) as cores:
        list(cores.map(lambda command: subprocess.run(command, capture_output=True, check=True), commands))
    return time.monotonic() - began


def test_a_commit_to_a_shared_base(tmp_path):
    (tmp_path / "served").mkdir()
    with GitServer(tmp_path / "served") as server:
        repository = server.create("environments")
        repository.commit({**BASE, **OVERLAYS})
        with renderers(server, tmp_path / "cache") as a_round:
            cold = a_round()
            repository.commit({"environments/e0/kustomization.yaml": "resources: [../../base]\nnamePrefix: other-\n"})
            one = a_round()
            server.requests = arrivals = Arrivals()
            repository.commit({"base/m0.yaml": a_map("m0", "new")})
            base = a_round()
            fetches = arrivals.fetches
            idle = a_round()
        with renderers(server, tmp_path / "cache") as a_round:
            restarted = a_round()
    alone = seconds_of_kustomize_alone(tmp_path / "alone")

    assert (cold["renders"], one["renders"], base["renders"]) == (COUNT, 1, COUNT)
    assert (idle["renders"], restarted["renders"]) == (0, 0)
    assert base["digests"] == restarted["digests"] == COUNT
    show("fetches for a commit to a base of 100 environments", fetches, "", bound=1)
    show("renders at once", base["most_at_once"], "", bound=CORES)
    beside = f"{base['seconds']:.1f} s beside {alone:.1f} s of kustomize alone; {base['cpu_s']:.1f} s CPU"
    show("… seconds", base["seconds"] / alone, "x", bound=SECONDS_RATIO_MAX, beside=beside)
    show(
        "… resident memory at its peak",
        base["own_mib"],
        "MiB",
        bound=OWN_MIB_MAX,
        beside=f"a tool {base['tool_mib']:.0f} MiB",
    )
    beside = f"{idle['seconds'] * 1e3:.0f} ms; {restarted['seconds'] * 1e3:.0f} ms after a restart"
    show("… seconds with nothing new", idle["seconds"] / base["seconds"], "x", bound=0.1, beside=beside)

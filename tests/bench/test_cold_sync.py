"""From nothing to a thousand objects, beside the limit of the same server and beside kubectl, in one run.

Every round has a cluster of its own, and another order. The limit is a parallel sender of ready bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest

from rig.binaries import build
from rig.cluster import Nodes
from rig.lifecycle import Wish, down, up
from rig.programs import myself
from rig.pytest_plugin import TestCluster
from tests.bench.meters import Cost, cpu_s, instant, run_to_the_end, send_at_the_limit, show
from tests.bench.playing_field import Field, playing_field
from tests.bench.thousand import files

pytestmark = [pytest.mark.bench, pytest.mark.cluster, pytest.mark.rig_power, pytest.mark.timeout(1800)]

ROUNDS = 3
# Each is read, tried before anything is written, and written; where many are of one kind, one list reads them.
REQUESTS_MAX = 3 * 1000
LIMITS_MAX = 4.0
KUBECTLS_MAX = 2.0


def test_a_thousand_objects_from_nothing(tmp_path: Path):
    costs: dict[str, list[Cost]] = {name: [] for name in SENDERS}
    names = list(SENDERS)
    for number in range(ROUNDS):
        with _cluster(f"bench-{os.getpid()}-{number}") as cluster:
            for name in (*names[number:], *names[:number]):
                with playing_field(cluster, tmp_path / f"{number}-{name}") as field:
                    costs[name].append(SENDERS[name](field))
                    print(f"\n  round {number + 1}, {name}: {costs[name][-1]}")  # noqa: T201

    requests = max(cost.requests for cost in costs["gitopsd"])
    show("a cold sync of 1,000", requests, "requests", bound=REQUESTS_MAX)
    show("its seconds", _ratio(costs, "limit"), "times the limit", bound=LIMITS_MAX)
    show("its seconds", _ratio(costs, "kubectl"), "times kubectl apply --server-side", bound=KUBECTLS_MAX)


def _ratio(costs: Mapping[str, list[Cost]], other: str) -> float:
    return median(ours.seconds / theirs.seconds for ours, theirs in zip(costs["gitopsd"], costs[other], strict=True))


def _with_the_limit(field: Field) -> Cost:
    return send_at_the_limit(field.kubeconfig, field.made)


def _with_kubectl(field: Field) -> Cost:
    folder = field.stage.folder / "manifests"
    for path, content in files(field.made).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    begin = field.stage.audit.position()
    apply = ("apply", "--server-side", "--force-conflicts", "--recursive", "--filename", folder)
    seconds, processor_s = run_to_the_end([build(("kubectl",))["kubectl"], "--kubeconfig", field.kubeconfig, *apply])
    return Cost(seconds, len(field.requests(begin)), processor_s)


def _with_gitopsd(field: Field) -> Cost:
    """From the fetch that brings the commit to the last write; until it is kept comes after."""
    with field.daemon() as pid:
        field.await_kept()
        begin, spent_s = field.stage.audit.position(), cpu_s(pid)
        arrived = field.commit(files(field.made), "A thousand objects")
        field.await_kept()
        writes = field.writes(begin)
        assert sorted(f"{one.verb} {one.object}" for one in writes) == sorted(
            f"patch {one.object}" for one in field.made
        )
        seconds = max(map(instant, writes)) - field.arrivals.fetch_that_brought(arrived)
        return Cost(seconds, len(field.requests(begin)), cpu_s(pid) - spent_s)


SENDERS: Mapping[str, Callable[[Field], Cost]] = {
    "limit": _with_the_limit,
    "kubectl": _with_kubectl,
    "gitopsd": _with_gitopsd,
}


@contextmanager
def _cluster(name: str) -> Iterator[TestCluster]:
    made = up(Wish(name=name, nodes=Nodes.KWOK, owner=myself()))
    try:
        yield TestCluster(made.kubeconfig, made)
    finally:
        down(made.name)

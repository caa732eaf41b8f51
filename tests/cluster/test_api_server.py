"""The API server crashes in the middle of an apply, or hangs during a rollout: it takes longer, and nothing else."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from gitopsd.adapters.cluster import Limits, Transport
from gitopsd.core.record import Outcome
from gitopsd.core.status.words import Phase, phase
from rig.faults import crashed, paused
from tests.cluster.crashing import AFTER, struck
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

COUNT = 60
NAMES = [f"part-{number:02}" for number in range(COUNT)]
IN_FLIGHT = 8
# Room for controllers and node to start anew after the hang, on a busy machine too.
DEADLINE_S = 20.0
HANG_S = 23.0


def _files(value: str) -> dict[str, str]:
    files = {f"{name}.yaml": configmap(name, a=value) for name in NAMES}
    return {**files, "web.yaml": deployment("web", image=f"registry.example/app:{value}")}


def test_the_api_server_crashes_in_the_middle_of_an_apply_and_comes_back(stage):
    stage.commit({**_files("1"), "old.yaml": configmap("old")})
    assert phase(stage.once()) is Phase.READY
    under_way, answered = threading.Event(), []

    def count(side: str, write: str) -> None:
        if side == AFTER and "part" in write:
            answered.append(write)
            under_way.set()

    stage.road = struck(count, side_by_side=IN_FLIGHT)
    stage.commit({**_files("2"), "old.yaml": None})
    begin = stage.audit.position()
    with stage.daemon() as daemon:
        assert under_way.wait(30)
        with crashed(stage.cluster.powers()):
            until("gitopsd to notice", lambda: shown(daemon).problem_class == "ClusterError")
            assert len(answered) < COUNT, "the crash came too late to be in the middle"
        until("the commit to be kept", phase_is(daemon, Phase.READY))
        until("nothing to be left of the old", lambda: stage.get("configmaps", "old") is None)

    assert {stage.get("configmaps", name)["data"]["a"] for name in NAMES} == {"2"}
    counts = _counts(stage, begin)
    assert counts.pop("old") == {"delete": 1}
    assert all(verbs in ({"patch": 1}, {"patch": 2}) for verbs in counts.values())
    # What was in flight at the crash may be sent again, or be missing from the log of the server that died.
    odd = {*NAMES, "web"} ^ {name for name, verbs in counts.items() if verbs == {"patch": 1}}
    assert len(odd) <= IN_FLIGHT
    assert odd <= {*NAMES, "web"}


def test_the_deadline_stands_still_while_the_api_server_hangs(stage):
    stage.road = partial(Transport, limits=Limits(connect_s=1.0, total_s=2.0))
    settings = f"apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {{soak: 0s, timeout: {DEADLINE_S:.0f}s}}\n"
    stage.commit({"gitopsd.yaml": settings, "web.yaml": deployment("web"), "a.yaml": configmap("a", a="1")})
    assert phase(stage.once()) is Phase.READY
    slow = deployment("web", image="rig.test/web:slow")
    stage.commit({"web.yaml": slow, "a.yaml": configmap("a", a="2")})
    with stage.daemon() as daemon:
        until("the rollout", phase_is(daemon, Phase.VERIFYING))
        began, begin = time.monotonic(), stage.audit.position()
        with paused(stage.cluster.powers()):
            until("gitopsd to notice", lambda: shown(daemon).problem_class == "ClusterError")
            until("the deadline to be over, if nobody had stopped its clock",
                  lambda: time.monotonic() - began > HANG_S, deadline_s=2 * HANG_S)  # fmt: skip
        until("the commit to be kept", phase_is(daemon, Phase.READY), deadline_s=90)

    record = stage.record()
    assert [entry.outcome for entry in record.history] == [Outcome.KEPT, Outcome.KEPT]
    assert record.held == {}
    assert record.history[0].seconds > DEADLINE_S
    assert _counts(stage, begin) == {}


def _counts(stage, begin: int) -> dict[str, dict[str, int]]:
    """How often gitopsd wrote each object, by verb, but for its record and snapshots."""
    found: dict[str, dict[str, int]] = {}
    for write, count in stage.audit.writes(begin).items():
        name = write.object.rpartition("/")[2]
        if not name.startswith("gitopsd-"):
            found.setdefault(name, {})[write.verb] = count
    return found

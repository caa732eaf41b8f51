"""gitopsd is killed (-9) before and after each write of one update; the next one ends where an uncrashed one would.

Told to stop (SIGTERM), it finishes what it is at, says that it does not lead any more, and ends well.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest

from gitopsd.core.record import Record
from gitopsd.core.status.words import Phase, phase
from rig.faults import paused
from rig.waiting import wait_for
from tests.cluster.crashing import AFTER, BEFORE, UNHARMED, Fate, Nursery, nursery, running
from tests.cluster.stage import SOAKLESS, Stage, configmap, deployment, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

FIRST = {
    "gitopsd.yaml": SOAKLESS,
    "web.yaml": deployment("web"),
    "settings.yaml": configmap("settings", colour="red"),
    "old.yaml": configmap("old", a="1"),
}
UPDATE = {
    "web.yaml": deployment("web", image="registry.example/app:2"),
    "settings.yaml": configmap("settings", colour="blue"),
    "old.yaml": None,
    "new.yaml": configmap("new", a="1"),
}
RECORD = "gitopsd-staging"
SHARED = {"GITOPSD_LEADERELECTION__ENABLED": "true"}
# What Kubernetes gives a pod, less a margin.
GRACE_S = 20.0
HANGING_GRACE_S = 28.0


@dataclass
class Update:
    """One stage on which the same update is begun again and again."""

    stage: Stage
    nursery: Nursery
    first: str
    then: str

    def run(self, fate: Fate = UNHARMED) -> list[str]:
        """From nothing to the first commit, then the update with its fate, and whoever comes after; its writes."""
        self._clear()
        self.stage.repository.reset(self.first)
        assert phase(self.stage.once()) is Phase.READY
        self.stage.repository.reset(self.then)
        self.begin = self.stage.audit.position()
        trace = self.stage.folder / "trace"
        ended = self.nursery.once(self.stage.config(), trace, fate)
        assert ended == (-signal.SIGKILL if fate != UNHARMED else 0), fate
        return trace.read_text().splitlines()

    def finish(self) -> Counter[str]:
        """Let the next gitopsd carry on to the end; return all writes since the update began, per object."""
        assert phase(self.stage.once()) is Phase.READY
        return Counter({f"{w.verb} {w.object}": n for w, n in self.stage.audit.writes(self.begin).items()})

    def world(self) -> dict[str, object]:
        """All that must not depend on who crashed when."""
        listed = {kind: self.stage.api.get(self.stage.path(kind))["items"] for kind in ("configmaps", "secrets")}
        workloads = self.stage.api.get(self.stage.path("deployments"))["items"]
        return {
            "configmaps": {_name(one): one.get("data") for one in listed["configmaps"] if _name(one) != RECORD},
            "secrets": sorted(_name(one) for one in listed["secrets"]),
            "deployments": {_name(one): (one["metadata"]["generation"], one["spec"]) for one in workloads},
            "managers": {
                _name(one): sorted(field["manager"] for field in one["metadata"]["managedFields"])
                for one in listed["configmaps"] if _name(one) != RECORD
            },
            "record": _timeless(self.stage.record()),
        }  # fmt: skip

    def _clear(self) -> None:
        for kind in ("deployments", "configmaps", "secrets"):
            self.stage.api.delete(self.stage.path(kind))
        for kind in ("deployments", "configmaps", "secrets"):
            wait_for(f"no {kind}", lambda kind=kind: not self._left(kind), every_s=0.02)

    def _left(self, kind: str) -> list[str]:
        return [_name(one) for one in self.stage.api.get(self.stage.path(kind))["items"] if _name(one) != _ROOT]


_ROOT = "kube-root-ca.crt"


def _name(body) -> str:
    return body["metadata"]["name"]


def _timeless(record: Record) -> object:
    return (
        record.current,
        {str(ref): (item.digest, item.born, bool(item.uid)) for ref, item in record.inventory.items()},
        record.rollout,
        [kept.digest for kept in record.kept],
        record.held,
        [(entry.outcome, entry.digest) for entry in record.history],
        record.suspended,
    )


@pytest.fixture
def update(stage):
    with nursery() as ready:
        first = stage.commit(FIRST)
        yield Update(stage, ready, first, stage.commit(UPDATE))


def test_killed_before_or_after_any_write_of_an_update_the_next_one_carries_on(update):
    writes = update.run()
    asked = update.finish()
    expected = update.world()

    assert sorted(_kind(write) for write in writes if RECORD not in write) == [
        "DELETE configmaps/old", "PATCH configmaps/new", "PATCH configmaps/settings", "PATCH deployments/web",
    ]  # fmt: skip
    assert {_kind(write) for write in writes if RECORD in write} == {
        f"PATCH configmaps/{RECORD}",
        f"POST secrets/{RECORD}",
    }
    for write in writes:
        for side in (BEFORE, AFTER):
            assert update.run(Fate("SIGKILL", side, write))[-1] == write
            seen = update.finish()
            assert update.world() == expected, (side, write)
            # No object is written twice, or deleted at all too often; only the record may be saved once more.
            assert not _but_the_record(seen - asked), (side, write)
            assert not _but_the_record(asked - seen), (side, write)
            assert (seen - asked).total() <= 1, (side, write)


def test_told_to_stop_in_the_middle_of_an_apply_it_finishes_and_the_next_one_writes_nothing_more(stage):
    stage.commit(FIRST)
    stage.once()
    stage.commit(UPDATE)
    begin, trace = stage.audit.position(), stage.folder / "trace"
    with running(stage.config(), trace, Fate("SIGTERM", BEFORE, "PATCH configmaps/settings 1"), **SHARED) as child:
        assert child.wait(GRACE_S) == 0
    log = [json.loads(line) for line in trace.with_suffix(".log").read_text().splitlines()]
    assert [line["because"] for line in log if "because" in line] == ["SIGTERM"]
    assert [line["message"] for line in log][-2:] == ["not leading", "stopped"]
    assert stage.get("leases", "gitopsd")["spec"]["holderIdentity"] == ""
    assert stage.get("configmaps", "settings")["data"] == {"colour": "blue"}

    assert phase(stage.once()) is Phase.READY

    assert sorted(_object_writes(stage, begin)) == ["delete old", "patch new", "patch settings", "patch web"]


def test_told_to_stop_during_a_rollout_the_next_one_goes_on_with_it(stage):
    stage.commit({"web.yaml": deployment("web", image="rig.test/web:slow")})
    begin = stage.audit.position()
    with stage.process(**SHARED) as child:
        until("the rollout", lambda: stage.get("configmaps", RECORD) and stage.record().rollout)
        until("its first pass to end", lambda: stage.get("deployments", "web"))
        began = stage.record().rollout.started_at
        child.send_signal(signal.SIGTERM)
        assert child.wait(GRACE_S) == 0
    assert stage.get("leases", "gitopsd")["spec"]["holderIdentity"] == ""

    assert phase(stage.once()) is Phase.READY

    kept = stage.record().history[0]
    assert (kept.at - timedelta(seconds=kept.seconds)).replace(microsecond=0) == began.replace(microsecond=0)
    assert _object_writes(stage, begin) == ["patch web"]


def test_told_to_stop_while_the_api_server_hangs_it_ends_within_its_grace(stage):
    stage.commit(FIRST)
    with stage.process(**SHARED) as child:
        until("the first commit to be kept", lambda: stage.get("configmaps", RECORD) and stage.record().last_kept)
        with paused(stage.cluster.powers()):
            stage.commit(UPDATE)
            asked = len(stage.server.requests)
            until("a pass that hangs", lambda: len(stage.server.requests) > asked + 2)
            child.send_signal(signal.SIGTERM)
            assert child.wait(HANGING_GRACE_S) == 0


def _object_writes(stage: Stage, begin: int) -> list[str]:
    """What gitopsd wrote, but for its record, its snapshots and its lease."""
    named = [(write.verb, write.object.rpartition("/")[2]) for write in stage.audit.writes(begin).elements()]
    return [f"{verb} {name}" for verb, name in named if not name.startswith("gitopsd")]


def _kind(write: str) -> str:
    """The write without its count, and without a snapshot's checksum."""
    name = write.rpartition(" ")[0]
    return name if "secrets" not in name else "-".join(name.split("-")[:2])


def _but_the_record(writes: Counter[str]) -> list[str]:
    return [write for write in writes if not write.endswith(f"/{RECORD}")]

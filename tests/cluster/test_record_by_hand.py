"""People edit the record's ConfigMap, or delete it, while gitopsd runs: nothing is deleted on account of that."""

from __future__ import annotations

import base64
import gzip

import pytest

from gitopsd.core.status.words import Phase, phase
from rig.api import MERGE
from tests.cluster.asking import gitopsd
from tests.cluster.stage import configmap, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

STATE, OBJECTS = "record.json", "objects.json.gz"
FILES = {"one.yaml": configmap("one", a="1"), "two.yaml": configmap("two", a="1"), "old.yaml": configmap("old", a="1")}
SECONDS = 5.0


def _flipped(body):
    blob = bytearray(gzip.decompress(base64.b64decode(body["binaryData"][OBJECTS])))
    blob[len(blob) // 2] ^= 1
    return {"binaryData": {OBJECTS: base64.b64encode(gzip.compress(bytes(blob))).decode()}}


def _emptied(body):
    return {"binaryData": {OBJECTS: base64.b64encode(gzip.compress(b"{}")).decode()}}


def _newer(body):
    return {"data": {STATE: body["data"][STATE].replace("record.v1", "record.v2")}}


DAMAGES = [
    pytest.param(lambda _: {"data": {STATE: "{ not json"}}, "RECORD_DAMAGED", id="what is no JSON"),
    pytest.param(lambda _: {"data": {STATE: None}}, "RECORD_DAMAGED", id="nothing where the state was"),
    pytest.param(_flipped, "RECORD_DAMAGED", id="one bit of the inventory"),
    pytest.param(_emptied, "RECORD_DAMAGED", id="an inventory of nothing"),
    pytest.param(_newer, "RECORD_NEWER", id="the schema of a newer gitopsd"),
]


@pytest.mark.parametrize(("damage", "code"), DAMAGES)
def test_a_record_that_cannot_be_trusted_stops_everything_until_it_is_whole_again(stage, damage, code):
    stage.commit(FILES)
    with stage.daemon() as daemon:
        until("the first commit to be kept", phase_is(daemon, Phase.READY))
        whole = stage.get("configmaps", "gitopsd-staging")
        begin = stage.audit.position()

        _edit(stage, damage(whole))

        until("the damage to be seen", lambda: _code(daemon) == code, SECONDS)
        stage.commit({"one.yaml": configmap("one", a="2"), "old.yaml": None})
        until("a fetch of it", lambda: shown(daemon).head.commit == stage.repository.head())
        until("another look", lambda: shown(daemon).problem_count > 1, SECONDS)
        assert _writes(stage, begin) == []

        _edit(stage, {"data": whole["data"], "binaryData": whole["binaryData"]})

        until("the commit to be kept", lambda: phase_is(daemon, Phase.READY)() and not _is_there(stage, "old"))
        assert _writes(stage, begin) == ["delete old", "patch one"]


def test_a_deleted_record_is_made_anew_from_what_is_there_and_prunes_nothing(stage):
    stage.commit(FILES)
    first = stage.once()
    before = stage.record()
    stage.commit({"old.yaml": None})
    stage.api.delete(f"{stage.path('configmaps')}/gitopsd-staging")
    begin = stage.audit.position()

    view = stage.once()

    record = stage.record()
    assert phase(first) is phase(view) is Phase.READY
    assert _writes(stage, begin) == []
    assert {ref.name: item.uid for ref, item in record.inventory.items()} == {
        ref.name: item.uid for ref, item in before.inventory.items() if ref.name != "old"
    }
    # The next removal is an ordinary one: it is known again what belongs here.
    stage.commit({"two.yaml": None})
    stage.once()
    assert _writes(stage, begin) == ["delete two"]
    assert _is_there(stage, "old")


def test_a_record_deleted_under_a_running_daemon_is_made_anew_and_nothing_else_happens(stage):
    stage.commit(FILES)
    with stage.daemon() as daemon:
        until("the first commit to be kept", phase_is(daemon, Phase.READY))
        begin = stage.audit.position()

        stage.api.delete(f"{stage.path('configmaps')}/gitopsd-staging")

        until("a new record", lambda: _is_there(stage, "gitopsd-staging"), SECONDS)
        until("it to be kept", phase_is(daemon, Phase.READY), SECONDS)
        assert _writes(stage, begin) == []
    assert {ref.name for ref in stage.record().inventory} == {"one", "two", "old"}


def test_a_person_who_suspends_at_a_terminal_is_heard_by_the_daemon_in_seconds(stage):
    stage.commit(FILES)
    with stage.daemon() as daemon:
        until("the first commit to be kept", phase_is(daemon, Phase.READY))
        begin = stage.audit.position()

        said = gitopsd(stage, "suspend", "staging", "--reason", "looking into it")

        until("the daemon to know", phase_is(daemon, Phase.SUSPENDED), SECONDS)
        assert said.code == 0, said.text
        assert shown(daemon).known.suspended.reason == "looking into it"
        stage.commit({"one.yaml": configmap("one", a="2")})
        until("a fetch of it", lambda: shown(daemon).head.commit == stage.repository.head())
        assert _writes(stage, begin) == []

        gitopsd(stage, "resume", "staging")

        until("the commit to be applied", lambda: stage.get("configmaps", "one")["data"] == {"a": "2"}, SECONDS)
        until("it to be kept", phase_is(daemon, Phase.READY), SECONDS)
        assert _writes(stage, begin) == ["patch one"]


def _edit(stage, body) -> None:
    stage.api.request("PATCH", f"{stage.path('configmaps')}/gitopsd-staging", body, MERGE)


def _is_there(stage, name: str) -> bool:
    return stage.get("configmaps", name) is not None


def _code(daemon) -> str:
    view = shown(daemon)
    return view.problems[0].code if view.problems else ""


def _writes(stage, begin: int) -> list[str]:
    """What gitopsd wrote, but for its record and snapshots."""
    written = stage.audit.writes(begin)
    named = [(write.verb, write.object.rpartition("/")[2]) for write in written.elements()]
    return sorted(f"{verb} {name}" for verb, name in named if not name.startswith("gitopsd-"))

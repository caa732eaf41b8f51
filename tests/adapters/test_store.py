"""The store when answers get lost, when somebody else wrote, and when what is there is not what it should be."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import replace

import pytest

from gitopsd.adapters.store import ClusterStore
from gitopsd.adapters.store.snapshot_codec import pack
from gitopsd.core.errors import ClusterError, PlanRefused, Problem, Stage, Superseded
from gitopsd.core.model import Environment, Item
from gitopsd.core.record import Hold, Record
from gitopsd.ports import Answer
from tests.fakes.api import FakeApi, Loss, LossyApi, refusal
from tests.make import NOON, REVISION, desired, manifest, ref

STAGING = Environment(name="staging", source="git", path="environments/staging")
OLD, NEW, NEWER = "1" * 64, "2" * 64, "3" * 64
RECORD = Record(current=NEW, inventory={ref("Deployment", "web"): Item(uid="u")})
CHANGED = replace(RECORD, current=NEWER)

PASSWORD = "correct horse battery staple"
SMALL = desired(manifest("Secret", "token", {"password": PASSWORD}), digest=NEW)


def _incompressible(count: int) -> str:
    return "".join(hashlib.sha512(str(number).encode()).hexdigest() for number in range(count // 128))


LARGE = desired(manifest("ConfigMap", "blob", {"noise": _incompressible(4_000_000)}), digest=NEW)


class Kept:
    """A store with a record in it, on a road that can lose things."""

    def __init__(self) -> None:
        self.server = FakeApi()
        self.road = LossyApi(self.server)
        self.store = ClusterStore(self.road, "gitopsd")
        self.record = self.store.save(STAGING, RECORD)
        self.other = ClusterStore(self.server, "gitopsd")
        self.server.calls.clear()

    @property
    def config_map(self):
        return self.server.objects["configmaps", "gitopsd", "gitopsd-staging"]

    def edit_record(self, change) -> None:
        """By hand, and the watch says so."""
        self.server.edit("configmaps", "gitopsd", "gitopsd-staging", change)
        self.store.invalidate("staging")

    def chunks(self) -> list[str]:
        return [name for plural, _, name in self.server.objects if plural == "secrets"]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_the_record_is_the_parent_of_the_apply_set(kept):
    metadata = kept.config_map["metadata"]

    assert metadata["labels"]["applyset.kubernetes.io/id"].startswith("applyset-")
    assert metadata["annotations"]["applyset.kubernetes.io/tooling"] == "gitopsd/v0.1.0"
    assert metadata["annotations"]["applyset.kubernetes.io/contains-group-kinds"] == "Deployment.apps"
    assert metadata["annotations"]["applyset.kubernetes.io/additional-namespaces"] == "shop"
    assert metadata["annotations"]["gitopsd.dev/environment"] == "staging"


BUSY, FAILED, TIMED_OUT = refusal(429), refusal(500, "InternalError"), refusal(504, "Timeout")


@pytest.mark.parametrize("first", [pytest.param(True, id="the first record"), pytest.param(False, id="a later one")])
@pytest.mark.parametrize(
    ("losses", "writes"),
    [
        pytest.param([None], 1, id="nothing is lost"),
        pytest.param([Loss.NEVER_ARRIVES], 1, id="a request that never arrived is sent again"),
        pytest.param([Loss.ANSWER_LOST], 1, id="a write whose answer is lost is seen to have happened"),
        pytest.param([Loss.ARRIVES_LATE], 2, id="a write that arrives late is taken for ours"),
        pytest.param([Loss.NEVER_ARRIVES, Loss.ANSWER_LOST], 1, id="both attempts have losses, and one arrived"),
        pytest.param([FAILED], 1, id="a server that failed is asked again"),
        pytest.param([TIMED_OUT], 1, id="a server that took too long is asked again"),
        pytest.param([BUSY], 1, id="a busy server is asked again"),
    ],
)
def test_a_save_is_never_doubted_nor_doubled(kept, losses, writes, first):
    if first:
        del kept.server.objects["configmaps", "gitopsd", "gitopsd-staging"]
    kept.road.losses += losses

    saved = kept.store.save(STAGING, CHANGED if first else replace(kept.record, current=NEWER))

    assert replace(saved, version="") == CHANGED
    assert kept.other.load(STAGING) == saved
    assert len(kept.server.writes()) == writes


def test_a_save_that_never_arrives_is_no_save_and_nobody_elses_fault(kept):
    kept.road.losses += [Loss.NEVER_ARRIVES] * 2

    with pytest.raises(ClusterError) as raised:
        kept.store.save(STAGING, replace(kept.record, current=NEWER))

    assert not isinstance(raised.value, Superseded)
    assert kept.other.load(STAGING) == kept.record


@pytest.mark.parametrize("loss", [Loss.NEVER_ARRIVES, Loss.ARRIVES_LATE], ids=lambda loss: loss.value)
def test_somebody_who_writes_while_an_answer_is_lost_supersedes_us(kept, loss):
    kept.road.losses.append(loss)

    def somebody_writes(call):
        if call.method == "GET" and kept.other.load(STAGING) == kept.record:
            kept.other.save(STAGING, replace(kept.record, current=OLD))

    kept.road.before = somebody_writes

    with pytest.raises(Superseded):
        kept.store.save(STAGING, replace(kept.record, current=NEWER))

    assert kept.other.load(STAGING).current == OLD


def test_a_record_that_was_deleted_meanwhile_supersedes_us(kept):
    del kept.server.objects["configmaps", "gitopsd", "gitopsd-staging"]

    with pytest.raises(Superseded):
        kept.store.save(STAGING, replace(kept.record, current=NEWER))


def test_who_does_not_lead_stops_at_once(kept):
    kept.road.losses.append(Superseded(Problem(code="NOT_LEADER", stage=Stage.APPLY, message="no")))

    with pytest.raises(Superseded) as raised:
        kept.store.save(STAGING, replace(kept.record, current=NEWER))

    assert raised.value.problem.code == "NOT_LEADER"
    assert kept.server.calls == []


def test_a_refusal_is_final(kept):
    kept.road.losses.append(refusal(403, "Forbidden"))

    with pytest.raises(ClusterError) as raised:
        kept.store.save(STAGING, replace(kept.record, current=NEWER))

    assert raised.value.denied
    assert kept.server.calls == []


PROXY = Answer(404, "<html>404</html>")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(PROXY, id="a proxy's 404"),
        pytest.param(refusal(404, "NotFound"), id="a 404 that is about nothing"),
        pytest.param(refusal(403, "Forbidden"), id="no rights"),
        pytest.param(refusal(500, "InternalError"), id="a failed server"),
        pytest.param(Answer(200, "fine"), id="a 200 without an object"),
        pytest.param(Answer(200, {"kind": "ConfigMapList", "metadata": {"continue": "x"}, "items": []}), id="half"),
    ],
)
def test_only_a_real_not_found_means_that_there_is_nothing(answer):
    class Server:
        def call(self, _):
            return answer

    store = ClusterStore(Server(), "gitopsd")

    for ask in (store.load, lambda environment: store.recall(environment, NEW)):
        with pytest.raises((ClusterError, PlanRefused)) as raised:
            ask(STAGING)
        assert raised.value.problem.code not in ("SNAPSHOT_MISSING", "SNAPSHOT_DAMAGED")


def _change(path: str, value: object):
    def change(body):
        *folders, last = path.split("|")
        for folder in folders:
            body = body[folder]
        if value is None:
            del body[last]
        else:
            body[last] = value

    return change


FOREIGN = {
    "its id is gone": _change("metadata|labels", {}),
    "its id is another's": _change("metadata|labels|applyset.kubernetes.io/id", "applyset-x-v1"),
    "its tooling is gone": _change("metadata|annotations|applyset.kubernetes.io/tooling", None),
    "it is kubectl's": _change("metadata|annotations|applyset.kubernetes.io/tooling", "kubectl/v1.34"),
    "it is another environment's": _change("metadata|annotations|gitopsd.dev/environment", "production"),
}


@pytest.mark.parametrize("change", [pytest.param(change, id=what) for what, change in FOREIGN.items()])
def test_what_is_not_surely_our_record_is_refused(kept, change):
    kept.edit_record(change)

    with pytest.raises(PlanRefused) as raised:
        kept.store.load(STAGING)

    assert raised.value.problem.code == "RECORD_FOREIGN"


DAMAGED = {
    "its state is gone": _change("data", None),
    "its state is not JSON": _change("data|record.json", "{"),
    "its objects are gone": _change("binaryData", None),
    "its objects are not base64": _change("binaryData|objects.json.gz", "~"),
    "its objects are others": _change("binaryData|objects.json.gz", base64.b64encode(b"others").decode()),
}


@pytest.mark.parametrize("change", [pytest.param(change, id=what) for what, change in DAMAGED.items()])
def test_a_damaged_record_is_refused_and_not_taken_for_an_empty_one(kept, change):
    kept.edit_record(change)

    with pytest.raises(PlanRefused) as raised:
        kept.store.load(STAGING)

    assert raised.value.problem.code == "RECORD_DAMAGED"


def test_a_person_may_edit_the_readable_part(kept):
    hold = Hold(digest=OLD, revision=REVISION, why="by hand", since=NOON)
    kept.store.save(STAGING, kept.record.hold(hold))
    state = kept.config_map["data"]["record.json"].replace("by hand", "because I say so")
    kept.edit_record(_change("data|record.json", state))

    assert kept.store.load(STAGING).held[OLD].why == "because I say so"


@pytest.mark.parametrize("write", ["record", "snapshot"])
def test_the_first_write_brings_the_namespace(write):
    server = FakeApi()
    store = ClusterStore(server, "ops")

    if write == "record":
        store.save(STAGING, RECORD)
    else:
        store.keep_snapshot(STAGING, SMALL, frozenset())

    assert ("namespaces", "", "ops") in server.objects
    assert replace(store.load(STAGING), version="") == (RECORD if write == "record" else Record())


def test_a_namespace_that_we_may_not_create_is_asked_for():
    class Guarded(FakeApi):
        def call(self, call):
            return refusal(403, "Forbidden") if call.path == "/api/v1/namespaces" else super().call(call)

    with pytest.raises(ClusterError) as raised:
        ClusterStore(Guarded(), "ops").save(STAGING, RECORD)

    assert raised.value.denied
    assert raised.value.problem.hint == "create the namespace ops: gitopsd keeps its records there"


def test_a_large_set_is_kept_in_several_pieces_that_fit(kept):
    kept.store.keep_snapshot(STAGING, LARGE, frozenset())

    sizes = [len(base64.b64decode(body["data"]["content"])) for body in _secrets(kept)]
    assert len(sizes) > 1
    assert max(sizes) <= 900 * 1024
    assert kept.store.recall(STAGING, NEW) == LARGE


def test_a_set_that_is_there_is_not_written_again(kept):
    kept.store.keep_snapshot(STAGING, LARGE, frozenset())
    kept.server.calls.clear()
    kept.store.keep_snapshot(STAGING, LARGE, frozenset())

    assert kept.server.writes() == []


def test_a_set_beyond_all_bounds_is_refused_before_anything_is_sent(kept):
    huge = desired(manifest("ConfigMap", "blob", {"noise": _incompressible(60_000_000)}), digest=NEW)

    with pytest.raises(PlanRefused) as raised:
        kept.store.keep_snapshot(STAGING, huge, frozenset())

    assert raised.value.problem.code == "SNAPSHOT_TOO_LARGE"
    assert kept.server.calls == []


def _secrets(kept: Kept):
    return [body for (plural, _, _), body in kept.server.objects.items() if plural == "secrets"]


@pytest.mark.parametrize("loss", list(Loss), ids=lambda loss: loss.value)
def test_a_lost_answer_costs_no_piece(kept, loss):
    kept.road.losses += [None, loss]
    kept.store.keep_snapshot(STAGING, LARGE, frozenset())

    assert kept.store.recall(STAGING, NEW) == LARGE


@pytest.mark.parametrize("done", range(6), ids=lambda done: f"after {done} writes")
def test_a_keeping_that_was_cut_off_leaves_the_old_set_and_is_made_good(kept, done):
    older = replace(LARGE, revision=replace(REVISION, commit="e" * 40))
    kept.store.keep_snapshot(STAGING, older, frozenset())
    kept.road.losses += [*([None] * done), *([Loss.NEVER_ARRIVES] * 9)]
    _cut_off(kept, LARGE)

    assert ClusterStore(kept.server, "gitopsd").recall(STAGING, NEW) in (older, LARGE)

    kept.road.losses.clear()
    kept.store.keep_snapshot(STAGING, LARGE, frozenset())
    assert kept.store.recall(STAGING, NEW) == LARGE
    assert len(kept.chunks()) == 3


def _cut_off(kept: Kept, wanted) -> None:
    try:
        kept.store.keep_snapshot(STAGING, wanted, frozenset())
    except ClusterError:
        return


SPOILT = {
    "a piece is gone": lambda kept: kept.server.objects.pop(("secrets", "gitopsd", kept.chunks()[1])),
    "a piece was edited": lambda kept: kept.server.edit(
        "secrets", "gitopsd", kept.chunks()[1], _change("data|content", base64.b64encode(b"x").decode())
    ),
    "a piece is not base64": lambda kept: kept.server.edit(
        "secrets", "gitopsd", kept.chunks()[0], _change("data|content", "~")
    ),
    "a piece lost its number": lambda kept: kept.server.edit(
        "secrets", "gitopsd", kept.chunks()[1], _change("metadata|annotations|gitopsd.dev/chunk", "two")
    ),
}


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=what) for what, spoil in SPOILT.items()])
def test_a_spoilt_set_is_refused_whole_and_can_be_kept_again(kept, spoil):
    kept.store.keep_snapshot(STAGING, LARGE, frozenset())
    spoil(kept)

    with pytest.raises(PlanRefused) as raised:
        kept.store.recall(STAGING, NEW)
    assert raised.value.problem.code == "SNAPSHOT_DAMAGED"

    kept.store.keep_snapshot(STAGING, LARGE, frozenset())
    assert kept.store.recall(STAGING, NEW) == LARGE


def test_a_set_under_another_digest_is_refused(kept):
    kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    (name,) = kept.chunks()
    kept.server.edit("secrets", "gitopsd", name, _change("metadata|annotations|gitopsd.dev/digest", "2" * 63 + "9"))

    with pytest.raises(PlanRefused) as raised:
        kept.store.recall(STAGING, "2" * 63 + "9")
    assert raised.value.problem.code == "SNAPSHOT_DAMAGED"


def test_secrets_of_others_are_neither_read_nor_dropped(kept):
    kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    labels = _secrets(kept)[0]["metadata"]["labels"]
    kept.server.put("secrets", "gitopsd", {"metadata": {"name": "theirs", "labels": labels}, "type": "Opaque"})
    kept.store.keep_snapshot(STAGING, replace(SMALL, digest=OLD), frozenset())

    assert "theirs" in kept.chunks()


def test_what_cannot_be_dropped_now_does_not_stop_a_rollout(kept):
    kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    kept.road.losses += [None, refusal(403, "Forbidden")]
    kept.store.keep_snapshot(STAGING, replace(SMALL, digest=OLD), frozenset())

    assert len(kept.chunks()) == 2
    assert kept.store.recall(STAGING, OLD).digest == OLD


def test_who_does_not_lead_drops_nothing(kept):
    kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    kept.road.losses += [None, Superseded(Problem(code="NOT_LEADER", stage=Stage.APPLY, message="no"))]

    with pytest.raises(Superseded):
        kept.store.keep_snapshot(STAGING, replace(SMALL, digest=OLD), frozenset())


def test_a_webhook_that_changes_our_secrets_is_found_out(kept):
    kept.road.losses += [Answer(201, {"kind": "Secret", "metadata": {}, "data": {"content": ""}})] * 3

    with pytest.raises(ClusterError) as raised:
        kept.store.keep_snapshot(STAGING, SMALL, frozenset())

    assert raised.value.problem.code == "SNAPSHOT_NOT_STORED"


def test_no_error_quotes_a_secret(kept):
    said = Answer(422, {"kind": "Status", "reason": "Invalid", "message": f"data.password: {PASSWORD} is invalid"})
    kept.road.losses.append(said)
    with pytest.raises(ClusterError) as refused:
        kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    SPOILT["a piece is not base64"](kept)
    with pytest.raises(PlanRefused) as spoilt:
        kept.store.recall(STAGING, NEW)

    for error in (refused.value, spoilt.value):
        assert PASSWORD not in f"{error!r} {error.problems!r} {error.__cause__!r}"
        assert error.__cause__ is None


def test_the_record_can_be_found_by_its_environment(kept):
    labels = kept.config_map["metadata"]["labels"]

    assert labels["app.kubernetes.io/managed-by"] == "gitopsd"
    assert labels["gitopsd.dev/environment"] == "staging"


def test_marks_of_others_stay_on_the_record(kept):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}
    kept.edit_record(_change("metadata|labels|velero.io/backup", "yes"))
    kept.edit_record(_change("metadata|annotations|note", "do not touch"))
    kept.edit_record(_change("metadata|ownerReferences", [owner]))
    kept.store.save(STAGING, replace(kept.store.load(STAGING), current=NEWER))

    metadata = kept.config_map["metadata"]
    assert metadata["labels"]["velero.io/backup"] == "yes"
    assert metadata["annotations"]["note"] == "do not touch"
    assert metadata["ownerReferences"] == [owner]


def test_no_record_in_a_namespace_that_is_going_says_nothing(kept):
    kept.server.edit("namespaces", "", "gitopsd", _change("metadata|deletionTimestamp", "2026-01-01T12:00:00Z"))
    del kept.server.objects["configmaps", "gitopsd", "gitopsd-staging"]

    with pytest.raises(ClusterError) as raised:
        kept.other.load(STAGING)

    assert raised.value.problem.code == "NAMESPACE_TERMINATING"


def test_a_webhook_that_changes_our_record_is_found_out(kept):
    changed = {"kind": "ConfigMap", "metadata": {"resourceVersion": "9"}, "data": {"record.json": "{}"}}
    kept.road.losses.append(Answer(200, changed))

    with pytest.raises(ClusterError) as raised:
        kept.store.save(STAGING, replace(kept.record, current=NEWER))

    assert raised.value.problem.code == "RECORD_NOT_STORED"


def test_a_manifest_that_is_not_what_its_digest_says_is_never_kept(kept):
    (right,) = SMALL.manifests
    wrong = replace(SMALL, manifests=(replace(right, body={**right.body, "data": {"password": "x"}}),))

    with pytest.raises(PlanRefused) as raised:
        kept.store.keep_snapshot(STAGING, wrong, frozenset())

    assert raised.value.problem.code == "SNAPSHOT_DAMAGED"
    assert kept.chunks() == []


def _forged(change) -> dict[str, object]:
    """Everything about it is consistent, but for what the change did to its content."""
    (chunk,) = pack(SMALL).chunks
    content = json.loads(gzip.decompress(chunk))
    change(content)
    forged = gzip.compress(json.dumps(content).encode())
    return {"content": base64.b64encode(forged).decode(), "checksum": hashlib.sha256(forged).hexdigest()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(dict.copy, None, id="a set that is only written differently is taken"),
        pytest.param(
            lambda content: content["manifests"][0]["body"].update(kind="ConfigMap"),
            "SNAPSHOT_DAMAGED",
            id="a body that is not its digest's is refused",
        ),
        pytest.param(
            lambda content: content.update(schema="gitopsd.dev/snapshot.v2"),
            "RECORD_NEWER",
            id="a newer one is refused",
        ),
    ],
)
def test_what_is_recalled_is_held_against_its_digests(kept, change, code):
    kept.store.keep_snapshot(STAGING, SMALL, frozenset())
    (name,) = kept.chunks()
    forged = _forged(change)
    kept.server.edit("secrets", "gitopsd", name, _change("data|content", forged["content"]))
    kept.server.edit(
        "secrets", "gitopsd", name, _change("metadata|annotations|gitopsd.dev/checksum", forged["checksum"])
    )

    if code is None:
        assert kept.store.recall(STAGING, NEW) == SMALL
        return
    with pytest.raises(PlanRefused) as raised:
        kept.store.recall(STAGING, NEW)
    assert raised.value.problem.code == code

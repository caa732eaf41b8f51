"""What is written can be read back, by us and by later versions; what cannot be trusted is refused whole."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.core.errors import PlanRefused
from gitopsd.core.model import Item, ObjectRef, Revision
from gitopsd.core.record import (
    HELD_MAX,
    HISTORY_MAX,
    KEPT_MAX,
    Entry,
    Hold,
    Kept,
    Outcome,
    Record,
    Rollout,
    Suspension,
    Trigger,
)
from gitopsd.core.record_codec import RECORD_BYTES_MAX, Written, decode, encode
from tests.make import NOON, REVISION, ref

WEB, API, NAMESPACE = ref("Deployment", "web"), ref("ConfigMap", "api", "api"), ref("Namespace", "shop")
LATER = NOON + timedelta(seconds=1, microseconds=5)
COMMITTED = Revision(ref="main", commit="d" * 40, subject="Größer", author="Ada", committed_at=NOON)

FULL = Record(
    current="bad",
    inventory={
        WEB: Item(uid="u-1", digest="d-1", fingerprint="f-1", born="good"),
        API: Item(uid="u-2", digest="d-2", fingerprint="f-2", born="bad"),
        NAMESPACE: Item(born="bad"),
    },
    rollout=Rollout(
        digest="bad",
        revision=COMMITTED,
        trigger=Trigger.REVERT,
        started_at=NOON,
        changed=frozenset({WEB, NAMESPACE}),
        baseline=frozenset({ref("Job", "forgotten")}),
        failing={WEB: LATER},
        healthy_since=LATER,
        healthy_s=20.0,
        blind_s=3.5,
        failure="0/3 ready",
    ),
    kept=(Kept(digest="good", revision=REVISION, at=NOON), Kept(digest="older", revision=REVISION, at=NOON)),
    held={
        "z": Hold(digest="z", revision=REVISION, why="ImagePullBackOff", since=NOON, back_to="good"),
        "a": Hold(digest="a", revision=REVISION, why="by hand", since=LATER, by="ada"),
    },
    history=(Entry(outcome=Outcome.KEPT, digest="good", revision=REVISION, at=NOON, why="", by="ada", seconds=12.5),),
    suspended=Suspension(by="ada", reason="migration", since=NOON),
    corrections={API: (NOON, LATER)},
)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Record(), id="an empty one"),
        pytest.param(FULL, id="one with everything in it"),
        pytest.param(replace(FULL, rollout=None, suspended=None), id="one at rest"),
    ],
)
def test_a_record_is_read_as_it_was_written(record):
    assert decode(encode(record)) == record


def test_the_order_of_holds_is_kept_for_the_oldest_goes_first():
    assert list(decode(encode(FULL)).held) == ["z", "a"]


def test_the_stores_own_token_is_not_written():
    assert decode(encode(replace(FULL, version="123"))).version == ""


def test_equal_records_are_written_with_equal_bytes():
    turned = replace(FULL, inventory=dict(reversed(FULL.inventory.items())))

    assert encode(turned) == encode(FULL)


def test_a_person_can_read_why_a_digest_is_held():
    state = json.loads(encode(FULL).state)

    assert state["held"][0]["why"] == "ImagePullBackOff"
    assert b"\n" in encode(FULL).state


# Written by the first release. It must stay readable for as long as the schema is v1.
FIRST_STATE = b"""{
  "schema": "gitopsd.dev/record.v1",
  "objects_sha256": "%s",
  "current": "bad",
  "rollout": {
    "digest": "bad",
    "revision": {"ref": "main", "commit": "c1", "subject": "s", "author": "a", "committed_at": "2026-01-01T12:00:00Z"},
    "trigger": "commit",
    "started_at": "2026-01-01T12:00:00Z",
    "healthy_since": null,
    "failure": ""
  },
  "suspended": {"by": "ada", "reason": "why", "since": "2026-01-01T12:00:00Z"},
  "kept": [{"digest": "good", "revision": {"ref": "main", "commit": "c0"}, "at": "2026-01-01T12:00:00Z"}],
  "held": [{"digest": "bad", "revision": {"ref": "main", "commit": "c1"}, "why": "w", "since": "2026-01-01T12:00:00Z",
            "by": "gitopsd", "back_to": "good"}],
  "history": [{"outcome": "Failed", "digest": "bad", "revision": {"ref": "main", "commit": "c1"},
               "at": "2026-01-01T12:00:00Z", "why": "w", "by": "gitopsd", "seconds": 3.0}],
  "added_later": {"may": "be ignored"}
}"""
FIRST_OBJECTS = json.dumps(
    {
        "group_kinds": [["", "ConfigMap"], ["apps", "Deployment"]],
        "namespaces": ["api", "shop"],
        "sets": ["", "good"],
        "refs": [[0, 0, "api"], [1, 1, "web"]],
        "items": [[0, "", "", "", 0], [1, "u", "d", "f", 1]],
        "changed": [1],
        "baseline": [],
        "failing": [[1, "2026-01-01T12:00:00Z"]],
        "corrections": [[0, ["2026-01-01T12:00:00Z"]]],
    }
).encode()


def _first(state: bytes = FIRST_STATE, objects: bytes = FIRST_OBJECTS) -> Written:
    return Written(state % hashlib.sha256(objects).hexdigest().encode(), gzip.compress(objects))


def test_what_the_first_release_wrote_is_still_understood():
    record = decode(_first())

    first, second = Revision(ref="main", commit="c0"), Revision(ref="main", commit="c1")
    assert record == Record(
        current="bad",
        inventory={API: Item(), WEB: Item(uid="u", digest="d", fingerprint="f", born="good")},
        rollout=Rollout(
            digest="bad",
            revision=replace(second, subject="s", author="a", committed_at=NOON),
            trigger=Trigger.COMMIT,
            started_at=NOON,
            changed=frozenset({WEB}),
            failing={WEB: NOON},
        ),
        kept=(Kept(digest="good", revision=first, at=NOON),),
        held={"bad": Hold(digest="bad", revision=second, why="w", since=NOON, back_to="good")},
        history=(Entry(outcome=Outcome.FAILED, digest="bad", revision=second, at=NOON, why="w", seconds=3.0),),
        suspended=Suspension(by="ada", reason="why", since=NOON),
        corrections={API: (NOON,)},
    )


def test_a_state_edited_by_hand_is_taken_as_it_is():
    written = encode(FULL)
    edited = replace(written, state=written.state.replace(b"ImagePullBackOff", b"because I say so"))

    assert decode(edited).held["z"].why == "because I say so"


DAMAGED = {
    "not JSON": _first(b"%s{"),
    "not UTF-8": _first(b'"\xff%s"'),
    "another shape": _first(b'["%s"]'),
    "no schema": _first(FIRST_STATE.replace(b'"schema"', b'"scheme"')),
    "a schema of somebody else": _first(FIRST_STATE.replace(b"gitopsd.dev/record.v1", b"flux/record.v1")),
    "a schema without a number": _first(FIRST_STATE.replace(b"record.v1", b"record.vone")),
    "a key is missing": _first(FIRST_STATE.replace(b'"kept"', b'"keep"')),
    "a number where text must be": _first(FIRST_STATE.replace(b'"current": "bad"', b'"current": 1')),
    "a word that is no outcome": _first(FIRST_STATE.replace(b'"Failed"', b'"Fine"')),
    "an instant without a time zone": _first(
        FIRST_STATE.replace(b'"since": "2026-01-01T12:00:00Z"', b'"since": "2026-01-01T12:00:00"')
    ),
    "objects of another record": replace(_first(), objects=encode(FULL).objects),
    "objects that are not compressed": replace(_first(), objects=FIRST_OBJECTS),
    "objects cut off": replace(_first(), objects=_first().objects[:-9]),
    "objects with something behind": replace(_first(), objects=_first().objects + b"more"),
    "no objects at all": replace(_first(), objects=b""),
    "objects that point nowhere": _first(objects=FIRST_OBJECTS.replace(b'"changed": [1]', b'"changed": [7]')),
    "objects that expand without end": replace(_first(), objects=gzip.compress(b" " * (65 * 1024 * 1024))),
}


@pytest.mark.parametrize("written", [pytest.param(written, id=what) for what, written in DAMAGED.items()])
def test_a_damaged_record_is_refused_whole(written):
    with pytest.raises(PlanRefused) as raised:
        decode(written)

    assert raised.value.problem.code == "RECORD_DAMAGED"
    assert raised.value.problem.hint


def test_a_record_of_a_newer_gitopsd_is_refused_before_anything_else_is_looked_at():
    with pytest.raises(PlanRefused) as raised:
        decode(Written(b'{"schema": "gitopsd.dev/record.v2", "current": {"changed": "shape"}}', b""))

    assert raised.value.problem.code == "RECORD_NEWER"
    assert "record.v2" in raised.value.problem.message


def _many(count: int) -> Record:
    """As incompressible as real ones."""
    refs = [ref("Deployment", f"service-{number}-web", f"team-{number % 9}") for number in range(count)]
    inventory = {one: _item(one) for one in refs}
    rollout = Rollout(
        digest="n" * 64, revision=REVISION, trigger=Trigger.COMMIT, started_at=NOON, changed=frozenset(refs)
    )
    return Record(current="n" * 64, inventory=inventory, rollout=rollout, corrections=dict.fromkeys(refs, (NOON,)))


def _item(one: ObjectRef) -> Item:
    digest = hashlib.sha256(one.name.encode()).hexdigest()
    uid = hashlib.md5(one.name.encode(), usedforsecurity=False).hexdigest()
    return Item(uid=uid, digest=digest, fingerprint=hashlib.sha256(uid.encode()).hexdigest()[:32], born="b" * 64)


def test_a_thousand_objects_need_less_than_100_kib():
    assert encode(_many(1_000)).size < 100 * 1024


def test_five_thousand_objects_fit():
    assert encode(_many(5_000)).size < RECORD_BYTES_MAX


def test_a_record_that_no_object_can_hold_is_refused_before_it_is_sent():
    with pytest.raises(PlanRefused) as raised:
        encode(_many(12_000))

    assert raised.value.problem.code == "RECORD_TOO_LARGE"
    assert "12000 objects" in raised.value.problem.message


def test_no_object_is_named_in_the_readable_part_so_its_size_is_bounded():
    assert b"service-0-web" not in encode(_many(1_000)).state


_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
_REFS = st.builds(ObjectRef, st.sampled_from(["", "apps"]), st.sampled_from(["A", "B"]), _TEXTS, _TEXTS)
_REVISIONS = st.builds(Revision, ref=_TEXTS, commit=_TEXTS, subject=_TEXTS, committed_at=st.none() | _INSTANTS)
_REF_SETS = st.frozensets(_REFS, max_size=4)
_ROLLOUTS = st.builds(
    Rollout,
    digest=_TEXTS,
    revision=_REVISIONS,
    trigger=st.sampled_from(Trigger),
    started_at=_INSTANTS,
    changed=_REF_SETS,
    baseline=_REF_SETS,
    broken=_REF_SETS,
    down=_REF_SETS,
    failing=st.dictionaries(_REFS, _INSTANTS, max_size=4),
    quiet=st.dictionaries(_REFS, _INSTANTS, max_size=4),
    reasons=st.dictionaries(_REFS, _TEXTS, max_size=4),
    healthy_since=st.none() | _INSTANTS,
    healthy_s=st.floats(0, 1e6),
    blind_s=st.floats(0, 1e6),
    well_since=st.none() | _INSTANTS,
    failing_before=st.frozensets(_TEXTS, max_size=4),
    tested=st.frozensets(_TEXTS, max_size=4),
    unknown_since=st.none() | _INSTANTS,
    unknown_s=st.floats(0, 1e6),
    failure=_TEXTS,
)
_HOLDS = st.builds(Hold, digest=_TEXTS, revision=_REVISIONS, why=_TEXTS, since=_INSTANTS, by=_TEXTS, back_to=_TEXTS)
_ENTRIES = st.builds(
    Entry, outcome=st.sampled_from(Outcome), digest=_TEXTS, revision=_REVISIONS, at=_INSTANTS, why=_TEXTS
)
_RECORDS = st.builds(
    Record,
    current=_TEXTS,
    inventory=st.dictionaries(
        _REFS, st.builds(Item, uid=_TEXTS, digest=_TEXTS, fingerprint=_TEXTS, born=_TEXTS, found=st.booleans())
    ),
    rollout=st.none() | _ROLLOUTS,
    kept=st.lists(st.builds(Kept, digest=_TEXTS, revision=_REVISIONS, at=_INSTANTS), max_size=KEPT_MAX).map(tuple),
    held=st.lists(_HOLDS, max_size=HELD_MAX).map(lambda holds: {hold.digest: hold for hold in holds}),
    history=st.lists(_ENTRIES, max_size=HISTORY_MAX).map(tuple),
    suspended=st.none() | st.builds(Suspension, by=_TEXTS, reason=_TEXTS, since=_INSTANTS),
    corrections=st.dictionaries(_REFS, st.lists(_INSTANTS, max_size=5).map(tuple), max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(_RECORDS)
def test_whatever_is_remembered_can_be_read_back(record):
    assert decode(encode(record)) == record


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_no_damage_escapes_as_anything_but_a_refusal(noise, where):
    written = encode(FULL)
    state = written.state[: where % len(written.state)] + noise
    objects = written.objects[: where % len(written.objects)] + noise
    for damaged in (replace(written, state=state), replace(written, objects=objects)):
        if damaged != written:
            with pytest.raises(PlanRefused):
                decode(damaged)

"""Of an object that holds what was encrypted no value is shown: as of a Secret, key names only."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.adapters.store.snapshot_codec import pack, unpack
from gitopsd.core.answers import Meaning, about, problem_of, warnings_about
from gitopsd.core.diff import explain
from gitopsd.core.errors import Stage
from gitopsd.core.record import Record, Rollout, Trigger
from gitopsd.core.record_codec import decode, encode
from tests.make import NOON, desired, manifest

PASSWORD = "correct-horse-battery"
LIVE = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"url": f"old-{PASSWORD}", "gone": "1"}}
AFTER = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"url": PASSWORD, "new": PASSWORD}}
SENSITIVE = replace(manifest("ConfigMap", "a"), sensitive=True)
SAID = {
    "message": f'admission webhook "x" denied the request: {PASSWORD}',
    "details": {"causes": [{"field": "data.a"}]},
}


def test_a_difference_is_the_names_of_keys():
    assert explain(LIVE, AFTER, secret=True) == (
        {"op": "remove", "path": "/data/gone"},
        {"op": "add", "path": "/data/new", "value": "***"},
        {"op": "replace", "path": "/data/url", "value": "***"},
    )
    assert PASSWORD in str(explain(LIVE, AFTER))


def test_a_refusal_tells_fields_and_no_words_of_the_server():
    hidden, shown = (
        problem_of(Meaning.POLICY_DENIED, SAID, about(replace(SENSITIVE, sensitive=sensitive), Stage.APPLY))
        for sensitive in (True, False)
    )

    assert hidden.cause == "fields: data.a"
    assert PASSWORD in shown.cause


def test_a_warning_is_told_without_its_words():
    assert PASSWORD not in str(warnings_about(SENSITIVE, (PASSWORD,)))
    assert warnings_about(SENSITIVE, ()) == ()
    assert warnings_about(replace(SENSITIVE, sensitive=False), ("w",)) == ("w",)


def test_a_snapshot_keeps_it():
    whole = desired(SENSITIVE)

    assert unpack(whole.digest, pack(whole)).manifests[0].sensitive


def test_the_inventory_keeps_it_when_the_next_set_holds_it_no_more():
    before = desired(SENSITIVE)
    after = desired(replace(SENSITIVE, sensitive=False))
    rollout = Rollout(digest="d", revision=before.revision, trigger=Trigger.COMMIT, started_at=NOON)

    record = Record().begin(before, rollout).begin(after, rollout)

    assert decode(encode(record)).inventory[SENSITIVE.ref].sensitive
    assert not Record().begin(after, rollout).inventory[SENSITIVE.ref].sensitive

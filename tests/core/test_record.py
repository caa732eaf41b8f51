"""The record grows before a write and shrinks only after a NotFound; all its lists are bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Applied, Item
from gitopsd.core.record import HELD_MAX, HISTORY_MAX, KEPT_MAX, WARNINGS_MAX, Entry, Hold, Kept, Outcome, Record
from tests.make import LEFT_ALONE, NOON, REVISION, desired, inventory, manifest, rollout

WEB, CACHE = manifest("Deployment", "web"), manifest("Deployment", "cache")
PROBLEM = Problem(code="X", stage=Stage.APPLY, message="no")


def kept(digest: str) -> Kept:
    return Kept(digest=digest, revision=REVISION, at=NOON)


def hold(digest: str, back_to: str = "old") -> Hold:
    return Hold(digest=digest, revision=REVISION, why="no", since=NOON, back_to=back_to)


def test_before_the_first_write_the_inventory_is_old_and_new_together():
    record = Record(inventory=inventory(WEB)).begin(desired(CACHE), rollout())

    assert record.inventory == {**inventory(WEB), CACHE.ref: Item(born="new")}
    assert record.current == "new"


def test_what_is_there_already_is_marked_as_found():
    record = Record().begin(desired(CACHE), rollout(), frozenset({CACHE.ref}))

    assert record.inventory[CACHE.ref] == Item(born="new", found=True)


@pytest.mark.parametrize("known", [{}, inventory(WEB, born="first")], ids=["never ours", "ours before"])
def test_what_is_left_alone_neither_becomes_ours_nor_is_given_away(known):
    left = replace(manifest("Deployment", "web", annotations=LEFT_ALONE), sensitive=True)

    assert Record(inventory=known).begin(desired(left), rollout()).inventory == known


def test_what_nobody_kept_is_of_the_newest_set_that_wants_it():
    record = Record(inventory={**inventory(WEB, born=""), **inventory(CACHE, born="first")})

    begun = record.begin(desired(WEB, CACHE), rollout())

    assert (begun.inventory[WEB.ref].born, begun.inventory[CACHE.ref].born) == ("", "new")


def test_an_answer_gives_the_object_its_identity_and_keeps_its_birth():
    record = Record().begin(desired(WEB), rollout())

    wrote = record.wrote([Applied(ref=WEB.ref, uid="u", fingerprint="f")], {WEB.ref: "d"})

    assert wrote.inventory[WEB.ref] == Item(uid="u", digest="d", fingerprint="f", born="new")


def test_a_failed_write_changes_nothing():
    record = Record(inventory=inventory(WEB))

    assert record.wrote([Applied(ref=WEB.ref, problem=PROBLEM)], {WEB.ref: "d"}) == record


def test_an_object_leaves_only_when_it_is_gone():
    record = Record(inventory=inventory(WEB, CACHE))

    assert record.wrote([Applied(ref=WEB.ref, gone=True)], {}).inventory == inventory(CACHE)


def test_keeping_ends_the_rollout_and_remembers_the_newest_first():
    record = Record(rollout=rollout())
    for number in range(KEPT_MAX + 1):
        record = record.keep(kept(f"d{number}"), ())

    assert [one.digest for one in record.kept] == [f"d{number}" for number in range(KEPT_MAX, 0, -1)]
    assert record.rollout is None


def test_keeping_a_digest_again_moves_it_to_the_front():
    record = Record(kept=(kept("b"), kept("a"))).keep(kept("a"), ())

    assert [one.digest for one in record.kept] == ["a", "b"]


def test_what_is_kept_was_not_born_in_anything_that_may_be_held_one_day():
    record = Record(inventory=inventory(WEB, CACHE, born="first")).keep(kept("first"), [WEB.ref])

    assert (record.inventory[WEB.ref].born, record.inventory[CACHE.ref].born) == ("", "first")


def test_what_is_held_goes_back_to_what_is_kept_from_now_on():
    record = Record().hold(hold("bad", back_to="old")).keep(kept("new"), ())

    assert record.held["bad"].back_to == "new"


def test_nobody_goes_back_to_what_is_held():
    record = Record(kept=(kept("b"), kept("a"))).hold(hold("b"))

    assert record.fallback.digest == "a"


def test_holds_are_bounded_and_the_oldest_go_first():
    record = Record()
    for number in range(HELD_MAX + 1):
        record = record.hold(hold(f"d{number}"))

    assert len(record.held) == HELD_MAX
    assert "d0" not in record.held


def test_a_release_lifts_one_hold():
    record = Record().hold(hold("a")).hold(hold("b")).release("a")

    assert list(record.held) == ["b"]


def test_history_is_bounded_newest_first():
    record = Record()
    for number in range(HISTORY_MAX + 1):
        record = record.note(Entry(outcome=Outcome.KEPT, digest=str(number), revision=REVISION, at=NOON))

    assert (len(record.history), record.history[0].digest) == (HISTORY_MAX, str(HISTORY_MAX))


def test_snapshots_are_needed_of_what_is_kept_current_or_gone_back_to():
    record = replace(Record(kept=(kept("a"),), current="c").hold(hold("b", back_to="z")), version="1")

    assert record.snapshots_needed == {"a", "c", "z"}


def test_corrections_are_counted_and_forgotten_after_their_window():
    first = Record().corrected([WEB.ref], NOON)
    second = first.corrected([WEB.ref], NOON + timedelta(seconds=10))
    later = second.corrected([], NOON + timedelta(seconds=605))

    assert len(second.corrections[WEB.ref]) == 2
    assert len(later.corrections[WEB.ref]) == 1


def test_warnings_are_kept_once_bounded_and_per_digest():
    record = Record().warned(["old API", "old API", *(f"w{number}" for number in range(30))])

    assert (record.warnings[0], len(record.warnings)) == ("old API", WARNINGS_MAX)
    assert record.begin(desired(WEB), rollout()).warnings == ()

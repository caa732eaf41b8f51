"""Where an environment should be: revert, rollback and pause are choices of target."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.core.record import Hold, Record, Suspension, Trigger
from gitopsd.core.target import Lost, Stay, Target, choose_target
from tests.make import NOON, REVISION, desired, manifest, rollout

WANTED = desired(manifest("Deployment", "web"))
HOLD = Hold(digest="new", revision=REVISION, why="no image", since=NOON, back_to="old")


def test_what_git_wants_is_the_target():
    target = choose_target(WANTED, Record(), proven=True)

    assert (target.digest, target.trigger, target.proven) == ("new", Trigger.COMMIT, True)


def test_a_held_digest_leads_back_to_the_kept_one():
    target = choose_target(WANTED, Record(held={"new": HOLD}), proven=True)

    assert (target.digest, target.trigger, target.hold, target.proven) == ("old", Trigger.REVERT, HOLD, False)


def test_a_hold_by_a_person_is_a_rollback():
    target = choose_target(WANTED, Record(held={"new": replace(HOLD, by="alice")}))

    assert target.trigger is Trigger.ROLLBACK


def test_a_different_digest_is_free_of_the_hold():
    target = choose_target(replace(WANTED, digest="newer"), Record(held={"new": HOLD}))

    assert (target.digest, target.trigger) == ("newer", Trigger.COMMIT)


def test_a_hold_with_nothing_kept_stays():
    hold = replace(HOLD, back_to="")

    assert choose_target(WANTED, Record(held={"new": hold})) == Stay(hold)


def test_a_paused_environment_stays_whatever_git_says():
    pause = Suspension(by="alice", reason="lunch", since=NOON)

    assert choose_target(WANTED, Record(suspended=pause)) == Stay(pause)


def test_when_git_is_silent_the_current_digest_is_carried_on_and_nothing_is_proven():
    target = choose_target(None, Record(current="new", rollout=rollout(trigger=Trigger.REVERT)))

    assert isinstance(target, Target)
    assert (target.digest, target.trigger, target.desired, target.proven) == ("new", Trigger.REVERT, None, False)


def test_when_git_is_silent_a_held_digest_still_leads_back():
    target = choose_target(None, Record(current="new", held={"new": HOLD}))

    assert (target.digest, target.trigger) == ("old", Trigger.REVERT)


def test_when_git_is_silent_and_nothing_was_ever_begun_there_is_no_target():
    assert choose_target(None, Record()) == Lost()


def test_what_git_said_some_time_ago_begins_nothing():
    target = choose_target(WANTED, Record(current="newer"), proven=False)

    assert (target.digest, target.desired) == ("newer", None)

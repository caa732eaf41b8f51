"""What a person may ask for: what it changes in the record, what it never does, and when it is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.commands import Ask, Content, hold, not_held, release, released, resume, rollback, suspend
from gitopsd.core.errors import PlanRefused
from gitopsd.core.model import Revision
from gitopsd.core.record import Hold, Kept, Outcome, Record, Suspension, Trigger
from gitopsd.core.target import Target, choose_target
from tests.make import NOON, desired, rollout

OLD, NOW, NEW = ("a" * 64, "b" * 64, "c" * 64)
REVISIONS = {
    digest: Revision(ref="main", commit=letter * 40) for digest, letter in ((OLD, "1"), (NOW, "2"), (NEW, "3"))
}
LATER = NOON + timedelta(minutes=10)
ASK = Ask(by="ada", why="it is slow", at=LATER)
KEPT = tuple(Kept(digest=digest, revision=REVISIONS[digest], at=NOON) for digest in (NOW, OLD))
AT_REST = Record(current=NOW, kept=KEPT)
UNDER_WAY = Record(current=NEW, kept=KEPT, rollout=replace(rollout(digest=NEW), revision=REVISIONS[NEW]))
PUT_BACK = AT_REST.hold(Hold(digest=NEW, revision=REVISIONS[NEW], why="crash", since=NOON, back_to=NOW))
PAUSED = replace(UNDER_WAY, suspended=Suspension(by="bob", reason="", since=NOON))


def goes_to(record: Record, wanted: str) -> str:
    """Where the next pass would be, with Git wanting a digest."""
    choice = choose_target(replace(desired(digest=wanted), revision=REVISIONS[wanted]), record, proven=True)
    return choice.digest if isinstance(choice, Target) else type(choice).__name__


@pytest.mark.parametrize(
    ("record", "to", "wanted_by_git", "arrives"),
    [
        pytest.param(AT_REST, "", NOW, OLD, id="from what is kept to what was kept before"),
        pytest.param(UNDER_WAY, "", NEW, NOW, id="out of a rollout to what was kept last"),
        pytest.param(UNDER_WAY, OLD[:8], NEW, OLD, id="to a digest by its beginning"),
        pytest.param(AT_REST, "1111111", NOW, OLD, id="to a revision by its beginning"),
        pytest.param(AT_REST, f"main@sha1:{'1' * 40}", NOW, OLD, id="to a revision as the status writes it"),
        pytest.param(PUT_BACK, "", NEW, OLD, id="further back than gitopsd went by itself"),
    ],
)
def test_a_rollback_leads_there(record, to, wanted_by_git, arrives):
    assert goes_to(rollback(record, ASK, to), wanted_by_git) == arrives


def test_a_rollback_is_a_rollback_and_not_a_revert():
    choice = choose_target(desired(digest=NOW), rollback(AT_REST, ASK))

    assert isinstance(choice, Target)
    assert choice.trigger is Trigger.ROLLBACK


def test_a_rollback_works_while_git_is_silent():
    assert choose_target(None, rollback(AT_REST, ASK)).digest == OLD


def test_a_rollback_also_refuses_what_git_wants_by_now():
    back = rollback(AT_REST, ASK, wanted=Content(NEW, REVISIONS[NEW]))

    assert (goes_to(back, NOW), goes_to(back, NEW)) == (OLD, OLD)


def test_a_later_commit_ends_a_rollback():
    assert goes_to(rollback(AT_REST, ASK), NEW) == NEW


def test_a_rollback_is_a_line_of_the_history_with_who_and_why():
    entry = rollback(AT_REST, ASK).history[0]

    assert (entry.outcome, entry.digest, entry.by, entry.why, entry.at) == (
        Outcome.HELD,
        NOW,
        "ada",
        "it is slow",
        LATER,
    )


def test_a_hold_stops_a_rollout_and_goes_back_to_what_was_kept():
    held = hold(UNDER_WAY, ASK, Content(NEW, REVISIONS[NEW]))

    assert (goes_to(held, NEW), held.held[NEW].by) == (NOW, "ada")


def test_a_hold_of_what_is_not_applied_yet_keeps_the_cluster_as_it_is():
    assert goes_to(hold(AT_REST, ASK, Content(NEW, REVISIONS[NEW])), NEW) == NOW


def test_a_hold_with_nothing_kept_stays():
    held = hold(replace(UNDER_WAY, kept=()), ASK, Content(NEW, REVISIONS[NEW]))

    assert goes_to(held, NEW) == "Stay"


@pytest.mark.parametrize("which", ["", NEW[:6], "3333333"], ids=["all", "by digest", "by revision"])
def test_a_release_lets_the_commit_in_again(which):
    released = release(PUT_BACK, ASK, which)

    assert goes_to(released, NEW) == NEW
    assert released.history[0].outcome is Outcome.RELEASED


def test_a_release_of_one_leaves_the_others():
    both = rollback(PUT_BACK, ASK)

    assert set(release(both, ASK, NOW[:6]).held) == {NEW}


def test_a_released_rollout_gets_its_whole_time_again():
    failed = replace(UNDER_WAY, held=PUT_BACK.held)
    again = release(failed, ASK).rollout

    assert again is not None
    assert (again.started_at, again.failing, again.failure) == (LATER, {}, "")


def test_a_paused_environment_stays_and_goes_on_when_resumed():
    paused = suspend(AT_REST, ASK)

    assert (goes_to(paused, NEW), goes_to(resume(paused, ASK), NEW)) == ("Stay", NEW)
    assert [entry.outcome for entry in resume(paused, ASK).history] == [Outcome.RESUMED, Outcome.SUSPENDED]


def test_the_time_of_a_rollout_stands_still_while_it_is_paused():
    going_on = resume(PAUSED, ASK).rollout

    assert going_on is not None
    assert going_on.started_at - UNDER_WAY.rollout.started_at == LATER - NOON


def test_a_final_failure_is_not_undone_by_resuming():
    frozen = replace(PAUSED, rollout=replace(PAUSED.rollout, failure="it crashed"))

    assert resume(frozen, ASK).rollout == frozen.rollout


def test_an_environment_that_was_never_applied_can_be_paused():
    assert suspend(Record(), ASK).suspended == Suspension(by="ada", reason="it is slow", since=LATER)


def test_a_rollback_to_what_is_held_says_who_holds_which_and_how_to_lift_it():
    only_held = rollback(AT_REST, replace(ASK, by="bob", why="it leaks"), OLD[:6])
    only_held = replace(only_held, current=OLD)
    for asked in (lambda: rollback(only_held, ASK), lambda: rollback(only_held, ASK, NOW)):
        with pytest.raises(PlanRefused) as refused:
            asked()

        problem = refused.value.problem
        assert problem.code == "ROLLBACK_TO_HELD"
        assert "main@sha1:2222222" in problem.message
        assert "bob holds it since 2026-01-01T12:10:00Z: it leaks" in problem.message
        assert f"gitopsd release ENVIRONMENT --digest {NOW[:12]}" in problem.hint


@pytest.mark.parametrize(
    ("before", "which", "parts"),
    [
        pytest.param(
            PUT_BACK,
            "",
            ["released main@sha1:3333333, held by gitopsd since 2026-01-01T12:00:00Z: crash", "if Git still wants it"],
            id="what was put back",
        ),
        pytest.param(
            replace(UNDER_WAY, held=PUT_BACK.held),
            NEW[:6],
            ["released main@sha1:3333333, held by gitopsd", "the cluster is still at it, and has its whole time again"],
            id="what is still there",
        ),
        pytest.param(
            rollback(PUT_BACK, ASK),
            "",
            ["released main@sha1:2222222, held by ada", "main@sha1:3333333, held by gitopsd", "what Git wants of them"],
            id="all of them, the newest first",
        ),
        pytest.param(
            suspend(PUT_BACK, ASK),
            "",
            ["released main@sha1:3333333", "nothing moves until it goes on with: gitopsd resume"],
            id="while it is paused",
        ),
    ],
)
def test_a_release_says_what_it_lifted_why_that_was_held_and_what_comes_next(before, which, parts):
    said = released(before, release(before, ASK, which))

    places = [said.find(part) for part in parts]
    assert (min(places) >= 0, places) == (True, sorted(places)), said


def test_a_release_of_many_names_a_few():
    many = AT_REST
    for number in range(9):
        many = many.hold(Hold(digest=f"{number}" * 64, revision=REVISIONS[NEW], why="crash", since=NOON, back_to=NOW))

    assert "(and 6 more)" in released(many, release(many, ASK))


@pytest.mark.parametrize(
    ("record", "works"),
    [
        pytest.param(AT_REST, ["gitopsd suspend staging", "gitopsd rollback staging"], id="something older is kept"),
        pytest.param(replace(AT_REST, kept=KEPT[:1]), ["gitopsd suspend staging"], id="nothing older is kept"),
    ],
)
def test_a_hold_that_was_not_made_says_so_and_what_still_works(record, works):
    problem = not_held(record, "staging")

    assert problem.message.startswith("nothing was held")
    assert re.findall(r"gitopsd \w+ staging", problem.hint) == works


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param(lambda: rollback(Record(), ASK), "ROLLBACK_NOTHING_KEPT", id="back, but nothing was ever kept"),
        pytest.param(
            lambda: rollback(replace(AT_REST, kept=KEPT[:1]), ASK),
            "ROLLBACK_NOTHING_KEPT",
            id="back, but only this was",
        ),
        pytest.param(lambda: rollback(AT_REST, ASK, NOW), "ROLLBACK_ALREADY_THERE", id="to where it is"),
        pytest.param(lambda: rollback(AT_REST, ASK, "dddd"), "NAME_UNKNOWN", id="to what was never kept"),
        pytest.param(lambda: rollback(AT_REST, ASK, "b"), "NAME_UNKNOWN", id="to less than four letters"),
        pytest.param(
            lambda: rollback(
                replace(AT_REST, kept=(KEPT[0], replace(KEPT[1], digest="b" * 8 + "0" * 56))), ASK, "bbbb"
            ),
            "NAME_AMBIGUOUS",
            id="to a beginning of two",
        ),
        pytest.param(
            lambda: rollback(rollback(AT_REST, ASK), ASK, NOW), "ROLLBACK_TO_HELD", id="to what is held itself"
        ),
        pytest.param(lambda: hold(AT_REST, ASK, Content(NOW, REVISIONS[NOW])), "HOLD_IS_KEPT", id="hold what is kept"),
        pytest.param(lambda: hold(PUT_BACK, ASK, Content(NEW, REVISIONS[NEW])), "HOLD_ALREADY", id="hold it twice"),
        pytest.param(lambda: release(AT_REST, ASK), "RELEASE_NOTHING_HELD", id="release nothing"),
        pytest.param(lambda: release(PUT_BACK, ASK, "dddd"), "NAME_UNKNOWN", id="release what is not held"),
        pytest.param(lambda: suspend(PAUSED, ASK), "SUSPEND_ALREADY", id="pause it twice"),
        pytest.param(lambda: resume(AT_REST, ASK), "RESUME_NOT_SUSPENDED", id="resume what goes on"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(asked, code):
    with pytest.raises(PlanRefused) as refused:
        asked()

    assert refused.value.problem.code == code
    assert refused.value.problem.hint

"""How answers are counted, and when the next question is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitopsd.adapters.probes.finding import Finding
from gitopsd.adapters.probes.standing import NEVER, Moment, Standing, is_open
from gitopsd.core.model import Revision
from gitopsd.core.probes import HttpProbe, JobProbe, Pace, ProbeState, question_of
from gitopsd.core.record import Rollout, Trigger

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PENDING, PASS, FAIL, UNKNOWN = ProbeState.PENDING, ProbeState.PASS, ProbeState.FAIL, ProbeState.UNKNOWN

PROBE = HttpProbe(name="web", service="web", port="80", pace=Pace(failures=3, initial_delay_s=30.0, interval_s=10.0))
JOB = JobProbe(name="smoke", file="smoke.yaml", pace=Pace(failures=3))


def at(seconds: float) -> Moment:
    return Moment(now=NOON + timedelta(seconds=seconds), steady_s=1_000.0 + seconds)


def rollout(trigger: Trigger = Trigger.COMMIT, digest: str = "d1", **more: object) -> Rollout:
    return Rollout(digest=digest, revision=Revision(ref="main", commit="c"), trigger=trigger, started_at=NOON, **more)


def fresh(probe=PROBE, of=None, seconds: float = 0.0) -> Standing:
    return Standing.fresh(probe, of, 1, at(seconds))


def told(*states: ProbeState) -> list[tuple[ProbeState, int, bool]]:
    standing, seen = fresh(), []
    for number, state in enumerate(states):
        standing = standing.heard(Finding(state, "because"), at(number))
        seen.append((standing.probed.state, standing.probed.in_a_row, standing.probed.failed))
    return seen


def test_nobody_was_asked_yet():
    probed = fresh().probed

    assert (probed.state, probed.at, probed.in_a_row, probed.failed) == (PENDING, None, 0, False)


@pytest.mark.parametrize(
    ("states", "last"),
    [
        pytest.param([FAIL], (FAIL, 1, False), id="one failure is not yet a failure"),
        pytest.param([FAIL, FAIL], (FAIL, 2, False), id="nor are two of three"),
        pytest.param([FAIL] * 3, (FAIL, 3, True), id="three in a row are"),
        pytest.param([FAIL] * 5, (FAIL, 5, True), id="and more"),
        pytest.param([FAIL, FAIL, PASS, FAIL], (FAIL, 1, False), id="one that passes begins the count anew"),
        pytest.param([FAIL, FAIL, UNKNOWN, FAIL], (FAIL, 1, False), id="what is unknown is not in the row"),
        pytest.param([PASS, PASS], (PASS, 2, False), id="what passes is counted too"),
        pytest.param([UNKNOWN] * 9, (UNKNOWN, 9, False), id="what is unknown never fails"),
        pytest.param([PENDING] * 9, (PENDING, 9, False), id="what is pending never fails by itself"),
    ],
)
def test_answers_are_counted(states, last):
    assert told(*states)[-1] == last


def test_a_final_failure_needs_no_others_and_is_asked_no_more():
    standing = fresh().heard(Finding(FAIL, "exit 1", is_final=True), at(0))

    assert standing.probed.failed
    assert standing.due_s == NEVER


@pytest.mark.parametrize(
    ("seconds", "due"),
    [
        pytest.param(0, 30, id="at once: the delay is still to come"),
        pytest.param(20, 30, id="later: the rest of it"),
        pytest.param(90, 90, id="after a restart, long after: at once"),
    ],
)
def test_the_first_question_comes_after_the_delay_from_the_rollouts_start(seconds, due):
    assert fresh(of=rollout(), seconds=seconds).due_s == 1_000 + due


def test_outside_a_rollout_nothing_is_waited_for():
    assert fresh(seconds=5).due_s == 1_005


@pytest.mark.parametrize(("took_s", "due"), [(2, 10), (25, 25)])
def test_the_next_question_is_an_interval_later_and_never_before_the_answer(took_s, due):
    standing = fresh().asked(at(0)).heard(Finding(PASS, "200"), at(took_s))

    assert standing.due_s == 1_000 + due


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(rollout(), True, id="the same rollout"),
        pytest.param(None, True, id="after it was kept"),
        pytest.param(rollout(digest="d2"), False, id="another digest"),
        pytest.param(rollout(trigger=Trigger.REVERT, digest="d0"), False, id="a revert"),
    ],
)
def test_answers_count_for_their_own_rollout(other, is_same):
    assert fresh(of=rollout()).is_of(PROBE, other) is is_same


def test_another_question_of_the_same_name_is_another_probe():
    changed = HttpProbe(name="web", service="web", port="81", pace=PROBE.pace)

    assert not fresh().is_of(changed, None)


@pytest.mark.parametrize(
    ("of", "may_run"),
    [
        pytest.param(rollout(), False, id="while objects are still coming up"),
        pytest.param(rollout(well_since=NOON), True, id="once all are well"),
        pytest.param(None, False, id="outside a rollout"),
    ],
)
def test_a_job_runs_when_all_is_up(of, may_run):
    assert is_open(JOB, of) is may_run
    assert is_open(PROBE, of)


@pytest.mark.parametrize("trigger", [Trigger.REVERT, Trigger.ROLLBACK])
def test_going_back_runs_no_job(trigger):
    standing = fresh(JOB, rollout(trigger, well_since=NOON))

    assert (standing.probed.at, standing.due_s) == (None, NEVER)
    assert "not run" in standing.probed.message


def test_a_job_that_has_passed_is_not_run_again_after_a_restart():
    standing = fresh(JOB, rollout(well_since=NOON, tested=frozenset({question_of(JOB)})))

    assert (standing.probed.message, standing.due_s) == ("complete", NEVER)


def test_a_job_is_never_due_outside_a_rollout():
    assert fresh(JOB).due_s == NEVER
    assert fresh(JOB).probed.state is PENDING

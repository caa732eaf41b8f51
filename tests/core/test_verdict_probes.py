"""A probe counts for what it can tell of this digest, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.probes import HttpProbe, JobProbe, Pace, Probed, ProbeState, PrometheusProbe, question_of
from gitopsd.core.record import Trigger
from gitopsd.core.settings import Settings
from gitopsd.core.verdict import Outcome, examine, judge
from tests.make import BROKEN, CURRENT, NOON, ROLLING, desired, live, manifest, ref, rollout, sight

WEB = ref("Deployment", "web")
HTTP = HttpProbe(name="http web:80/", service="web", port="80")
METRIC = HttpProbe(name="second", service="web", port="80", pace=Pace(failures=1))
JOB = JobProbe(name="job smoke.yaml", file="smoke.yaml", job=b"{}", pace=Pace(failures=1))
ERRORS = PrometheusProbe(name="errors", query="rate(errors_total[2m])", maximum=0.5)
PASS, FAIL, PENDING, UNKNOWN = ProbeState.PASS, ProbeState.FAIL, ProbeState.PENDING, ProbeState.UNKNOWN


def after(seconds: float):
    return NOON + timedelta(seconds=seconds)


def said(state: ProbeState, seconds: float | None = 10, probe=HTTP, in_a_row: int = 1) -> Probed:
    return Probed(
        name=probe.name,
        state=state,
        message="503, expected 200" if state is FAIL else "",
        in_a_row=in_a_row,
        failed=state is FAIL and in_a_row >= probe.pace.failures,
        at=None if seconds is None else after(seconds),
    )


def looked(seconds: float, *probed: Probed, health=CURRENT, rolling=None, probes=(HTTP,), soak_s=0, **more):
    """Judge one look; the rollout began at noon, and all objects were well 5 s later unless said otherwise."""
    rolling = rollout(WEB, **more) if rolling is None else rolling
    if health is CURRENT and rolling.well_since is None:
        rolling = replace(rolling, well_since=after(5))
    wanted = desired(manifest("Deployment", "web"), settings=Settings(soak_s=soak_s, deadline_s=300, probes=probes))
    return judge(examine(wanted, live(sight(WEB, health)), rolling, after(seconds)), probed)


@pytest.mark.parametrize(
    ("answer", "seconds", "expected"),
    [
        pytest.param(said(PASS), 10, Outcome.HEALTHY, id="passed"),
        pytest.param(said(PASS, 4), 10, Outcome.PROGRESSING, id="passed before all objects were well: by older pods"),
        pytest.param(said(PASS, -1), 10, Outcome.PROGRESSING, id="passed before the first write"),
        pytest.param(said(PENDING, None), 299, Outcome.PROGRESSING, id="not asked yet: the deadline runs"),
        pytest.param(said(PENDING, None), 300, Outcome.FAILED, id="not passed at the deadline has failed"),
        pytest.param(said(PASS, -1), 300, Outcome.FAILED, id="never asked again has not passed at the deadline"),
        pytest.param(said(FAIL), 10, Outcome.PROGRESSING, id="failed once of three times"),
        pytest.param(said(FAIL, in_a_row=2), 300, Outcome.FAILED, id="failing at the deadline has failed"),
        pytest.param(said(FAIL, in_a_row=3), 10, Outcome.FAILED, id="failed three times in a row"),
        pytest.param(said(FAIL, -1, in_a_row=3), 10, Outcome.PROGRESSING, id="failed before the first write"),
        pytest.param(said(UNKNOWN), 10, Outcome.PROGRESSING, id="cannot be told"),
        pytest.param(said(UNKNOWN, in_a_row=50), 90_000, Outcome.PROGRESSING, id="cannot be told, a day later"),
    ],
)
def test_a_probe_that(answer, seconds, expected):
    assert looked(seconds, answer).outcome is expected


def test_a_failed_probe_fails_the_rollout_at_once_though_its_objects_are_on_their_way():
    verdict = looked(10, said(FAIL, in_a_row=3), health=ROLLING)

    assert (verdict.outcome, verdict.worse_than_before) == (Outcome.FAILED, True)
    assert verdict.why == "probe http web:80/ failed 3 times in a row: 503, expected 200"


def test_objects_in_progress_at_the_deadline_fail_whatever_cannot_be_told():
    verdict = looked(300, said(UNKNOWN, 290), health=ROLLING)

    assert (verdict.outcome, verdict.why) == (Outcome.FAILED, "not healthy after 300 s: Deployment shop/web: 1/3 ready")


def test_an_object_that_failed_is_told_beside_the_probe():
    verdict = looked(40, said(FAIL, in_a_row=3), health=BROKEN, failing={WEB: NOON}, reasons={WEB: BROKEN.reason})

    assert verdict.why == "Deployment shop/web: 0/3 ready; image not found (and 1 more)"


def test_of_two_probes_the_one_that_cannot_be_told_is_named():
    verdict = looked(10, said(PENDING, None), said(UNKNOWN, probe=METRIC), probes=(HTTP, METRIC))

    assert verdict.why == "probe second cannot be told (and 1 more)"


def test_the_clock_of_the_probes_stands_still_while_one_cannot_be_told():
    first = looked(100, said(UNKNOWN, 100))
    later = looked(250, said(FAIL, 250), rolling=first.rollout)
    before = looked(449, said(FAIL, 449), rolling=later.rollout)
    at_last = looked(450, said(FAIL, 450), rolling=later.rollout)

    assert (first.rollout.unknown_since, later.rollout.unknown_s) == (after(100), 150.0)
    assert [one.outcome for one in (later, before, at_last)] == [
        Outcome.PROGRESSING,
        Outcome.PROGRESSING,
        Outcome.FAILED,
    ]
    assert (first.look_again_at, later.look_again_at) == (None, after(450))


def test_an_answer_that_cannot_be_told_starts_the_soak_anew():
    well = looked(10, said(PASS), soak_s=30)
    doubt = looked(20, said(UNKNOWN, 20), soak_s=30, rolling=well.rollout)

    assert (well.rollout.healthy_since, doubt.rollout.healthy_since) == (after(10), None)


def test_the_soak_begins_when_the_last_probe_passes():
    objects_only = looked(10, said(PENDING, None), soak_s=30)
    first = looked(20, said(PASS, 20), soak_s=30, rolling=objects_only.rollout)
    kept = looked(50, said(PASS, 50), soak_s=30, rolling=first.rollout)

    assert [one.outcome for one in (objects_only, first, kept)] == [
        Outcome.PROGRESSING,
        Outcome.PROGRESSING,
        Outcome.HEALTHY,
    ]
    assert first.look_again_at == after(50)


def test_an_object_that_falls_ill_takes_the_pass_with_it():
    ill = looked(20, said(PASS, 20), health=ROLLING, rolling=rollout(WEB, well_since=after(5)))
    again = looked(40, said(PASS, 30), rolling=replace(ill.rollout, well_since=after(35)))

    assert (ill.rollout.well_since, again.outcome) == (None, Outcome.PROGRESSING)


def test_what_had_failed_before_does_not_count():
    before = frozenset({question_of(HTTP)})

    assert looked(10, said(FAIL, in_a_row=9), failing_before=before).outcome is Outcome.HEALTHY


def test_another_question_of_the_same_name_counts():
    before = frozenset({question_of(replace(HTTP, path="/other"))})

    assert looked(10, said(FAIL, in_a_row=9), failing_before=before).outcome is Outcome.FAILED


def test_how_often_it_is_asked_makes_no_other_question():
    assert question_of(HTTP) == question_of(replace(HTTP, pace=Pace(failures=9)))


def test_a_job_that_passed_is_remembered_and_passed_for_good():
    passed = looked(10, said(PASS, probe=JOB), probes=(JOB,), soak_s=30)
    restarted = looked(40, said(PENDING, None, probe=JOB), probes=(JOB,), soak_s=30, rolling=passed.rollout)

    assert passed.rollout.tested == {question_of(JOB)}
    assert restarted.outcome is Outcome.HEALTHY


def test_a_job_that_passed_need_not_run_again_when_an_object_was_ill_meanwhile():
    well_again = rollout(WEB, well_since=after(30))

    assert looked(40, said(PASS, 10, probe=JOB), probes=(JOB,), rolling=well_again).outcome is Outcome.HEALTHY


@pytest.mark.parametrize("trigger", [Trigger.REVERT, Trigger.ROLLBACK])
@pytest.mark.parametrize("state", [PENDING, FAIL])
def test_on_the_way_back_no_job_counts(trigger, state):
    back = looked(10, said(state, probe=JOB), probes=(JOB,), trigger=trigger)

    assert back.outcome is Outcome.HEALTHY


@pytest.mark.parametrize(
    ("trigger", "seconds", "expected"),
    [
        (Trigger.COMMIT, 60, Outcome.FAILED),
        (Trigger.REVERT, 60, Outcome.PROGRESSING),
        (Trigger.ROLLBACK, 299, Outcome.PROGRESSING),
        (Trigger.REVERT, 300, Outcome.FAILED),
    ],
)
def test_on_the_way_back_a_query_that_still_tells_of_the_bad_commit_has_until_the_deadline(trigger, seconds, expected):
    told = said(FAIL, 50, probe=ERRORS, in_a_row=5)

    assert looked(seconds, told, probes=(ERRORS,), trigger=trigger).outcome is expected


def test_without_a_rollout_nothing_fails_and_everything_is_told():
    wanted = desired(manifest("Deployment", "web"), settings=Settings(probes=(HTTP,)))
    verdict = judge(examine(wanted, live(sight(WEB)), None, after(9_000)), (said(FAIL, in_a_row=9),))

    assert verdict.outcome is Outcome.PROGRESSING
    assert [str(one) for one in verdict.probes] == ["probe http web:80/ failed 9 times in a row: 503, expected 200"]


def test_a_probe_of_which_nothing_is_known_has_not_passed():
    assert looked(10).outcome is Outcome.PROGRESSING

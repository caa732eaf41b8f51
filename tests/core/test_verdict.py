"""A verdict is false as rarely as can be: grace, deadline, soak, baseline."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.model import Health, HealthStatus, Sight
from gitopsd.core.plan import Plan
from gitopsd.core.settings import Settings
from gitopsd.core.verdict import Outcome, baseline, examine
from gitopsd.core.verdict import judge as judge_examined
from tests.make import (
    BROKEN,
    CURRENT,
    LEFT_ALONE,
    NOON,
    REVISION,
    ROLLING,
    desired,
    found,
    live,
    manifest,
    ref,
    rollout,
    sight,
)

WEB = ref("Deployment", "web")
CACHE = ref("Deployment", "cache")
BOTH = desired(manifest("Deployment", "web"), manifest("Deployment", "cache"))
GOING = Health(HealthStatus.TERMINATING)
STARVED = Health(HealthStatus.FAILED, "Unschedulable", "0/1 nodes are available")


def judge(*looked, probed=()):
    return judge_examined(examine(*looked), probed)


def after(seconds: float):
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("web", "cache", "seconds", "expected"),
    [
        pytest.param(CURRENT, CURRENT, 1, Outcome.HEALTHY, id="all Current is healthy"),
        pytest.param(ROLLING, CURRENT, 299, Outcome.PROGRESSING, id="in progress before the deadline goes on"),
        pytest.param(ROLLING, CURRENT, 300, Outcome.FAILED, id="in progress at the deadline has failed"),
        pytest.param(
            BROKEN, CURRENT, 100, Outcome.PROGRESSING, id="a terminal reason seen for the first time has its grace"
        ),
        pytest.param(None, CURRENT, 100, Outcome.PROGRESSING, id="an absent object is not healthy"),
    ],
)
def test_a_verdict_is(web, cache, seconds, expected):
    seen = live(sight(WEB, web), sight(CACHE, cache))

    assert judge(BOTH, seen, rollout(WEB), after(seconds)).outcome is expected


@pytest.mark.parametrize(
    ("health", "seconds", "expected"),
    [
        pytest.param(BROKEN, 29, Outcome.PROGRESSING, id="before its grace ends nothing is decided"),
        pytest.param(BROKEN, 30, Outcome.FAILED, id="a terminal reason that lasted its grace has failed"),
        pytest.param(STARVED, 299, Outcome.PROGRESSING, id="a pod without a node has longer, nodes may be coming"),
    ],
)
def test_a_terminal_reason_must_last(health, seconds, expected):
    patient = desired(manifest("Deployment", "web"), settings=Settings(deadline_s=3600, soak_s=0))
    failing = rollout(WEB, failing={WEB: NOON})

    assert judge(patient, live(sight(WEB, health)), failing, after(seconds)).outcome is expected


def test_the_verdict_says_which_object_and_why():
    failing = rollout(WEB, failing={WEB: NOON})

    verdict = judge(BOTH, live(sight(WEB, BROKEN), sight(CACHE)), failing, after(40))

    assert verdict.why == "Deployment shop/web: 0/3 ready; image not found"


def looks(rolling, *seen):
    """Judge one look after another; ``seen`` are seconds and the health of ``web``."""
    for seconds, health in seen:
        verdict = judge(BOTH, live(sight(WEB, health), sight(CACHE)), rolling, after(seconds))
        rolling = verdict.rollout
    return verdict


def test_a_crash_loop_that_looks_well_between_two_crashes_has_failed_all_the_same():
    verdict = looks(rollout(WEB), (0, BROKEN), (10, CURRENT), (12, BROKEN), (25, CURRENT), (31, BROKEN))

    assert verdict.outcome is Outcome.FAILED


def test_what_failed_a_moment_ago_is_not_kept_before_its_grace_is_over():
    early = looks(rollout(WEB), (0, BROKEN), (10, CURRENT), (39, CURRENT))
    late = looks(rollout(WEB), (0, BROKEN), (10, CURRENT), (40, CURRENT))

    assert (early.outcome, early.look_again_at, late.outcome) == (Outcome.PROGRESSING, after(40), Outcome.HEALTHY)


def test_a_reason_that_stayed_away_for_its_grace_starts_anew():
    verdict = looks(rollout(WEB), (0, BROKEN), (10, ROLLING), (41, ROLLING), (60, BROKEN), (80, BROKEN))

    assert (verdict.outcome, verdict.rollout.failing) == (Outcome.PROGRESSING, {WEB: after(60)})


def test_a_job_that_failed_has_failed_also_when_it_is_gone():
    job = ref("Job", "migrate")
    wanted = desired(manifest("Job", "migrate"))
    seen = judge(wanted, live(sight(job, BROKEN)), rollout(job), NOON)
    going = judge(wanted, live(sight(job, GOING)), seen.rollout, after(5))
    early = judge(wanted, live(sight(job, None)), going.rollout, after(29))
    late = judge(wanted, live(sight(job, None)), early.rollout, after(30))

    assert (early.outcome, late.outcome) == (Outcome.PROGRESSING, Outcome.FAILED)
    assert late.why == f"Job shop/migrate: it failed ({BROKEN.reason}), and went by itself"


def test_a_job_that_is_gone_and_was_not_seen_to_fail_has_not_failed():
    job = ref("Job", "migrate")
    wanted = desired(manifest("Job", "migrate"))
    got_over = rollout(job, failing={job: NOON}, quiet={job: NOON}, reasons={job: "ImagePullBackOff"})

    for known in (rollout(job), got_over):
        assert judge(wanted, live(sight(job, None)), known, after(40)).outcome is Outcome.PROGRESSING


def test_the_time_in_which_the_api_server_was_silent_does_not_count():
    seen = live(sight(WEB, ROLLING), sight(CACHE), blind_s=60.0)

    assert judge(BOTH, seen, rollout(WEB), after(359)).outcome is Outcome.PROGRESSING
    assert judge(BOTH, seen, rollout(WEB), after(360)).outcome is Outcome.FAILED


def test_time_unseen_changes_nothing_of_a_failure_until_it_recovers():
    failed, seen = rollout(WEB, failure="not healthy after 300 s"), {"blind_s": 60.0}
    unwell = judge(BOTH, live(sight(WEB, ROLLING), sight(CACHE), **seen), failed, after(400))
    well = judge(BOTH, live(sight(WEB), sight(CACHE), **seen), failed, after(400))
    quiet = replace(failed, failing={WEB: NOON}, quiet={WEB: NOON})
    calm = judge(BOTH, live(sight(WEB, ROLLING), sight(CACHE), **seen), quiet, after(80))

    assert unwell.rollout == failed
    assert calm.rollout.quiet == {WEB: NOON + timedelta(seconds=60)}
    assert (well.rollout.blind_s, well.rollout.healthy_since) == (60.0, after(400))


def test_an_object_that_still_waits_for_its_write_has_not_failed():
    failing = rollout(WEB, failing={WEB: NOON})
    seen = live(sight(WEB, BROKEN), sight(CACHE))

    waits = Plan(digest="new", revision=REVISION, pending={WEB: "for ConfigMap shop/settings"})

    assert judge(BOTH, seen, failing, after(40), waits).outcome is Outcome.PROGRESSING
    late = judge(BOTH, seen, failing, after(300), waits)
    assert late.outcome is Outcome.FAILED
    assert "web: its write is still to come: for ConfigMap shop/settings" in late.why


def test_an_object_that_waits_for_its_write_is_not_well_however_it_looks():
    seen = live(sight(WEB), sight(CACHE))
    waits = Plan(digest="new", revision=REVISION, pending={WEB: ""})

    assert judge(BOTH, seen, rollout(WEB), after(5), waits).outcome is Outcome.PROGRESSING


def test_what_is_set_apart_does_not_count():
    seen = live(sight(WEB), sight(CACHE, None))
    apart = Plan(digest="new", revision=REVISION, apart=frozenset({CACHE}))

    assert judge(BOTH, seen, rollout(WEB, CACHE), after(500), apart).outcome is Outcome.HEALTHY


def test_what_is_left_alone_is_not_judged():
    wanted, seen = desired(manifest("Deployment", "web"), manifest("Pod", "smoke", annotations=LEFT_ALONE)), sight(WEB)

    assert judge(wanted, live(seen), rollout(WEB), after(1)).outcome is Outcome.HEALTHY
    assert baseline(wanted, live(seen), NOON).unhealthy == frozenset()


def test_a_pod_that_waited_for_its_node_has_a_grace_of_its_own_for_what_comes_then():
    verdict = looks(rollout(WEB), (0, STARVED), (200, BROKEN), (229, BROKEN))

    assert verdict.outcome is Outcome.PROGRESSING
    assert looks(rollout(WEB), (0, STARVED), (200, BROKEN), (230, BROKEN)).outcome is Outcome.FAILED


def test_what_was_unhealthy_before_and_was_not_touched_does_not_count():
    seen = live(sight(WEB), sight(CACHE, BROKEN))

    verdict = judge(BOTH, seen, rollout(WEB, baseline=frozenset({CACHE})), after(500))

    assert verdict.outcome is Outcome.HEALTHY


def test_a_touched_object_that_was_unhealthy_before_fails_but_not_because_of_us():
    seen = live(sight(WEB, BROKEN), sight(CACHE))
    failing = rollout(WEB, failing={WEB: NOON}, baseline=frozenset({WEB}), broken=frozenset({WEB}))

    verdict = judge(BOTH, seen, failing, after(40))

    assert (verdict.outcome, verdict.worse_than_before) == (Outcome.FAILED, False)


def test_an_object_that_was_only_on_its_way_before_is_worse_when_it_fails():
    seen = live(sight(WEB, BROKEN), sight(CACHE))
    failing = rollout(WEB, failing={WEB: NOON}, baseline=frozenset({WEB}))

    assert judge(BOTH, seen, failing, after(40)).worse_than_before


@pytest.mark.parametrize(
    ("now", "is_worse"),
    [
        pytest.param(ROLLING, False, id="not ready at the deadline is no worse"),
        pytest.param(BROKEN, True, id="failed is"),
    ],
)
def test_an_object_that_was_down_for_long_before(now, is_worse):
    before = rollout(WEB, failing={WEB: NOON}, baseline=frozenset({WEB}), down=frozenset({WEB}))

    verdict = judge(BOTH, live(sight(WEB, now), sight(CACHE)), before, after(300))

    assert (verdict.outcome, verdict.worse_than_before) == (Outcome.FAILED, is_worse)


def test_an_untouched_object_that_was_well_counts():
    seen = live(sight(WEB), sight(CACHE, BROKEN))

    verdict = judge(BOTH, seen, rollout(WEB, failing={CACHE: NOON}), after(40))

    assert (verdict.outcome, verdict.worse_than_before) == (Outcome.FAILED, True)


def test_healthy_must_last_for_the_soak():
    soaking = desired(manifest("Deployment", "web"), settings=Settings(soak_s=30))
    seen = live(sight(WEB))

    first = judge(soaking, seen, rollout(WEB), after(5))
    early = judge(soaking, seen, first.rollout, after(34))
    enough = judge(soaking, seen, first.rollout, after(35))

    assert [one.outcome for one in (first, early, enough)] == [
        Outcome.PROGRESSING,
        Outcome.PROGRESSING,
        Outcome.HEALTHY,
    ]
    assert first.look_again_at == after(35)


def test_a_relapse_starts_the_soak_anew():
    soaking = desired(manifest("Deployment", "web"), settings=Settings(soak_s=30))
    first = judge(soaking, live(sight(WEB)), rollout(WEB), after(5))

    relapse = judge(soaking, live(sight(WEB, ROLLING)), first.rollout, after(10))

    assert relapse.rollout.healthy_since is None


def test_an_object_whose_health_is_ignored_does_not_count():
    ignored = desired(manifest("Deployment", "web", annotations={"gitopsd.dev/health": "ignore"}))

    assert judge(ignored, live(sight(WEB, BROKEN)), rollout(WEB), after(500)).outcome is Outcome.HEALTHY


def test_the_baseline_is_what_exists_and_is_not_well():
    seen = live(sight(WEB, None), sight(CACHE, ROLLING))

    assert baseline(BOTH, seen, NOON).unhealthy == {CACHE}


@pytest.mark.parametrize(
    ("health", "down_since", "seconds", "had_failed"),
    [
        pytest.param(BROKEN, None, 0, "broken", id="it failed outright"),
        pytest.param(ROLLING, NOON, 300, "down", id="no pod was ready for as long as a rollout has"),
        pytest.param(ROLLING, NOON, 299, "", id="no pod was ready, but not for as long"),
        pytest.param(ROLLING, None, 3000, "", id="some pod is ready, or nobody can say"),
        pytest.param(CURRENT, NOON, 300, "", id="it is well"),
    ],
)
def test_had_it_failed_before(health, down_since, seconds, had_failed):
    seen = Sight(ref=WEB, live=replace(found(WEB, health), down_since=down_since))
    before = baseline(BOTH, live(seen, sight(CACHE, None)), after(seconds))

    assert (before.broken, before.down) == tuple({WEB} if had_failed == one else set() for one in ("broken", "down"))


def test_without_a_rollout_there_is_nothing_to_fail():
    seen = live(sight(WEB, BROKEN), sight(CACHE))

    assert judge(BOTH, seen, None, after(5000)).outcome is Outcome.PROGRESSING

"""What people see of an environment, and that it never says more than is known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.decision import Apply, Held, Rest, Watch
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.plan import Action, Cause, Change, Plan
from gitopsd.core.record import Trigger
from gitopsd.core.status.conditions import conditions
from gitopsd.core.status.environment import OBJECTS_MAX
from gitopsd.core.status.overview import Fields, SourceView, environment_status, status
from gitopsd.core.status.sentence import why
from gitopsd.core.status.shown import LIST_MAX
from gitopsd.core.status.words import health, phase, sync
from gitopsd.web.schema import EnvironmentStatus, Status
from tests.core.views import (
    AT_GOOD,
    BAD_SET,
    CASES,
    FAILED_ENTRY,
    GIT_DOWN,
    GOOD_SET,
    HOLD,
    LATER,
    PUT_BACK,
    READY,
    REFUSED,
    REVERTED,
    ROLLED_OUT,
    ROLLING_OUT,
    SUSPENSION,
    TAB,
    WEB,
    failing,
    seen,
    stayed,
    unseen,
    waiting,
    whole,
)
from tests.make import LEFT_ALONE, NOON, desired, live, manifest, sight

NAME = "production/web"


@pytest.mark.parametrize("case", CASES)
def test_phase_sync_and_health_are_what_the_case_says(case):
    view, wanted_phase, wanted_sync, wanted_health, _, _ = CASES[case]

    assert (phase(view), sync(view), health(view)) == (wanted_phase, wanted_sync, wanted_health)


@pytest.mark.parametrize("case", CASES)
def test_the_ready_condition_says_the_same_with_a_reason(case):
    view, *_, wanted_status, reason = CASES[case]
    ready = next(one for one in conditions(view) if one["type"] == "Ready")

    assert (ready["status"], ready["reason"], ready["message"]) == (wanted_status, reason, why(view))


@pytest.mark.parametrize("case", CASES)
def test_the_status_is_what_its_schema_says(case):
    view = whole(CASES[case][0])

    for fields in Fields:
        Status.model_validate(status(view, fields))
    for full in (True, False):
        EnvironmentStatus.model_validate(environment_status(view, NAME, full=full))


@pytest.mark.parametrize("case", CASES)
def test_the_sentence_is_one_bounded_line(case, snapshot):
    sentence = why(CASES[case][0])

    assert "\n" not in sentence
    assert len(sentence) < 1001
    assert sentence == snapshot


def test_a_put_back_environment_says_which_commit_why_since_when_where_it_is_and_how_to_release():
    sentence = why(REVERTED)

    for part in (
        "main@sha1:bbbbbbb",
        "0/3 ready",
        "2026-01-01T12:02:00Z",
        "main@sha1:aaaaaaa",
        f"gitopsd release {NAME}",
    ):
        assert part in sentence


def test_a_person_who_went_back_further_is_named_too():
    later = replace(HOLD, digest="3" * 64, by="ada", why="slow", since=HOLD.since + timedelta(minutes=1))
    further = seen(BAD_SET, PUT_BACK.hold(later), Rest(), at=GOOD_SET)

    assert "; then ada holds main@sha1:bbbbbbb since 2026-01-01T12:03:00Z: slow; running main@sha1:aaaaaaa" in why(
        further
    )


def test_a_put_back_environment_shows_the_last_rollback_with_its_evidence():
    shown = environment_status(whole(REVERTED), NAME)["rollback"]

    assert (shown["from"]["sha"][0], shown["to"]["sha"][0], shown["trigger"]) == ("b", "a", "HealthCheckFailed")
    assert (shown["result"], shown["evidence"]) == ("Reverted", ["Deployment shop/web: 0/3 ready; image not found"])


def test_the_last_rollback_is_still_told_after_its_hold_was_lifted():
    released = seen(GOOD_SET, replace(PUT_BACK, held={}), Rest())
    shown = environment_status(whole(released), NAME)

    assert shown["held"] == []
    assert (shown["rollback"]["from"]["sha"][0], shown["rollback"]["result"]) == ("b", "Reverted")


def test_revisions_say_what_git_wants_and_where_the_cluster_is():
    shown = environment_status(whole(REVERTED), NAME)["revision"]

    assert {name: one["sha"][0] for name, one in shown.items()} == {
        "desired": "b",
        "attempted": "b",
        "applied": "a",
        "lastHealthy": "a",
        "observed": "a",
    }


def test_a_commit_with_the_same_content_is_the_applied_one():
    unrelated = replace(GOOD_SET, revision=replace(GOOD_SET.revision, commit="d" * 40))
    shown = environment_status(whole(seen(unrelated, AT_GOOD, Rest())), NAME)["revision"]

    assert (shown["applied"]["sha"][0], shown["lastHealthy"]["sha"][0]) == ("d", "a")


def test_the_last_error_has_all_that_a_person_needs():
    shown = environment_status(whole(failing(READY, TAB, "RenderError")), NAME)["lastError"]

    assert shown == {
        "code": "YAML_TAB",
        "stage": "render",
        "reason": "BuildFailed",
        "message": "a tab indents",
        "hint": "use spaces",
        "file": "staging/web.yaml",
        "line": 12,
        "docsUrl": "docs/errors.md#yaml-tab",
        "at": "2026-01-01T12:02:00Z",
        "count": 1,
        "retryAt": "2026-01-01T12:02:04Z",
    }


def test_a_commit_that_cannot_be_rendered_is_what_git_wants_and_is_named():
    shown = environment_status(whole(failing(READY, TAB, "RenderError")), NAME)

    assert (shown["revision"]["desired"]["sha"][0], shown["revision"]["applied"]["sha"][0]) == ("b", "a")
    assert shown["message"].startswith("main@sha1:bbbbbbb is rejected: staging/web.yaml:12: ")


def test_a_silent_git_is_the_last_error_although_the_environment_stays_ready():
    shown = environment_status(whole(seen(GOOD_SET, AT_GOOD, Rest(), stale=GIT_DOWN)), NAME)

    assert (shown["phase"], shown["lastError"]["code"]) == ("Ready", "GIT_UNREACHABLE")
    assert "git.example.com gave no answer" in shown["message"]


def test_a_silent_git_is_told_with_since_when_how_often_and_the_next_try():
    git = SourceView(
        name="git",
        url="https://git.example.com/acme/environments.git",
        ref="main",
        error=GIT_DOWN.problem,
        error_at=NOON,
        error_count=4,
        next_fetch_at=LATER,
    )
    shown = status(whole(CASES["Git is silent"][0], sources=(git,)))
    times = {"at": "2026-01-01T12:00:00Z", "count": 4, "retryAt": "2026-01-01T12:02:00Z"}

    for error in (shown["environments"][0]["lastError"], shown["sources"][0]["lastError"]):
        assert times.items() <= error.items()
        assert error["reason"] == "ArtifactFailed"


def test_what_runs_is_among_the_problems_although_the_newest_commit_cannot_be_read():
    shown = environment_status(whole(CASES["it was put back, and the newest commit cannot be read"][0]), NAME)

    assert [one["code"] for one in shown["problems"]] == ["YAML_TAB", "ROLLOUT_FAILED"]
    assert shown["revision"]["desired"]["sha"][0] == "e"


@pytest.mark.parametrize(
    ("case", "says", "says_not"),
    [
        pytest.param(
            "going back failed", "is not tried again", "half put back", id="all is written, and it is not well"
        ),
        pytest.param(
            "going back failed half way, and there is something older",
            "what is barred is written as soon as it may be",
            "not tried again",
            id="something is barred",
        ),
    ],
)
def test_a_failed_way_back_says_whether_it_goes_on(case, says, says_not):
    sentence = why(CASES[case][0])

    assert says in sentence
    assert says_not not in sentence


def test_an_environment_in_order_has_no_error_and_no_pause():
    shown = environment_status(whole(READY), NAME)

    assert "lastError" not in shown
    assert shown["suspended"] is None


def test_a_pause_says_by_whom_since_when_and_why():
    view = stayed(replace(AT_GOOD, suspended=SUSPENSION), Rest(SUSPENSION))

    assert environment_status(whole(view), NAME)["suspended"] == {
        "by": "ada",
        "at": "2026-01-01T12:02:00Z",
        "reason": "maintenance",
    }


def test_a_rollout_says_its_deadline_how_far_it_is_and_what_is_not_well():
    shown = environment_status(whole(ROLLED_OUT), NAME)["rollout"]

    assert (shown["startedAt"], shown["deadlineAt"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:05:00Z")
    assert shown["percent"] == 0
    assert [(one["ref"], one["message"]) for one in shown["objects"]] == [("Deployment shop/web", "1/3 ready")]


def test_drift_is_counted_and_makes_it_out_of_sync():
    drift = Change(action=Action.UPDATE, cause=Cause.DRIFT, manifest=WEB, sight=sight(WEB.ref))
    plan = Plan(digest=GOOD_SET.digest, revision=GOOD_SET.revision, changes=(drift,))
    shown = environment_status(whole(seen(GOOD_SET, AT_GOOD, Apply((drift,)), plan=plan)), NAME)

    assert (shown["phase"], shown["sync"]["status"], shown["sync"]["drifted"]) == ("Applying", "OutOfSync", 1)
    assert shown["plan"] == {"create": 0, "update": 1, "delete": 0, "unchanged": 0, "blocked": 0}
    assert (shown["objects"][0]["sync"], shown["objects"][0]["action"]) == ("OutOfSync", "update")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("PRUNE_BUDGET", "OutOfSync", id="a budget that is exceeded waits for a person"),
        pytest.param("PRUNE_PROTECTED", "Synced", id="what somebody asked to keep is no difference"),
    ],
)
def test_a_leftover_is_a_difference_unless_somebody_wished_it(code, expected):
    left = Problem(code=code, stage=Stage.PRUNE, message="stays", ref="ConfigMap shop/old")
    plan = Plan(digest=GOOD_SET.digest, revision=GOOD_SET.revision, kept_back=(left,))

    assert sync(seen(GOOD_SET, AT_GOOD, Rest(), plan=plan)) == expected


def test_objects_are_shown_on_one_environment_only_and_the_worst_first():
    many = tuple(manifest("ConfigMap", f"c{number:04}") for number in range(OBJECTS_MAX + 5))
    wants = replace(desired(WEB, *many, digest=GOOD_SET.digest), revision=GOOD_SET.revision)
    view = seen(wants, AT_GOOD, Rest())
    look = replace(view.latest.look, live=live(sight(WEB.ref, None), *(sight(one.ref) for one in many)), desired=wants)
    view = replace(view, latest=replace(view.latest, look=look))
    shown = environment_status(whole(view), NAME)

    assert (len(shown["objects"]), shown["objectCount"]) == (OBJECTS_MAX, OBJECTS_MAX + 6)
    assert shown["objects"][0]["health"] == {"status": "Missing", "reason": "NotFound"}
    assert "objects" not in status(whole(view))["environments"][0]


def test_while_a_newer_commit_is_refused_health_and_objects_are_of_what_runs_and_the_plan_is_of_the_newer():
    shown = environment_status(whole(REFUSED), NAME)
    healthy = next(one for one in shown["conditions"] if one["type"] == "Healthy")

    assert (shown["health"], healthy["status"]) == ({"status": "Healthy"}, "True")
    assert [(one["kind"], one["health"]["status"], one["sync"]) for one in shown["objects"]] == [
        ("Deployment", "Healthy", "Synced")
    ]
    assert (shown["plan"]["blocked"], shown["lastError"]["code"]) == (1, "YAML_TAB")
    assert shown["revision"]["observed"]["sha"][0] == "a"


def test_an_object_that_a_refused_commit_would_change_is_not_as_git_says():
    changed = replace(WEB, digest="another")
    other = replace(BAD_SET, manifests=(changed,))
    view = waiting(READY, Held((TAB,)), wants=other, plan=Plan(digest=other.digest, revision=other.revision))

    assert [one["sync"] for one in environment_status(whole(view), NAME)["objects"]] == ["OutOfSync"]


def test_a_problem_is_told_once_whoever_tells_it():
    blocked = Plan(digest=GOOD_SET.digest, revision=GOOD_SET.revision, conflicts=(TAB,))
    view = seen(GOOD_SET, AT_GOOD, Held((TAB,)), plan=blocked)

    assert [one["code"] for one in environment_status(whole(view), NAME)["problems"]] == ["YAML_TAB"]
    assert "more problem" not in why(view)


def test_lists_are_bounded():
    crowded = replace(PUT_BACK, history=(FAILED_ENTRY,) * 50)
    shown = environment_status(whole(seen(BAD_SET, crowded, Rest(), at=GOOD_SET)), NAME)

    assert len(shown["history"]) == LIST_MAX


def test_a_summary_has_neither_history_nor_conditions():
    shown = status(whole(READY), Fields.SUMMARY)["environments"][0]

    assert {"name", "phase", "sync", "health", "revision", "message", "suspended"} <= shown.keys()
    assert not {"history", "conditions", "objects", "held"} & shown.keys()


def test_environments_are_counted():
    shown = status(whole(READY, REVERTED, ROLLED_OUT, unseen()))["summary"]

    assert shown == {
        "environments": 4,
        "ready": 1,
        "outOfSync": 1,
        "degraded": 0,
        "progressing": 1,
        "failed": 0,
        "reverted": 1,
        "suspended": 0,
        "held": 1,
    }


def test_an_unknown_environment_has_no_status():
    assert environment_status(whole(READY), "nowhere") is None


def test_no_manifest_body_reaches_the_status():
    secret = manifest("Secret", "password", {"canary": "hunter2"})
    wants = replace(desired(secret, digest=GOOD_SET.digest), revision=GOOD_SET.revision)
    shown = environment_status(whole(seen(wants, AT_GOOD, Watch(""))), NAME)

    assert shown["objects"][0]["name"] == "password"
    assert "hunter2" not in json.dumps(shown)


def test_a_revert_that_failed_is_called_that_from_the_record_alone():
    back = replace(ROLLING_OUT.rollout, digest=GOOD_SET.digest, trigger=Trigger.REVERT, failure="no pod came up")
    ready = next(one for one in conditions(unseen(replace(PUT_BACK, rollout=back))) if one["type"] == "Ready")

    assert ready["reason"] == "RollbackFailed"


def test_what_is_left_alone_is_not_among_the_objects():
    left = manifest("Pod", "smoke", annotations=LEFT_ALONE)
    wants = replace(desired(WEB, left, digest=GOOD_SET.digest), revision=GOOD_SET.revision)
    shown = environment_status(whole(seen(wants, AT_GOOD, Rest())), NAME)

    assert ([one["name"] for one in shown["objects"]], shown["objectCount"]) == (["web"], 1)
    assert shown["health"] == {"status": "Healthy"}

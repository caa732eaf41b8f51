"""The one next step: each line of ``decide``, and the order of the lines."""

from __future__ import annotations

import pytest

from gitopsd.core.decision import Apply, Halt, Held, Keep, Rest, Revert, Unstick, Watch, decide
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Others, Stuck
from gitopsd.core.plan import Action, Cause, Change, Plan, Prune
from gitopsd.core.record import Kept, Record, Trigger
from gitopsd.core.settings import OnFailure, Settings
from gitopsd.core.target import Target
from gitopsd.core.verdict import Outcome, Verdict
from tests.make import BROKEN, CURRENT, NOON, REVISION, desired, manifest, ref, rollout, sight

WEB = manifest("Deployment", "web")
SET = desired(WEB)
KEPT = (Kept(digest="old", revision=REVISION, at=NOON),)
REFUSAL = Problem(code="APPLY_INVALID", stage=Stage.VALIDATE, message="no", file="web.yaml", line=3)

HEALTHY = Verdict(outcome=Outcome.HEALTHY)
GOING = Verdict(outcome=Outcome.PROGRESSING, why="1/3 ready")
FAILED = Verdict(outcome=Outcome.FAILED, why="no image", worse_than_before=True)
NOT_OURS = Verdict(outcome=Outcome.FAILED, why="no image", worse_than_before=False)


def plan(**more) -> Plan:
    return Plan(digest="new", revision=REVISION, **more)


def change(cause: Cause = Cause.COMMIT, health=None) -> Change:
    return Change(action=Action.UPDATE, cause=cause, manifest=WEB, sight=sight(WEB.ref, health))


def record(*, rolling=True, **more) -> Record:
    fields = {"current": "new", "kept": KEPT, "rollout": rollout(WEB.ref) if rolling else None, **more}
    return Record(**fields)


def ask(plan=plan(), verdict=HEALTHY, record=record(), trigger=Trigger.COMMIT, on_failure=OnFailure.REVERT):  # noqa: B008
    wanted = desired(WEB, settings=Settings(on_failure=on_failure))
    return decide(Target(digest="new", trigger=trigger), wanted, plan, verdict, record)


CHANGED = plan(changes=(change(),))
PRUNABLE = plan(prunes=(Prune(ref("Deployment", "old"), "u"),))
STUCK = Stuck(ref=ref("Pod", "db-1"), uid="u", resource_version="7", owner=ref("StatefulSet", "db"), owner_uid="v")
HELD_UP = plan(stuck=(STUCK,))
GATED = plan(pending={WEB.ref: "for x"})
BLOCKED = plan(rejections=(REFUSAL,))
RESTING = record(rolling=False)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(ask(plan(), HEALTHY, RESTING), Rest(), id="in sync and kept: rest"),
        pytest.param(ask(CHANGED, HEALTHY, RESTING), Apply(CHANGED.changes), id="drift: apply, and begin nothing"),
        pytest.param(
            ask(CHANGED, HEALTHY, record(rolling=False, current="old")),
            Apply(CHANGED.changes, begins=True),
            id="a new digest: apply, and begin a rollout",
        ),
        pytest.param(
            ask(PRUNABLE, HEALTHY, record(rolling=False, current="old")),
            Apply((), begins=True),
            id="a commit that only removes begins a rollout as well",
        ),
        pytest.param(ask(plan(), GOING), Watch("1/3 ready"), id="rolling out: watch"),
        pytest.param(ask(HELD_UP, GOING), Unstick(HELD_UP.stuck), id="rolling out, and a pod is in the way: delete it"),
        pytest.param(
            ask(HELD_UP, FAILED, record(kept=())), Halt("no image"), id="failed, and a pod is in the way: it stays"
        ),
        pytest.param(ask(GATED, HEALTHY), Watch(f"{WEB.ref} waits: for x"), id="behind a gate: watch"),
        pytest.param(ask(plan(), HEALTHY), Keep(), id="healthy: keep"),
        pytest.param(ask(PRUNABLE, HEALTHY, RESTING), Keep(), id="leftovers of a kept digest go"),
        pytest.param(ask(plan(), FAILED), Revert("no image", "old"), id="failed: revert to the last kept"),
        pytest.param(ask(CHANGED, FAILED), Revert("no image", "old"), id="failed comes before what is left to apply"),
        pytest.param(ask(plan(), FAILED, record(kept=())), Halt("no image"), id="nothing kept yet: stay"),
        pytest.param(
            ask(plan(), NOT_OURS),
            Halt("no image; it had failed before this commit as well, so going back would not mend it"),
            id="it was unhealthy before: stay",
        ),
        pytest.param(ask(plan(), FAILED, trigger=Trigger.REVERT), Halt("no image"), id="a revert is never reverted"),
        pytest.param(
            ask(plan(), FAILED, trigger=Trigger.ROLLBACK), Halt("no image"), id="a person's rollback is never reverted"
        ),
        pytest.param(ask(plan(), FAILED, on_failure=OnFailure.HOLD), Halt("no image"), id="onFailure hold: stay"),
        pytest.param(
            ask(plan(), FAILED, on_failure=OnFailure.FREEZE),
            Halt("no image", freeze=True),
            id="onFailure freeze: pause",
        ),
        pytest.param(
            ask(BLOCKED, HEALTHY, record(rolling=False, current="old")),
            Held((REFUSAL,)),
            id="a rejected digest was not touched: held",
        ),
        pytest.param(ask(BLOCKED, GOING), Revert(str(REFUSAL), "old"), id="rejected after its first write: revert"),
        pytest.param(ask(plan(conflicts=(REFUSAL,)), GOING), Held((REFUSAL,)), id="an object of somebody else: held"),
    ],
)
def test_the_next_step(step, expected):
    assert step == expected


def test_a_new_digest_waits_for_the_environments_it_depends_on():
    waiting = desired(WEB, settings=Settings(depends_on=("staging/database",)))
    older = record(rolling=False, current="old")

    def step(*ready):
        target = Target(digest="new", trigger=Trigger.COMMIT, others=Others(ready=frozenset(ready)))
        return decide(target, waiting, CHANGED, HEALTHY, older)

    assert step() == Watch("waits for environment staging/database")
    assert step("staging/database") == Apply(CHANGED.changes, begins=True)


def test_drift_and_going_back_wait_for_nobody():
    waiting = desired(WEB, settings=Settings(depends_on=("staging/database",)))
    back = Target(digest="new", trigger=Trigger.REVERT)

    assert decide(Target(digest="new", trigger=Trigger.COMMIT), waiting, CHANGED, HEALTHY, RESTING) == Apply(
        CHANGED.changes
    )
    assert decide(back, waiting, CHANGED, HEALTHY, record(rolling=False, current="bad")) == Apply(
        CHANGED.changes, begins=True
    )


def after_failure(**more):
    return record(rollout=rollout(WEB.ref, failure="no image", **more))


def test_a_failed_rollout_with_nothing_to_go_back_to_is_held_and_says_why():
    step = ask(plan(), FAILED, after_failure())

    assert isinstance(step, Held)
    assert (step.problems[0].code, step.problems[0].message) == ("ROLLOUT_FAILED", "no image")


def test_a_failed_revert_says_that_it_was_a_revert():
    step = ask(plan(), FAILED, after_failure(trigger=Trigger.REVERT), trigger=Trigger.REVERT)

    assert step.problems[0].code == "REVERT_FAILED"


def test_a_failed_rollout_that_recovers_by_itself_is_kept():
    assert ask(plan(), HEALTHY, after_failure()) == Keep()


def test_after_a_failure_only_healthy_objects_are_repaired():
    well, broken = change(Cause.DRIFT, CURRENT), change(Cause.DRIFT, BROKEN)

    assert ask(plan(changes=(well, broken)), FAILED, after_failure()) == Apply((well,))


def test_after_a_failure_nothing_new_is_written():
    assert isinstance(ask(plan(changes=(change(Cause.COMMIT),)), FAILED, after_failure()), Held)


def test_a_failed_revert_is_not_kept_while_somebody_else_has_an_object_of_it():
    failed = after_failure(trigger=Trigger.REVERT)

    assert ask(plan(), HEALTHY, failed, trigger=Trigger.REVERT) == Keep()
    assert isinstance(ask(plan(conflicts=(REFUSAL,)), HEALTHY, failed, trigger=Trigger.REVERT), Held)


def test_a_failed_revert_writes_what_was_barred_as_soon_as_it_may():
    back, broken = change(Cause.COMMIT), change(Cause.DRIFT, BROKEN)
    failed = after_failure(trigger=Trigger.REVERT)

    assert ask(plan(changes=(back, broken)), FAILED, failed, trigger=Trigger.REVERT) == Apply((back,))
    for stop in ({"rejections": (REFUSAL,)}, {"conflicts": (REFUSAL,)}):
        stopped = plan(changes=(back, broken), **stop)
        assert isinstance(ask(stopped, FAILED, failed, trigger=Trigger.REVERT), Held)

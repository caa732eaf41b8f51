"""The one next step. The order of the lines in ``decide`` is the policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.health import is_good
from gitopsd.core.model import Desired, Stuck
from gitopsd.core.plan import Cause, Change, Plan
from gitopsd.core.record import Hold, Record, Rollout, Suspension, Trigger
from gitopsd.core.settings import OnFailure
from gitopsd.core.target import Target
from gitopsd.core.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Rest:
    """In sync and kept; ``because`` a person paused it, if one did."""

    because: Suspension | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """Write these changes. ``begins`` = they are the first of a new rollout."""

    changes: tuple[Change, ...]
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Unstick:
    """Delete these pods: their controller would wait for them to become ready before it replaces them."""

    pods: tuple[Stuck, ...]


@dataclass(frozen=True, slots=True)
class Watch:
    """All that can be written is written: wait for health, or for a gate."""

    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Healthy and soaked: prune, then accept the digest."""


@dataclass(frozen=True, slots=True)
class Revert:
    """Hold the digest; the next pass goes back to ``back_to`` by the same road."""

    why: str
    back_to: str


@dataclass(frozen=True, slots=True)
class Halt:
    """The verdict is final, and there is nothing safe to go back to. ``freeze`` = pause as well."""

    why: str
    freeze: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing safe to do: these problems, or this hold, stand in the way."""

    problems: tuple[Problem, ...]
    hold: Hold | None = None


Decision: TypeAlias = Rest | Apply | Unstick | Watch | Keep | Revert | Halt | Held


_NO_BETTER_BEFORE = "it had failed before this commit as well, so going back would not mend it"


def decide(target: Target, desired: Desired, plan: Plan, verdict: Verdict, record: Record) -> Decision:
    """Pick the one next step."""
    rollout = record.rollout_of(plan.digest)
    if rollout and rollout.failure:
        return _after_failure(rollout, plan, verdict)
    if rollout and (plan.rejections or verdict.outcome is Outcome.FAILED):
        return _give_up(target, desired, plan, verdict, record)
    if plan.rejections or plan.conflicts:
        return Held((*plan.rejections, *plan.conflicts))
    if blocker := _unready_dependency(target, desired, plan, record):
        return Watch(f"waits for environment {blocker}")
    if plan.changes or record.current != plan.digest:
        return Apply(plan.changes, begins=record.current != plan.digest)
    if rollout and (plan.waiting or verdict.outcome is not Outcome.HEALTHY):
        return _on_the_way(plan, verdict)
    if rollout or plan.prunes:
        return Keep()
    return Rest()


def _unready_dependency(target: Target, desired: Desired, plan: Plan, record: Record) -> str:
    """Name an environment that must be ready before this one begins anything new; going back waits for nobody."""
    if target.going_back or record.current == plan.digest:
        return ""
    return next((name for name in desired.settings.depends_on if name not in target.others.ready), "")


def _give_up(target: Target, desired: Desired, plan: Plan, verdict: Verdict, record: Record) -> Decision:
    """Go back if that is safe and wanted; else stay, and say so."""
    why = str(plan.rejections[0]) if plan.rejections else verdict.why
    kept, rollout = record.fallback, record.rollout
    asked = desired.settings.on_failure
    is_safe = kept is not None and kept.digest != plan.digest
    is_ours = bool(plan.rejections) or verdict.worse_than_before
    is_a_commits = target.trigger is Trigger.COMMIT and rollout is not None and rollout.trigger is Trigger.COMMIT
    if kept and is_safe and asked is OnFailure.REVERT and is_a_commits:
        return Revert(why, back_to=kept.digest) if is_ours else Halt(f"{why}; {_NO_BETTER_BEFORE}")
    return Halt(why, freeze=asked is OnFailure.FREEZE and is_a_commits)


def _on_the_way(plan: Plan, verdict: Verdict) -> Unstick | Watch:
    """All that can be written is written: what would wait for itself for ever is helped, the rest has its time."""
    if plan.stuck:
        return Unstick(plan.stuck)
    return Watch(plan.waiting[0] if plan.waiting else verdict.why, verdict.look_again_at)


def _after_failure(rollout: Rollout, plan: Plan, verdict: Verdict) -> Decision:
    """A failed rollout that recovers by itself is kept; meanwhile only healthy objects are repaired.

    What was barred on the way back is written as soon as it may be: half put back is worse than either.
    """
    is_barred = bool(plan.rejections or plan.conflicts)
    if not plan.changes and not is_barred and not plan.waiting and verdict.outcome is Outcome.HEALTHY:
        return Keep()
    goes_on = rollout.trigger is not Trigger.COMMIT and not is_barred
    due = tuple(change for change in plan.changes if (_was_well(change) if change.cause is Cause.DRIFT else goes_on))
    if due:
        return Apply(due)
    return Held((failure_of(rollout),), None)


def _was_well(change: Change) -> bool:
    live = change.sight.live
    return live is not None and is_good(live.health)


def failure_of(rollout: Rollout) -> Problem:
    """Return what to say of a rollout whose failure is final."""
    reverting = rollout.trigger is not Trigger.COMMIT
    return Problem(
        code="REVERT_FAILED" if reverting else "ROLLOUT_FAILED",
        stage=Stage.HEALTH,
        message=rollout.failure,
        hint="commit a fix; a new commit is taken up at once"
        if not reverting
        else "going back did not help: look at the object named here, commit a fix, or roll back to an older revision",
    )

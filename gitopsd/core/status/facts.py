"""What can be known of an environment from its view: which revision is where, since when, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gitopsd.core.decision import Held, failure_of
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import HealthStatus, Revision
from gitopsd.core.passes import Look
from gitopsd.core.plan import Cause
from gitopsd.core.record import Hold, Outcome, Record, Rollout, Trigger
from gitopsd.core.status.holds import hold_in_force, hold_that_led_here, is_put_back
from gitopsd.core.status.shown import short, stamp
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import (
    Phase,
    blocked_by_prune,
    failed_probes,
    phase,
    unknown_probes,
)
from gitopsd.core.verdict import Finding

_NOTHING_ROLLS_OUT = "nothing is rolling out, so nothing is put back; look at what changed around it, or commit a fix"


def revision_of(view: EnvironmentView, digest: str) -> Revision | None:
    """Return the newest revision known to render to the digest."""
    wanted = view.latest.git.desired if view.latest else None
    if wanted and wanted.digest == digest:
        return wanted.revision
    return remembered(view.known, digest) if view.known else None


def remembered(record: Record, digest: str) -> Revision | None:
    """Return the revision of a digest, from anything that the record says of it."""
    if not digest:
        return None
    lines = (record.rollout, *record.kept, *record.held.values(), *record.history)
    return next((line.revision for line in lines if line and line.digest == digest), None)


def wanted(view: EnvironmentView) -> tuple[Revision | None, str]:
    """Return what Git says, and its digest when it could be rendered."""
    if view.problem_class == "RenderError":
        rejected = view.latest.git if view.latest and view.latest.git.rejected else None
        return (rejected.wanted.revision if rejected and rejected.wanted else view.head), ""
    if view.latest is None:
        return None, ""
    git = view.latest.git
    if git.desired:
        return git.desired.revision, git.desired.digest
    return (git.wanted.revision if git.wanted else None), ""


def attempted(view: EnvironmentView) -> tuple[Revision | None, str]:
    """Return what was begun last because of a commit."""
    record = view.known
    if record is None:
        return None, ""
    hold = hold_in_force(view)
    if hold:
        return hold.revision, hold.digest
    return revision_of(view, record.current), record.current


def since(view: EnvironmentView) -> datetime | None:
    """Return when the environment came into its phase, where that is known."""
    record = view.known
    if record is None:
        return view.problem_at
    hold, rollout = hold_in_force(view), record.rollout
    by_phase: Mapping[Phase, datetime | None] = {
        Phase.SUSPENDED: record.suspended.since if record.suspended else (hold.since if hold else None),
        Phase.REVERTING: hold.since if hold else None,
        Phase.REVERTED: hold.since if hold else None,
        Phase.FAILED: view.problem_at or (_failed_at(record, rollout) if rollout and rollout.failure else None),
        Phase.APPLYING: rollout.started_at if rollout else None,
        Phase.VERIFYING: rollout.started_at if rollout else None,
        Phase.READY: record.kept[0].at if record.kept else None,
    }
    return by_phase.get(phase(view))


def deadline(view: EnvironmentView, rollout: Rollout) -> datetime | None:
    """Return when the rollout counts as failed; time without an API server, or while all is well, is not counted.

    None while only a probe that cannot be told stands in the way: then there is no such time.
    """
    look = view.latest.look if view.latest else None
    ends = look.examined.deadline if look else None
    if look is None or ends is None or look.desired.digest != rollout.digest:
        return None
    known = look.verdict.rollout or rollout
    if look.verdict.findings:
        return ends
    return None if known.unknown_since else ends + timedelta(seconds=known.unknown_s)


def problems(view: EnvironmentView) -> tuple[Problem, ...]:
    """Return all that is wrong, each once, the one to show first. What a person decided is not wrong."""
    return tuple(dict.fromkeys((*view.problems, *in_the_way(view), *standing(view), *around(view))))


def in_the_way(view: EnvironmentView) -> tuple[Problem, ...]:
    """Return why a newer commit than the one that runs cannot begin."""
    if view.problem_class == "RenderError" or (view.looked and view.problems):
        return view.problems
    waiting = view.latest.waiting if view.latest and view.looked else None
    return waiting.decision.problems if waiting and isinstance(waiting.decision, Held) else ()


def standing(view: EnvironmentView) -> tuple[Problem, ...]:
    """Return what became of what runs, or of the way back from it."""
    record = view.known
    if record and record.rollout and record.rollout.failure and record.rollout.digest not in record.held:
        return (_rollout_failed(view, record, record.rollout),)
    latest = view.latest if view.looked else None
    if latest and isinstance(latest.decision, Held) and not latest.decision.hold and not latest.only_waits:
        return latest.decision.problems
    hold = hold_that_led_here(record) if record and in_the_way(view) else hold_in_force(view)
    return (_put_back(hold, view.environment.name),) if hold and is_put_back(hold) else ()


def around(view: EnvironmentView) -> tuple[Problem, ...]:
    """Return what else is wrong: Git's silence, an object, that Git could not be told of a revert."""
    seen = (*silence(view), *beside(view)) if view.looked else ()
    untold = view.told.problem if view.told else None
    return (*seen, *((untold,) if untold else ()))


def silence(view: EnvironmentView) -> tuple[Problem, ...]:
    """Return why Git could not be asked."""
    stale = view.latest.git.stale if view.latest else None
    return stale.problems if stale else ()


def beside(view: EnvironmentView) -> tuple[Problem, ...]:
    """Return what is wrong with the objects although the environment may be where it should be."""
    look = view.latest.look if view.latest else None
    if look is None:
        return ()
    plan = look.plan
    kept_back = plan.kept_back if blocked_by_prune(look) else ()
    return (*plan.conflicts, *plan.fighting, *kept_back, *_regressions(look), *_probes(look))


def regressed(look: Look) -> tuple[Finding, ...]:
    """Return the objects that are not well although nothing is rolling out, those that failed first."""
    if look.verdict.rollout is not None:
        return ()
    return tuple(sorted(look.verdict.findings, key=lambda one: one.health.status is not HealthStatus.FAILED))


def _regressions(look: Look) -> Iterator[Problem]:
    """An object that is only on its way is in the sentence; one that failed needs somebody."""
    for one in regressed(look):
        if one.health.status is HealthStatus.FAILED:
            message = one.health.message or one.health.reason
            yield Problem(
                code="OBJECT_FAILED", stage=Stage.HEALTH, ref=str(one.ref), message=message, hint=_NOTHING_ROLLS_OUT
            )


def _probes(look: Look) -> Iterator[Problem]:
    """What a probe says that is news to people: it cannot be told, or what was kept is well no more."""
    for one in unknown_probes(look):
        hint = "nothing is kept, and nothing put back, on account of it; see that what the probe asks can be reached"
        yield Problem(code="PROBE_UNKNOWN", stage=Stage.HEALTH, message=str(one), hint=hint)
    for one in failed_probes(look):
        if look.verdict.rollout is None:
            yield Problem(code="PROBE_FAILED", stage=Stage.HEALTH, message=str(one), hint=_NOTHING_ROLLS_OUT)
        elif not one.counts:
            hint = "it had failed before this commit, so nothing is put back on account of it"
            yield Problem(code="PROBE_FAILED", stage=Stage.HEALTH, message=str(one), hint=hint)


def _put_back(hold: Hold, name: str) -> Problem:
    return Problem(
        code="ROLLOUT_FAILED",
        stage=Stage.HEALTH,
        message=f"{short(hold.revision)} failed and is held: {hold.why}",
        hint=f"commit a fix; or, if the cause was elsewhere: gitopsd release {name}",
    )


def _rollout_failed(view: EnvironmentView, record: Record, rollout: Rollout) -> Problem:
    problem, at = failure_of(rollout), stamp(_failed_at(record, rollout))
    there, since_then = short(rollout.revision), f" at {at}" if at else ""
    if rollout.trigger is Trigger.COMMIT:
        return replace(problem, message=f"{there} failed{since_then}: {rollout.failure}")
    hold = hold_that_led_here(record)
    way = f"from {short(hold.revision)} to {there}" if hold else f"to {there}"
    left = _unwritten(view, rollout)
    said = f"going back {way} failed{since_then}: {rollout.failure}{_how_far(left, there)}"
    return replace(problem, message=said, hint=_after_a_failed_way_back(record, view.environment.name, left))


def _failed_at(record: Record, rollout: Rollout) -> datetime | None:
    bad = (Outcome.FAILED, Outcome.REVERT_FAILED)
    ends = (entry.at for entry in record.history if entry.outcome in bad and entry.digest == rollout.digest)
    return next(ends, None)


def _unwritten(view: EnvironmentView, rollout: Rollout) -> Sequence[str] | None:
    """Return what of a failed way back is not in the cluster; None where that is not known."""
    look = view.latest.look if view.latest and view.looked else None
    if look is None or look.desired.digest != rollout.digest:
        return None
    plan = look.plan
    due = (change for change in plan.changes if change.cause is not Cause.DRIFT)
    return [*plan.waiting, *map(str, plan.rejections), *(f"{change.ref} is not written" for change in due)]


def _how_far(left: Sequence[str] | None, there: str) -> str:
    if left is None:
        return ""
    if not left:
        return f"; all of {there} is written"
    objects = f"{len(left)} object{'s' if len(left) > 1 else ''}"
    return f"; the cluster is half put back, {objects} not yet: {left[0]}"


def _after_a_failed_way_back(record: Record, name: str, left: Sequence[str] | None) -> str:
    further = f", or go further back with: gitopsd rollback {name}" if record.older else ""
    if left:
        return f"what is barred is written as soon as it may be: look at what bars it; or commit a fix{further}"
    return f"going back did not help and is not tried again: look at the object named here; commit a fix{further}"

"""The few words for how an environment is: its phase, how it compares with Git, how its objects are.

A snapshot is made after a pass, so only what can last from one pass to the next has a word.
"""

from __future__ import annotations

from enum import StrEnum

from gitopsd.core.decision import Apply, Held, Keep, Rest, Watch
from gitopsd.core.model import HealthStatus
from gitopsd.core.passes import Look, Pass
from gitopsd.core.plan import Cause
from gitopsd.core.probe_answers import Weighed
from gitopsd.core.record import Record, Trigger
from gitopsd.core.status.holds import hold_in_force, is_put_back
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.verdict import Outcome

# One failed call is not news: the next pass tells whether it was more.
BLIPS_MAX = 1

_UNREACHED = ("ClusterError", "Superseded")
_MAY_PASS = (*_UNREACHED, "SourceError")
_WISHED = ("PRUNE_DISABLED", "PRUNE_PROTECTED", "PRUNE_NOT_OURS")


class Phase(StrEnum):
    """Where an environment is on its way from a commit to a verdict."""

    PENDING = "Pending"
    APPLYING = "Applying"
    VERIFYING = "Verifying"
    READY = "Ready"
    REVERTING = "Reverting"
    REVERTED = "Reverted"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class Sync(StrEnum):
    """Is the cluster what Git says?"""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Word(StrEnum):
    """How the objects are, taken together; the worst of them. Argo CD's words."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


_WORST_FIRST = (HealthStatus.FAILED, HealthStatus.NOT_FOUND, HealthStatus.UNKNOWN)


def phase(view: EnvironmentView) -> Phase:
    """Say where the environment is. The order of the questions is the order of what matters to people."""
    record = view.known
    if record and (record.suspended or _is_held_by_hand(view)):
        return Phase.SUSPENDED
    if _is_stopped(view, record):
        return Phase.FAILED
    if record is None or not record.current:
        return Phase.PENDING
    if record.current in record.held or _is_going_back(record):
        return Phase.REVERTING
    if record.rollout_of(record.current):
        return Phase.APPLYING if _is_writing(view.latest) else Phase.VERIFYING
    if isinstance(view.latest.decision if view.latest else None, Apply):
        return Phase.APPLYING
    return Phase.REVERTED if hold_in_force(view) else Phase.READY


def sync(view: EnvironmentView) -> Sync:
    """Compare with Git; not knowing is a word of its own."""
    if view.problem_class == "RenderError":
        return Sync.OUT_OF_SYNC
    if not view.looked or view.latest is None or view.latest.git.stale or view.latest.git.desired is None:
        return Sync.UNKNOWN
    latest = view.latest
    wanted = view.latest.git.desired.digest
    if wanted != latest.record.current:
        return Sync.OUT_OF_SYNC
    if latest.look is None:
        return Sync.UNKNOWN
    same = latest.look.desired.digest == wanted and not _differs(latest, latest.look)
    return Sync.SYNCED if same else Sync.OUT_OF_SYNC


def health(view: EnvironmentView) -> Word:
    """Take the objects that run together; the worst one names the whole. What never began is neither well nor not."""
    look = view.latest.look if view.latest else None
    if look is None or (view.problem_class in _UNREACHED and not view.looked):
        return Word.UNKNOWN
    found = {finding.health.status for finding in look.verdict.findings}
    worst = next((status for status in _WORST_FIRST if status in found), None)
    if worst is HealthStatus.FAILED or look.verdict.outcome is Outcome.FAILED or failed_probes(look):
        return Word.DEGRADED
    if worst is HealthStatus.NOT_FOUND and not look.verdict.rollout:
        return Word.MISSING
    if worst is HealthStatus.UNKNOWN or unknown_probes(look):
        return Word.UNKNOWN
    is_waiting = look.verdict.rollout is not None and any(one.in_doubt for one in look.verdict.probes)
    return Word.PROGRESSING if found or is_waiting else Word.HEALTHY


def failed_probes(look: Look) -> tuple[Weighed, ...]:
    """Return the probes that failed as often in a row as it takes, also those that do not count for the rollout."""
    return tuple(one for one in look.verdict.probes if one.answer.failed)


def unknown_probes(look: Look) -> tuple[Weighed, ...]:
    """Return the probes that cannot be told; of a kept digest, only where that was so as often in a row as it takes."""
    is_kept = look.verdict.rollout is None
    return tuple(
        one
        for one in look.verdict.probes
        if one.is_unknown and (not is_kept or one.answer.in_a_row >= one.probe.pace.failures)
    )


def drifted_count(look: Look) -> int:
    """Count the objects that somebody changed since we applied them."""
    return sum(change.cause is Cause.DRIFT for change in look.plan.changes) + len(look.plan.fighting)


def blocked_by_prune(look: Look) -> bool:
    """Whether a leftover stays although nobody wished it to."""
    return any(problem.code not in _WISHED for problem in look.plan.kept_back)


def _is_held_by_hand(view: EnvironmentView) -> bool:
    """Whether a person stopped it, with nowhere to go back to."""
    hold = hold_in_force(view)
    return hold is not None and not is_put_back(hold) and not hold.back_to


def _is_stopped(view: EnvironmentView, record: Record | None) -> bool:
    if view.problems and not _may_pass(view, record):
        return True
    if record and record.rollout and record.rollout.failure and record.rollout.digest not in record.held:
        return True
    return isinstance(view.latest.decision if view.latest else None, Held)


def _may_pass(view: EnvironmentView, record: Record | None) -> bool:
    """Whether the trouble is such that the environment is still on its way."""
    latest = view.latest if view.looked else None
    if latest:
        is_blip = latest.git.unseen is not None and view.problem_count <= BLIPS_MAX
        return is_blip or not isinstance(latest.decision, Rest | Held)
    if view.problem_class not in _MAY_PASS or record is None or not record.current:
        return False
    return view.problem_count <= BLIPS_MAX or record.rollout is not None


def _is_going_back(record: Record) -> bool:
    rollout = record.rollout_of(record.current)
    return rollout is not None and rollout.trigger is not Trigger.COMMIT


def _is_writing(latest: Pass | None) -> bool:
    if latest is None:
        return False
    waits = isinstance(latest.decision, Watch) and latest.look is not None and bool(latest.look.plan.waiting)
    return isinstance(latest.decision, Apply) or waits


def _differs(latest: Pass, look: Look) -> bool:
    plan = look.plan
    to_do = plan.changes or plan.waiting or plan.rejections or plan.conflicts or plan.fighting
    leftovers = plan.prunes and not isinstance(latest.decision, Keep)
    return bool(to_do or leftovers or blocked_by_prune(look))

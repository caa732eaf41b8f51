"""Is the rollout healthy, still going, or failed? Healths and the clock make a verdict.

A false failure is the worst error.

Only objects that this digest changed, or that were healthy before it, count. A terminal reason must last for its
grace; anything else has until the deadline. Time in which the API server could not be asked is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gitopsd.core.health import Reason, is_good
from gitopsd.core.manifests.intents import intents_of
from gitopsd.core.model import Desired, Health, HealthStatus, Live, ObjectRef, Sight
from gitopsd.core.plan import Plan
from gitopsd.core.record import Rollout

GRACE_S = 30.0
# A cluster that grows by itself needs minutes for a new node: see docs/adr/0004. A quota or a webhook may give way.
GRACE_BY_REASON_S: Mapping[str, float] = {Reason.UNSCHEDULABLE: 300.0, Reason.FAILED_CREATE: 60.0}


_PENDING = Health(HealthStatus.IN_PROGRESS, "Pending", "its write is still to come")


class Outcome(StrEnum):
    """The three answers."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One object that is not well."""

    ref: ObjectRef
    health: Health

    def __str__(self) -> str:
        return f"{self.ref}: {self.health.message or self.health.reason or self.health.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer, and why.

    ``rollout`` is the rollout with what was learned (since when an object fails; since when all is well).
    ``worse_than_before`` = an object fails that was well, or was not there, before this digest.
    ``look_again_at`` is when time alone could change the answer.
    """

    outcome: Outcome
    why: str = ""
    findings: tuple[Finding, ...] = ()
    rollout: Rollout | None = None
    worse_than_before: bool = False
    look_again_at: datetime | None = None


def judge(desired: Desired, live: Live, rollout: Rollout | None, now: datetime, plan: Plan | None = None) -> Verdict:
    """Judge the rollout; without one, only say how things are.

    Objects that ``plan`` still means to write are not healthy, and cannot have failed; those that it sets apart do
    not count at all.
    """
    pending, apart = (plan.pending, plan.apart) if plan else (frozenset[ObjectRef](), frozenset[ObjectRef]())
    findings = tuple(finding for finding in _findings(desired, live, pending) if finding.ref not in apart)
    if rollout is None:
        return Verdict(outcome=Outcome.PROGRESSING if findings else Outcome.HEALTHY, findings=findings)
    counted = tuple(
        finding for finding in findings if finding.ref in rollout.changed or finding.ref not in rollout.baseline
    )
    rollout = _remember_failing(counted, rollout, now)
    if counted:
        return _unwell(counted, replace(rollout, healthy_since=None), _deadline(desired, live, rollout), now)
    return _well(findings, desired, replace(rollout, healthy_since=rollout.healthy_since or now), now)


def unhealthy(desired: Desired, live: Live, status: HealthStatus | None = None) -> frozenset[ObjectRef]:
    """Return the objects that exist and are not well (or of this status): the baseline of a rollout that begins now."""
    return frozenset(
        finding.ref
        for finding in _findings(desired, live, frozenset())
        if live.sights[finding.ref].live is not None and status in (None, finding.health.status)
    )


def _findings(desired: Desired, live: Live, pending: frozenset[ObjectRef]) -> Iterable[Finding]:
    for manifest in desired.manifests:
        health = _PENDING if manifest.ref in pending else _health(live.sights[manifest.ref])
        if not is_good(health) and not intents_of(manifest).health_ignore:
            yield Finding(manifest.ref, health)


def _health(sight: Sight) -> Health:
    return sight.live.health if sight.live else Health(HealthStatus.NOT_FOUND, "NotFound", "does not exist yet")


def _remember_failing(counted: tuple[Finding, ...], rollout: Rollout, now: datetime) -> Rollout:
    """Since when each object fails, and for what. It is forgotten after as long without it as its grace is.

    A reason with another grace starts anew: a pod that waited minutes for its node has not failed to start yet.
    """
    bad = {finding.ref: finding.health.reason for finding in counted if finding.health.status is HealthStatus.FAILED}
    quiet = {ref: rollout.quiet.get(ref, now) for ref in rollout.failing if ref not in bad}
    quiet = {ref: since for ref, since in quiet.items() if (now - since).total_seconds() < GRACE_S}
    reasons = {ref: rollout.reasons.get(ref, "") for ref in quiet} | bad
    failing = {
        ref: rollout.failing.get(ref, now) if _grace_s(rollout.reasons.get(ref, reason)) == _grace_s(reason) else now
        for ref, reason in reasons.items()
    }
    return replace(rollout, failing=failing, quiet=quiet, reasons=reasons)


def _grace_s(reason: str) -> float:
    return GRACE_BY_REASON_S.get(reason, GRACE_S)


def _deadline(desired: Desired, live: Live, rollout: Rollout) -> datetime:
    return rollout.started_at + timedelta(seconds=desired.settings.deadline_s + live.blind_s)


def _unwell(counted: tuple[Finding, ...], rollout: Rollout, deadline: datetime, now: datetime) -> Verdict:
    ends = _grace_ends(counted, rollout)
    terminal = tuple(finding for finding in counted if finding.ref in ends and ends[finding.ref] <= now)
    if terminal:
        return _failed(terminal, rollout, "")
    if now >= deadline:
        seconds = (deadline - rollout.started_at).total_seconds()
        return _failed(counted, rollout, f"not healthy after {seconds:.0f} s: ")
    return Verdict(
        outcome=Outcome.PROGRESSING,
        why=_sentence(counted),
        findings=counted,
        rollout=rollout,
        look_again_at=min((deadline, *ends.values())),
    )


def _grace_ends(counted: tuple[Finding, ...], rollout: Rollout) -> Mapping[ObjectRef, datetime]:
    """When each object that fails at this moment has done so for long enough."""
    return {
        finding.ref: rollout.failing[finding.ref] + timedelta(seconds=_grace_s(finding.health.reason))
        for finding in counted
        if finding.ref in rollout.failing.keys() - rollout.quiet.keys()
    }


def _failed(findings: tuple[Finding, ...], rollout: Rollout, prefix: str) -> Verdict:
    return Verdict(
        outcome=Outcome.FAILED,
        why=prefix + _sentence(findings),
        findings=findings,
        rollout=rollout,
        worse_than_before=any(finding.ref not in rollout.broken for finding in findings),
    )


def _well(findings: tuple[Finding, ...], desired: Desired, rollout: Rollout, now: datetime) -> Verdict:
    """All is well: for how long must it stay so? What failed a moment ago has its grace to do it again."""
    soaked_at = (rollout.healthy_since or now) + timedelta(seconds=desired.settings.soak_s)
    calm_at = [since + timedelta(seconds=GRACE_S) for since in rollout.quiet.values()]
    enough_at = max((soaked_at, *calm_at))
    if now >= enough_at:
        return Verdict(outcome=Outcome.HEALTHY, findings=findings, rollout=rollout)
    return Verdict(
        outcome=Outcome.PROGRESSING,
        why=f"healthy; must stay so until {enough_at:%H:%M:%S}",
        findings=findings,
        rollout=rollout,
        look_again_at=enough_at,
    )


def _sentence(findings: tuple[Finding, ...]) -> str:
    others = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{findings[0]}{others}"

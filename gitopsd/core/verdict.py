"""Is the rollout healthy, still going, or failed? Healths, probes and the clock make a verdict.

A false failure is the worst error.

Only objects that this digest changed, or that were healthy before it, count. A terminal reason must last for its
grace; anything else has until the deadline, whose clock stands still while all is well. Time in which the API server
could not be asked is not counted, neither for nor against a digest.
A probe that failed often enough fails the rollout at once; one that cannot be told neither advances nor ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gitopsd.core.health import Reason, is_good
from gitopsd.core.manifests.intents import intents_of, managed
from gitopsd.core.model import Desired, Health, HealthStatus, Live, ObjectRef, Sight
from gitopsd.core.plan import Plan
from gitopsd.core.probe_answers import Weighed, remember, unknown_s, weigh
from gitopsd.core.probes import Probed
from gitopsd.core.record import Rollout

GRACE_S = 30.0
# Less than this was missed by nobody; clocks that differ a little must not change the record.
BLINK_S = 1.0
# A cluster that grows by itself needs minutes for a new node: see docs/adr/0004. A quota or a webhook may give way.
GRACE_BY_REASON_S: Mapping[str, float] = {Reason.UNSCHEDULABLE: 300.0, Reason.FAILED_CREATE: 60.0}

_NONE_PENDING: Mapping[ObjectRef, str] = {}


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
    ``worse_than_before`` = an object fails that was well, or was not there, before this digest; or a probe does.
    ``look_again_at`` is when time alone could change the answer. ``probes`` are all of them, in their order.
    """

    outcome: Outcome
    why: str = ""
    findings: tuple[Finding, ...] = ()
    rollout: Rollout | None = None
    worse_than_before: bool = False
    look_again_at: datetime | None = None
    probes: tuple[Weighed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The objects, looked at one by one; nothing is decided yet.

    ``counted`` are the findings that count for the rollout; ``deadline`` is its own, without the time in which a
    probe could not be told.
    """

    desired: Desired
    at: datetime
    findings: tuple[Finding, ...]
    counted: tuple[Finding, ...] = ()
    rollout: Rollout | None = None
    deadline: datetime | None = None


def examine(desired: Desired, live: Live, rollout: Rollout | None, now: datetime, plan: Plan | None = None) -> Examined:
    """Find which objects are not well, and since when.

    Objects that ``plan`` still means to write are not healthy, and cannot have failed; those that it sets apart do
    not count at all.
    """
    pending, apart = (plan.pending, plan.apart) if plan else (_NONE_PENDING, frozenset[ObjectRef]())
    findings = tuple(finding for finding in _findings(desired, live, pending) if finding.ref not in apart)
    if rollout is None:
        return Examined(desired=desired, at=now, findings=findings)
    findings = tuple(_as_it_ended(finding, rollout) for finding in findings)
    counted = tuple(
        finding for finding in findings if finding.ref in rollout.changed or finding.ref not in rollout.baseline
    )
    if not (rollout.failure and counted) or rollout.quiet:
        rollout = _seeing_again(rollout, live.blind_s, now)
    return Examined(
        desired=desired,
        at=now,
        findings=findings,
        counted=counted,
        rollout=_remember_well(counted, desired, _remember_failing(counted, rollout, now), now),
        deadline=rollout.started_at
        + timedelta(seconds=desired.settings.deadline_s + live.blind_s + rollout.was_healthy_s(now)),
    )


def judge(examined: Examined, probed: tuple[Probed, ...] = ()) -> Verdict:
    """Judge the rollout by its objects and its probes; without a rollout, only say how things are."""
    probes = weigh(examined.desired.settings, probed, examined.rollout)
    rollout, deadline = examined.rollout, examined.deadline
    if rollout is None or deadline is None:
        is_well = not examined.findings and not any(one.failed for one in probes)
        outcome = Outcome.HEALTHY if is_well else Outcome.PROGRESSING
        return Verdict(outcome=outcome, findings=examined.findings, probes=probes)
    rollout = remember(probes, rollout, examined.at)
    case = _Case(
        counted=examined.counted,
        doubts=tuple(one for one in probes if one.in_doubt),
        rollout=rollout,
        deadline=deadline,
        at=examined.at,
    )
    return replace(case.verdict(examined), probes=probes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What exists and is not well as a rollout begins: ``unhealthy``, and of these the ones to which nobody goes back.

    ``broken`` have failed. ``down`` are workloads of which no pod has been ready for as long as a rollout has: a commit
    that is not ready either makes nothing worse, and may be the mend that only needs longer.
    """

    unhealthy: frozenset[ObjectRef]
    broken: frozenset[ObjectRef]
    down: frozenset[ObjectRef]


def baseline(desired: Desired, live: Live, now: datetime) -> Baseline:
    """Find what is not well before the rollout that begins now."""
    long_since = now - timedelta(seconds=desired.settings.deadline_s)
    found = [live.sights[finding.ref].live for finding in _findings(desired, live, _NONE_PENDING)]
    unwell = [seen for seen in found if seen]
    return Baseline(
        unhealthy=frozenset(seen.ref for seen in unwell),
        broken=frozenset(seen.ref for seen in unwell if seen.health.status is HealthStatus.FAILED),
        down=frozenset(seen.ref for seen in unwell if seen.down_since and seen.down_since <= long_since),
    )


def _findings(desired: Desired, live: Live, pending: Mapping[ObjectRef, str]) -> Iterable[Finding]:
    for manifest in managed(desired.manifests):
        awaited = pending.get(manifest.ref)
        health = _health(live.sights[manifest.ref]) if awaited is None else _unwritten(awaited)
        if not is_good(health) and not intents_of(manifest).health_ignore:
            yield Finding(manifest.ref, health)


def _unwritten(awaited: str) -> Health:
    return Health(HealthStatus.IN_PROGRESS, "Pending", "its write is still to come" + (awaited and f": {awaited}"))


def _health(sight: Sight) -> Health:
    return sight.live.health if sight.live else Health(HealthStatus.NOT_FOUND, "NotFound", "does not exist yet")


def _as_it_ended(finding: Finding, rollout: Rollout) -> Finding:
    """A Job that failed has failed, also once its time to live is over and there is nothing to be seen any more."""
    goes = finding.ref.kind == "Job" and finding.health.status in {HealthStatus.TERMINATING, HealthStatus.NOT_FOUND}
    if not goes or not rollout.fails(finding.ref):
        return finding
    reason = rollout.reasons.get(finding.ref, "")
    return Finding(finding.ref, Health(HealthStatus.FAILED, reason, f"it failed ({reason}), and went by itself"))


def _seeing_again(rollout: Rollout, blind_s: float, now: datetime) -> Rollout:
    """Put off what lasts by the time in which nobody could see: a grace and the soak are for what was seen."""
    unseen_s = blind_s - rollout.blind_s
    if abs(unseen_s) < BLINK_S:
        return rollout
    seen = replace(rollout, blind_s=blind_s)
    if unseen_s < 0:
        return seen
    later = timedelta(seconds=unseen_s)
    return replace(
        seen,
        failing={ref: min(now, since + later) for ref, since in rollout.failing.items()},
        quiet={ref: min(now, since + later) for ref, since in rollout.quiet.items()},
        healthy_since=min(now, rollout.healthy_since + later) if rollout.healthy_since else None,
    )


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


def _remember_well(counted: tuple[Finding, ...], desired: Desired, rollout: Rollout, now: datetime) -> Rollout:
    """Since when all objects are well; only probes want to know."""
    if counted or not desired.settings.probes:
        return replace(rollout, well_since=None)
    return replace(rollout, well_since=rollout.well_since or now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that counts: the objects that are not well, and the probes in doubt."""

    counted: tuple[Finding, ...]
    doubts: tuple[Weighed, ...]
    rollout: Rollout
    deadline: datetime
    at: datetime

    def verdict(self, examined: Examined) -> Verdict:
        """The worst of all, and by its deadline."""
        if self.counted or self.doubts:
            return self._unwell(self.rollout.unwell(self.at))
        healthy_since = self.rollout.healthy_since or self.at
        return _well(examined, replace(self.rollout, healthy_since=healthy_since))

    def _unwell(self, rollout: Rollout) -> Verdict:
        ends = _grace_ends(self.counted, rollout)
        terminal = tuple(finding for finding in self.counted if finding.ref in ends and ends[finding.ref] <= self.at)
        failed = tuple(doubt for doubt in self.doubts if doubt.failed)
        if terminal or failed:
            return _failed(terminal, failed, rollout, "")
        late = self.counted if self.at >= self.deadline else ()
        overdue = self._asked_in_vain() if self.at >= self._deadline_of_probes() else ()
        if late or overdue:
            seconds = (self.deadline - rollout.started_at).total_seconds() - rollout.healthy_s
            return _failed(late, overdue, rollout, f"not healthy after {seconds:.0f} s: ")
        return Verdict(
            outcome=Outcome.PROGRESSING,
            why=_sentence(self.counted, self.doubts),
            findings=self.counted,
            rollout=rollout,
            look_again_at=min(self._turns(ends), default=None),
        )

    def _asked_in_vain(self) -> tuple[Weighed, ...]:
        """The deadline is for what can be told."""
        return tuple(doubt for doubt in self.doubts if not doubt.is_unknown)

    def _deadline_of_probes(self) -> datetime:
        return self.deadline + timedelta(seconds=unknown_s(self.rollout, self.at))

    def _turns(self, ends: Mapping[ObjectRef, datetime]) -> Iterator[datetime]:
        """When time alone could change the answer; while a probe cannot be told, its clock stands still."""
        yield from ends.values()
        if self.counted:
            yield self.deadline
        if self._asked_in_vain() and self.rollout.unknown_since is None:
            yield self._deadline_of_probes()


def _grace_ends(counted: tuple[Finding, ...], rollout: Rollout) -> Mapping[ObjectRef, datetime]:
    """When each object that fails at this moment has done so for long enough."""
    return {
        finding.ref: rollout.failing[finding.ref] + timedelta(seconds=_grace_s(finding.health.reason))
        for finding in counted
        if finding.ref in rollout.failing.keys() - rollout.quiet.keys()
    }


def _failed(findings: tuple[Finding, ...], probes: tuple[Weighed, ...], rollout: Rollout, prefix: str) -> Verdict:
    return Verdict(
        outcome=Outcome.FAILED,
        why=prefix + _sentence(findings, probes),
        findings=findings,
        rollout=rollout,
        worse_than_before=bool(probes) or any(_is_worse(finding, rollout) for finding in findings),
    )


def _is_worse(finding: Finding, rollout: Rollout) -> bool:
    had_failed = rollout.broken if finding.health.status is HealthStatus.FAILED else rollout.broken | rollout.down
    return finding.ref not in had_failed


def _well(examined: Examined, rollout: Rollout) -> Verdict:
    """All is well: for how long must it stay so? What failed a moment ago has its grace to do it again."""
    now = examined.at
    soaked_at = (rollout.healthy_since or now) + timedelta(seconds=examined.desired.settings.soak_s)
    calm_at = [since + timedelta(seconds=GRACE_S) for since in rollout.quiet.values()]
    enough_at = max((soaked_at, *calm_at))
    if now >= enough_at:
        return Verdict(outcome=Outcome.HEALTHY, findings=examined.findings, rollout=rollout)
    return Verdict(
        outcome=Outcome.PROGRESSING,
        why=f"healthy; must stay so until {enough_at:%H:%M:%S}",
        findings=examined.findings,
        rollout=rollout,
        look_again_at=enough_at,
    )


def _sentence(findings: tuple[Finding, ...], probes: tuple[Weighed, ...]) -> str:
    """Tell the first of what is wrong; of probes, one that cannot be told before any other."""
    first = (*findings, *sorted(probes, key=lambda one: not one.is_unknown))
    others = f" (and {len(first) - 1} more)" if len(first) > 1 else ""
    return f"{first[0]}{others}"

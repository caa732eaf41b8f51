"""How one probe stands: its last answer, how many in a row were like it, and when it is asked next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from gitopsd.adapters.probes.finding import Finding
from gitopsd.core.probes import JobProbe, Probe, Probed, ProbeState, question_of
from gitopsd.core.record import Rollout, Trigger

NEVER = float("inf")

_JOB_WAITS = "runs once all objects are well"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant on both clocks: ``now`` for people, ``steady_s`` for durations."""

    now: datetime
    steady_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A probe within one rollout, or outside of any. ``due_s`` is an instant of the steady clock.

    ``serial`` tells it from the same probe's standing in another rollout: an answer to a question of before is
    no answer.
    """

    probe: Probe
    probed: Probed
    serial: int
    due_s: float
    wanted_s: float
    digest: str = ""
    began: datetime | None = None

    @classmethod
    def fresh(cls, probe: Probe, rollout: Rollout | None, serial: int, at: Moment) -> Standing:
        """Return the standing of a probe that nobody asked yet. Its initial delay counts from the rollout's start."""
        is_never = isinstance(probe, JobProbe) and _why_no_job(probe, rollout)
        return cls(
            probe=probe,
            probed=_at_first(probe, rollout),
            serial=serial,
            due_s=NEVER if is_never else at.steady_s + _delay_s(probe, rollout, at),
            wanted_s=at.steady_s,
            digest=rollout.digest if rollout else "",
            began=rollout.started_at if rollout else None,
        )

    def is_of(self, probe: Probe, rollout: Rollout | None) -> bool:
        """Whether its answers are answers to this question at this time. Outside a rollout, the last one's count."""
        same_time = rollout is None or (rollout.digest, rollout.started_at) == (self.digest, self.began)
        return self.probe == probe and same_time

    def asked(self, at: Moment) -> Standing:
        """A try begins; the next is an interval later."""
        return replace(self, due_s=at.steady_s + self.probe.pace.interval_s)

    def heard(self, finding: Finding, at: Moment) -> Standing:
        """Take over what a try found."""
        is_same = self.probed.at is not None and self.probed.state is finding.state
        in_a_row = self.probed.in_a_row + 1 if is_same else 1
        enough = in_a_row >= self.probe.pace.failures or finding.is_final
        probed = Probed(
            name=self.probe.name,
            state=finding.state,
            message=finding.message,
            in_a_row=in_a_row,
            failed=finding.state is ProbeState.FAIL and enough,
            at=at.now,
        )
        return replace(self, probed=probed, due_s=NEVER if finding.is_final else max(self.due_s, at.steady_s))

    def is_news_to(self, before: Standing) -> bool:
        """Whether there is more to see than that time has passed."""
        this, that = self.probed, before.probed
        return (this.state, this.message, this.failed) != (that.state, that.message, that.failed)


def is_open(probe: Probe, rollout: Rollout | None) -> bool:
    """Whether it may be asked at all: a Job tests what has come up, once, in a rollout."""
    return not isinstance(probe, JobProbe) or (rollout is not None and rollout.well_since is not None)


def _at_first(probe: Probe, rollout: Rollout | None) -> Probed:
    if not isinstance(probe, JobProbe):
        return Probed(name=probe.name, state=ProbeState.PENDING, message="not asked yet")
    return Probed(name=probe.name, state=ProbeState.PENDING, message=_why_no_job(probe, rollout) or _JOB_WAITS)


def _why_no_job(probe: JobProbe, rollout: Rollout | None) -> str:
    """Say why the Job is not to be run; empty = it is, in its time."""
    if rollout is None:
        return "runs once in each rollout"
    if rollout.trigger is not Trigger.COMMIT:
        return "not run: what was kept before is not tested again"
    return "complete" if question_of(probe) in rollout.tested else ""


def _delay_s(probe: Probe, rollout: Rollout | None, at: Moment) -> float:
    if rollout is None:
        return 0.0
    return max(0.0, probe.pace.initial_delay_s - (at.now - rollout.started_at).total_seconds())

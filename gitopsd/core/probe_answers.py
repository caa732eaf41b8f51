"""How much an answer of a probe counts: what one cannot be told by never counts, neither for a digest nor against it.

An answer from before the digest's first write says nothing about it; a pass from before all its objects were well may
be the older pods'. What had failed before the digest began is not its failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gitopsd.core.probes import JobProbe, Probe, Probed, ProbeState, PrometheusProbe, question_of
from gitopsd.core.record import Rollout, Trigger
from gitopsd.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Weighed:
    """A probe with its answer, as far as that is about the rollout."""

    probe: Probe
    answer: Probed
    counts: bool = True

    @property
    def in_doubt(self) -> bool:
        """Whether a rollout cannot be kept on account of it."""
        return self.counts and self.answer.state is not ProbeState.PASS

    @property
    def is_unknown(self) -> bool:
        """Whether it counts and cannot be told."""
        return self.counts and self.answer.state is ProbeState.UNKNOWN

    @property
    def failed(self) -> bool:
        """Whether it counts and failed, as often in a row as it takes."""
        return self.counts and self.answer.failed

    def __str__(self) -> str:
        name, answer, most = self.probe.name, self.answer, self.probe.pace.failures
        match answer.state:
            case ProbeState.FAIL if answer.failed:
                said = f"failed {answer.in_a_row} times in a row" if answer.in_a_row > 1 else "failed"
            case ProbeState.FAIL:
                said = f"failed {answer.in_a_row} of {most} times in a row"
            case ProbeState.PENDING:
                said = "has not passed yet"
            case ProbeState.UNKNOWN:
                said = "cannot be told"
            case ProbeState.PASS:
                said = "passed"
        return f"probe {name} {said}" + (f": {answer.message}" if answer.message else "")


def weigh(settings: Settings, probed: Iterable[Probed], rollout: Rollout | None) -> tuple[Weighed, ...]:
    """Return all probes in their order; outside a rollout each answer stands as it is."""
    answered = {answer.name: answer for answer in probed}
    pairs = [(probe, answered.get(probe.name, _unasked(probe))) for probe in settings.probes]
    if rollout is None:
        return tuple(Weighed(probe, answer) for probe, answer in pairs)
    return tuple(_weigh(probe, answer, rollout) for probe, answer in pairs)


def remember(weighed: Iterable[Weighed], rollout: Rollout, now: datetime) -> Rollout:
    """Take over which Jobs passed, and for how long an answer could not be told."""
    weighed = tuple(weighed)
    passed = {
        question_of(one.probe)
        for one in weighed
        if isinstance(one.probe, JobProbe) and one.counts and one.answer.state is ProbeState.PASS
    }
    remembered = replace(rollout, tested=rollout.tested | passed) if passed else rollout
    since = rollout.unknown_since
    if any(one.is_unknown for one in weighed):
        return replace(remembered, unknown_since=since or now)
    if since is None:
        return remembered
    return replace(remembered, unknown_since=None, unknown_s=rollout.unknown_s + (now - since).total_seconds())


def unknown_s(rollout: Rollout, now: datetime) -> float:
    """Return for how many seconds of the rollout an answer could not be told."""
    return rollout.unknown_s + ((now - rollout.unknown_since).total_seconds() if rollout.unknown_since else 0.0)


def failing_now(weighed: Iterable[Weighed], before: frozenset[str]) -> frozenset[str]:
    """Return the questions of the probes that fail; what failed ``before`` does so until it passes.

    A Job's failure is the tested digest's alone: it says nothing of what comes next.
    """
    return frozenset(
        question
        for one in weighed
        if not isinstance(one.probe, JobProbe)
        and (question := question_of(one.probe))
        and (one.answer.failed or (question in before and one.answer.state is not ProbeState.PASS))
    )


def _weigh(probe: Probe, answer: Probed, rollout: Rollout) -> Weighed:
    question = question_of(probe)
    if isinstance(probe, JobProbe) and rollout.trigger is not Trigger.COMMIT:
        return Weighed(probe, answer, counts=False)
    if question in rollout.tested:
        return Weighed(probe, replace(answer, state=ProbeState.PASS, failed=False))
    if question in rollout.failing_before:
        return Weighed(probe, answer, counts=False)
    told = _about(rollout, probe, answer)
    if isinstance(probe, PrometheusProbe) and rollout.trigger is not Trigger.COMMIT:
        # A query over the last minutes still tells of what was put back. It has until the deadline.
        return Weighed(probe, replace(told, failed=False))
    return Weighed(probe, told)


def _about(rollout: Rollout, probe: Probe, answer: Probed) -> Probed:
    if answer.at is None or answer.at < rollout.started_at:
        return replace(answer, state=ProbeState.PENDING, failed=False, in_a_row=0)
    is_early = rollout.well_since is None or answer.at < rollout.well_since
    if answer.state is ProbeState.PASS and is_early and not isinstance(probe, JobProbe):
        return replace(answer, state=ProbeState.PENDING, message="passed, but not yet since all objects are well")
    return answer


def _unasked(probe: Probe) -> Probed:
    return Probed(name=probe.name, state=ProbeState.PENDING, message="not asked yet")

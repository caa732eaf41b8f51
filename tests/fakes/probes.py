"""Probes that answer at once, as a test has said; they remember how often in a row, and who was asked in which rollout.

Same manners as the real ones (see tests/contract/test_probes.py): a Job is asked once in a rollout, and never on the
way back; an answer is of the moment at which it was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gitopsd.core.model import Desired, Environment
from gitopsd.core.probes import JobProbe, Probe, Probed, ProbeState, question_of
from gitopsd.core.record import Rollout, Trigger
from tests.fakes.clock import FakeClock


@dataclass
class FakeProbes:
    """``answers`` are scripted by the probe's name; without one it passes. ``asked`` counts the questions asked.

    ``say``, where given, answers instead; it is told how often in a row the last answer came.
    """

    clock: FakeClock
    answers: dict[str, ProbeState] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    say: Callable[[int], ProbeState] | None = None
    _known: dict[tuple[str, str], Probed] = field(default_factory=dict)
    _rollouts: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)

    def lose_memory(self) -> None:
        """What the process knew of them is lost."""
        self._known.clear()
        self._rollouts.clear()

    def ask(self, environment: Environment, desired: Desired, rollout: Rollout | None) -> tuple[Probed, ...]:
        return tuple(self._ask(environment, probe, rollout) for probe in desired.settings.probes)

    def _ask(self, environment: Environment, probe: Probe, rollout: Rollout | None) -> Probed:
        key = environment.name, probe.name
        when = (rollout.digest, rollout.started_at) if rollout else self._rollouts.get(key, ())
        if self._rollouts.get(key) != when:
            self._known[key] = Probed(name=probe.name, state=ProbeState.PENDING, message="not asked yet")
            self._rollouts[key] = when
        before = self._known.setdefault(key, Probed(name=probe.name, state=ProbeState.PENDING))
        if isinstance(probe, JobProbe) and not _may_run(probe, rollout, before):
            return before
        self._known[key] = self._heard(probe, before)
        return self._known[key]

    def _heard(self, probe: Probe, before: Probed) -> Probed:
        state = self.say(before.in_a_row) if self.say else self.answers.get(probe.name, ProbeState.PASS)
        self.asked[probe.name] += 1
        in_a_row = before.in_a_row + 1 if before.at and before.state is state else 1
        return Probed(
            name=probe.name,
            state=state,
            message={ProbeState.FAIL: "503, expected 200", ProbeState.UNKNOWN: "no way there"}.get(state, ""),
            in_a_row=in_a_row,
            failed=state is ProbeState.FAIL and in_a_row >= probe.pace.failures,
            at=None if state is ProbeState.PENDING else self.clock.now(),
        )


def _may_run(probe: Probe, rollout: Rollout | None, before: Probed) -> bool:
    if rollout is None or rollout.trigger is not Trigger.COMMIT or rollout.well_since is None:
        return False
    return before.at is None and question_of(probe) not in rollout.tested

"""Where an environment should be. Revert, rollback, hold and freeze are choices made here, never second code paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from gitopsd.core.model import Desired, Others
from gitopsd.core.record import GITOPSD, Hold, Record, Suspension, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A digest to be at. ``desired`` None = it must be recalled from its snapshot.

    ``proven`` = Git was asked successfully, and this is what it wants. ``hold`` is why we are not at what Git wants.
    ``others`` is what the other environments want now; ``held_digests`` are all held ones.
    """

    digest: str
    trigger: Trigger
    desired: Desired | None = None
    proven: bool = False
    hold: Hold | None = None
    others: Others = field(default_factory=Others)
    held_digests: frozenset[str] = frozenset()

    @property
    def going_back(self) -> bool:
        """Whether this is a revert or a rollback."""
        return self.trigger is not Trigger.COMMIT

    def is_newer_than(self, record: Record) -> bool:
        """Whether this is a commit that has not begun: what runs, if anything does, is another."""
        return not self.going_back and self.digest != record.current


@dataclass(frozen=True, slots=True)
class Stay:
    """There is no target: a person paused it, or the digest is held and nothing was kept before it."""

    because: Suspension | Hold


@dataclass(frozen=True, slots=True)
class Lost:
    """Git is silent, and nothing was ever begun here: there is nothing to be at."""


Choice: TypeAlias = Target | Stay | Lost


def choose_target(wanted: Desired | None, record: Record, *, proven: bool = False) -> Choice:
    """Choose from what Git wants (None = it could not be asked) and what we remember."""
    if record.suspended:
        return Stay(record.suspended)
    if wanted is None or (record.current and not proven):
        # What Git said some time ago may be older than what runs: it begins nothing.
        return _carry_on(record)
    hold = record.held.get(wanted.digest)
    if hold is None:
        return Target(
            digest=wanted.digest,
            trigger=Trigger.COMMIT,
            desired=wanted,
            proven=proven,
            held_digests=frozenset(record.held),
        )
    return _go_back(hold, record)


def _carry_on(record: Record) -> Choice:
    if not record.current:
        return Lost()
    hold = record.held.get(record.current)
    if hold:
        return _go_back(hold, record)
    rollout = record.rollout_of(record.current)
    return Target(
        digest=record.current,
        trigger=rollout.trigger if rollout else Trigger.COMMIT,
        held_digests=frozenset(record.held),
    )


def _go_back(hold: Hold, record: Record) -> Choice:
    if not hold.back_to:
        return Stay(hold)
    trigger = Trigger.REVERT if hold.by == GITOPSD else Trigger.ROLLBACK
    return Target(digest=hold.back_to, trigger=trigger, hold=hold, held_digests=frozenset(record.held))

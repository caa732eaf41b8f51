"""What gitopsd remembers of one environment between passes, and the only ways in which that memory changes.

Every transition returns a new record. The inventory grows before a write and shrinks only after a NotFound.
Its size does not grow with history times objects: history and holds are bounded and name no objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gitopsd.core.manifests.intents import managed
from gitopsd.core.model import Applied, Desired, Inventory, Item, ObjectRef, Revision

HISTORY_MAX = 20
HELD_MAX = 100
KEPT_MAX = 3
WARNINGS_MAX = 20
WARNING_CHARS_MAX = 300
CORRECTIONS_WINDOW_S = 600.0
CORRECTIONS_MAX = 10

GITOPSD = "gitopsd"


class Trigger(StrEnum):
    """Why a rollout began."""

    COMMIT = "commit"
    REVERT = "revert"
    ROLLBACK = "rollback"


class Outcome(StrEnum):
    """What an entry of the history tells."""

    KEPT = "Kept"
    FAILED = "Failed"
    REVERTED = "Reverted"
    REVERT_FAILED = "RevertFailed"
    HELD = "Held"
    RELEASED = "Released"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The time between the first apply of a digest and its verdict.

    ``changed`` are the objects that it touched; ``baseline`` the ones that were unhealthy before it began: of these,
    ``broken`` had failed outright, and of ``down`` no pod had been ready for as long as a rollout has.
    ``failing`` says since when an object has been terminally bad, ``quiet`` since when it has not shown it (a crash
    loop looks well between two crashes), ``reasons`` for what. ``healthy_since`` starts the soak; ``healthy_s`` is for
    how long all was well before that, and ``blind_s`` for how much of the time until the last look nobody could see.
    Of probes: ``well_since`` is since when all objects have been well, so that an answer can be about them;
    ``failing_before`` are the questions (``probes.question_of``) that had failed before it began, ``tested`` those of
    the Jobs that passed; ``unknown_since`` and ``unknown_s`` say for how long an answer could not be told.
    ``failure`` is the verdict once it is final and there was nothing safe to go back to.
    """

    digest: str
    revision: Revision
    trigger: Trigger
    started_at: datetime
    changed: frozenset[ObjectRef] = frozenset()
    baseline: frozenset[ObjectRef] = frozenset()
    failing: Mapping[ObjectRef, datetime] = field(default_factory=dict)
    quiet: Mapping[ObjectRef, datetime] = field(default_factory=dict)
    reasons: Mapping[ObjectRef, str] = field(default_factory=dict)
    broken: frozenset[ObjectRef] = frozenset()
    down: frozenset[ObjectRef] = frozenset()
    healthy_since: datetime | None = None
    healthy_s: float = 0.0
    blind_s: float = 0.0
    well_since: datetime | None = None
    failing_before: frozenset[str] = frozenset()
    tested: frozenset[str] = frozenset()
    unknown_since: datetime | None = None
    unknown_s: float = 0.0
    failure: str = ""

    def fails(self, ref: ObjectRef) -> bool:
        """Whether the object failed when it was last looked at."""
        return ref in self.failing and ref not in self.quiet

    def was_healthy_s(self, now: datetime) -> float:
        """Return for how many seconds of its time all was well."""
        return self.healthy_s + ((now - self.healthy_since).total_seconds() if self.healthy_since else 0.0)

    def unwell(self, now: datetime) -> Rollout:
        """All is well no more: the soak begins anew, the deadline's clock goes on."""
        return replace(self, healthy_s=self.was_healthy_s(now), healthy_since=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A digest that was proven healthy here; its snapshot is in the cluster."""

    digest: str
    revision: Revision
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A digest that is refused. ``back_to`` is the kept digest to be at instead; empty = stay as it is."""

    digest: str
    revision: Revision
    why: str
    since: datetime
    by: str = GITOPSD
    back_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A pause, by a person or (``onFailure: freeze``) by gitopsd."""

    by: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history. ``seconds`` is how long the rollout took."""

    outcome: Outcome
    digest: str
    revision: Revision
    at: datetime
    why: str = ""
    by: str = GITOPSD
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All of it.

    ``current`` is the digest that was last begun: where the cluster is, or is going; ``warnings`` is what the API
    server had to say about it, ``failing_probes`` are the questions of its probes that fail now, and ``wishes`` tells
    the settings that its snapshot was kept with from any others.
    ``version`` is the store's token for compare-and-swap; empty = never saved.
    """

    current: str = ""
    inventory: Inventory = field(default_factory=dict)
    rollout: Rollout | None = None
    kept: tuple[Kept, ...] = ()
    held: Mapping[str, Hold] = field(default_factory=dict)
    history: tuple[Entry, ...] = ()
    suspended: Suspension | None = None
    corrections: Mapping[ObjectRef, tuple[datetime, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failing_probes: frozenset[str] = frozenset()
    wishes: str = ""
    version: str = ""

    @property
    def last_kept(self) -> Kept | None:
        """The newest kept digest."""
        return self.kept[0] if self.kept else None

    @property
    def fallback(self) -> Kept | None:
        """The newest kept digest that nobody refuses: where a failed commit goes back to."""
        return next((kept for kept in self.kept if kept.digest not in self.held), None)

    @property
    def is_moving(self) -> bool:
        """Whether something was begun that is not kept, or is yet to be put back."""
        return self.rollout is not None or self.current in self.held

    @property
    def older(self) -> Kept | None:
        """The newest kept digest, other than what runs, that nobody refuses: where a rollback goes."""
        return next((kept for kept in self.kept if kept.digest not in (self.current, *self.held)), None)

    def rollout_of(self, digest: str) -> Rollout | None:
        """Return the rollout under way, when it is this digest's."""
        return self.rollout if self.rollout and self.rollout.digest == digest else None

    @property
    def snapshots_needed(self) -> frozenset[str]:
        """Digests whose manifests may be wanted again."""
        going_back = (hold.back_to for hold in self.held.values() if hold.back_to)
        return frozenset((*(kept.digest for kept in self.kept), *going_back, self.current)) - {""}

    def begin(self, desired: Desired, rollout: Rollout, found: frozenset[ObjectRef] = frozenset()) -> Record:
        """Mean to apply a set: the inventory is the old one and the new one together, before the first write.

        ``found`` are the objects that are there already. What an earlier set brought and nobody kept is now this
        one's: if it fails, they go with it.
        """
        members = managed(desired.manifests)
        unproven = {
            manifest.ref: replace(
                self.inventory.get(manifest.ref, Item(found=manifest.ref in found)), born=desired.digest
            )
            for manifest in members
            if manifest.ref not in self.inventory or self.inventory[manifest.ref].born
        }
        inventory = {**self.inventory, **unproven}
        for manifest in members:
            if manifest.sensitive:
                inventory[manifest.ref] = replace(inventory[manifest.ref], sensitive=True)
        return replace(
            self,
            inventory=inventory,
            rollout=rollout,
            current=desired.digest,
            wishes=desired.settings.mark,
            warnings=(),
        )

    def warned(self, warnings: Iterable[str]) -> Record:
        """Remember what the server warned of, each thing once."""
        known = tuple(dict.fromkeys((*self.warnings, *(warning[:WARNING_CHARS_MAX] for warning in warnings))))
        return replace(self, warnings=known[:WARNINGS_MAX])

    def wrote(self, answers: Iterable[Applied], digests: Mapping[ObjectRef, str]) -> Record:
        """Remember what the server answered; ``digests`` are those of the manifests that were sent."""
        items = dict(self.inventory)
        for answer in answers:
            if answer.gone:
                items.pop(answer.ref, None)
            elif not answer.problem:
                known = items.get(answer.ref, Item())
                items[answer.ref] = replace(
                    known, uid=answer.uid, fingerprint=answer.fingerprint, digest=digests.get(answer.ref, known.digest)
                )
        return replace(self, inventory=items)

    def learn(self, items: Mapping[ObjectRef, Item]) -> Record:
        """Take over what a look at the cluster showed."""
        return replace(self, inventory={**self.inventory, **items}) if items else self

    def forget(self, refs: frozenset[ObjectRef]) -> Record:
        """Drop objects that are surely gone, or that another environment has taken over."""
        if not refs & self.inventory.keys():
            return self
        return replace(self, inventory={ref: item for ref, item in self.inventory.items() if ref not in refs})

    def corrected(self, refs: Sequence[ObjectRef], now: datetime) -> Record:
        """Count the corrective writes that are about to be made."""
        recent = {
            ref: kept
            for ref, times in self.corrections.items()
            if (kept := tuple(at for at in times if (now - at).total_seconds() < CORRECTIONS_WINDOW_S))
        }
        counted = {ref: (*recent.get(ref, ()), now)[-CORRECTIONS_MAX:] for ref in refs}
        return replace(self, corrections=recent | counted)

    def watched(self, rollout: Rollout) -> Record:
        """Remember how the rollout stands."""
        return self if rollout == self.rollout else replace(self, rollout=rollout)

    def keep(self, kept: Kept, members: Iterable[ObjectRef]) -> Record:
        """Accept a digest: it is what we go back to from now on, also from what is held already.

        Its ``members`` were proven to belong here, whichever digest first brought them.
        """
        older = tuple(one for one in self.kept if one.digest != kept.digest)
        proven = {ref: replace(self.inventory[ref], born="") for ref in members if ref in self.inventory}
        return replace(
            self,
            inventory={**self.inventory, **proven},
            kept=(kept, *older)[:KEPT_MAX],
            held={digest: replace(hold, back_to=kept.digest) for digest, hold in self.held.items()},
            rollout=None,
        )

    def hold(self, hold: Hold) -> Record:
        """Refuse a digest from now on; the oldest holds beyond the bound are dropped.

        Its rollout stays on record: what was unhealthy before it is still the baseline of what comes next.
        """
        others = {digest: one for digest, one in self.held.items() if digest != hold.digest}
        newest = dict(list({**others, hold.digest: hold}.items())[-HELD_MAX:])
        return replace(self, held=newest)

    def release(self, digest: str) -> Record:
        """Lift a hold."""
        return replace(self, held={name: hold for name, hold in self.held.items() if name != digest})

    def note(self, entry: Entry) -> Record:
        """Write a line of history."""
        return replace(self, history=(entry, *self.history)[:HISTORY_MAX])

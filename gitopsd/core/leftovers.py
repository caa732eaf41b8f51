"""What to do with objects that the inventory has and the desired set has no more. Never delete on doubt.

The last check of all is made again on a fresh read, just before each delete (``ownership.protection``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Desired, HealthStatus, Item, Live, LiveObject, ObjectRef
from gitopsd.core.plan import Prune
from gitopsd.core.record import Record, Trigger
from gitopsd.core.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """``forgotten`` are surely gone, another environment's by now, or let go; of ``learned`` the answer was lost."""

    learned: Mapping[ObjectRef, Item] = field(default_factory=dict)
    prunes: tuple[Prune, ...] = ()
    kept_back: tuple[Problem, ...] = ()
    forgotten: frozenset[ObjectRef] = frozenset()


def sort_out(target: Target, desired: Desired, live: Live, record: Record) -> Leftovers:
    """Say which leftovers may go, which stay and why, and which are none any more."""
    let_go = {ref for ref, item in record.inventory.items() if item.found and item.born in target.held_digests}
    forgotten = frozenset(
        ref for ref, found in live.leftovers.items() if found is None or _handed_over(found) or ref in let_go
    )
    present = {ref: found for ref, found in live.leftovers.items() if found is not None and ref not in forgotten}
    learned = {ref: learnt for ref, found in present.items() if (learnt := _lost_answer(found, record.inventory[ref]))}
    may_go: list[Prune] = []
    kept_back: list[Problem] = [_unsure(ref) for ref in sorted(live.unsure)]
    for ref, found in sorted(present.items()):
        item = record.inventory.get(ref, Item())
        why = _why_not(found, item, target, desired)
        if ref in learned:
            continue
        if why:
            kept_back.append(_kept_back(ref, *why))
        elif found.health.status is not HealthStatus.TERMINATING:
            may_go.append(Prune(ref, item.uid))
    found_all = Leftovers(learned=learned, prunes=tuple(may_go), kept_back=tuple(kept_back), forgotten=forgotten)
    return _within_budget(found_all, target, desired, record)


def _lost_answer(found: LiveObject, item: Item) -> Item | None:
    """We meant to create it, it carries our mark, and only the server's answer was never recorded."""
    return None if item.uid or found.owner else replace(item, uid=found.uid, fingerprint=found.fingerprint)


def _handed_over(found: LiveObject) -> bool:
    return found.owner.startswith("environment ")


def _why_not(found: LiveObject, item: Item, target: Target, desired: Desired) -> tuple[str, str] | None:
    if heir := target.others.heir_of(found.ref):
        return "HANDOVER_PENDING", f"waits for environment {heir} to take it over"
    if silent := target.others.may_be_wanted_by(found.ref):
        return "HANDOVER_UNCLEAR", f"environment {silent} may want it, and what that wants cannot be read now"
    if not desired.settings.prune.enabled:
        return "PRUNE_DISABLED", "prune.enabled is false in gitopsd.yaml"
    if found.owner or found.uid != item.uid:
        return "PRUNE_NOT_OURS", f"it is another object by now, of {found.owner or 'an unknown maker'}"
    if found.protection:
        return "PRUNE_PROTECTED", found.protection
    # A person who rolls back means the set that they go back to, whole.
    is_meant = target.proven or target.trigger is Trigger.ROLLBACK
    if not is_meant and item.born not in target.held_digests:
        return "PRUNE_UNPROVEN", "going back, or without an answer of Git, nothing proves that it is gone from there"
    return None


def _within_budget(found: Leftovers, target: Target, desired: Desired, record: Record) -> Leftovers:
    """Refuse when too many would go at once; what a held digest added does not count, and goes."""
    counted = [prune for prune in found.prunes if record.inventory[prune.ref].born not in target.held_digests]
    budget = max(
        desired.settings.prune.budget_count_min,
        len(record.inventory) * desired.settings.prune.budget_percent // 100,
    )
    if len(counted) <= budget:
        return found
    refusal = Problem(
        code="PRUNE_BUDGET",
        stage=Stage.PRUNE,
        message=f"{len(counted)} of {len(record.inventory)} objects would be deleted at once; at most {budget} may",
        hint="if this is meant, raise prune.budget in the environment's gitopsd.yaml in a commit of its own",
        ref=str(counted[0].ref),
    )
    spared = tuple(prune for prune in found.prunes if prune not in counted)
    return replace(found, prunes=spared, kept_back=(refusal, *found.kept_back))


def _unsure(ref: ObjectRef) -> Problem:
    return _kept_back(ref, "PRUNE_UNSURE", "the API server could not say for sure whether it is still there")


def _kept_back(ref: ObjectRef, code: str, why: str) -> Problem:
    return Problem(
        code=code,
        stage=Stage.PRUNE,
        message=f"is not in Git any more, but stays: {why}",
        hint="docs/prune.md says when it goes",
        ref=str(ref),
    )

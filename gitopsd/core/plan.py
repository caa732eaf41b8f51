"""What would be done, as values: desired and live and inventory make a plan. Nothing here does it.

A guard that says no turns into a ``Problem`` of the plan, so that a person can read all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gitopsd.core.errors import Problem
from gitopsd.core.model import Item, Json, Manifest, ObjectRef, Revision, Sight, Stuck


class Action(StrEnum):
    """What one change does. ``recreate`` deletes and creates anew, on opt-in only."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"


class Cause(StrEnum):
    """Why there is a change."""

    NEW = "new"
    COMMIT = "commit"
    DRIFT = "drift"
    ADOPTION = "adoption"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write to come.

    ``uid``, when known, makes the write update-only. ``strict`` = the server has not seen this manifest yet, so it
    validates every field. ``patch`` is RFC 6902, secrets masked; ``secret`` = no value of the object may be shown.
    ``wave`` counts from 0; smaller goes first.
    """

    action: Action
    cause: Cause
    manifest: Manifest
    sight: Sight
    uid: str = ""
    strict: bool = True
    patch: tuple[Json, ...] = field(default=(), repr=False)
    secret: bool = False
    wave: int = 0

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return self.manifest.ref


@dataclass(frozen=True, slots=True)
class Prune:
    """One delete to come: this object, with this UID, or nothing."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it, in the order in which it would go.

    ``changes`` wait for nothing but each other; ``pending`` are their objects and those behind a closed gate, with what
    each waits for (empty = nothing): whatever ails them is not this digest's doing yet.
    ``apart`` are objects whose health says nothing about this digest: done, and never run again.
    ``rejections`` make the digest impossible; ``conflicts`` need a person or another environment; ``fighting`` are
    objects that somebody else keeps changing. ``prunes`` come after keep; ``kept_back`` says why a leftover is not
    pruned. ``stuck`` are pods that hold up what this rollout changed. ``learned`` and ``forgotten`` are what the
    inventory must take over without any write.
    """

    digest: str
    revision: Revision
    changes: tuple[Change, ...] = ()
    pending: Mapping[ObjectRef, str] = field(default_factory=dict)
    apart: frozenset[ObjectRef] = frozenset()
    rejections: tuple[Problem, ...] = ()
    conflicts: tuple[Problem, ...] = ()
    fighting: tuple[Problem, ...] = ()
    prunes: tuple[Prune, ...] = ()
    kept_back: tuple[Problem, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    learned: Mapping[ObjectRef, Item] = field(default_factory=dict)
    forgotten: frozenset[ObjectRef] = frozenset()
    unchanged_count: int = 0

    @property
    def waiting(self) -> tuple[str, ...]:
        """The objects behind a closed gate, in words."""
        return tuple(f"{ref} waits: {awaited}" for ref, awaited in self.pending.items() if awaited)

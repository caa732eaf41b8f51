"""What was last seen of each object, so that what did not change since need not be read again.

A memory is no evidence by itself: whoever uses it asks first whether the object changed since (``watching``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.core.model import LiveObject, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An object as last seen, without its body.

    ``digest`` and ``omit``: the manifest, and what was left out of it, that the object was found equal to; or the
    words by which a leftover was known. ``is_moving``: it is not well, or its health hangs on more than itself, so it
    is read each time.
    """

    live: LiveObject
    digest: str
    omit: tuple[str, ...] = ()
    is_moving: bool = False

    def agrees(self, digest: str, omit: tuple[str, ...]) -> bool:
        """Return whether the object was found equal to exactly this."""
        return (self.digest, self.omit) == (digest, omit)


class Freshness(Protocol):
    """Whoever knows what changed since."""

    def is_unchanged(self, resource: Resource, live: LiveObject) -> bool:
        """Return whether nothing happened to the object since this version of it was seen. No doubt allowed."""


class Memory:
    """Per environment, because each has its own view of whose an object is."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[ObjectRef, Remembered]] = {}

    def recall(self, environment: str, ref: ObjectRef) -> Remembered | None:
        """Return what was last seen."""
        return self._seen.get(environment, {}).get(ref)

    def keep(self, environment: str, remembered: Remembered) -> None:
        """Remember it."""
        self._seen.setdefault(environment, {})[remembered.live.ref] = remembered

    def drop(self, environment: str, refs: Iterable[ObjectRef]) -> None:
        """Forget some objects."""
        seen = self._seen.get(environment, {})
        for ref in refs:
            seen.pop(ref, None)

    def keep_only(self, environment: str, refs: frozenset[ObjectRef]) -> None:
        """Forget all other objects: the bound is the environment's own size."""
        seen = self._seen.get(environment, {})
        self.drop(environment, [ref for ref in seen if ref not in refs])

    def forget(self, environment: str) -> None:
        """Forget an environment."""
        self._seen.pop(environment, None)

    def refs_of(self, group: str, kind: str, namespace: str) -> frozenset[ObjectRef]:
        """Return all remembered objects of one kind, in one namespace; empty = in all of them."""
        seen = [ref for refs in list(self._seen.values()) for ref in list(refs)]
        of_kind = (ref for ref in seen if (ref.group, ref.kind) == (group, kind))
        return frozenset(ref for ref in of_kind if namespace in ("", ref.namespace))

"""What a watch writes down: the newest version of each object, the autoscalers, or only that something stirred.

A ledger is written by its watch's thread and read by the passes; each answer is of one moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from gitopsd.adapters.cluster.memory import Memory
from gitopsd.core.model import Body, Json, LiveObject, ObjectRef

DELETED = "DELETED"
# The group, the kind and the namespace of what is watched; an empty namespace is all of them.
Place = tuple[str, str, str]


class Metadata(msgspec.Struct, frozen=True):
    """What a watch needs of an object's metadata."""

    name: str = ""
    namespace: str = ""
    resourceVersion: str = ""  # noqa: N815 - the server's word


class Item(msgspec.Struct, frozen=True):
    """One object of a list or an event; ``code`` when it is an error instead."""

    metadata: Metadata = Metadata()
    apiVersion: str = ""  # noqa: N815 - the server's word
    kind: str = ""
    spec: Any = None
    code: int = 0


class Ledger(Protocol):
    """Where a watch writes."""

    def begin(self, items: Iterable[Item], version: str) -> None:
        """Start anew from a whole list, taken at that version."""

    def note(self, kind_of_event: str, item: Item) -> None:
        """Write down one event."""

    def reach(self, version: str) -> None:
        """Know that nothing else happened up to that version."""


class Versions:
    """The newest version of every object of one place that has an apply-set label."""

    def __init__(self, place: Place, memory: Memory, wake: Callable[[ObjectRef, str], None]) -> None:
        self._group, self._kind, self._namespace = place
        self._memory = memory
        self._wake = wake
        self._newest: dict[ObjectRef, str] = {}
        self._reached = ""

    def begin(self, items: Iterable[Item], version: str) -> None:
        """See ``Ledger``; what is remembered and no longer listed was deleted."""
        listed = {self._ref(item): item for item in items}
        missed = [ref for ref in self._memory.refs_of(self._group, self._kind, self._namespace) if ref not in listed]
        self._newest = {ref: item.metadata.resourceVersion for ref, item in listed.items()}
        self._reached = version
        for ref, newest in self._newest.copy().items():
            self._wake(ref, newest)
        for ref in missed:
            self._wake(ref, f"{DELETED} {version}")

    def note(self, kind_of_event: str, item: Item) -> None:
        """See ``Ledger``; a deletion has a version of its own, newer than any that was seen."""
        ref, version = self._ref(item), item.metadata.resourceVersion
        self._newest[ref] = f"{DELETED} {version}" if kind_of_event == DELETED else version
        self._reached = version
        self._wake(ref, self._newest[ref])

    def reach(self, version: str) -> None:
        """See ``Ledger``."""
        self._reached = version

    def is_unchanged(self, live: LiveObject) -> bool:
        """Return whether nothing newer than this is known of the object."""
        newest = self._newest.get(live.ref)
        if newest == live.resource_version:
            return True
        return is_newer(live.resource_version, than=(newest or self._reached).removeprefix(f"{DELETED} "))

    def _ref(self, item: Item) -> ObjectRef:
        return ObjectRef(self._group, self._kind, item.metadata.namespace, item.metadata.name)


class Autoscalers:
    """All autoscalers of the cluster, whoever made them."""

    def __init__(self, wake: Callable[[Body, str], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._bodies: dict[tuple[str, str], Body] = {}

    def begin(self, items: Iterable[Item], version: str) -> None:  # noqa: ARG002
        """See ``Ledger``."""
        found = {(item.metadata.namespace, item.metadata.name): _autoscaler(item) for item in items}
        with self._lock:
            self._bodies = found

    def note(self, kind_of_event: str, item: Item) -> None:
        """See ``Ledger``; only a new target, or its end, is news."""
        key, body = (item.metadata.namespace, item.metadata.name), _autoscaler(item)
        with self._lock:
            before = self._bodies.pop(key, None)
            if kind_of_event != DELETED:
                self._bodies[key] = body
        if kind_of_event == DELETED or before != body:
            self._wake(body, item.metadata.namespace)

    def reach(self, version: str) -> None:
        """See ``Ledger``."""

    def of(self, namespace: str) -> list[Body]:
        """Return those of one namespace."""
        with self._lock:
            return [body for (place, _), body in self._bodies.items() if place == namespace]


class Stirrings:
    """Only that something happened: for pods below workloads that are not well."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def begin(self, items: Iterable[Item], version: str) -> None:
        """See ``Ledger``."""

    def note(self, kind_of_event: str, item: Item) -> None:  # noqa: ARG002
        """See ``Ledger``."""
        self._wake()

    def reach(self, version: str) -> None:
        """See ``Ledger``."""


class Tidings:
    """Names and versions of a few objects, told as they come; a deletion has a version of its own, newer than any."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._names: frozenset[str] = frozenset()

    def begin(self, items: Iterable[Item], version: str) -> None:
        """See ``Ledger``; what was there and is no longer listed was deleted."""
        listed = {item.metadata.name: item.metadata.resourceVersion for item in items}
        missed = dict.fromkeys(self._names - listed.keys(), version)
        self._names = frozenset(listed)
        for name, newest in (listed | missed).items():
            self._tell(name, newest)

    def note(self, kind_of_event: str, item: Item) -> None:
        """See ``Ledger``."""
        name = frozenset({item.metadata.name})
        self._names = self._names - name if kind_of_event == DELETED else self._names | name
        self._tell(item.metadata.name, item.metadata.resourceVersion)

    def reach(self, version: str) -> None:
        """See ``Ledger``."""


def is_newer(version: str, *, than: str) -> bool:
    """Return whether a version of a kind's objects is newer than another; False when they cannot be compared."""
    return version.isdecimal() and than.isdecimal() and int(version) > int(than)


def _autoscaler(item: Item) -> Body:
    spec = item.spec if isinstance(item.spec, Mapping) else {}
    target: Mapping[str, Json] = {"scaleTargetRef": spec.get("scaleTargetRef")}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": target}

"""All watches: which kinds and namespaces are followed, whom to wake, and what surely did not change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from gitopsd.adapters.cluster.below import PODS
from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.ledgers import Autoscalers, Place, Stirrings, Tidings, Versions
from gitopsd.adapters.cluster.memory import Memory
from gitopsd.adapters.cluster.omissions import targets
from gitopsd.adapters.cluster.transport import Transport
from gitopsd.adapters.cluster.watching import Scope, Watch
from gitopsd.core.model import Body, LiveObject, ObjectRef
from gitopsd.core.ownership import PART_OF

STOP_S_MAX = 2.0

Wake = Callable[[str], None]


class Watches:
    """Starts a watch when a kind comes into use. ``wake`` is told the name of an environment to look at.

    One watch follows a kind in the whole cluster; ``by_namespace``, one in each namespace, and cluster-scoped kinds are
    not followed.
    """

    def __init__(self, transport: Transport, memory: Memory, wake: Wake, *, by_namespace: bool = False) -> None:
        self._transport = transport
        self._memory = memory
        self._wake = wake
        self._by_namespace = by_namespace
        self._lock = threading.Lock()
        self._kinds: dict[Place, tuple[Watch, Versions]] = {}
        self._autoscalers: dict[str, tuple[Watch, Autoscalers]] = {}
        self._pods: dict[str, tuple[Watch, set[str]]] = {}
        self._collections: list[Watch] = []
        self._wanted: dict[str, frozenset[ObjectRef]] = {}

    def follow(self, environment: str, refs: frozenset[ObjectRef], resources: Iterable[Resource]) -> None:
        """Wake this environment for these objects; follow their kinds from now on, if they are not followed yet."""
        self._wanted[environment] = refs
        served = {(resource.group, resource.kind): resource for resource in resources if self._may_follow(resource)}
        places = {(ref.group, ref.kind, self._where(ref.namespace)) for ref in refs}
        with self._lock:
            for place in places - self._kinds.keys():
                if resource := served.get(place[:2]):
                    self._kinds[place] = self._follow_kind(resource, place[2])

    def follow_autoscalers(self, resource: Resource, namespaces: Iterable[str]) -> None:
        """Follow the autoscalers there, if they are not followed yet."""
        with self._lock:
            for where in {self._where(namespace) for namespace in namespaces} - self._autoscalers.keys():
                ledger = Autoscalers(self._autoscaler_changed)
                scope = Scope(path=resource.collection(where), whole=True)
                self._autoscalers[where] = self._started(scope, ledger), ledger

    def follow_pods(self, environment: str, namespaces: frozenset[str]) -> None:
        """Follow the pods where this environment is not well, and nowhere else."""
        with self._lock:
            for namespace in namespaces - self._pods.keys():
                self._pods[namespace] = self._follow_namespace(namespace)
            for namespace, (watch, names) in list(self._pods.items()):
                if namespace in namespaces:
                    names.add(environment)
                    continue
                names.discard(environment)
                if not names:
                    del self._pods[namespace]
                    watch.stop()

    def follow_collection(self, scope: Scope, tell: Callable[[str, str], None]) -> Watch:
        """Follow a few objects of our own; ``tell`` gets the name and version of each that changes."""
        watch = self._started(scope, Tidings(tell))
        with self._lock:
            self._collections.append(watch)
        return watch

    def is_unchanged(self, resource: Resource, live: LiveObject) -> bool:
        """See ``observation.Freshness``."""
        place = (resource.group, resource.kind, self._where(live.ref.namespace))
        watch, ledger = self._kinds.get(place, (None, None))
        return bool(watch and watch.is_live and ledger and ledger.is_unchanged(live))

    def autoscalers(self, namespace: str) -> list[Body] | None:
        """Return those of a namespace; None when they are not known without asking."""
        watch, ledger = self._autoscalers.get(self._where(namespace), (None, None))
        return ledger.of(namespace) if watch and watch.is_live and ledger else None

    def forget(self, environment: str) -> None:
        """Wake it no more."""
        self._wanted.pop(environment, None)
        self.follow_pods(environment, frozenset())

    def begin_again(self) -> None:
        """Follow everything anew from where it was."""
        for watch in self._all():
            watch.begin_again()

    def stop(self) -> None:
        """Hang up everywhere, and wait a moment for the threads."""
        watches = self._all()
        for watch in watches:
            watch.stop()
        deadline = time.monotonic() + STOP_S_MAX
        for watch in watches:
            watch.join(max(0.0, deadline - time.monotonic()))

    def _all(self) -> list[Watch]:
        with self._lock:
            kept = (*self._kinds.values(), *self._autoscalers.values(), *self._pods.values())
            return [*self._collections, *(watch for watch, _ in kept)]

    def _where(self, namespace: str) -> str:
        """Where the watch is that tells of a namespace; empty = in the whole cluster."""
        return namespace if self._by_namespace else ""

    def _may_follow(self, resource: Resource) -> bool:
        return resource.watchable and (resource.namespaced or not self._by_namespace)

    def _follow_kind(self, resource: Resource, where: str) -> tuple[Watch, Versions]:
        ledger = Versions((resource.group, resource.kind, where), self._memory, self._changed)
        return self._started(Scope(path=resource.collection(where), selector=PART_OF), ledger), ledger

    def _follow_namespace(self, namespace: str) -> tuple[Watch, set[str]]:
        names: set[str] = set()

        def stirred() -> None:
            for name in list(names):
                self._wake(name)

        return self._started(Scope(path=PODS.collection(namespace)), Stirrings(stirred)), names

    def _started(self, scope: Scope, ledger: Versions | Autoscalers | Stirrings | Tidings) -> Watch:
        watch = Watch(self._transport, scope, ledger)
        watch.start()
        return watch

    def _changed(self, ref: ObjectRef, version: str) -> None:
        """Wake those for whom this is news: they remember another version, or none."""
        for name in self._concerned(ref):
            remembered = self._memory.recall(name, ref)
            if remembered is None or remembered.live.resource_version != version:
                self._wake(name)

    def _autoscaler_changed(self, body: Body, namespace: str) -> None:
        for ref in targets(body, namespace):
            for name in self._concerned(ref):
                self._wake(name)

    def _concerned(self, ref: ObjectRef) -> list[str]:
        return [name for name, refs in list(self._wanted.items()) if ref in refs]

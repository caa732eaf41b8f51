"""The cluster as the story sees it: look, apply, prune; each with what it needs, made afresh per call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from gitopsd.adapters.cluster.below import is_workload_unwell
from gitopsd.adapters.cluster.contact import Tally
from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.adapters.cluster.discovery import Discovery, Resource
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.leaps import Leaps
from gitopsd.adapters.cluster.leftovers import Leftovers
from gitopsd.adapters.cluster.memory import Memory
from gitopsd.adapters.cluster.observation import Observation
from gitopsd.adapters.cluster.omissions import AUTOSCALER, omissions
from gitopsd.adapters.cluster.previews import Bringers, Previewer
from gitopsd.adapters.cluster.pruning import Pruner
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.recreation import Recreation
from gitopsd.adapters.cluster.transport import Line, Transport
from gitopsd.adapters.cluster.unsticking import unstick
from gitopsd.adapters.cluster.watches import Wake, Watches
from gitopsd.adapters.cluster.watching import Scope
from gitopsd.adapters.cluster.writing import Writer
from gitopsd.core.manifests.intents import managed
from gitopsd.core.model import Applied, Body, Desired, Environment, Inventory, Live, LiveObject, ObjectRef, Sight, Stuck
from gitopsd.core.plan import Change, Prune
from gitopsd.ports import Clock


class KubernetesCluster:
    """``ports.Cluster`` on a real API server."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self.api = transport
        self._clock = clock
        self._began = clock.steady()
        self._leaps = Leaps()
        self._leaps.look(clock.now(), self._began)
        self._discovery = Discovery(transport)
        self._lanes = Lanes()
        self._memory = Memory()
        self._watches: Watches | None = None
        self._stopping = threading.Event()

    def scopes(self, kinds: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
        """See ``ports.Cluster``."""
        found = {kind: self._discovery.find(*kind) for kind in set(kinds)}
        return {kind: resource.namespaced for kind, resource in found.items() if resource}

    def observe(self, environment: Environment, desired: Desired, inventory: Inventory, since: datetime | None) -> Live:
        """See ``ports.Cluster``."""
        reader = self._reader(environment)
        left_over = inventory.keys() - {manifest.ref for manifest in desired.manifests}
        looked_at = frozenset((*left_over, *(manifest.ref for manifest in managed(desired.manifests))))
        self._memory.keep_only(environment.name, looked_at)
        self._follow(environment, looked_at)
        freshness = self._watches or _NothingIsFresh()
        observation = Observation(
            environment=environment,
            inventory=inventory,
            omissions=omissions(desired, lambda namespace: self._autoscalers(reader, namespace)),
            reader=reader,
            previewer=Previewer(reader.line, self._discovery, Bringers.of(desired.manifests)),
            memory=self._memory,
            freshness=freshness,
            lanes=self._lanes,
        )
        leftovers = Leftovers(
            environment=environment,
            inventory=inventory,
            reader=reader,
            memory=self._memory,
            freshness=freshness,
            lanes=self._lanes,
        )
        sights = observation.sights(desired)
        self._follow_pods(environment, sights)
        found = leftovers.find(left_over)
        return Live(sights=sights, leftovers=found.present, unsure=found.unsure, blind_s=self._blind_s(since))

    def apply(self, environment: Environment, changes: Sequence[Change]) -> tuple[Applied, ...]:
        """See ``ports.Cluster``."""
        reader = self._reader(environment)
        writer = Writer(
            environment=environment,
            line=reader.line,
            discovery=self._discovery,
            memory=self._memory,
            lanes=self._lanes,
            recreation=Recreation(environment, reader.line, reader, self._deleter(reader)),
        )
        return writer.apply(changes)

    def prune(self, environment: Environment, prunes: Sequence[Prune]) -> tuple[Applied, ...]:
        """See ``ports.Cluster``."""
        reader = self._reader(environment)
        pruner = Pruner(
            environment=environment,
            reader=reader,
            discovery=self._discovery,
            memory=self._memory,
            deleter=self._deleter(reader),
            lanes=self._lanes,
        )
        return pruner.prune(prunes)

    def unstick(self, environment: Environment, pods: Sequence[Stuck]) -> tuple[Applied, ...]:
        """See ``ports.Cluster``."""
        deleter = self._deleter(self._reader(environment))
        return tuple(unstick(deleter, pod) for pod in pods)

    def tally(self, environment: str) -> Tally:
        """Return how many requests went out for an environment since we started."""
        return self.api.contact.tally(environment)

    def forget(self, environment: str) -> None:
        """Drop what is remembered of an environment: the next look is a full one."""
        self._memory.forget(environment)
        if self._watches:
            self._watches.forget(environment)
        self.api.contact.forget(environment)

    @property
    def is_reachable(self) -> bool:
        """Whether the last question to the API server was answered."""
        return self.api.contact.is_reachable

    def start_watches(self, wake: Wake, *, by_namespace: bool = False) -> None:
        """From now on follow what is looked at; ``wake`` is told which environment has news. See ``Watches``."""
        self._watches = Watches(self.api, self._memory, wake, by_namespace=by_namespace)

    def watch_configmaps(self, namespace: str, selector: str, tell: Callable[[str, str], None]) -> Callable[[], bool]:
        """Tell the name and version of each of these that changes; the answer asks whether all of them are told."""
        if self._watches is None:
            return lambda: False
        scope = Scope(path=f"/api/v1/namespaces/{namespace}/configmaps", selector=selector)
        watch = self._watches.follow_collection(scope, tell)
        return lambda: watch.is_live

    def begin_again(self) -> None:
        """Give up what is under way, and trust no line that is open: for a while nobody may have heard anything."""
        self.api.begin_again()
        if self._watches:
            self._watches.begin_again()

    def stop(self) -> None:
        """End all waiting and all threads."""
        self._stopping.set()
        if self._watches:
            self._watches.stop()
        self.api.close()
        self._lanes.close()

    def _blind_s(self, since: datetime | None) -> float:
        """Seconds since then in which the server was silent, nobody looked because we did not run, or none passed."""
        now, steady_s = self._clock.now(), self._clock.steady()
        self._leaps.look(now, steady_s)
        if since is None:
            return 0.0
        leapt_s = self._leaps.since_s(since)
        ago, age = (now - since).total_seconds() - leapt_s, steady_s - self._began
        return self.api.contact.blind_s(min(ago, age)) + max(0.0, ago - age) + leapt_s

    def _reader(self, environment: Environment) -> Reader:
        return Reader(Line(self.api, environment), self._discovery)

    def _deleter(self, reader: Reader) -> Deleter:
        return Deleter(reader, self._stopping.wait)

    def _autoscalers(self, reader: Reader, namespace: str) -> list[Body]:
        known = self._watches.autoscalers(namespace) if self._watches else None
        if known is not None:
            return known
        resource = self._discovery.serving(*AUTOSCALER)
        return reader.list_all(resource, namespace) if resource else []

    def _follow(self, environment: Environment, refs: frozenset[ObjectRef]) -> None:
        """Start the watches that this environment needs; what discovery does not know is read anyway."""
        if not self._watches:
            return
        kinds = {(ref.group, ref.kind) for ref in refs}
        self._watches.follow(environment.name, refs, filter(None, (self._discovery.known(*kind) for kind in kinds)))
        if autoscaler := self._discovery.known(*AUTOSCALER):
            self._watches.follow_autoscalers(autoscaler, {ref.namespace for ref in refs if ref.namespace})

    def _follow_pods(self, environment: Environment, sights: Mapping[ObjectRef, Sight]) -> None:
        if self._watches:
            unwell = [sight.ref for sight in sights.values() if sight.live and is_workload_unwell(sight.live)]
            self._watches.follow_pods(environment.name, frozenset(ref.namespace for ref in unwell))


class _NothingIsFresh:
    """Without watches nobody knows what changed: everything is read."""

    def is_unchanged(self, resource: Resource, live: LiveObject) -> bool:  # noqa: ARG002
        return False

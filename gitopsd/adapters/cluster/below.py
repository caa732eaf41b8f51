"""The ReplicaSets and pods below workloads that are not well, and only below those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.reading import Reader, ref_of
from gitopsd.core.fields import part, parts, read, text, text_of
from gitopsd.core.health import assess, down_since, is_good, may_come_up, needs_look_below, stuck_pod, unready_since
from gitopsd.core.model import Body, Health, HealthStatus, LiveObject, Stuck

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
REPLICA_SETS = Resource(group="apps", version="v1", kind="ReplicaSet", plural="replicasets", namespaced=True)
STATEFUL_SETS = Resource(group="apps", version="v1", kind="StatefulSet", plural="statefulsets", namespaced=True)

SELECTORS_MAX = 5
_IN_APPS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
_WORKLOADS = frozenset({*(("apps", kind) for kind in _IN_APPS), ("", "ReplicationController"), ("batch", "Job")})


@dataclass(frozen=True, slots=True)
class Below:
    """What was read, by the UID of the controller that owns it."""

    owned: Mapping[str, tuple[Body, ...]]

    def health(self, body: Body) -> Health:
        """Say how an object is, with its pods in view where they were read."""
        return assess(body, self._all_below(text(body, "metadata.uid")))

    def stuck(self, body: Body) -> Stuck | None:
        """Name the pod that holds up the object's update; None too where nobody knows how long it has been unready."""
        pod = stuck_pod(body, self._all_below(text(body, "metadata.uid")))
        if pod is None:
            return None
        if not may_come_up(body, pod):
            return _stuck(body, pod, None)
        since = unready_since(pod)
        return _stuck(body, pod, since) if since else None

    def down_since(self, body: Body) -> datetime | None:
        """Since when none of the object's pods is ready, where that is so and known."""
        return down_since(body, self._all_below(text(body, "metadata.uid")))

    def _all_below(self, uid: str) -> tuple[Body, ...]:
        direct = self.owned.get(uid, ())
        return (*direct, *(pod for each in direct for pod in self.owned.get(text(each, "metadata.uid"), ())))


def _stuck(owner: Body, pod: Body, since: datetime | None) -> Stuck:
    return Stuck(
        ref=ref_of(PODS, pod),
        uid=text(pod, "metadata.uid"),
        resource_version=text(pod, "metadata.resourceVersion"),
        owner=ref_of(STATEFUL_SETS, owner),
        owner_uid=text(owner, "metadata.uid"),
        unready_since=since,
    )


def wants_look_below(body: Body) -> bool:
    """Return whether the object's pods must be read to say how it is."""
    return needs_look_below(body) and assess(body).status is not HealthStatus.CURRENT


def is_moving(body: Body, health: Health) -> bool:
    """Return whether the object is read at each look: a server that hangs is not found out by remembering."""
    return not is_good(health) or wants_look_below(body)


def is_workload_unwell(live: LiveObject) -> bool:
    """Return whether the object makes pods, and is not Current."""
    return (live.ref.group, live.ref.kind) in _WORKLOADS and live.health.status is not HealthStatus.CURRENT


def read_below(reader: Reader, bodies: Iterable[Body]) -> Below:
    """Read what is below those that are not well.

    Raises:
        ClusterError: it could not be read whole.
    """
    unwell = [body for body in bodies if wants_look_below(body)]
    with_sets = [body for body in unwell if text(body, "kind") == "Deployment"]
    found = {text(item, "metadata.uid"): item for item in _all_below(reader, PODS, unwell)}
    found |= {text(item, "metadata.uid"): item for item in _all_below(reader, REPLICA_SETS, with_sets)}
    owned: dict[str, list[Body]] = {}
    for item in found.values():
        for owner in parts(item, "metadata.ownerReferences"):
            if owner.get("controller") is True:
                owned.setdefault(text_of(owner, "uid"), []).append(item)
    return Below({uid: tuple(items) for uid, items in owned.items()})


def _all_below(reader: Reader, resource: Resource, workloads: Sequence[Body]) -> Iterator[Body]:
    """Few workloads of a namespace by their selectors, many by one list of all."""
    by_namespace: dict[str, list[Body]] = {}
    for body in workloads:
        by_namespace.setdefault(text(body, "metadata.namespace"), []).append(body)
    for namespace, bodies in sorted(by_namespace.items()):
        selectors = {selector_of(body) for body in bodies}
        for selector in selectors if len(selectors) <= SELECTORS_MAX else {""}:
            yield from reader.list_all(resource, namespace, selector)


def selector_of(body: Body) -> str:
    """Return a workload's selector as a list takes it; empty, which selects all, when it cannot be said so."""
    is_plain = text(body, "kind") == "ReplicationController"
    labels = part(body, "spec.selector" if is_plain else "spec.selector.matchLabels")
    terms = [f"{name}={value}" for name, value in labels.items()]
    for expression in parts(body, "spec.selector.matchExpressions"):
        key, values = text_of(expression, "key"), read(expression, "values")
        listed = ",".join(str(value) for value in values) if isinstance(values, Sequence) else ""
        match text_of(expression, "operator"):
            case "In":
                terms.append(f"{key} in ({listed})")
            case "NotIn":
                terms.append(f"{key} notin ({listed})")
            case "Exists":
                terms.append(key)
            case "DoesNotExist":
                terms.append(f"!{key}")
            case _:
                return ""
    return ",".join(terms)

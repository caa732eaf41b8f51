"""The ReplicaSets and pods below workloads that are not well: one list of each per namespace, and only then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.core.fields import parts, text, text_of
from gitopsd.core.health import assess, needs_look_below
from gitopsd.core.model import Body, Health, HealthStatus, LiveObject

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
REPLICA_SETS = Resource(group="apps", version="v1", kind="ReplicaSet", plural="replicasets", namespaced=True)

_WORKLOADS = frozenset({*(("apps", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet")), ("batch", "Job")})


@dataclass(frozen=True, slots=True)
class Below:
    """What was read, by the UID of the controller that owns it."""

    owned: Mapping[str, tuple[Body, ...]]

    def health(self, body: Body) -> Health:
        """Say how an object is, with its pods in view where they were read."""
        return assess(body, self._all_below(text(body, "metadata.uid")))

    def _all_below(self, uid: str) -> tuple[Body, ...]:
        direct = self.owned.get(uid, ())
        return (*direct, *(pod for each in direct for pod in self.owned.get(text(each, "metadata.uid"), ())))


def wants_look_below(body: Body) -> bool:
    """Return whether the object's pods must be read to say how it is; it cannot be remembered then."""
    return needs_look_below(body) and assess(body).status is not HealthStatus.CURRENT


def is_workload_unwell(live: LiveObject) -> bool:
    """Return whether the object makes pods, and is not Current."""
    return (live.ref.group, live.ref.kind) in _WORKLOADS and live.health.status is not HealthStatus.CURRENT


def read_below(reader: Reader, bodies: Iterable[Body]) -> Below:
    """Read what is below those that are not well.

    Raises:
        ClusterError: it could not be read whole.
    """
    unwell = [body for body in bodies if wants_look_below(body)]
    namespaces = sorted({text(body, "metadata.namespace") for body in unwell})
    with_sets = {text(body, "metadata.namespace") for body in unwell if text(body, "kind") == "Deployment"}
    found = [item for namespace in namespaces for item in reader.list_all(PODS, namespace)]
    found += [item for namespace in sorted(with_sets) for item in reader.list_all(REPLICA_SETS, namespace)]
    owned: dict[str, list[Body]] = {}
    for item in found:
        for owner in parts(item, "metadata.ownerReferences"):
            if owner.get("controller") is True:
                owned.setdefault(text_of(owner, "uid"), []).append(item)
    return Below({uid: tuple(items) for uid, items in owned.items()})

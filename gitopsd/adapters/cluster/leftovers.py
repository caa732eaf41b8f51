"""What became of objects that the inventory has and the desired set has no more. Doubt is an answer of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.memory import Freshness, Memory, Remembered
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.seeing import live_object
from gitopsd.core import ownership
from gitopsd.core.errors import ClusterError
from gitopsd.core.fields import parts, text, text_of
from gitopsd.core.health import assess
from gitopsd.core.model import Body, Environment, Inventory, LiveObject, ObjectRef

CRD = "CustomResourceDefinition"
LEFT_OVER = "left over"


@dataclass(frozen=True, slots=True)
class Found:
    """``present`` has None for what surely is gone."""

    present: Mapping[ObjectRef, LiveObject | None] = field(default_factory=dict)
    unsure: frozenset[ObjectRef] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Reads them for one environment."""

    environment: Environment
    inventory: Inventory
    reader: Reader
    memory: Memory
    freshness: Freshness
    lanes: Lanes

    def find(self, refs: Iterable[ObjectRef]) -> Found:
        """Look at each of them by itself. One that cannot be read is unsure, and stands in nobody's way.

        Raises:
            ClusterError: the API server does not answer at all.
        """
        seen = self.lanes.each(self._look, sorted(refs))
        return Found(
            present={ref: found for ref, found, is_sure in seen if is_sure},
            unsure=frozenset(ref for ref, _, is_sure in seen if not is_sure),
        )

    def _look(self, ref: ObjectRef) -> tuple[ObjectRef, LiveObject | None, bool]:
        try:
            return ref, self._read(ref), True
        except ClusterError as error:
            if error.problem.code == "CLUSTER_UNREACHABLE":
                raise
            return ref, None, False

    def _read(self, ref: ObjectRef) -> LiveObject | None:
        resource = self.reader.discovery.serving(ref.group, ref.kind)
        if resource is None:
            return None
        name, known_as = self.environment.name, f"{LEFT_OVER} {self.inventory[ref].uid}"
        remembered = self.memory.recall(name, ref)
        if remembered and remembered.digest == known_as and self.freshness.is_unchanged(resource, remembered.live):
            return remembered.live
        body = self.reader.get(resource, ref)
        if body is None:
            return None
        protection = why_protected(self.reader, body, self.environment.apply_set, self.inventory[ref].uid)
        found = live_object(self.environment, ref, body, assess(body), protection)
        if ref.kind != CRD:
            self.memory.keep(name, Remembered(live=replace(found, body=None), digest=known_as))
        return found


def why_protected(reader: Reader, body: Body, apply_set: str, uid: str) -> str:
    """Say why the object must not be pruned, having asked for a CRD's instances where that matters."""
    found = ownership.protection(body, apply_set, uid)
    if found or text(body, "kind") != CRD:
        return found
    return ownership.protection(body, apply_set, uid, has_instances=_has_instances(reader, body))


def _has_instances(reader: Reader, body: Body) -> bool:
    versions = [text_of(version, "name") for version in parts(body, "spec.versions") if version.get("served") is True]
    if not versions:
        return True
    resource = Resource(
        group=text(body, "spec.group"),
        version=versions[0],
        kind=text(body, "spec.names.kind"),
        plural=text(body, "spec.names.plural"),
        namespaced=text(body, "spec.scope") == "Namespaced",
    )
    return bool(reader.first(resource))

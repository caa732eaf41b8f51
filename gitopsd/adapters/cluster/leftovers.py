"""What became of objects that the inventory has and the desired set has no more. Doubt is an answer of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.seeing import live_object
from gitopsd.core import ownership
from gitopsd.core.errors import ClusterError
from gitopsd.core.fields import parts, text, text_of
from gitopsd.core.health import assess
from gitopsd.core.model import Body, Environment, Inventory, LiveObject, ObjectRef

CRD = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Found:
    """``present`` has None for what surely is gone."""

    present: Mapping[ObjectRef, LiveObject | None] = field(default_factory=dict)
    unsure: frozenset[ObjectRef] = frozenset()


def read_leftovers(
    reader: Reader, lanes: Lanes, environment: Environment, inventory: Inventory, refs: Iterable[ObjectRef]
) -> Found:
    """Read each of them by itself. One that cannot be read is unsure, and stands in nobody's way.

    Raises:
        ClusterError: the API server does not answer at all, or refuses our credentials.
    """

    def look(ref: ObjectRef) -> tuple[ObjectRef, LiveObject | None, bool]:
        try:
            return ref, _read(reader, environment, ref, inventory[ref].uid), True
        except ClusterError as error:
            if error.problem.code == "CLUSTER_UNREACHABLE":
                raise
            return ref, None, False

    seen = lanes.each(look, sorted(refs))
    return Found(
        present={ref: found for ref, found, is_sure in seen if is_sure},
        unsure=frozenset(ref for ref, _, is_sure in seen if not is_sure),
    )


def why_protected(reader: Reader, body: Body, apply_set: str, uid: str) -> str:
    """Say why the object must not be pruned, having asked for a CRD's instances where that matters."""
    found = ownership.protection(body, apply_set, uid)
    if found or text(body, "kind") != CRD:
        return found
    return ownership.protection(body, apply_set, uid, has_instances=_has_instances(reader, body))


def _read(reader: Reader, environment: Environment, ref: ObjectRef, uid: str) -> LiveObject | None:
    resource = reader.discovery.serving(ref.group, ref.kind)
    body = reader.get(resource, ref) if resource else None
    if body is None:
        return None
    protection = why_protected(reader, body, environment.apply_set, uid)
    return live_object(environment, ref, body, assess(body), protection)


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

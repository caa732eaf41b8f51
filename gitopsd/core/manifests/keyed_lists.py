"""Lists that server-side apply reads as maps (``x-kubernetes-list-map-keys``), and entries in them with one key twice.

The server answers such a list with a 500 that nobody understands; we know the line, so we say it first.
The table is that of Kubernetes 1.35's OpenAPI, for what people write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitopsd.core.manifests.lines import Place
from gitopsd.core.model import Body, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Two entries of one list with the same key. ``key`` is in words: ``containerPort 80, protocol TCP``."""

    place: Place
    first: Place
    key: str


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is below a field: ``keys`` when it is a keyed list, and the shapes below it or below each entry."""

    keys: tuple[str, ...] = ()
    fields: Mapping[str, _Shape] = field(default_factory=dict)


def duplicates(group: str, kind: str, body: Body) -> Iterator[Duplicate]:
    """Yield every second entry of a keyed list that has a key which an earlier entry has."""
    shape = _SHAPES.get((group, kind))
    if shape:
        yield from _below(shape, body, ())


def _below(shape: _Shape, value: Json, place: Place) -> Iterator[Duplicate]:
    if not isinstance(value, Mapping):
        return
    for name, below in shape.fields.items():
        found = value.get(name)
        if below.keys and isinstance(found, Sequence):
            yield from _in_list(below, found, (*place, name))
        elif found:
            yield from _below(below, found, (*place, name))


def _in_list(shape: _Shape, entries: Sequence[Json], place: Place) -> Iterator[Duplicate]:
    first: dict[tuple[Json, ...], int] = {}
    for index, entry in enumerate(entries):
        key = _key(shape.keys, entry)
        if key is not None and first.setdefault(key, index) != index:
            words = ", ".join(f"{name} {value}" for name, value in zip(shape.keys, key, strict=True))
            yield Duplicate(place=(*place, index), first=(*place, first[key]), key=words)
        yield from _below(shape, entry, (*place, index))


def _key(keys: tuple[str, ...], entry: Json) -> tuple[Json, ...] | None:
    """Return the entry's key, with the server's defaults; None when the entry has none."""
    if not isinstance(entry, Mapping):
        return None
    key = tuple(entry.get(name, _DEFAULTS.get(name)) for name in keys)
    return key if all(isinstance(part, (str, int)) for part in key) else None


_DEFAULTS: Mapping[str, Json] = {"protocol": "TCP"}

_CONTAINERS = _Shape(
    ("name",),
    {
        "env": _Shape(("name",)),
        "ports": _Shape(("containerPort", "protocol")),
        "resources": _Shape(fields={"claims": _Shape(("name",))}),
        "volumeDevices": _Shape(("devicePath",)),
        "volumeMounts": _Shape(("mountPath",)),
    },
)
_POD = _Shape(
    fields={
        "containers": _CONTAINERS,
        "ephemeralContainers": _CONTAINERS,
        "hostAliases": _Shape(("ip",)),
        "imagePullSecrets": _Shape(("name",)),
        "initContainers": _CONTAINERS,
        "resourceClaims": _Shape(("name",)),
        "schedulingGates": _Shape(("name",)),
        "topologySpreadConstraints": _Shape(("topologyKey", "whenUnsatisfiable")),
        "volumes": _Shape(("name",)),
    }
)


def _under(path: str, shape: _Shape) -> _Shape:
    for name in reversed(path.split(".")):
        shape = _Shape(fields={name: shape})
    return shape


_TEMPLATED = _under("spec.template.spec", _POD)
_WEBHOOKS = _under("webhooks", _Shape(("name",), {"matchConditions": _Shape(("name",))}))
_SHAPES: Mapping[tuple[str, str], _Shape] = {
    ("", "Pod"): _under("spec", _POD),
    ("", "PodTemplate"): _under("template.spec", _POD),
    ("", "ReplicationController"): _TEMPLATED,
    ("", "Service"): _under("spec.ports", _Shape(("port", "protocol"))),
    ("", "ServiceAccount"): _under("secrets", _Shape(("name",))),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): _under(
        "spec", _Shape(fields={"matchConditions": _Shape(("name",)), "variables": _Shape(("name",))})
    ),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("apps", "DaemonSet"): _TEMPLATED,
    ("apps", "Deployment"): _TEMPLATED,
    ("apps", "ReplicaSet"): _TEMPLATED,
    ("apps", "StatefulSet"): _TEMPLATED,
    ("batch", "CronJob"): _under("spec.jobTemplate.spec.template.spec", _POD),
    ("batch", "Job"): _TEMPLATED,
}

"""Which fields of a manifest are not ours to send: an autoscaler's replicas, and what the developer said to ignore."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitopsd.core.fields import part, read, text, text_of
from gitopsd.core.manifests.intents import intents_of
from gitopsd.core.model import Body, Desired, Manifest, ObjectRef

REPLICAS = "/spec/replicas"
AUTOSCALER = ("autoscaling", "HorizontalPodAutoscaler")
_TARGETS: Mapping[tuple[str, str], tuple[str, str]] = {
    AUTOSCALER: ("spec.scaleTargetRef", ""),
    ("keda.sh", "ScaledObject"): ("spec.scaleTargetRef", "Deployment"),
}


@dataclass(frozen=True, slots=True)
class Omissions:
    """``scaled`` are the objects whose replicas an autoscaler sets."""

    desired: Desired
    scaled: frozenset[ObjectRef]

    def of(self, manifest: Manifest) -> tuple[str, ...]:
        """Return the pointers that are left out of this manifest, in order."""
        found = set(intents_of(manifest).ignore_paths)
        for rule in self.desired.settings.ignore:
            ref = manifest.ref
            if rule.kind == ref.kind and rule.name in ("", ref.name) and rule.namespace in ("", ref.namespace):
                found.update(rule.pointers)
        if manifest.ref in self.scaled:
            found.add(REPLICAS)
        return tuple(sorted(found))


def omissions(desired: Desired, live_autoscalers: Callable[[str], Iterable[Body]]) -> Omissions:
    """Find them; live autoscalers are asked for only in namespaces where the set has replicas."""
    scaled = {ref for manifest in desired.manifests for ref in targets(manifest.body, manifest.ref.namespace)}
    namespaces = {m.ref.namespace for m in desired.manifests if read(m.body, "spec.replicas") is not None}
    for namespace in sorted(namespaces):
        for body in live_autoscalers(namespace):
            scaled.update(targets(body, namespace))
    return Omissions(desired, frozenset(scaled))


def targets(body: Body, namespace: str) -> Iterator[ObjectRef]:
    """Yield the object that this one scales, if it is an autoscaler."""
    key = (text(body, "apiVersion").rpartition("/")[0], text(body, "kind"))
    if key in _TARGETS:
        path, kind_by_default = _TARGETS[key]
        target = part(body, path)
        kind = text_of(target, "kind") or kind_by_default
        group = text_of(target, "apiVersion").rpartition("/")[0]
        yield ObjectRef(group or ("apps" if kind_by_default else ""), kind, namespace, text_of(target, "name"))

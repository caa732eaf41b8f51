"""Which objects go first, and which must wait until others are there.

Two questions, kept apart: ``rank`` orders writes that need not wait for each other; ``needs`` names what must be
Current before an object is written at all. Only what truly depends on readiness waits.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.intents import Intents, intents_of
from gitopsd.core.model import Manifest, ObjectRef

# Kinds that others refer to come before those that refer to them; webhooks come last, or they could block the
# workloads that serve them. After Flux's order.
_RANKS: tuple[tuple[str, ...], ...] = (
    ("CustomResourceDefinition",),
    ("Namespace",),
    (
        "ClusterRole",
        "RuntimeClass",
        "PriorityClass",
        "StorageClass",
        "VolumeSnapshotClass",
        "IngressClass",
        "GatewayClass",
    ),
    ("ClusterRoleBinding", "ResourceQuota", "LimitRange", "NetworkPolicy"),
    ("ServiceAccount", "Role"),
    ("RoleBinding", "ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim"),
    ("Service",),
    ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod", "PodDisruptionBudget"),
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService")
_RANK_BY_KIND = {kind: rank for rank, kinds in enumerate(_RANKS) for kind in kinds}
_RANK_OTHERS = len(_RANKS)
_RANK_LAST = _RANK_OTHERS + 1


def in_order(manifests: Iterable[Manifest]) -> tuple[tuple[int, Manifest], ...]:
    """Number the manifests by wave, from 0, and sort them: by explicit wave, then rank, then name."""
    keyed = sorted(((_key(manifest), manifest) for manifest in manifests), key=lambda pair: (pair[0], pair[1].ref))
    numbers = {key: number for number, key in enumerate(sorted({key for key, _ in keyed}))}
    return tuple((numbers[key], manifest) for key, manifest in keyed)


def needs(manifests: Sequence[Manifest]) -> Mapping[ObjectRef, frozenset[ObjectRef]]:
    """For each object, the objects of the same set that must be Current before it is written.

    Raises:
        RenderError: ``depends-on`` names something unknown, or goes round in a circle.
    """
    intents = {manifest.ref: intents_of(manifest) for manifest in manifests}
    makers = _makers(manifests)
    before = _before_each_wave(intents)
    found = {
        manifest.ref: frozenset(
            (
                *_structural(manifest, makers),
                *_asked_for(manifest, intents[manifest.ref], intents),
                *before[intents[manifest.ref].wave],
            )
        )
        - {manifest.ref}
        for manifest in manifests
    }
    _refuse_circles(found, {manifest.ref: manifest for manifest in manifests})
    return found


def _key(manifest: Manifest) -> tuple[int, int]:
    kind = manifest.ref.kind
    rank = _RANK_LAST if kind in _LAST else _RANK_BY_KIND.get(kind, _RANK_OTHERS)
    return intents_of(manifest).wave, rank


def _makers(manifests: Iterable[Manifest]) -> Mapping[tuple[str, ...], ObjectRef]:
    """What each CRD, Namespace and APIService of the set brings into being."""
    makers: dict[tuple[str, ...], ObjectRef] = {}
    for manifest in manifests:
        spec = manifest.body.get("spec")
        fields = spec if isinstance(spec, Mapping) else {}
        match manifest.ref.kind:
            case "CustomResourceDefinition":
                names = fields.get("names")
                kind = names.get("kind") if isinstance(names, Mapping) else ""
                makers["kind", str(fields.get("group")), str(kind)] = manifest.ref
            case "Namespace":
                makers["namespace", manifest.ref.name] = manifest.ref
            case "APIService":
                makers["group", str(fields.get("group"))] = manifest.ref
            case _:
                pass
    return makers


def _structural(manifest: Manifest, makers: Mapping[tuple[str, ...], ObjectRef]) -> tuple[ObjectRef, ...]:
    ref = manifest.ref
    keys = (("kind", ref.group, ref.kind), ("namespace", ref.namespace), ("group", ref.group))
    return tuple(makers[key] for key in keys if key in makers)


def _asked_for(manifest: Manifest, wishes: Intents, known: Mapping[ObjectRef, Intents]) -> tuple[ObjectRef, ...]:
    unknown = [ref for ref in wishes.depends_on if ref not in known]
    if unknown:
        raise RenderError(
            Problem(
                code="DEPENDS_ON_UNKNOWN",
                stage=Stage.PLAN,
                message=f"depends on {unknown[0]}, which is not in this environment",
                hint="name an object of the same directory, or use dependsOn in gitopsd.yaml for other environments",
                ref=str(manifest.ref),
                file=manifest.origin.file,
                line=manifest.origin.line,
            )
        )
    return wishes.depends_on


def _before_each_wave(intents: Mapping[ObjectRef, Intents]) -> Mapping[int, frozenset[ObjectRef]]:
    waves = sorted({wishes.wave for wishes in intents.values()})
    return {wave: frozenset(ref for ref, wishes in intents.items() if wishes.wave < wave) for wave in waves}


def _refuse_circles(found: Mapping[ObjectRef, frozenset[ObjectRef]], manifests: Mapping[ObjectRef, Manifest]) -> None:
    try:
        graphlib.TopologicalSorter(found).prepare()
    except graphlib.CycleError as error:
        circle: list[ObjectRef] = error.args[1]
        first = manifests[circle[0]]
        raise RenderError(
            Problem(
                code="DEPENDS_ON_CIRCLE",
                stage=Stage.PLAN,
                message="objects wait for each other: " + " → ".join(str(ref) for ref in circle),
                hint="remove one depends-on or wave annotation of the circle",
                ref=str(first.ref),
                file=first.origin.file,
                line=first.origin.line,
            )
        ) from None

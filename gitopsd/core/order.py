"""Which objects go first, and which must wait until others are there.

Two questions, kept apart: ``rank`` orders writes that need not wait for each other; ``needs`` names what must be
Current before an object is written at all. Only what truly depends on readiness waits.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.intents import Intents, intents_of
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
_FIRST = ("CustomResourceDefinition", "Namespace")
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService")
_RANK_BY_KIND = {kind: rank for rank, kinds in enumerate(_RANKS) for kind in kinds}
_RANK_OTHERS = len(_RANKS)
_RANK_LAST = _RANK_OTHERS + 1


def in_order(manifests: Iterable[Manifest]) -> tuple[tuple[int, Manifest], ...]:
    """Number the manifests by wave, from 0, and sort them: by explicit wave, then rank, then name."""
    known = tuple(manifests)
    waves = _wave_of_each(known, {manifest.ref: intents_of(manifest) for manifest in known})
    keyed = sorted(((_place(manifest, waves), manifest) for manifest in known), key=itemgetter(0))
    numbers = {key: number for number, key in enumerate(sorted({place[:2] for place, _ in keyed}))}
    return tuple((numbers[place[:2]], manifest) for place, manifest in keyed)


def needs(manifests: Sequence[Manifest]) -> Mapping[ObjectRef, frozenset[ObjectRef]]:
    """For each object, the objects of the same set that must be Current before it is written.

    Raises:
        RenderError: ``depends-on`` names something unknown, or goes round in a circle.
    """
    intents = {manifest.ref: intents_of(manifest) for manifest in manifests}
    wave_of = _wave_of_each(manifests, intents)
    waves = _waves(wave_of)
    before = _before_each(waves)
    own = _own_needs(manifests, intents)
    if own:
        _refuse_circles(own, waves, {manifest.ref: manifest for manifest in manifests})
    # One set per wave, shared by its objects: they can be thousands.
    shared = {ref: before[wave] for ref, wave in wave_of.items()}
    return shared | {ref: shared[ref] | needed for ref, needed in own.items()}


def _wave_of_each(manifests: Iterable[Manifest], intents: Mapping[ObjectRef, Intents]) -> Mapping[ObjectRef, int]:
    """What asks for no wave goes as early as the first object that cannot be without it.

    Definitions and namespaces go with the first of all: a Job may use what its own manifest does not name.
    """
    makers, waves = _makers(manifests), {ref: wishes.wave for ref, wishes in intents.items()}
    first = min(waves.values(), default=0)
    for ref, wishes in intents.items():
        if ref.kind in _FIRST and not wishes.wave:
            waves[ref] = first
        for maker in _structural(ref, makers):
            if not intents[maker].wave:
                waves[maker] = min(waves[maker], wishes.wave)
    return waves


def _place(manifest: Manifest, waves: Mapping[ObjectRef, int]) -> tuple[int, int, str, str, str, str]:
    ref = manifest.ref
    rank = _RANK_LAST if ref.kind in _LAST else _RANK_BY_KIND.get(ref.kind, _RANK_OTHERS)
    return waves[ref], rank, ref.group, ref.kind, ref.namespace, ref.name


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


def _own_needs(
    manifests: Iterable[Manifest], intents: Mapping[ObjectRef, Intents]
) -> Mapping[ObjectRef, frozenset[ObjectRef]]:
    """What each object needs for its own sake, and not for its wave's; only those that need something."""
    makers = _makers(manifests)
    found = {}
    for manifest in manifests:
        ref, wishes = manifest.ref, intents[manifest.ref]
        if makers or wishes.depends_on:
            found[ref] = frozenset((*_structural(ref, makers), *_asked_for(manifest, wishes, intents))) - {ref}
    return {ref: needed for ref, needed in found.items() if needed}


def _structural(ref: ObjectRef, makers: Mapping[tuple[str, ...], ObjectRef]) -> tuple[ObjectRef, ...]:
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


def _waves(wave_of: Mapping[ObjectRef, int]) -> Mapping[int, Sequence[ObjectRef]]:
    """The objects of each wave, in the waves' order."""
    found: dict[int, list[ObjectRef]] = {wave: [] for wave in sorted(set(wave_of.values()))}
    for ref, wave in wave_of.items():
        found[wave].append(ref)
    return found


def _before_each(waves: Mapping[int, Sequence[ObjectRef]]) -> Mapping[int, frozenset[ObjectRef]]:
    before: dict[int, frozenset[ObjectRef]] = {}
    earlier: frozenset[ObjectRef] = frozenset()
    for wave, refs in waves.items():
        before[wave] = earlier
        earlier = earlier.union(refs)
    return before


def _refuse_circles(
    own: Mapping[ObjectRef, frozenset[ObjectRef]],
    waves: Mapping[int, Sequence[ObjectRef]],
    manifests: Mapping[ObjectRef, Manifest],
) -> None:
    """Waves alone make no circle; a wave's number stands for all that goes before it, or there were too many edges."""
    graph: dict[ObjectRef | int, set[ObjectRef | int]] = {
        ref: {wave, *own.get(ref, ())} for wave, refs in waves.items() for ref in refs
    }
    for earlier, later in pairwise(waves):
        graph[later] = {earlier, *waves[earlier]}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # It ends where it began, so the first node is left out until only objects are left.
        met = [node for node in error.args[1][1:] if isinstance(node, ObjectRef)]
        circle = [met[-1], *met]
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

"""Whose an object is, and whose each of its fields: read from labels and managedFields.

Server-side apply keeps what others added, and resets what we alone owned and stop sending. So fields of hand tools are
taken over before they can be removed, and our own are given up before they can be left out. Both are one guarded
patch of ``metadata.managedFields``; it changes no field of the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from gitopsd.core.fields import annotation, flag, label, part, parts, read, text, text_of
from gitopsd.core.fieldsets import (
    NOTHING,
    Fields,
    Path,
    fields_of,
    has,
    leaves,
    locate,
    only,
    sends,
    shown,
    union,
    without,
)
from gitopsd.core.model import Body, Json

MANAGER = "gitopsd"
PART_OF = "applyset.kubernetes.io/part-of"
ENVIRONMENT = "gitopsd.dev/environment"
PRUNE = "gitopsd.dev/prune"

_HANDS = re.compile(
    r"^(kubectl(?!-rollout)|oc$|k9s|lens|openlens|freelens|node-fetch|headlamp|rancher|octant|dashboard"
    r"|kubernetes-dashboard|mozilla|curl|helm$|helm-controller|kustomize-controller|argocd)",
    re.IGNORECASE,
)
_LEFT_ALONE: tuple[Path, ...] = (
    ("f:status",),
    ("f:metadata", "f:finalizers"),
    ("f:metadata", "f:ownerReferences"),
    ("f:metadata", "f:annotations", "f:deployment.kubernetes.io/revision"),
    ("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt"),
)
_EXCLUSIVE: Mapping[str, tuple[str, str]] = {
    "Deployment": ("strategy", "Recreate"),
    "StatefulSet": ("updateStrategy", "OnDelete"),
}
_NEEDS_OPT_IN = frozenset({"Namespace", "PersistentVolume", "PersistentVolumeClaim", "StatefulSet"})
_SYSTEM_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_FOREIGN_KEEPS: Mapping[str, frozenset[str]] = {
    "kustomize.toolkit.fluxcd.io/prune": frozenset({"disabled"}),
    "helm.sh/resource-policy": frozenset({"keep"}),
    "client.lifecycle.config.k8s.io/deletion": frozenset({"detach"}),
    "cli-utils.sigs.k8s.io/on-remove": frozenset({"keep"}),
    "kapp.k14s.io/delete-strategy": frozenset({"orphan"}),
}
_ARGO_OPTIONS = "argocd.argoproj.io/sync-options"
_ARGO_KEEPS = frozenset({"prune=false", "delete=false", "prune=confirm", "delete=confirm"})


def foreign_fields(live: Body, sent: Body, omit: Sequence[str] = ()) -> tuple[str, ...]:
    """Return, as pointers, the fields that hand tools own and that we do not send: equal to Git means without them."""
    theirs = _union(_taken(entry, live, omit) for entry in _hand_entries(live))
    found: list[Path] = []
    for path in leaves(theirs):
        is_below_found = bool(found) and path[: len(found[-1])] == found[-1]
        if not is_below_found and not sends(sent, path):
            found.append(path)
    obstacles = [f"{pointer}/rollingUpdate" for pointer in stubborn_defaults(live, sent)]
    return (*(shown(path) for path in found), *obstacles)


def stubborn_defaults(live: Body, sent: Body) -> tuple[str, ...]:
    """Return the pointers of strategies in which a default of the server, owned by nobody, forbids what we send.

    It goes like a hand tool's field: we take it over, and then do not send it. Until then no dry-run can pass.
    """
    field, exclusive = _EXCLUSIVE.get(text(sent, "kind"), ("", ""))
    strategy = part(sent, f"spec.{field}")
    if not field or text_of(strategy, "type") != exclusive or "rollingUpdate" in strategy:
        return ()
    return (f"/spec/{field}",) if read(live, f"spec.{field}.rollingUpdate") is not None else ()


def still_owned(live: Body, omit: Sequence[str]) -> tuple[str, ...]:
    """Return which of these pointers our own apply still owns: to be given up before they are no longer sent."""
    ours = _union(fields_of(entry.get("fieldsV1")) for entry in _entries(live) if _is_ours(entry))
    return tuple(pointer for pointer in omit if locate(ours, live, pointer) is not None)


def ownership_patch(live: Body, sent: Body, omit: Sequence[str], *, take_over: bool) -> tuple[Json, ...]:
    """Return the JSON patch that gives up the omitted fields and takes over those of hand tools; empty = no need.

    It holds for exactly the version of the object that was read.
    """
    before = _entries(live)
    after = _handed_over(before, live, omit) if take_over else list(before)
    obstacles = _union(_rolling_update(live, pointer) for pointer in stubborn_defaults(live, sent))
    after = [_grown(_given_up(entry, live, omit), obstacles) if _is_ours(entry) else entry for entry in after]
    if after == list(before):
        return ()
    return (
        {"op": "test", "path": "/metadata/resourceVersion", "value": text(live, "metadata.resourceVersion")},
        {"op": "replace", "path": "/metadata/managedFields", "value": after},
    )


def claimant(live: Body, apply_set: str) -> str:
    """Say in words who else has a claim on the object; empty when it is of this apply set."""
    part_of = label(live, PART_OF)
    if part_of and part_of == apply_set:
        return ""
    if part_of:
        environment = label(live, ENVIRONMENT)
        return f"environment {_unslugged(environment)}" if environment else f"apply set {part_of}"
    return _claim_of_other_tools(live) or f"nobody (made by {', '.join(writers(live)) or 'an unknown tool'})"


def writers(live: Body) -> tuple[str, ...]:
    """Name everyone who wrote a field of the object outside its subresources, in order of first appearance."""
    named = [text_of(entry, "manager") for entry in _entries(live) if not text_of(entry, "subresource")]
    return tuple(dict.fromkeys(name for name in named if name))


def is_applied_by_us(live: Body) -> bool:
    """Return whether our own apply is among those who wrote the object."""
    return any(_is_ours(entry) for entry in _entries(live))


def protection(live: Body, apply_set: str, uid: str, *, has_instances: bool = False) -> str:
    """Say why the object must not be pruned; empty when nothing speaks against it.

    ``uid`` is what our inventory knows. ``has_instances``: it is a CRD, and objects of its kind exist.
    """
    if text(live, "metadata.uid") != uid:
        return "it is not the object that we made: its UID is another"
    if not apply_set or label(live, PART_OF) != apply_set:
        return "it does not carry our apply-set label"
    if any(flag(owner, "controller") for owner in parts(live, "metadata.ownerReferences")):
        return "a controller owns it"
    if not is_applied_by_us(live):
        return "we never applied it"
    return _asked_to_keep(live) or _needs_opt_in(live, has_instances=has_instances)


def _asked_to_keep(live: Body) -> str:
    if annotation(live, PRUNE).lower() in ("never", "disabled"):
        return f"its annotation {PRUNE} says so"
    for name, values in _FOREIGN_KEEPS.items():
        if annotation(live, name).lower() in values or label(live, name).lower() in values:
            return f"its annotation {name} says so"
    options = {option.strip().lower() for option in annotation(live, _ARGO_OPTIONS).split(",")}
    return f"its annotation {_ARGO_OPTIONS} says so" if options & _ARGO_KEEPS else ""


def _needs_opt_in(live: Body, *, has_instances: bool) -> str:
    kind = text(live, "kind")
    if kind == "Namespace" and text(live, "metadata.name") in _SYSTEM_NAMESPACES:
        return "it is a namespace of the cluster itself"
    if annotation(live, PRUNE).lower() == "allow":
        return ""
    if kind == "CustomResourceDefinition" and has_instances:
        return f"objects of its kind exist; {PRUNE}: allow, committed beforehand, would let it go with them"
    if kind in _NEEDS_OPT_IN:
        return f"a {kind} holds what cannot be made again; {PRUNE}: allow, committed beforehand, would let it go"
    return ""


def _claim_of_other_tools(live: Body) -> str:
    release = annotation(live, "meta.helm.sh/release-name")
    if label(live, "app.kubernetes.io/managed-by") == "Helm" and release:
        return f"Helm release {_place(annotation(live, 'meta.helm.sh/release-namespace'), release)}"
    for tool, kind in (("kustomize", "Kustomization"), ("helm", "HelmRelease")):
        name = label(live, f"{tool}.toolkit.fluxcd.io/name")
        if name:
            return f"Flux {kind} {_place(label(live, f'{tool}.toolkit.fluxcd.io/namespace'), name)}"
    tracked = annotation(live, "argocd.argoproj.io/tracking-id").partition(":")[0]
    instance = tracked or label(live, "argocd.argoproj.io/instance")
    return f"Argo CD application {instance}" if instance else ""


def _unslugged(environment: str) -> str:
    return environment if "---" in environment else environment.replace("--", "/")


def _place(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def _entries(live: Body) -> tuple[Body, ...]:
    return parts(live, "metadata.managedFields")


def _is_ours(entry: Body) -> bool:
    return (text_of(entry, "manager"), text_of(entry, "operation"), text_of(entry, "subresource")) == (
        MANAGER,
        "Apply",
        "",
    )


def _is_hand(entry: Body) -> bool:
    return not text_of(entry, "subresource") and bool(_HANDS.match(text_of(entry, "manager")))


def _hand_entries(live: Body) -> tuple[Body, ...]:
    """Hand tools' entries that can become ours: those of the same version, because paths differ between versions."""
    entries = _entries(live)
    ours = next((text_of(entry, "apiVersion") for entry in entries if _is_ours(entry)), "")
    hands = [entry for entry in entries if _is_hand(entry)]
    version = ours or (text_of(hands[0], "apiVersion") if hands else "")
    return tuple(entry for entry in hands if text_of(entry, "apiVersion") == version)


def _untouched(tree: Fields, live: Body, omit: Sequence[str]) -> tuple[Path, ...]:
    located = (locate(tree, live, pointer) for pointer in omit)
    return (*(path for path in _LEFT_ALONE if has(tree, path)), *(path for path in located if path))


def _taken(entry: Body, live: Body, omit: Sequence[str]) -> Fields:
    tree = fields_of(entry.get("fieldsV1"))
    for path in _untouched(tree, live, omit):
        tree = without(tree, path)
    return tree


def _handed_over(entries: Sequence[Body], live: Body, omit: Sequence[str]) -> list[Body]:
    hands = _hand_entries(live)
    if not hands:
        return list(entries)
    ours = next((entry for entry in entries if _is_ours(entry)), None)
    grown = union(
        fields_of(ours.get("fieldsV1")) if ours else NOTHING, _union(_taken(entry, live, omit) for entry in hands)
    )
    mine: Body = {
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": text_of(ours or hands[0], "apiVersion"),
        "fieldsType": "FieldsV1",
        "fieldsV1": grown,
    }
    rest = [entry for entry in entries if entry not in hands and entry is not ours]
    return [mine, *rest, *_remains(hands, live, omit)]


def _remains(hands: Iterable[Body], live: Body, omit: Sequence[str]) -> list[Body]:
    """What stays theirs: the fields that are left alone."""
    found: list[Body] = []
    for entry in hands:
        tree = fields_of(entry.get("fieldsV1"))
        kept = _union(only(tree, path) for path in _untouched(tree, live, omit))
        if kept:
            found.append({**entry, "fieldsV1": kept})
    return found


def _given_up(entry: Body, live: Body, omit: Sequence[str]) -> Body:
    tree = fields_of(entry.get("fieldsV1"))
    for pointer in omit:
        path = locate(tree, live, pointer)
        tree = without(tree, path) if path else tree
    return entry if tree == entry.get("fieldsV1") else {**entry, "fieldsV1": tree}


def _grown(entry: Body, more: Fields) -> Body:
    return {**entry, "fieldsV1": union(fields_of(entry.get("fieldsV1")), more)} if more else entry


def _rolling_update(live: Body, pointer: str) -> Fields:
    field = pointer.rpartition("/")[2]
    below = {f"f:{name}": NOTHING for name in part(live, f"spec.{field}.rollingUpdate")}
    return {"f:spec": {f"f:{field}": {"f:rollingUpdate": below}}}


def _union(trees: Iterable[Fields]) -> Fields:
    merged: Fields = NOTHING
    for tree in trees:
        merged = union(merged, tree)
    return merged

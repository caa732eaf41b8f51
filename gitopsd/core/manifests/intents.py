"""What an object's annotations ask for, in our words and in those of Flux, Argo CD, kapp, cli-utils and Helm.

A foreign annotation that we do not act on changes nothing; ``foreign_annotations`` says of each whether it acts.
One of ours that we do not understand is a fault: somebody relies on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from gitopsd.core.manifests.check import Fault
from gitopsd.core.manifests.pointers import pointer_fault
from gitopsd.core.manifests.scopes import group_of, is_cluster_scoped
from gitopsd.core.model import Body, Manifest, ObjectRef

OWN_PREFIX = "gitopsd.dev/"
WAVE_MAX = 10_000
HOOK_WAVES = 100_000

# Recreating one of these loses what cannot be made again, or everything in it.
NEVER_RECREATED = frozenset(
    {"CustomResourceDefinition", "Namespace", "PersistentVolume", "PersistentVolumeClaim", "StatefulSet"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intents:
    """What one manifest asks for.

    ``recreate`` = delete and create again where a field cannot be changed. ``unmanaged`` = neither write nor prune it.
    ``create_only`` = create it when absent, then never touch it. ``wave`` 0 is the ordinary one.
    """

    prune_never: bool = False
    unmanaged: bool = False
    create_only: bool = False
    recreate: bool = False
    health_ignore: bool = False
    adopt: bool = False
    wave: int = 0
    depends_on: tuple[ObjectRef, ...] = ()
    ignore_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignAnnotation:
    """Another tool's annotation on an object: one of its words, and what we take it to mean; empty = nothing."""

    key: str
    word: str
    meaning: str


_Words: TypeAlias = frozenset[tuple[str, str]]

_ARGO = "argocd.argoproj.io/"
_FLUX = "kustomize.toolkit.fluxcd.io/"
_FOREIGN_PREFIXES = (
    _ARGO,
    _FLUX,
    "cli-utils.sigs.k8s.io/",
    "client.lifecycle.config.k8s.io/",
    "config.kubernetes.io/depends-on",
    "fluxcd.io/",
    "helm.sh/",
    "kapp.k14s.io/",
)
_PREFIXES = (OWN_PREFIX, *_FOREIGN_PREFIXES)

_OWN: Mapping[str, frozenset[str]] = {
    f"{OWN_PREFIX}adopt": frozenset({"true", "false"}),
    f"{OWN_PREFIX}health": frozenset({"ignore"}),
    f"{OWN_PREFIX}prune": frozenset({"never", "disabled", "allow"}),
    f"{OWN_PREFIX}reconcile": frozenset({"disabled"}),
    f"{OWN_PREFIX}recreate": frozenset({"on-immutable", "never"}),
}
_WAVE = f"{OWN_PREFIX}wave"
_DEPENDS_ON = f"{OWN_PREFIX}depends-on"
_IGNORE_PATHS = f"{OWN_PREFIX}ignore-paths"
_OWN_KEYS = (*_OWN, _WAVE, _DEPENDS_ON, _IGNORE_PATHS)

_FLUX_LABELS = frozenset(f"{_FLUX}{name}" for name in ("force", "prune", "reconcile", "ssa"))

_ARGO_WAVE = f"{_ARGO}sync-wave"
_ARGO_HOOK = f"{_ARGO}hook"
_ARGO_OPTIONS = f"{_ARGO}sync-options"
_HELM_HOOK = "helm.sh/hook"
_HELM_WEIGHT = "helm.sh/hook-weight"
_FOREIGN_DEPENDS_ON = "config.kubernetes.io/depends-on"

_PRUNE_NEVER: _Words = frozenset(
    {
        (f"{OWN_PREFIX}prune", "never"),
        (f"{OWN_PREFIX}prune", "disabled"),
        (f"{_FLUX}prune", "disabled"),
        *((_ARGO_OPTIONS, option) for option in ("prune=false", "prune=confirm", "delete=false", "delete=confirm")),
        ("helm.sh/resource-policy", "keep"),
        ("client.lifecycle.config.k8s.io/deletion", "detach"),
        ("cli-utils.sigs.k8s.io/on-remove", "keep"),
        ("kapp.k14s.io/delete-strategy", "orphan"),
    }
)
_UNMANAGED: _Words = frozenset(
    {
        (f"{OWN_PREFIX}reconcile", "disabled"),
        (f"{_FLUX}reconcile", "disabled"),
        (f"{_FLUX}ssa", "ignore"),
        *((_ARGO_HOOK, hook) for hook in ("skip", "syncfail", "predelete", "postdelete")),
    }
)
_CREATE_ONLY: _Words = frozenset({(f"{_FLUX}ssa", "ifnotpresent")})
_RECREATE: _Words = frozenset(
    {
        (f"{OWN_PREFIX}recreate", "on-immutable"),
        (f"{_FLUX}force", "enabled"),
        (_ARGO_OPTIONS, "force=true"),
        ("kapp.k14s.io/update-strategy", "fallback-on-replace"),
    }
)
_RECREATE_NEVER = (f"{OWN_PREFIX}recreate", "never")
_HEALTH_IGNORE: _Words = frozenset({(f"{OWN_PREFIX}health", "ignore"), (f"{_ARGO}ignore-healthcheck", "true")})
_ADOPT: _Words = frozenset({(f"{OWN_PREFIX}adopt", "true")})
_BEFORE: _Words = frozenset(
    {(_ARGO_HOOK, "presync"), (_HELM_HOOK, "pre-install"), (_HELM_HOOK, "pre-upgrade"), (_HELM_HOOK, "crd-install")}
)
_AFTER: _Words = frozenset({(_ARGO_HOOK, "postsync"), (_HELM_HOOK, "post-install"), (_HELM_HOOK, "post-upgrade")})
_HELM_INSTALLS = frozenset({"pre-install", "post-install"})
_HELM_UPGRADES = frozenset({"pre-upgrade", "post-upgrade"})
_ONLY_HELMS = frozenset(
    {"test", "test-success", "test-failure", "pre-delete", "post-delete", "pre-rollback", "post-rollback"}
)
_MEANINGS = (
    (_PRUNE_NEVER, "never pruned"),
    (_UNMANAGED, "left alone"),
    (_CREATE_ONLY, "created when absent, then left alone"),
    (_RECREATE, "created anew where a field cannot be changed"),
    (_HEALTH_IGNORE, "its health does not count"),
    (_BEFORE, "goes before everything else"),
    (_AFTER, "goes after everything else"),
)

_PLAIN = Intents()
_PLAIN_JOB = Intents(recreate=True)


def intents_of(manifest: Manifest) -> Intents:
    """Return what the manifest asks for."""
    is_job = (manifest.ref.group, manifest.ref.kind) == ("batch", "Job")
    words = frozenset(_words(manifest))
    if not words:
        return _PLAIN_JOB if is_job else _PLAIN
    annotations, hooks = manifest.annotations, helm_hooks(manifest)
    may_recreate = manifest.ref.kind not in NEVER_RECREATED and _RECREATE_NEVER not in words
    return Intents(
        prune_never=bool(words & _PRUNE_NEVER),
        unmanaged=bool(words & _UNMANAGED) or is_only_helms(hooks),
        create_only=bool(words & _CREATE_ONLY) or is_for_install_only(hooks),
        recreate=may_recreate and (is_job or bool(words & _RECREATE)),
        health_ignore=bool(words & _HEALTH_IGNORE),
        adopt=bool(words & _ADOPT),
        wave=_wave(annotations, words),
        depends_on=_dependencies(manifest),
        ignore_paths=_listed(annotations.get(_IGNORE_PATHS, "")),
    )


def managed(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return all that are not left alone. Of the others nothing is read, written, judged or counted."""
    return tuple(manifest for manifest in manifests if not intents_of(manifest).unmanaged)


def helm_hooks(manifest: Manifest) -> frozenset[str]:
    """Return the moments at which helm would run the manifest: ``pre-install``, ``test``."""
    return frozenset(word.lower() for word in _listed(manifest.annotations.get(_HELM_HOOK, "")))


def is_only_helms(hooks: frozenset[str]) -> bool:
    """Return whether none of the moments is one of ours: nobody tests, deletes or rolls back a release here."""
    return bool(hooks) and hooks <= _ONLY_HELMS


def is_for_install_only(hooks: frozenset[str]) -> bool:
    """Return whether helm would run it once, when the release is installed, and at no upgrade."""
    return bool(hooks & _HELM_INSTALLS) and not hooks & _HELM_UPGRADES


def is_for_upgrade_only(hooks: frozenset[str]) -> bool:
    """Return whether helm would run it at upgrades, but not when the release is installed."""
    return bool(hooks & _HELM_UPGRADES) and not hooks & _HELM_INSTALLS


def intent_faults(ref: ObjectRef, body: Body) -> Iterator[Fault]:
    """Yield what is wrong with the annotations that are ours."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    for key, value in annotations.items() if isinstance(annotations, Mapping) else ():
        if key.startswith(OWN_PREFIX) and isinstance(value, str) and (fault := _own_fault(ref, key, value)):
            yield Fault("ANNOTATION_INVALID", f"the annotation {key} {fault}", ("metadata", "annotations", key))


def foreign_annotations(manifest: Manifest) -> Iterator[ForeignAnnotation]:
    """Yield what other tools' annotations on the manifest say, and what we do about it."""
    for key, word in sorted(_words(manifest)):
        if not key.startswith(OWN_PREFIX):
            yield ForeignAnnotation(key, word, _meaning(manifest, key, word))


def _words(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield each annotation that anybody may have meant for a tool like us, word by word; Flux's may be labels."""
    for key, value in manifest.annotations.items():
        if key.startswith(_PREFIXES):
            for word in _listed(value) or ("",):
                yield key, word.lower()
    labels = manifest.labels
    for key in _FLUX_LABELS.intersection(labels):
        yield key, labels[key].lower()


def _listed(value: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", value) if word)


def _wave(annotations: Mapping[str, str], words: _Words) -> int:
    wave = next((_whole(annotations[key]) for key in (_WAVE, _ARGO_WAVE) if key in annotations), None) or 0
    if _WAVE in annotations:
        return wave
    wave += _whole(annotations.get(_HELM_WEIGHT, "")) or 0
    return wave + HOOK_WAVES * (bool(words & _AFTER) - bool(words & _BEFORE))


def _whole(text: str) -> int | None:
    if not re.fullmatch(r"[-+]?[0-9]{1,6}", text.strip(), re.ASCII) or abs(int(text)) > WAVE_MAX:
        return None
    return int(text)


def _dependencies(manifest: Manifest) -> tuple[ObjectRef, ...]:
    own = [_own_dependency(manifest.ref, path) for path in _listed(manifest.annotations.get(_DEPENDS_ON, ""))]
    foreign = [_foreign_dependency(path) for path in _listed(manifest.annotations.get(_FOREIGN_DEPENDS_ON, ""))]
    return tuple(ref for ref in (*own, *foreign) if ref)


def _own_dependency(dependent: ObjectRef, path: str) -> ObjectRef | None:
    """``Job/migrate`` in the same namespace, ``Kind.group/name``, or ``Kind.group/namespace/name`` elsewhere."""
    typed, *rest = path.split("/")
    if not typed or not all(rest) or len(rest) not in (1, 2):
        return None
    kind, dot, group = typed.partition(".")
    group = group if dot else group_of(kind)
    here = "" if is_cluster_scoped(group, kind) else dependent.namespace
    namespace = here if len(rest) == 1 else rest[0]
    return ObjectRef(group, kind, namespace, rest[-1])


def _foreign_dependency(path: str) -> ObjectRef | None:
    """``group/namespaces/namespace/Kind/name``, or ``group/Kind/name``; the core group is written as nothing."""
    match path.split("/"):
        case [group, "namespaces", namespace, kind, name]:
            return ObjectRef(group, kind, namespace, name)
        case [group, kind, name]:
            return ObjectRef(group, kind, "", name)
        case _:
            return None


def _own_fault(ref: ObjectRef, key: str, value: str) -> str:
    if key not in _OWN_KEYS:
        close = get_close_matches(key, _OWN_KEYS, n=1)
        return f"is not known; did you mean {close[0]}?" if close else f"is not known; known are {', '.join(_OWN_KEYS)}"
    if key == _WAVE:
        return "" if _whole(value) is not None else f"must be a whole number from -{WAVE_MAX} to {WAVE_MAX}"
    if key == _DEPENDS_ON:
        known = _listed(value)
        fine = known and all(_own_dependency(ref, path) for path in known)
        return "" if fine else "must list objects as Kind/name, Kind.group/name or Kind.group/namespace/name"
    if key == _IGNORE_PATHS:
        return next((f"{path} {fault}" for path in _listed(value) if (fault := pointer_fault(path))), "")
    return "" if value in _OWN[key] else f"must be one of {', '.join(sorted(_OWN[key]))}"


def _meaning(manifest: Manifest, key: str, word: str) -> str:
    if (key, word) in _RECREATE and not intents_of(manifest).recreate:
        return ""
    if key == _HELM_HOOK and word in _ONLY_HELMS:
        return "left alone" if intents_of(manifest).unmanaged else ""
    for words, meaning in _MEANINGS:
        if (key, word) in words:
            return meaning
    if key in (_ARGO_WAVE, _HELM_WEIGHT) and _WAVE not in manifest.annotations and _whole(word) is not None:
        return f"goes in wave {intents_of(manifest).wave}"
    if key == _FOREIGN_DEPENDS_ON and _dependencies(manifest):
        return "waits for what it names"
    return ""

"""Where the objects that kustomize prints were written. It does not say, so they are found again by kind and name.

A name that more than one file could have given is given to none: the kustomization is told instead, never a wrong line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

from gitopsd.core.kustomize.walk import Walk
from gitopsd.core.manifests.objects import FileContent, Placed
from gitopsd.core.model import File, Origin

# Kinds whose names kustomize leaves as they are.
_WITHOUT_AFFIX = frozenset({"APIService", "CustomResourceDefinition", "Namespace"})
_GENERATED = frozenset({"ConfigMap", "Secret"})
_HASH = re.compile(r"-[bcdfghkmt2456789]{10}$", re.ASCII)


def placed_by(walk: Walk, read: Callable[[File], FileContent]) -> Placed:
    """Return what says for each printed object where it was written."""
    known: defaultdict[tuple[str, str], set[tuple[str, Origin]]] = defaultdict(set)
    contents = {file.path: read(file) for file in {file.path: file for file, _ in walk.resources}.values()}
    for file, affix in walk.resources:
        for written in contents[file.path].objects:
            ref = written.manifest.ref
            name = ref.name if ref.kind in _WITHOUT_AFFIX else f"{affix.prefix}{ref.name}{affix.suffix}"
            known[ref.kind, name].add((ref.namespace, written.manifest.origin))
    for made in walk.generated:
        known[made.kind, f"{made.affix.prefix}{made.name}{made.affix.suffix}"].add(("", made.origin))

    def placed(words: str, line: int) -> Origin:  # noqa: ARG001 - kustomize prints no line that tells anything
        kind, _, place = words.partition(" ")
        namespace, _, name = place.rpartition("/")
        plain = _HASH.sub("", name) if kind in _GENERATED else name
        found = known.get((kind, name)) or known.get((kind, plain)) or set()
        exact = [origin for where, origin in found if where == namespace]
        origins = exact if len(exact) == 1 else list({origin for _, origin in found})
        return origins[0] if len(origins) == 1 else Origin(walk.top)

    return placed

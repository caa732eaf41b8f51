"""Which file makes a directory one for kustomize: by kustomize's own names, and only if it is kustomize's own kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.text import read_text
from gitopsd.core.model import File

GROUP = "kustomize.config.k8s.io"
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def kustomization_among(top: Iterable[File]) -> File | None:
    """Return the kustomization among the files that lie in one directory, not below it.

    Raises:
        RenderError: there are two.
    """
    found = [file for file in top if file.path.rpartition("/")[2] in NAMES and _is_kustomizes(file)]
    return only_one(found, "KUSTOMIZATION_TWICE")


def only_one(found: Sequence[File], code: str) -> File | None:
    """Return the file, or None when there is none.

    Raises:
        RenderError: there are two that say the same thing.
    """
    if len(found) > 1:
        message = f"{found[0].path} and {found[1].path} say the same thing"
        raise RenderError(Problem(code=code, stage=Stage.RENDER, message=message, hint="keep one", file=found[1].path))
    return found[0] if found else None


def _is_kustomizes(file: File) -> bool:
    """Flux has a kind of that name as well. What cannot be read is taken for kustomize's, and refused as such."""
    try:
        documents = yaml.parse(read_text(file.path, file.content))
    except RenderError:
        return True
    value = documents[0].value if documents else None
    version = value.get("apiVersion") if isinstance(value, Mapping) else None
    return not isinstance(version, str) or version.startswith(f"{GROUP}/")

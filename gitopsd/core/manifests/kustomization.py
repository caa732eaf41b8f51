"""A ``kustomization.yaml`` that only lists plain files is no more than a list of files; any other is refused.

Rendering half of what it says would apply what nobody wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.text import TextFile, read_text
from gitopsd.core.model import File

GROUP = "kustomize.config.k8s.io"

_HARMLESS = frozenset({"apiVersion", "kind", "metadata", "resources"})


def listed_files(file: File, manifests: Collection[str]) -> frozenset[str] | None:
    """Return the paths it lists, each one of ``manifests``; None when the file is no kustomization at all.

    Raises:
        RenderError: it cannot be read, or does more than list plain files.
    """
    text = read_text(file.path, file.content)
    documents = yaml.parse(text)
    value = documents[0].value if documents else {}
    if not isinstance(value, Mapping):
        raise _unsupported(text, "it is not a mapping")
    version = value.get("apiVersion", f"{GROUP}/v1beta1")
    if not isinstance(version, str) or not version.startswith(f"{GROUP}/"):
        return None
    more = sorted(value.keys() - _HARMLESS)
    if more or len(documents) > 1 or value.get("kind", "Kustomization") != "Kustomization":
        raise _unsupported(text, f"it has {', '.join(more)}" if more else "it is more than one Kustomization")
    return frozenset(_listed(text, resource, manifests) for resource in _resources(text, value))


def _resources(text: TextFile, value: Mapping[str, object]) -> list[object]:
    resources = value.get("resources")
    if resources is None:
        return []
    if not isinstance(resources, list):
        raise _unsupported(text, "its resources are not a list")
    return resources


def _listed(text: TextFile, resource: object, manifests: Collection[str]) -> str:
    path = "/".join(part for part in str(resource).split("/") if part != ".")
    if not isinstance(resource, str) or path not in manifests:
        raise _unsupported(text, f"it lists {resource}, which is no plain manifest of this directory")
    return path


def _unsupported(text: TextFile, why: str) -> RenderError:
    message = f"this build renders plain directories only, and this kustomization does more: {why}"
    return RenderError(text.problem("RENDERER_UNSUPPORTED", message, hint="commit what kustomize build prints"))

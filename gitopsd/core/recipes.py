"""How a directory becomes objects: as it is, by kustomize or by helm. What the developer may say of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gitopsd.core.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Render the directory's files as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomize:
    """Render with kustomize. ``path`` is where the kustomization is, relative to the directory; empty = in it."""

    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """Render with helm. ``chart`` and ``values_files`` are relative to the directory; an empty ``chart`` = in it.

    Later values files win over earlier ones, ``values`` over all. An empty ``release`` is the environment's own name
    with ``-`` for ``/``; an empty ``namespace`` is the environment's. ``kube_version`` and ``api_versions`` are what
    the chart sees of the cluster; empty = helm's own.
    """

    chart: str = ""
    release: str = ""
    namespace: str = ""
    values_files: tuple[str, ...] = ()
    values: Mapping[str, Json] = field(default_factory=dict, repr=False)
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


Recipe: TypeAlias = Plain | Kustomize | Helm

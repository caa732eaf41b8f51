"""Which files of an environment's directory are manifests: a rule that anybody can say by heart.

``.yaml``, ``.yml`` and ``.json`` in any case, in the directory and below it; not what is hidden, not READMEs,
not what editors leave behind, not ``gitopsd.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.kustomization import listed_files
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.model import File

FILES_MAX = 5_000
BYTES_MAX = 16 * 1024 * 1024

_ENDINGS = (".yaml", ".yml", ".json")
_SETTINGS = ("gitopsd.yaml", "gitopsd.yml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "kustomization")
_CHART = ("chart.yaml", "chart.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What an environment's directory holds for us."""

    manifests: tuple[File, ...]
    settings: File | None
    warnings: tuple[Problem, ...] = ()


def lay_out(directory: str, files: Iterable[File]) -> Layout:
    """Sort the files of the directory by what they are.

    Raises:
        RenderError: the directory needs a renderer that this build does not have, or is too large.
    """
    below = {_relative(directory, file.path): file for file in files}
    top = {path.lower(): file for path, file in below.items() if "/" not in path}
    _refuse_charts(top)
    settings = _only_one([top[name] for name in _SETTINGS if name in top], "SETTINGS_TWICE")
    kustomization = _only_one([top[name] for name in _KUSTOMIZATIONS if name in top], "KUSTOMIZATION_TWICE")
    manifests = {path: file for path, file in sorted(below.items()) if _is_manifest(path)}
    warnings: tuple[Problem, ...] = ()
    listed = listed_files(kustomization, manifests) if kustomization else None
    if kustomization and listed is not None:
        manifests = {path: file for path, file in manifests.items() if path in listed}
        warnings = (_ignored(kustomization, len(listed)),)
    _refuse_too_much(list(manifests.values()), directory)
    return Layout(manifests=tuple(manifests.values()), settings=settings, warnings=warnings)


def _relative(directory: str, path: str) -> str:
    return path.removeprefix(f"{directory}/") if directory else path


def _is_manifest(path: str) -> bool:
    *directories, name = path.lower().split("/")
    if any(part.startswith(".") for part in (*directories, name)):
        return False
    if name.startswith(("readme", "#", "~")) or (not directories and name in _SETTINGS):
        return False
    return name.endswith(_ENDINGS)


def _only_one(found: Sequence[File], code: str) -> File | None:
    if len(found) > 1:
        message = f"{found[0].path} and {found[1].path} say the same thing"
        raise RenderError(Problem(code=code, stage=Stage.RENDER, message=message, hint="keep one", file=found[1].path))
    return found[0] if found else None


def _refuse_charts(top: dict[str, File]) -> None:
    for name in _CHART:
        if name in top:
            message = "this is a Helm chart; this build renders plain directories only"
            hint = "commit what helm template prints"
            raise RenderError(
                Problem(
                    code="RENDERER_UNSUPPORTED", stage=Stage.RENDER, message=message, hint=hint, file=top[name].path
                )
            )


def _ignored(kustomization: File, count: int) -> Problem:
    return Problem(
        code="KUSTOMIZATION_IGNORED",
        stage=Stage.RENDER,
        message=f"only lists plain files, so exactly those {count} are read as they are",
        file=kustomization.path,
    )


def _refuse_too_much(manifests: Sequence[File], directory: str) -> None:
    size = sum(len(file.content) for file in manifests)
    problems = []
    if len(manifests) > FILES_MAX:
        problems.append(f"{len(manifests)} files with manifests; {FILES_MAX} are the most")
    if size > BYTES_MAX:
        problems.append(f"{size} bytes of manifests; {BYTES_MAX} are the most")
    hint = "split the environment"
    refuse_any(
        [
            Problem(code="ENVIRONMENT_TOO_LARGE", stage=Stage.RENDER, message=message, hint=hint, file=directory)
            for message in problems
        ]
    )

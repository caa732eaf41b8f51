"""What the files of an environment's directory are to us: its settings, its recipe, its manifests.

Manifests, by a rule that anybody can say by heart: ``.yaml``, ``.yml`` and ``.json`` in any case, in the directory and
below it; not what is hidden, not READMEs, not what editors leave behind, not ``gitopsd.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.kustomization import kustomization_among, only_one
from gitopsd.core.manifests.probe_section import job_files
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.manifests.recipe_section import recipe_written
from gitopsd.core.model import File
from gitopsd.core.recipes import Helm, Kustomize, Plain, Recipe

FILES_MAX = 5_000
BYTES_MAX = 16 * 1024 * 1024

_ENDINGS = (".yaml", ".yml", ".json")
_SETTINGS = ("gitopsd.yaml", "gitopsd.yml")
_CHART = "Chart.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What an environment's directory holds for us. ``manifests`` are what ``Plain`` renders.

    ``jobs`` are the files of job probes, by their path below the directory; they are no manifests.
    """

    recipe: Recipe
    settings: File | None
    manifests: tuple[File, ...]
    jobs: Mapping[str, File]


def lay_out(directory: str, files: Iterable[File]) -> Layout:
    """Sort the files of the directory by what they are.

    Raises:
        RenderError: it cannot be told what renders the directory.
    """
    below = {_relative(directory, file.path): file for file in files}
    settings = settings_among(directory, below.values())
    recipe = _recipe_written(settings) or _recipe_of({path: file for path, file in below.items() if "/" not in path})
    named = job_files(settings) if settings else frozenset()
    manifests = tuple(file for path, file in sorted(below.items()) if _is_manifest(path) and path not in named)
    jobs = {path: file for path, file in below.items() if path in named}
    return Layout(recipe=recipe, settings=settings, manifests=manifests, jobs=jobs)


def settings_among(directory: str, files: Iterable[File]) -> File | None:
    """Return the directory's ``gitopsd.yaml``.

    Raises:
        RenderError: there are two.
    """
    return only_one([file for file in files if _relative(directory, file.path).lower() in _SETTINGS], "SETTINGS_TWICE")


def refuse_too_much(files: Sequence[File], directory: str) -> None:
    """Return if these are no more files and bytes than one environment may be rendered from.

    Raises:
        RenderError: they are.
    """
    size = sum(len(file.content) for file in files)
    messages = []
    if len(files) > FILES_MAX:
        messages.append(f"{len(files)} files; {FILES_MAX} are the most")
    if size > BYTES_MAX:
        messages.append(f"{size} bytes; {BYTES_MAX} are the most")
    refuse_any([_problem("ENVIRONMENT_TOO_LARGE", message, "split the environment", directory) for message in messages])


def _relative(directory: str, path: str) -> str:
    return path.removeprefix(f"{directory}/") if directory else path


def _recipe_written(settings: File | None) -> Recipe | None:
    try:
        return recipe_written(settings) if settings else None
    except RenderError:
        # Whoever parses the settings tells it, among all else that is wrong with them, and nothing is rendered.
        return None


def _recipe_of(top: Mapping[str, File]) -> Recipe:
    kustomization, chart = kustomization_among(top.values()), top.get(_CHART)
    if kustomization and chart:
        message = f"{chart.path} and {kustomization.path} both render this directory"
        raise RenderError(_problem("RECIPE_AMBIGUOUS", message, "say which under render in gitopsd.yaml", chart.path))
    if kustomization:
        return Kustomize()
    return Helm() if chart else Plain()


def _is_manifest(path: str) -> bool:
    *directories, name = path.lower().split("/")
    if any(part.startswith(".") for part in (*directories, name)):
        return False
    if name.startswith(("readme", "#", "~")) or (not directories and name in _SETTINGS):
        return False
    return name.endswith(_ENDINGS)


def _problem(code: str, message: str, hint: str, file: str) -> Problem:
    return Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=file)

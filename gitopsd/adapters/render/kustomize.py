"""Renders by kustomize, in the jail, with nothing switched on: no helm, no plugins, no functions, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gitopsd.adapters.render.jail import Jail, Ran
from gitopsd.adapters.render.programs import Program
from gitopsd.adapters.render.tool import Product, Read, Task
from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.kustomize.origins import placed_by
from gitopsd.core.kustomize.walk import Walk, walk
from gitopsd.core.manifests.objects import read_file, read_output
from gitopsd.core.manifests.paths import inside, is_below, parent
from gitopsd.core.manifests.recipe_section import origin_of
from gitopsd.core.model import Decrypted, File, Origin
from gitopsd.core.recipes import Kustomize

_WARNING = "# Warning: "


class KustomizeTool:
    """Implements ``tool.Tool``."""

    def __init__(self, jail: Jail, program: Program) -> None:
        self._jail = jail
        self._program = program

    def version(self) -> str:
        """See ``tool.Tool``."""
        return f"kustomize {self._program.found().version}"

    def directories(self, task: Task, read: Read) -> tuple[str, ...]:
        """See ``tool.Tool``."""
        return (task.environment.path, *_walked(task, read).directories)

    def make(self, task: Task, opened: Decrypted) -> Product:
        """See ``tool.Tool``."""
        # Once more, now that the files are open: what was encrypted may name things too.
        walked = _walked(task, _Files(opened.files))
        found = self._program.found()
        ran = self._jail.run(
            [str(found.path), "build", "."],
            ((file.path, file.content) for file in opened.files),
            directory=parent(walked.top),
            secret=bool(opened.opened),
        )
        if ran.code != 0:
            raise RenderError(_failed(walked, ran, opened))
        content = read_output(ran.stdout, placed_by(walked, read_file))
        return Product(content=content, warnings=tuple(_warnings(walked, ran, opened)))


class _Files:
    """Files that are at hand, as ``tool.Read``."""

    def __init__(self, files: Iterable[File]) -> None:
        self._files = tuple(files)

    def __call__(self, directory: str) -> tuple[File, ...] | None:
        return tuple(file for file in self._files if is_below(file.path, directory)) or None


def _walked(task: Task, read: Read) -> Walk:
    recipe = task.recipe
    asked = Origin(task.environment.path)
    if not isinstance(recipe, Kustomize) or not recipe.path or task.written is None:
        return walk(task.environment.path, read, asked)
    asked = origin_of(task.written, "kustomize", "path")
    directory = inside(task.environment.path, recipe.path)
    if directory is None:
        message, hint = "render.kustomize.path leads out of the repository", "name a directory of the repository"
        problem = Problem(code="KUSTOMIZE_OUTSIDE", stage=Stage.RENDER, message=message, hint=hint)
        raise RenderError(replace(problem, file=asked.file, line=asked.line))
    return walk(directory, read, asked)


def _failed(walked: Walk, ran: Ran, opened: Decrypted) -> Problem:
    return Problem(
        code="KUSTOMIZE_FAILED",
        stage=Stage.RENDER,
        message=f"kustomize refused the directory (exit code {ran.code})",
        cause=_words(ran, opened),
        hint="kustomize build says the same in a checkout of this commit",
        file=walked.top,
    )


def _words(ran: Ran, opened: Decrypted) -> str:
    """What it said, unless that could hold what was encrypted."""
    return "what it said is not shown: files were decrypted" if opened.opened else ran.stderr.strip()


def _warnings(walked: Walk, ran: Ran, opened: Decrypted) -> Iterator[Problem]:
    """Yield what it warned of: words of its own, about fields and never about values."""
    lines = () if opened.opened else ran.stderr.splitlines()
    for line in dict.fromkeys(lines):
        if line.startswith(_WARNING):
            message = line.removeprefix(_WARNING)
            yield Problem(code="KUSTOMIZE_WARNING", stage=Stage.RENDER, message=message, file=walked.top)

"""A directory of this machine, read as if it came from Git: the same files count, and a symlink is never followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gitopsd.adapters.probes import expression_problems
from gitopsd.adapters.render import DirectoryRenderer, Larder, Workshop
from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.errors import ConfigError, Problem, RenderError, Stage
from gitopsd.core.manifests.directory import Rendered
from gitopsd.core.model import Environment, File, Origin, Revision, Wanted

ENTRIES_MAX = 50_000
FILE_BYTES_MAX = 4 * 1024 * 1024

_PROGRAMS = {"kustomize": "GITOPSD_RENDER__KUSTOMIZE", "helm": "GITOPSD_RENDER__HELM"}
_NOWHERE = Wanted(revision=Revision(ref="", commit=""), tree="")


def rendered(directory: Path, age_key_file: Path | None) -> Rendered:
    """Return all that the directory says, right and wrong. Its repository is the nearest one around it.

    ``age_key_file`` opens what is encrypted.

    Raises:
        ConfigError: it is not a directory.
        RenderError: it holds what is never followed, or far too much.
    """
    found = _LocalRepository(directory, age_key_file)
    programs = {name: Path(os.environ[key]) for name, key in _PROGRAMS.items() if os.environ.get(key)}
    with TemporaryDirectory(prefix="gitopsd-", ignore_cleanup_errors=True) as base, found.named_for_people():
        workshop = Workshop(Path(base), programs)
        larder = Larder(found, SopsDecryptor(workshop.sops), workshop)
        made = DirectoryRenderer(larder).look(found.environment, _NOWHERE)
        wrong = expression_problems(made.settings, found.environment.path)
        return found.told(replace(made, problems=(*made.problems, *wrong)))


class _LocalRepository:
    """Gives a renderer the directories that it asks for, and no others. Without a repository, ``/`` is the root."""

    def __init__(self, directory: Path, age_key_file: Path | None) -> None:
        if not directory.is_dir():
            message = f"{directory} is not a directory"
            hint = "name an environment's directory"
            raise ConfigError(Problem(code="DIRECTORY_MISSING", stage=Stage.CONFIG, message=message, hint=hint))
        self._typed = directory
        self._top = directory.resolve()
        around = (self._top, *self._top.parents)
        self._root = next((one for one in around if (one / ".git").exists()), around[-1])
        path = self._top.relative_to(self._root).as_posix()
        self.environment = Environment(
            name=self._top.name or "environment",
            source="",
            path="" if path == "." else path,
            age_key_files=(str(age_key_file),) if age_key_file else (),
        )

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:  # noqa: ARG002 - the port's shape
        """See ``ports.Source``. There is one tree, the one on disk; a link to a directory is none."""
        place = self._root / directory
        return "" if place.is_dir() and place.resolve() == place else None

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:  # noqa: ARG002 - as above
        """See ``ports.Source``."""
        return tuple(_files(self._root, self._root / (environment.path if directory is None else directory)))

    @contextmanager
    def named_for_people(self) -> Iterator[None]:
        """Name files in errors as whoever typed the directory would."""
        try:
            yield
        except RenderError as error:
            raise RenderError(*(self._told(problem) for problem in error.problems)) from error

    def told(self, rendered: Rendered) -> Rendered:
        """Return the same, with files named as whoever typed the directory would."""
        objects = tuple(
            replace(one, manifest=replace(one.manifest, origin=self._shown(one.manifest.origin)))
            for one in rendered.objects
        )
        problems = tuple(self._told(problem) for problem in rendered.problems)
        warnings = tuple(self._told(warning) for warning in rendered.warnings)
        return replace(rendered, objects=objects, problems=problems, warnings=warnings)

    def _told(self, problem: Problem) -> Problem:
        return replace(problem, file=self._named(problem.file)) if problem.file else problem

    def _shown(self, origin: Origin) -> Origin:
        return Origin(self._named(origin.file), origin.line)

    def _named(self, file: str) -> str:
        place = self._root / file
        if place.is_relative_to(self._top):
            return (self._typed / place.relative_to(self._top)).as_posix()
        return place.as_posix() if self._typed.is_absolute() else os.path.relpath(place)


def _files(root: Path, directory: Path) -> Iterator[File]:
    for count, path in enumerate(sorted(directory.rglob("*"))):
        name = path.relative_to(root).as_posix()
        if count >= ENTRIES_MAX:
            hint = "name a smaller one"
            raise _refused(name, "ENVIRONMENT_TOO_LARGE", f"more than {ENTRIES_MAX} files", hint)
        if ".git" in path.relative_to(directory).parts:
            continue
        if path.is_symlink():
            raise _refused(name, "GIT_SYMLINK", "is a symlink; these are never followed", "commit the file itself")
        if path.is_file():
            yield File(name, "", _content(path, name))


def _content(path: Path, name: str) -> bytes:
    """Read no more than is needed to see that it is too much."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except OSError as error:
        reason = error.strerror or "unknown"
        raise _refused(name, "FILE_UNREADABLE", f"cannot be read: {reason}", "look at its rights") from error


def _refused(name: str, code: str, message: str, hint: str) -> RenderError:
    return RenderError(Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=name))

"""What was rendered for an environment's directory becomes its desired set: whole, or not at all.

An empty set is always an error: no commit may take everything away by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.canonical import canonical_set, digest_of
from gitopsd.core.manifests.layout import Layout, lay_out, refuse_too_much
from gitopsd.core.manifests.objects import FileContent, Written, read_file
from gitopsd.core.manifests.probe_jobs import with_jobs
from gitopsd.core.manifests.problems import duplicate_problems, refuse_any
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import Desired, File, Revision
from gitopsd.core.settings import Settings

OBJECTS_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Everything that a directory says: its objects in ref order, its settings, and all that is wrong with it."""

    objects: tuple[Written, ...]
    settings: Settings
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def canonical(self) -> bytes:
        """The set as one canonical JSON array, or more if the settings move it."""
        return canonical_set((written.canonical for written in self.objects), self.settings.namespace)


def desired_from(
    revision: Revision, directory: str, files: Iterable[File], read: Callable[[File], FileContent] = read_file
) -> Desired:
    """Return the desired set that these files of the directory make as they are.

    Raises:
        RenderError: with every problem of every file.
    """
    return desired_of(revision, read_directory(directory, files, read))


def desired_of(revision: Revision, rendered: Rendered) -> Desired:
    """Return the desired set.

    Raises:
        RenderError: with every problem found.
    """
    refuse_any(rendered.problems)
    return Desired(
        revision=revision,
        digest=digest_of(rendered.canonical),
        manifests=tuple(written.manifest for written in rendered.objects),
        settings=rendered.settings,
        warnings=rendered.warnings,
    )


def read_directory(directory: str, files: Iterable[File], read: Callable[[File], FileContent] = read_file) -> Rendered:
    """Return all that the directory says when its files are read as they are, right and wrong."""
    try:
        return read_plain(directory, lay_out(directory, files), read)
    except RenderError as error:
        return refused(error)


def read_plain(directory: str, layout: Layout, read: Callable[[File], FileContent] = read_file) -> Rendered:
    """Return all that the directory's manifests say as they are. ``read`` may remember what it has read before.

    Raises:
        RenderError: there are too many of them.
    """
    refuse_too_much(layout.manifests, directory)
    return assemble(directory, layout, [read(file) for file in layout.manifests])


def assemble(
    directory: str, layout: Layout, contents: Iterable[FileContent], warnings: Iterable[Problem] = ()
) -> Rendered:
    """Return what these contents make together, beside the directory's ``gitopsd.yaml``."""
    contents = tuple(contents)
    wishes, problems = _settings_of(layout)
    problems += [problem for content in contents for problem in content.problems]
    objects = sorted((written for content in contents for written in content.objects), key=_order)
    problems += duplicate_problems(written.manifest for written in objects)
    problems += _count_problems(objects, problems, directory)
    return Rendered(objects=tuple(objects), settings=wishes, problems=tuple(problems), warnings=tuple(warnings))


def refused(error: RenderError) -> Rendered:
    """Return what is left of a directory that could not be rendered: why."""
    return Rendered(objects=(), settings=Settings(), problems=error.problems)


def _settings_of(layout: Layout) -> tuple[Settings, list[Problem]]:
    try:
        written = parse_settings(layout.settings) if layout.settings else Settings()
    except RenderError as error:
        return Settings(), list(error.problems)
    settings, problems = with_jobs(written, layout.jobs)
    return settings, list(problems)


def _order(written: Written) -> tuple[str, str, str, str, str, int]:
    ref, origin = written.manifest.ref, written.manifest.origin
    return ref.group, ref.kind, ref.namespace, ref.name, origin.file, origin.line


def _count_problems(objects: Sequence[Written], before: Sequence[Problem], directory: str) -> Iterator[Problem]:
    if not objects and not before:
        message = "nothing in this directory renders to an object"
        hint = "to take an environment down, remove it from gitopsd's configuration"
        yield Problem(code="EMPTY_ENVIRONMENT", stage=Stage.RENDER, message=message, hint=hint, file=directory)
    if len(objects) > OBJECTS_MAX:
        message = f"{len(objects)} objects; {OBJECTS_MAX} are the most"
        hint = "split the environment"
        yield Problem(code="ENVIRONMENT_TOO_LARGE", stage=Stage.RENDER, message=message, hint=hint, file=directory)

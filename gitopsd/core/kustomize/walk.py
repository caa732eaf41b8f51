"""Follows a kustomization through everything it names, before kustomize does: what must not be run never is.

Every name must lead to a file below its own kustomization, or to a directory of the same repository. Each step is one
that kustomize would take as well, so a walk that ends within its bounds is work that can be done. What is written is
parsed once, however many lead to it: a few bytes of a commit could ask for a thousand times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.kustomize.fields import (
    Names,
    Reference,
    entry,
    foreign_plugin,
    foreign_power,
    is_remote,
    references,
    references_of_plugin,
)
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.kustomization import kustomization_among
from gitopsd.core.manifests.lines import Lines, Place
from gitopsd.core.manifests.paths import inside, is_below, parent
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.manifests.text import TextFile, read_text
from gitopsd.core.manifests.yaml import Document, Value
from gitopsd.core.model import File, Origin

STEPS_MAX = 1_000
NAMES_MAX = 50_000
DEPTH_MAX = 32

_HINTS = {
    "KUSTOMIZE_CIRCLE": "let one of them name the files instead",
    "KUSTOMIZE_INVALID": "write one kustomization into one file",
    "KUSTOMIZE_MISSING": "correct the path, or commit what it names",
    "KUSTOMIZE_OUTSIDE": "a file must lie below the kustomization that names it; a base, anywhere in the repository",
    "KUSTOMIZE_POWER": "commit what it prints; a chart can be an environment of its own",
    "KUSTOMIZE_REMOTE": "copy what is there into the repository and name it by its path",
    "KUSTOMIZE_TOO_LARGE": "let fewer bases build on each other",
}

_GENERATORS = {"configmapgenerator": "ConfigMap", "secretgenerator": "Secret"}

# The files of a directory of the repository, in it and below it; None = there is no such directory.
Read: TypeAlias = Callable[[str], Sequence[File] | None]


@dataclass(frozen=True, slots=True)
class Affix:
    """What the kustomizations on the way to a name put around it."""

    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Generated:
    """An object that a kustomization makes of other files."""

    kind: str
    name: str
    affix: Affix
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What was met. ``top`` is the first kustomization's file; ``resources`` are files of objects."""

    top: str
    directories: tuple[str, ...]
    resources: tuple[tuple[File, Affix], ...] = field(repr=False)
    generated: tuple[Generated, ...]


def walk(directory: str, read: Read, asked: Origin) -> Walk:
    """Follow the kustomization in this directory. ``asked`` is where somebody asked for it.

    Raises:
        RenderError: with everything in it that leads where nothing may be read, and all that would be run.
    """
    walker = _Walker(read)
    top = walker.enter(directory, asked, None, None)
    refuse_any(walker.problems)
    return Walk(
        top=top,
        directories=tuple(sorted(walker.directories)),
        resources=tuple(walker.resources),
        generated=tuple(walker.generated),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A kustomization's file, read: the same whoever leads to it. ``files`` are those in its directory and below."""

    directory: str
    text: TextFile
    lines: Lines
    document: Document
    fields: Mapping[str, Value]
    files: Mapping[str, File]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class _Kustomization:
    """One on its way. ``chain`` are the directories that lead to it, ``affix`` is its own and theirs.

    ``user`` is the one that uses what comes of this one as plugins; what those name lies below the user's directory.
    """

    written: _Written
    chain: tuple[str, ...]
    affix: Affix
    user: _Kustomization | None

    @property
    def directory(self) -> str:
        return self.written.directory

    @property
    def files(self) -> Mapping[str, File]:
        return self.written.files

    def origin(self, place: Place) -> Origin:
        return Origin(self.written.text.path, self.written.lines.at(self.written.document.line, place))

    def problem(self, code: str, place: Place, message: str) -> Problem:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
        return self.written.text.problem(code, f"{path} {message}", self.origin(place).line, _HINTS[code])


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A plugin's configuration: what it would run besides kustomize (empty = nothing), and the files it names."""

    power: str
    names: tuple[Reference, ...]


class _Endless(RenderError):
    """There is no point in going on."""


class _Walker:
    """Takes one step after the other, and collects."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._steps = 0
        self._names = 0
        self._written: dict[str, _Written] = {}
        self._plugins: dict[str, tuple[_Plugin, ...]] = {}
        self._inlines: dict[str, tuple[_Plugin, ...]] = {}
        self.problems: list[Problem] = []
        self.directories: set[str] = set()
        self.resources: list[tuple[File, Affix]] = []
        self.generated: list[Generated] = []

    def enter(self, directory: str, asked: Origin, above: _Kustomization | None, reference: Reference | None) -> str:
        """Read the directory's kustomization and follow it; return its path."""
        self._refuse_endless(directory, asked, above)
        written = self._written_in(directory, asked, reference)
        self.directories.add(directory)
        self._follow(_reached(written, above, for_plugins=reference is not None and reference.names is Names.PLUGIN))
        return written.text.path

    def _written_in(self, directory: str, asked: Origin, reference: Reference | None) -> _Written:
        if directory not in self._written:
            files = self._read(directory)
            if files is None:
                may_be_file = reference is not None and reference.names is not Names.DIRECTORY
                what = "neither a file nor a directory" if may_be_file else "no directory"
                raise _refused("KUSTOMIZE_MISSING", asked, f"there is {what} {_shown(directory)}")
            file = kustomization_among(one for one in files if parent(one.path) == directory)
            if file is None:
                raise _refused("KUSTOMIZE_MISSING", asked, f"there is no kustomization in {_shown(directory)}")
            self._written[directory] = _opened(file, files)
        return self._written[directory]

    def _refuse_endless(self, directory: str, asked: Origin, above: _Kustomization | None) -> None:
        chain = (*above.chain, above.directory) if above else ()
        self._step(asked)
        if any(is_below(before, directory) for before in chain):
            raise _refused("KUSTOMIZE_CIRCLE", asked, f"{_shown(directory)} is, or contains, what leads to it")
        if len(chain) > DEPTH_MAX:
            raise _refused("KUSTOMIZE_TOO_LARGE", asked, f"bases lie more than {DEPTH_MAX} deep")

    def _step(self, asked: Origin) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            # A base that is named twice by every base above it doubles the work with each.
            message = f"more than {STEPS_MAX} kustomizations and configurations of plugins are to be read"
            raise _Endless(_problem("KUSTOMIZE_TOO_LARGE", asked, message))

    def _follow(self, here: _Kustomization) -> None:
        self.problems += [here.problem("KUSTOMIZE_POWER", *found) for found in foreign_power(here.written.fields)]
        self.generated += _generated(here)
        self._refuse_too_many(here, len(here.written.references))
        for reference in here.written.references:
            try:
                self._take(here, reference)
            except _Endless:
                raise
            except RenderError as error:
                self.problems += error.problems
                self._refuse_hopeless()

    def _refuse_too_many(self, here: _Kustomization, names: int) -> None:
        self._names += names
        if self._names + len(self.generated) > NAMES_MAX:
            message = f"more than {NAMES_MAX} files and objects are named"
            raise _Endless(_problem("KUSTOMIZE_TOO_LARGE", here.origin(()), message))

    def _refuse_hopeless(self) -> None:
        if len(self.problems) >= yaml.PROBLEMS_PER_FILE_MAX:
            raise _Endless(*self.problems)

    def _take(self, here: _Kustomization, reference: Reference) -> None:
        match reference.names:
            case Names.FILE | Names.KEYED_FILE:
                _file_named(here, reference, here)
            case Names.PATCH:
                if not self._inline(reference.path):
                    _file_named(here, reference, here)
            case Names.DIRECTORY:
                self._descend(here, reference)
            case Names.RESOURCE:
                self._resource(here, reference)
            case Names.PLUGIN:
                self._plugin(here, reference)
            case _:
                assert_never(reference.names)

    def _resource(self, here: _Kustomization, reference: Reference) -> None:
        file = here.files.get(_target(here, reference, here))
        if file is None:
            self._descend(here, reference)
        elif here.user:
            self._configure(here, reference, self._plugins_in(file), here.user)
        else:
            self.resources.append((file, here.affix))

    def _plugin(self, here: _Kustomization, reference: Reference) -> None:
        if inline := self._inline(reference.path):
            self._configure(here, reference, inline, here)
        elif file := here.files.get(_target(here, reference, here)):
            self._configure(here, reference, self._plugins_in(file), here)
        else:
            self._descend(here, reference)

    def _configure(
        self, here: _Kustomization, reference: Reference, found: Iterable[_Plugin], user: _Kustomization
    ) -> None:
        """Judge configurations of plugins that stand, or are named, at this place."""
        for plugin in found:
            self._step(here.origin(reference.place))
            self._refuse_too_many(here, len(plugin.names))
            if plugin.power:
                self.problems.append(here.problem("KUSTOMIZE_POWER", reference.place, plugin.power))
            for named in plugin.names:
                _file_named(here, replace(named, place=reference.place), user)

    def _inline(self, text: str) -> tuple[_Plugin, ...]:
        """Return what stands in a field instead of a path."""
        if text not in self._inlines:
            self._inlines[text] = tuple(_plugin(one) for one in _inline(text))
        return self._inlines[text]

    def _plugins_in(self, file: File) -> tuple[_Plugin, ...]:
        if file.path not in self._plugins:
            documents = yaml.parse(read_text(file.path, file.content))
            self._plugins[file.path] = tuple(_plugin(one) for one in _mappings(documents))
        return self._plugins[file.path]

    def _descend(self, here: _Kustomization, reference: Reference) -> None:
        self.enter(_target(here, reference, here), here.origin(reference.place), here, reference)


def _opened(file: File, files: Sequence[File]) -> _Written:
    text = read_text(file.path, file.content)
    documents = yaml.parse(text)
    value = documents[0].value if documents else None
    if not isinstance(value, Mapping) or len(documents) > 1:
        message = "must hold one mapping and nothing else"
        raise RenderError(text.problem("KUSTOMIZE_INVALID", message, hint=_HINTS["KUSTOMIZE_INVALID"]))
    return _Written(
        directory=parent(file.path),
        text=text,
        lines=Lines(text.content),
        document=documents[0],
        fields=value,
        files={one.path: one for one in files},
        references=tuple(references(value)),
    )


def _reached(written: _Written, above: _Kustomization | None, *, for_plugins: bool) -> _Kustomization:
    outer = above.affix if above else Affix()
    prefix, suffix = _text(written.fields, "namePrefix"), _text(written.fields, "nameSuffix")
    return _Kustomization(
        written=written,
        chain=(*above.chain, above.directory) if above else (),
        affix=Affix(outer.prefix + prefix, suffix + outer.suffix),
        user=above if for_plugins else above and above.user,
    )


def _generated(here: _Kustomization) -> Iterator[Generated]:
    for key, made in here.written.fields.items():
        kind = _GENERATORS.get(key.casefold())
        for index, one in enumerate(made if kind and isinstance(made, list) else ()):
            if kind and isinstance(one, Mapping):
                yield Generated(kind, _text(one, "name"), here.affix, here.origin((key, index)))


def _target(here: _Kustomization, reference: Reference, root: _Kustomization) -> str:
    """Return what is named, from the repository's root."""
    if is_remote(reference):
        raise RenderError(here.problem("KUSTOMIZE_REMOTE", reference.place, "is an address; nothing is fetched"))
    target = inside(root.directory, reference.path)
    if target is None:
        raise RenderError(here.problem("KUSTOMIZE_OUTSIDE", reference.place, "leads out of the repository"))
    return target


def _file_named(here: _Kustomization, reference: Reference, root: _Kustomization) -> None:
    """Return if the file is there and may be read."""
    target = _target(here, reference, root)
    if not is_below(target, root.directory):
        message = f"names a file outside of {_shown(root.directory)}"
        raise RenderError(here.problem("KUSTOMIZE_OUTSIDE", reference.place, message))
    if target not in root.files:
        raise RenderError(
            here.problem("KUSTOMIZE_MISSING", reference.place, f"names {_shown(target)}, which is no file")
        )


def _plugin(configuration: Mapping[str, Value]) -> _Plugin:
    named = references_of_plugin(configuration)
    names = (one for one in named if one.names is not Names.PATCH or not _inline(one.path))
    return _Plugin(foreign_plugin(configuration), tuple(names))


def _inline(text: str) -> list[Mapping[str, Value]]:
    """Return the objects that stand in a field instead of a path."""
    try:
        return list(_mappings(yaml.parse(TextFile("", text))))
    except RenderError:
        return []


def _mappings(documents: Iterable[Document]) -> Iterator[Mapping[str, Value]]:
    for document in documents:
        items = entry(document.value, "items") if isinstance(document.value, Mapping) else None
        for value in items if isinstance(items, list) else [document.value]:
            if isinstance(value, Mapping):
                yield value


def _text(fields: Mapping[str, Value], key: str) -> str:
    value = entry(fields, key)
    return value if isinstance(value, str) else ""


def _refused(code: str, asked: Origin, message: str) -> RenderError:
    return RenderError(_problem(code, asked, message))


def _problem(code: str, asked: Origin, message: str) -> Problem:
    hint = _HINTS[code]
    return Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=asked.file, line=asked.line)


def _shown(directory: str) -> str:
    return directory or "the repository's root"

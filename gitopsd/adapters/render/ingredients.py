"""Everything that one render is made of, gathered and opened. Equal ingredients make equal sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gitopsd import __version__
from gitopsd.adapters.render.recent import Recent
from gitopsd.adapters.render.tool import Task, Tool
from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.manifests.layout import Layout, lay_out, refuse_too_much
from gitopsd.core.manifests.paths import is_below
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import Decrypted, Environment, File, Json, Wanted
from gitopsd.core.recipes import Plain, Recipe
from gitopsd.core.settings import Settings
from gitopsd.ports import Decryptor

SHARED_BYTES_MAX = 16 * 1024 * 1024


class Directories(Protocol):
    """What a renderer needs of ``ports.Source``."""

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        """See ``ports.Source``."""

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        """See ``ports.Source``."""


class Tools(Protocol):
    """What a renderer needs of a ``Workshop``."""

    def tool_for(self, recipe: type[Recipe]) -> Tool:
        """See ``Workshop``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """``trees`` are the directories by path, with Git's ids; ``tool`` None = the files are read as they are.

    ``version`` is the tool's, from before it was used.
    """

    task: Task
    layout: Layout
    trees: Mapping[str, str]
    opened: Decrypted
    tool: Tool | None
    version: str

    @property
    def key(self) -> str:
        """What is the same for equal ingredients, and for no others."""
        return key_of(self.task.environment, self.trees, self.version, self.opened.keys)

    @property
    def is_current(self) -> bool:
        """Whether the tool is still the one that it was."""
        return self.tool is None or self.tool.version() == self.version

    @property
    def inputs(self) -> str:
        """What is the same for equal files, whatever version of the tool renders them."""
        return digest_of(canonical([*_names(self.task.environment), dict(self.trees)]))


def key_of(environment: Environment, trees: Mapping[str, str], version: str, keys: str) -> str:
    """Return a set's key. Names are in it, because helm tells a chart what its release is called."""
    return digest_of(canonical([__version__, *_names(environment), dict(trees), version, keys]))


def _names(environment: Environment) -> list[Json]:
    return [environment.name, environment.path, list(environment.namespaces)]


@dataclass(frozen=True, slots=True)
class Larder:
    """Where ingredients come from."""

    source: Directories
    decryptor: Decryptor
    tools: Tools
    _shared: Recent[tuple[File, ...]] = field(default_factory=lambda: Recent(SHARED_BYTES_MAX), init=False)

    def gather(self, environment: Environment, wanted: Wanted) -> Ingredients:
        """Return what the environment's directory is rendered from at that revision.

        Raises:
            RenderError: the files ask for what is not there, or could not be opened.
            SourceError: they could not be read.
        """
        read = _Reading(self.source, self._shared, environment, wanted)
        layout = lay_out(environment.path, read.own)
        settings = Settings()
        tool = None
        directories: tuple[str, ...] = ()
        if not isinstance(layout.recipe, Plain):
            tool = self.tools.tool_for(type(layout.recipe))
            settings = parse_settings(layout.settings) if layout.settings else settings
        task = Task(environment=environment, recipe=layout.recipe, settings=settings, written=layout.settings)
        if tool:
            directories = tool.directories(task, read)
        trees = {path: read.tree(path) for path in _outermost([environment.path, *directories])}
        version = tool.version() if tool else ""
        opened = self.decryptor.decrypt(environment, read.all_of(trees))
        layout = lay_out(environment.path, [file for file in opened.files if is_below(file.path, environment.path)])
        _refuse_hidden(layout.settings, opened)
        return Ingredients(task=task, layout=layout, trees=trees, opened=opened, tool=tool, version=version)


class _Reading:
    """The directories of one revision, each read once."""

    def __init__(
        self, source: Directories, shared: Recent[tuple[File, ...]], environment: Environment, wanted: Wanted
    ) -> None:
        self._source, self._shared, self._environment, self._wanted = source, shared, environment, wanted
        self.own = source.read(environment, wanted)
        self._known: dict[str, tuple[File, ...]] = {environment.path: self.own}

    def __call__(self, directory: str) -> tuple[File, ...] | None:
        """Implements ``tool.Read``."""
        around = next((known for known in self._known if is_below(directory, known)), None)
        if around is not None:
            inside = tuple(file for file in self._known[around] if is_below(file.path, directory))
            return inside if directory == around else inside or None
        tree = self._source.tree(self._environment, self._wanted, directory)
        if tree is None:
            return None
        self._known[directory] = self._files(directory, tree)
        return self._known[directory]

    def _files(self, directory: str, tree: str) -> tuple[File, ...]:
        """Return a further directory's files. A base is read once for all environments that build on it."""
        key = (self._environment.source, directory, tree)
        files = self._shared.get(key) if tree else None
        if files is None:
            files = self._source.read(self._environment, self._wanted, directory)
            self._shared.put(key, files, weight=sum(len(file.content) for file in files))
        return files

    def tree(self, directory: str) -> str:
        if directory == self._environment.path:
            return self._wanted.tree
        return self._source.tree(self._environment, self._wanted, directory) or ""

    def all_of(self, directories: Iterable[str]) -> tuple[File, ...]:
        """Return the files of the directories, in path order, if they are not too many."""
        found = {file.path: file for directory in directories for file in self(directory) or ()}
        files = tuple(found[path] for path in sorted(found))
        if len(self._known) > 1:
            refuse_too_much(files, self._environment.path)
        return files


def _refuse_hidden(settings: File | None, opened: Decrypted) -> None:
    if settings and settings.path in opened.opened:
        message = "is encrypted, and status and probes show all that it says"
        hint = "let it stand in plain; what must be hidden belongs into manifests, or into the Job of a probe"
        problem = Problem(code="SETTINGS_ENCRYPTED", stage=Stage.RENDER, message=message, hint=hint, file=settings.path)
        raise RenderError(problem)


def _outermost(directories: Iterable[str]) -> list[str]:
    """Return the directories that lie in none of the others."""
    found = set(directories)
    return sorted(path for path in found if not any(path != other and is_below(path, other) for other in found))

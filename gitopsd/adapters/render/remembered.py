"""Rendered sets by their ingredients; and what a directory was rendered from, so that Git is asked for ids only.

What was rendered by a tool also lies on a shelf, for the next start. A set in which anything was decrypted lies there
sealed, or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

from gitopsd.adapters.render.ingredients import Ingredients, Larder, key_of
from gitopsd.adapters.render.recent import Recent
from gitopsd.adapters.render.shelf import Shelf
from gitopsd.adapters.render.shelved import shelved, unshelved
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.model import Desired, Environment, Wanted
from gitopsd.core.recipes import Helm, Kustomize, Plain, Recipe

DIRECTORIES_MAX = 10_000
REFUSALS_MAX = 1_000
PAUSE_S = 600.0

# These may pass, although the commit stays the same.
_PASSING = frozenset({"RENDER_DISK", "RENDER_NO_MEMORY_DISK", "RENDER_NOT_STARTED", "RENDER_QUEUE"})
# These may as well, but are too dear to be tried at each pass.
_DEAR = frozenset({"RENDER_KILLED", "RENDER_TIMEOUT"})
_RECIPES: dict[str, type[Recipe]] = {"plain": Plain, "kustomize": Kustomize, "helm": Helm}
_NAMES = {recipe: name for name, recipe in _RECIPES.items()}


class Sealing(Protocol):
    """Makes plaintext into bytes that may lie on disk, and back."""

    def seal(self, content: bytes, name: bytes = b"") -> bytes:
        """Return the content, sealed under a name."""

    def open(self, sealed: bytes, name: bytes = b"") -> bytes | None:
        """Return the content; None when it was not sealed so."""


# The seal of an environment's keys; None = it has none.
SealOf: TypeAlias = Callable[[Environment], Sealing | None]


@dataclass(frozen=True, slots=True)
class Storage:
    """Where sets lie across restarts, and what seals those that may not lie there in plain."""

    shelf: Shelf
    seal_of: SealOf


@dataclass(frozen=True, slots=True)
class _Source:
    """What a directory was rendered from. ``opened`` = something in it was encrypted."""

    directories: tuple[str, ...]
    recipe: str
    opened: bool


class Remembered:
    """What was rendered. For any number of threads."""

    def __init__(self, larder: Larder, objects_max: int, storage: Storage | None = None) -> None:
        self._larder = larder
        self._storage = storage
        self._sources: Recent[_Source] = Recent(DIRECTORIES_MAX)
        self._sets: Recent[Desired] = Recent(objects_max)
        self._refusals: Recent[tuple[tuple[Problem, ...], float]] = Recent(REFUSALS_MAX)

    def find(self, environment: Environment, wanted: Wanted) -> Desired | None:
        """Return the environment's set, if all directories that it was rendered from are as they were.

        Raises:
            RenderError: what they came to, when they made none; or the tool or the keys are not there any more.
            SourceError: a directory could not be looked up.
        """
        source = self._source(_place(environment, wanted))
        trees = self._trees(environment, wanted, source.directories) if source else None
        if source is None or trees is None:
            return None
        recipe = _RECIPES[source.recipe]
        version = "" if recipe is Plain else self._larder.tools.tool_for(recipe).version()
        keys = self._larder.decryptor.keys(environment) if source.opened else ""
        key = key_of(environment, trees, version, keys)
        self._refuse_known(key)
        return self._set(environment, key, opened=source.opened)

    def made_of(self, ingredients: Ingredients) -> Desired | None:
        """Return the set that these ingredients have made before.

        Raises:
            RenderError: what they came to, when they made none.
        """
        self._refuse_known(ingredients.key)
        return self._set(ingredients.task.environment, ingredients.key, opened=bool(ingredients.opened.opened))

    def keep(self, wanted: Wanted, ingredients: Ingredients, desired: Desired) -> None:
        """Remember what these ingredients make."""
        environment, opened = ingredients.task.environment, bool(ingredients.opened.opened)
        source = self._keep_source(wanted, ingredients)
        self._sets.put(ingredients.key, desired, weight=len(desired.manifests))
        if self._storage and ingredients.tool:
            self._storage.shelf.put(f"from {_place(environment, wanted)}", msgspec.json.encode(source))
            self._shelve(ingredients, shelved(desired, ingredients.layout), opened=opened)

    def keep_refusal(self, wanted: Wanted, ingredients: Ingredients, error: RenderError) -> None:
        """Remember that these ingredients make nothing, unless that may pass. They need not be opened to know it."""
        codes = {problem.code for problem in error.problems}
        if not codes & _PASSING:
            until = time.monotonic() + PAUSE_S if codes & _DEAR else float("inf")
            self._keep_source(wanted, ingredients)
            self._refusals.put(ingredients.key, (error.problems, until), weight=1)

    def _keep_source(self, wanted: Wanted, ingredients: Ingredients) -> _Source:
        opened = bool(ingredients.opened.opened)
        source = _Source(tuple(ingredients.trees), _NAMES[type(ingredients.task.recipe)], opened)
        self._sources.put(_place(ingredients.task.environment, wanted), source, weight=len(source.directories))
        return source

    def _refuse_known(self, key: str) -> None:
        known = self._refusals.get(key)
        if known and time.monotonic() < known[1]:
            raise RenderError(*known[0])

    def _source(self, place: str) -> _Source | None:
        known = self._sources.get(place)
        written = self._storage.shelf.get(f"from {place}") if self._storage and known is None else None
        if written is None:
            return known
        try:
            source = msgspec.json.decode(written, type=_Source)
        except msgspec.MsgspecError:
            return None
        # Another version of gitopsd may know recipes that this one does not.
        return source if source.recipe in _RECIPES else None

    def _trees(
        self, environment: Environment, wanted: Wanted, directories: tuple[str, ...]
    ) -> Mapping[str, str] | None:
        trees = {}
        for directory in directories:
            own = directory == environment.path
            tree = wanted.tree if own else self._larder.source.tree(environment, wanted, directory)
            if tree is None:
                return None
            trees[directory] = tree
        return trees

    def _set(self, environment: Environment, key: str, *, opened: bool) -> Desired | None:
        known = self._sets.get(key)
        if known or not self._storage:
            return known
        content = self._storage.shelf.get(f"set {key}")
        if content and opened:
            seal = self._storage.seal_of(environment)
            content = seal.open(content, key.encode()) if seal else None
        found = unshelved(content) if content else None
        if found:
            self._sets.put(key, found, weight=len(found.manifests))
        return found

    def _shelve(self, ingredients: Ingredients, content: bytes, *, opened: bool) -> None:
        if not self._storage:
            return
        seal = self._storage.seal_of(ingredients.task.environment) if opened else None
        if seal:
            content = seal.seal(content, ingredients.key.encode())
        if seal or not opened:
            self._storage.shelf.put(f"set {ingredients.key}", content)


def _place(environment: Environment, wanted: Wanted) -> str:
    return digest_of(canonical([environment.source, environment.path, wanted.tree]))

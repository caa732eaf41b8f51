"""Rendered sets by their ingredients; and what a directory was rendered from, so that Git is asked for ids only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitopsd.adapters.render.ingredients import Ingredients, Larder, key_of
from gitopsd.adapters.render.recent import Recent
from gitopsd.core.model import Desired, Environment, Wanted
from gitopsd.core.recipes import Plain, Recipe

DIRECTORIES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _Source:
    """``opened`` = something in the directories was encrypted."""

    directories: tuple[str, ...]
    recipe: type[Recipe]
    opened: bool


class Remembered:
    """What was rendered. For any number of threads."""

    def __init__(self, larder: Larder, objects_max: int) -> None:
        self._larder = larder
        self._sources: Recent[_Source] = Recent(DIRECTORIES_MAX)
        self._sets: Recent[Desired] = Recent(objects_max)

    def find(self, environment: Environment, wanted: Wanted) -> Desired | None:
        """Return the environment's set, if all directories that it was rendered from are as they were.

        Raises:
            RenderError: the tool or the keys are not there any more.
            SourceError: a directory could not be looked up.
        """
        source = self._sources.get(_place(environment, wanted))
        trees = self._trees(environment, wanted, source.directories) if source else None
        if source is None or trees is None:
            return None
        tool = None if source.recipe is Plain else self._larder.tools.tool_for(source.recipe)
        keys = self._larder.decryptor.keys(environment) if source.opened else ""
        return self._sets.get(key_of(environment, trees, tool.version() if tool else "", keys))

    def made_of(self, ingredients: Ingredients) -> Desired | None:
        """Return the set that these ingredients have made before."""
        return self._sets.get(ingredients.key)

    def keep(self, wanted: Wanted, ingredients: Ingredients, desired: Desired) -> None:
        """Remember what these ingredients make."""
        place = _place(ingredients.task.environment, wanted)
        source = _Source(tuple(ingredients.trees), type(ingredients.task.recipe), bool(ingredients.opened.opened))
        self._sources.put(place, source, weight=len(source.directories))
        self._sets.put(ingredients.key, desired, weight=len(desired.manifests))

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


def _place(environment: Environment, wanted: Wanted) -> tuple[str, str, str]:
    return environment.source, environment.path, wanted.tree

"""Implements ``ports.Renderer``: gathers what a directory is rendered from, and renders it once.

Git's ids name bytes and a key names ingredients, so nothing that is kept here can go stale; only size makes it forget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gitopsd.adapters.render.ingredients import Ingredients, Larder
from gitopsd.adapters.render.recent import Recent
from gitopsd.adapters.render.remembered import Remembered, Storage
from gitopsd.adapters.render.turns import Turns
from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.concealment import concealed, concealed_error
from gitopsd.core.manifests.directory import Rendered, assemble, desired_of, read_plain, refused
from gitopsd.core.manifests.objects import FileContent, read_file
from gitopsd.core.manifests.unstable import lasting
from gitopsd.core.model import Desired, Environment, File, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much is remembered: bytes of files that were read, and objects of rendered sets."""

    files_bytes_max: int = 64 * 1024 * 1024
    sets_objects_max: int = 50_000


class DirectoryRenderer:
    """Renders plain directories by itself, all others by their tool."""

    def __init__(
        self, larder: Larder, turns: Turns | None = None, room: Room | None = None, storage: Storage | None = None
    ) -> None:
        room = room or Room()
        self._larder = larder
        self._turns = turns or Turns()
        self._files: Recent[FileContent] = Recent(room.files_bytes_max)
        self._remembered = Remembered(larder, room.sets_objects_max, storage)

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        """Return the objects that the environment's directory renders to at that revision.

        Raises:
            RenderError: with every problem found.
            SourceError: the files could not be read.
        """
        known = self._remembered.find(environment, wanted)
        if known is None:
            ingredients = self._larder.gather(environment, wanted)
            known = self._remembered.made_of(ingredients) or self._desired(wanted, ingredients)
            if ingredients.is_current:
                self._remembered.keep(wanted, ingredients, known)
        return replace(known, revision=wanted.revision)

    def look(self, environment: Environment, wanted: Wanted) -> Rendered:
        """Return all that the directory says, right and wrong.

        Raises:
            SourceError: the files could not be read.
        """
        try:
            return self._made(self._larder.gather(environment, wanted))
        except RenderError as error:
            return refused(error)

    def _desired(self, wanted: Wanted, ingredients: Ingredients) -> Desired:
        try:
            return lasting(desired_of(wanted.revision, self._made(ingredients)), ingredients.inputs)
        except RenderError as error:
            self._remembered.keep_refusal(wanted, ingredients, error)
            raise

    def _made(self, ingredients: Ingredients) -> Rendered:
        """Render, so that nothing of what was encrypted can be told of what comes of it."""
        try:
            return concealed(self._rendered(ingredients), ingredients.opened.values)
        except RenderError as error:
            raise concealed_error(error, ingredients.opened.values) from None

    def _rendered(self, ingredients: Ingredients) -> Rendered:
        path, layout = ingredients.task.environment.path, ingredients.layout
        if ingredients.tool is None:
            return read_plain(path, layout, lambda file: self._content(file, ingredients))
        with self._turns.taken():
            product = ingredients.tool.make(ingredients.task, ingredients.opened)
        return assemble(path, layout, [product.content], product.warnings)

    def _content(self, file: File, ingredients: Ingredients) -> FileContent:
        key = (file.oid, file.path, file.path in ingredients.opened.opened)
        known = self._files.get(key)
        if known is None:
            known = read_file(file)
            self._files.put(key, known, weight=len(file.content))
        return known

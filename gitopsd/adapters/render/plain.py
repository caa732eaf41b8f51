"""Renders plain directories. What a file held, and what a tree became, is remembered by Git's own object ids.

Bytes with the same id are the same bytes, so nothing here can go stale; only age and size make it forget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from threading import Lock
from typing import Generic, TypeVar

from gitopsd.core.manifests.directory import desired_from
from gitopsd.core.manifests.objects import FileContent, read_file
from gitopsd.core.model import Desired, Environment, File, Wanted

Read = Callable[[Environment, Wanted], tuple[File, ...]]

FILES_BYTES_MAX = 64 * 1024 * 1024
SETS_OBJECTS_MAX = 50_000

_Value = TypeVar("_Value")


class PlainRenderer:
    """Implements ``ports.Renderer``. ``read`` gives the files of an environment's directory."""

    def __init__(
        self, read: Read, *, files_bytes_max: int = FILES_BYTES_MAX, sets_objects_max: int = SETS_OBJECTS_MAX
    ) -> None:
        self._read = read
        self._files: _Recent[FileContent] = _Recent(files_bytes_max)
        self._sets: _Recent[Desired] = _Recent(sets_objects_max)

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        """Return the objects that the environment's directory holds at that revision.

        Raises:
            RenderError: with every problem found.
            SourceError: the files could not be read.
        """
        key = (environment.source, environment.path, wanted.tree)
        known = self._sets.get(key)
        if known is None:
            files = self._read(environment, wanted)
            known = desired_from(wanted.revision, environment.path, files, self._content)
            self._sets.put(key, known, weight=len(known.manifests))
        return replace(known, revision=wanted.revision)

    def _content(self, file: File) -> FileContent:
        key = (file.oid, file.path)
        known = self._files.get(key)
        if known is None:
            known = read_file(file)
            self._files.put(key, known, weight=len(file.content))
        return known


class _Recent(Generic[_Value]):
    """The values used last, as many as the sum of their weights allows. For any number of threads."""

    def __init__(self, weight_max: int) -> None:
        self._weight_max = weight_max
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> _Value | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: _Value, weight: int) -> None:
        with self._lock:
            _, replaced = self._kept.pop(key, (None, 0))
            self._kept[key] = (value, weight)
            self._weight += weight - replaced
            while self._weight > self._weight_max:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._weight -= dropped

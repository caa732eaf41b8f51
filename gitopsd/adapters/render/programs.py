"""Finds kustomize, helm and sops, and asks them their version: once for each file there is, not for each run."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from gitopsd.adapters.render.jail import Jail, Ran, Surroundings
from gitopsd.adapters.render.turns import Turns
from gitopsd.core.errors import Problem, RenderError, Stage

# What keeps a program from being used, by no fault of any commit.
UNUSABLE = frozenset({"TOOL_BROKEN", "TOOL_MISSING", "TOOL_TOO_OLD"})

_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?([-+.0-9A-Za-z]*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A program as gitopsd needs it.

    ``asks`` are the arguments that make it print its version. ``least`` are the oldest versions taken: one of a newer
    major version is measured by the highest of them. ``path`` None = whatever lies on PATH.
    """

    name: str
    asks: tuple[str, ...]
    least: tuple[tuple[int, int, int], ...]
    path: Path | None = None


KUSTOMIZE = Wish(name="kustomize", asks=("version",), least=((5, 0, 0),))
HELM = Wish(name="helm", asks=("version", "--template", "{{.Version}}"), least=((3, 20, 2), (4, 1, 4)))
# 3.13.2 computes another MAC than all others.
SOPS = Wish(name="sops", asks=("--disable-version-check", "--version"), least=((3, 13, 3),))


@dataclass(frozen=True, slots=True)
class Found:
    """A program that can be used: where it lies, and its version as it says it."""

    path: Path
    version: str


class Program:
    """One program of this machine. It may be replaced while gitopsd runs; for any number of threads."""

    def __init__(self, jail: Jail, wish: Wish) -> None:
        self._jail = jail
        self._wish = wish
        self._turns = {False: Turns(), True: Turns()}
        self._known: dict[tuple[object, ...], Found] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What it is called."""
        return self._wish.name

    def found(self) -> Found:
        """Return the program.

        Raises:
            RenderError: TOOL_MISSING, TOOL_TOO_OLD or TOOL_BROKEN.
        """
        path = self._path()
        status = path.stat()
        file = (path, status.st_ino, status.st_size, status.st_mtime_ns)
        with self._lock:
            if file not in self._known:
                self._known = {file: Found(path, self._version(path))}
            return self._known[file]

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: Unpack[Surroundings]) -> Ran:
        """Run the program in the jail, as often at once as there are cores; a non-zero exit is a value.

        With a network it waits more than it computes, so those that have one wait for each other only.

        Raises:
            RenderError: as for ``found``, ``Turns.taken`` and ``Jail.run``.
        """
        with self._turns[given.get("network", False)].taken():
            return self._jail.run([str(self.found().path), *arguments], files, **given)

    def _path(self) -> Path:
        wish = self._wish
        path = shutil.which(wish.path or wish.name)
        if path is None:
            where = f"{wish.path} is no program" if wish.path else "it is not on PATH"
            raise self._refused("TOOL_MISSING", f"{wish.name} cannot be found: {where}", "install it, or correct")
        return Path(path).resolve()

    def _version(self, path: Path) -> str:
        ran = self._jail.run([str(path), *self._wish.asks], ())
        said = ran.stdout.decode(errors="replace").strip()
        match = _VERSION.search(said) if ran.code == 0 else None
        if match is None:
            cause = said or ran.stderr or f"it ended with {ran.code}"
            raise self._refused("TOOL_BROKEN", f"{path} does not say its version", "install another, or correct", cause)
        version = (int(match[1]), int(match[2]), int(match[3] or 0))
        least = next((one for one in self._wish.least if one[0] == version[0]), self._wish.least[-1])
        if version < least:
            oldest = " or ".join(".".join(str(part) for part in one) for one in self._wish.least)
            message = f"{path} is version {match[0]}; {oldest} is the oldest that is taken"
            raise self._refused("TOOL_TOO_OLD", message, "install a newer one, or correct")
        return match[0]

    def _refused(self, code: str, message: str, remedy: str, cause: str = "") -> RenderError:
        hint = f"{remedy} render.{self._wish.name} in gitopsd's configuration"
        return RenderError(Problem(code=code, stage=Stage.RENDER, message=message, cause=cause[:200], hint=hint))

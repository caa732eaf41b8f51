"""What kustomize and helm have in common: they say which directories they need, then make objects of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gitopsd.core.errors import Problem
from gitopsd.core.manifests.objects import FileContent
from gitopsd.core.model import Decrypted, Environment, File
from gitopsd.core.recipes import Recipe
from gitopsd.core.settings import Settings

# The files of a directory of the revision, which is named from the repository's root; None = no such directory.
Read: TypeAlias = Callable[[str], Sequence[File] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be rendered. ``written`` is ``gitopsd.yaml``, ``settings`` what it says, ``recipe`` how."""

    environment: Environment
    recipe: Recipe
    settings: Settings
    written: File | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What came of it: objects and problems, each where somebody wrote it; and what is worth knowing."""

    content: FileContent
    warnings: tuple[Problem, ...] = ()


class Tool(Protocol):
    """One program that renders. Neither call keeps anything; any number of threads may make them."""

    def version(self) -> str:
        """Return the program's name and version; equal files make equal sets as long as it stays.

        Raises:
            RenderError: the program is missing, too old or does not run.
        """

    def directories(self, task: Task, read: Read) -> tuple[str, ...]:
        """Return every directory whose files are needed, the environment's own always among them.

        Raises:
            RenderError: the files ask for what is not there, lies outside, or is never done.
            SourceError: a directory could not be read.
        """

    def make(self, task: Task, opened: Decrypted) -> Product:
        """Render. ``opened`` has all files of the directories.

        Raises:
            RenderError: the tool refused, with what it said; or it had to be ended.
        """

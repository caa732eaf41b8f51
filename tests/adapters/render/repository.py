"""A repository in memory with the real kustomize and helm in a real jail beside it; and how often each was asked."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitopsd.adapters.render import DirectoryRenderer, Larder, Storage, Workshop
from gitopsd.adapters.render.tool import Product, Read, Task, Tool
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.canonical import canonical
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import parse
from gitopsd.core.model import Decrypted, Desired, Environment, File, Revision, Wanted
from gitopsd.core.recipes import Recipe
from gitopsd.ports import Decryptor
from rig.binaries import build
from tests.fakes.decryptor import Unopened
from tests.fakes.source import FakeSource

STAGING = Environment(name="staging", source="s", path="env/staging", namespaces=("shop",))
PRODUCTION = Environment(name="production", source="s", path="env/production", namespaces=("shop",))


def a_map(name: str, value: str = "x") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: {value}}}\n"


class CountingSource(FakeSource):
    """Counts the directories that are read, and those of which only the id is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.trees: list[str] = []

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        self.reads.append(environment.path if directory is None else directory)
        return super().read(environment, wanted, directory)

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        self.trees.append(directory)
        return super().tree(environment, wanted, directory)


class CountedTool:
    """Implements ``tool.Tool`` by another one, and counts its renders."""

    def __init__(self, tool: Tool, made: list[str]) -> None:
        self._tool = tool
        self._made = made

    def version(self) -> str:
        return self._tool.version()

    def directories(self, task: Task, read: Read) -> tuple[str, ...]:
        return self._tool.directories(task, read)

    def make(self, task: Task, opened: Decrypted) -> Product:
        self._made.append(task.environment.name)
        return self._tool.make(task, opened)


class CountingWorkshop(Workshop):
    """Counts renders by environment."""

    def __init__(self, base: Path, programs: Mapping[str, Path] | None = None) -> None:
        super().__init__(base, programs or build(("kustomize", "helm")))
        self.made: list[str] = []

    def tool_for(self, recipe: type[Recipe]) -> Tool:
        return CountedTool(super().tool_for(recipe), self.made)


class Repository:
    """What the tests commit to, and the renderer over it."""

    def __init__(self, base: Path, programs: Mapping[str, Path] | None = None) -> None:
        self.source = CountingSource()
        self.workshop = CountingWorkshop(base / "jail", programs)
        self.renderer = self.started()

    def started(self, decryptor: Decryptor | None = None, storage: Storage | None = None) -> DirectoryRenderer:
        """A renderer that remembers nothing yet."""
        return DirectoryRenderer(Larder(self.source, decryptor or Unopened(), self.workshop), storage=storage)

    def commit(self, files: Mapping[str, str | None]) -> Revision:
        """Change files; their paths are from the root."""
        return self.source.commit(files)

    def render(self, environment: Environment = STAGING, renderer: DirectoryRenderer | None = None) -> Desired:
        """Render the newest commit."""
        return (renderer or self.renderer).render(environment, self.source.resolve(environment))

    def refusal(self, environment: Environment = STAGING) -> Problem:
        """Why the newest commit cannot be rendered: the first problem."""
        try:
            found = self.render(environment)
        except RenderError as error:
            return error.problem
        raise AssertionError(f"it was rendered: {[str(one.ref) for one in found.manifests]}")


def built(directory: Path) -> bytes:
    """What kustomize itself builds there, outside of any jail, as one canonical JSON array in ref order."""
    kustomize = build(("kustomize",))["kustomize"]
    ran = subprocess.run([kustomize, "build", directory], capture_output=True, check=True)
    objects = [document.value for document in parse(TextFile("", ran.stdout.decode()))]
    return canonical(sorted(objects, key=_order))


def _order(body: Any) -> tuple[str, str, str, str]:
    group = body["apiVersion"].rpartition("/")[0]
    metadata = body["metadata"]
    return group, body["kind"], metadata.get("namespace", ""), metadata["name"]

"""The jail and the tools in it, made when the first directory needs one: plain directories do without both."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gitopsd.adapters.render.helm import HelmTool
from gitopsd.adapters.render.jail import Jail
from gitopsd.adapters.render.kustomize import KustomizeTool
from gitopsd.adapters.render.programs import HELM, KUSTOMIZE, Program, Wish
from gitopsd.adapters.render.tool import Tool
from gitopsd.core.recipes import Helm, Kustomize, Recipe


class Workshop:
    """Gives each recipe its tool. ``base`` is where the jail's directories are made.

    ``programs`` are paths by name (``kustomize``, ``helm``); without one, the program is looked for on PATH.
    """

    def __init__(self, base: Path, programs: Mapping[str, Path] | None = None) -> None:
        self._base = base
        self._programs = programs or {}
        self._tools: Mapping[type[Recipe], Tool] = {}
        self._lock = threading.Lock()

    def tool_for(self, recipe: type[Recipe]) -> Tool:
        """Return the recipe's tool. ``Plain`` has none: its files are read as they are.

        Raises:
            RenderError: the jail cannot be made.
        """
        with self._lock:
            self._tools = self._tools or self._furnished(Jail(self._base))
        return self._tools[recipe]

    def _furnished(self, jail: Jail) -> Mapping[type[Recipe], Tool]:
        return {
            Kustomize: KustomizeTool(jail, self._program(jail, KUSTOMIZE)),
            Helm: HelmTool(jail, self._program(jail, HELM)),
        }

    def _program(self, jail: Jail, wish: Wish) -> Program:
        return Program(jail, replace(wish, path=self._programs.get(wish.name)))

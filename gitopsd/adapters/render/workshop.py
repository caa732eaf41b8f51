"""The jail and the tools in it, made when the first directory needs one: plain directories do without both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gitopsd.adapters.render.helm import HelmTool
from gitopsd.adapters.render.jail import Bounds, Jail, Measure
from gitopsd.adapters.render.kustomize import KustomizeTool
from gitopsd.adapters.render.programs import HELM, KUSTOMIZE, SOPS, Program, Wish
from gitopsd.adapters.render.tool import Tool
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.recipes import Helm, Kustomize, Recipe

_MIB = 1024 * 1024
# What one file may need. A key encrypted to a PGP key may be packed so that a few bytes become gigabytes.
_SOPS_BOUNDS = Bounds(memory_bytes=320 * _MIB, output_bytes=16 * _MIB, cpu_s=20)


@dataclass(frozen=True, slots=True)
class Furniture:
    """The jail, and the programs that run in it: tools that render, and sops."""

    jail: Jail
    tools: Mapping[type[Recipe], Tool]
    sops: Program


class Workshop:
    """Gives each recipe its tool. ``base`` is where the jail's directories are made.

    ``programs`` are paths by name (``kustomize``, ``helm``, ``sops``); without one, the program is looked for on PATH.
    """

    def __init__(self, base: Path, programs: Mapping[str, Path] | None = None) -> None:
        self._base = base
        self._programs = programs or {}
        self._made: Furniture | None = None
        self._lock = threading.Lock()

    def tool_for(self, recipe: type[Recipe]) -> Tool:
        """Return the recipe's tool. ``Plain`` has none: its files are read as they are.

        Raises:
            RenderError: the jail cannot be made.
        """
        return self._furniture().tools[recipe]

    def sops(self) -> Program:
        """Return the program that opens files.

        Raises:
            RenderError: the jail cannot be made.
        """
        return self._furniture().sops

    def missing_measures(self) -> tuple[Measure, ...]:
        """Return the walls of the jail that this machine does not allow.

        Raises:
            RenderError: the jail cannot be made.
        """
        return tuple(measure for measure in self._furniture().jail.measures if not measure.works)

    def troubles(self, *, with_sops: bool) -> tuple[Problem, ...]:
        """Return what is wrong with the programs; with sops, if it is to be used at all.

        Raises:
            RenderError: the jail cannot be made.
        """
        made = self._furniture()
        asked = [*(tool.version for tool in made.tools.values()), *([made.sops.found] if with_sops else [])]
        return tuple(problem for ask in asked for problem in _trouble(ask))

    def _furniture(self) -> Furniture:
        with self._lock:
            self._made = self._made or self._furnished(Jail(self._base))
        return self._made

    def _furnished(self, jail: Jail) -> Furniture:
        tools: Mapping[type[Recipe], Tool] = {
            Kustomize: KustomizeTool(jail, self._program(jail, KUSTOMIZE)),
            Helm: HelmTool(jail, self._program(jail, HELM)),
        }
        return Furniture(jail, tools, self._program(jail.within(_SOPS_BOUNDS), SOPS))

    def _program(self, jail: Jail, wish: Wish) -> Program:
        return Program(jail, replace(wish, path=self._programs.get(wish.name)))


def _trouble(ask: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        ask()
    except RenderError as error:
        return error.problems
    return ()

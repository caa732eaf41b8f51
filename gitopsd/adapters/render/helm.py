"""Renders by helm, in the jail: charts of the repository only, without a cluster, a plugin or a network.

What is rendered is rendered twice. Where the two differ the first one counts, and what differs is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gitopsd.adapters.render.jail import Jail, Ran
from gitopsd.adapters.render.programs import Program
from gitopsd.adapters.render.tool import Product, Read, Task
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.helm.functions import function_warnings
from gitopsd.core.helm.hooks import hook_warnings, unknown_hook_warnings
from gitopsd.core.helm.order import Order, Wish, order_of
from gitopsd.core.helm.output import complaint_of, objects_in
from gitopsd.core.manifests.objects import FileContent
from gitopsd.core.manifests.paths import is_below
from gitopsd.core.manifests.unstable import instabilities
from gitopsd.core.model import Decrypted, File
from gitopsd.core.recipes import Helm

_SURROUNDINGS = {"HELM_NO_PLUGINS": "1"}


class HelmTool:
    """Implements ``tool.Tool``."""

    def __init__(self, jail: Jail, program: Program) -> None:
        self._jail = jail
        self._program = program

    def version(self) -> str:
        """See ``tool.Tool``."""
        return f"helm {self._program.found().version}"

    def directories(self, task: Task, read: Read) -> tuple[str, ...]:
        """See ``tool.Tool``."""
        return (task.environment.path, *_order(task, read).directories)

    def make(self, task: Task, opened: Decrypted) -> Product:
        """See ``tool.Tool``."""
        order = _order(task, _among(opened.files))
        ran = self._printed(order, opened)
        content = objects_in(ran.stdout, order.chart)
        again = self._printed(order, opened)
        return Product(content=content, warnings=tuple(_warnings(order, content, ran, again)))

    def _printed(self, order: Order, opened: Decrypted) -> Ran:
        ran = self._jail.run(
            [str(self._program.found().path), *order.arguments],
            order.files(),
            secret=bool(opened.opened),
            environment=_SURROUNDINGS,
        )
        if ran.code != 0:
            raise RenderError(_failed(order, ran, opened))
        return ran


def _order(task: Task, read: Read) -> Order:
    recipe = task.recipe if isinstance(task.recipe, Helm) else Helm()
    wish = Wish(environment=task.environment, recipe=recipe, settings=task.settings, written=task.written)
    return order_of(wish, read)


def _among(files: tuple[File, ...]) -> Callable[[str], tuple[File, ...]]:
    return lambda directory: tuple(file for file in files if is_below(file.path, directory))


def _failed(order: Order, ran: Ran, opened: Decrypted) -> Problem:
    names = {name: file.path for name, file in order.values_by_name.items()}
    problem = complaint_of(ran.stderr, order.chart, names)
    if opened.opened:
        return replace(problem, cause="what it said is not shown: files were decrypted")
    return problem


def _warnings(order: Order, content: FileContent, ran: Ran, again: Ran) -> Iterator[Problem]:
    yield from function_warnings(order.chart)
    yield from hook_warnings(written.manifest for written in content.objects)
    yield from unknown_hook_warnings(ran.stderr, order.chart.file)
    if again.stdout != ran.stdout:
        yield from instabilities(content.objects, objects_in(again.stdout, order.chart).objects)

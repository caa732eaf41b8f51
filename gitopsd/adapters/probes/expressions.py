"""CEL, by Google's own library: over one variable called ``object``, and in bounds of time and memory.

The library is an extra: who writes an expression without it is told at once, not when the rollout waits.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, TypeAlias

import msgspec

from gitopsd.adapters.probes import evaluation
from gitopsd.adapters.probes.finding import shown
from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.model import Body, Desired, Environment, Wanted
from gitopsd.core.probes import CelProbe
from gitopsd.core.settings import Settings
from gitopsd.ports import Renderer

EXPRESSIONS_KEPT = 256
MEMORY_BYTES_MAX = 256 * 1024 * 1024


class Invalid(Exception):
    """It is no expression that could ever answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Untold:
    """It has no answer for this object, as it is now."""

    why: str


Truth: TypeAlias = bool | Untold


class ExtraMissing(Invalid):
    """This installation knows no CEL."""


@dataclass(frozen=True, slots=True)
class Checked:
    """``ports.Renderer`` that refuses a set whose expressions cannot be compiled."""

    renderer: Renderer

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        """See ``ports.Renderer``."""
        desired = self.renderer.render(environment, wanted)
        if problems := tuple(expression_problems(desired.settings, environment.path)):
            raise RenderError(*problems)
        return desired


def expression_problems(settings: Settings, directory: str) -> Iterator[Problem]:
    """Yield what is wrong with the expressions of an environment's probes."""
    file = f"{directory}/gitopsd.yaml".lstrip("/")
    for probe in settings.probes:
        if not isinstance(probe, CelProbe):
            continue
        try:
            _compiled(probe.expression)
        except ExtraMissing as missing:
            hint = "install it: pip install 'gitopsd[cel]'; the image has it"
            yield _problem("EXTRA_MISSING", f"probe {probe.name}: {missing}", hint, file)
        except Invalid as invalid:
            hint = "the variable is object; see docs/probes.md"
            yield _problem("CEL_INVALID", f"probe {probe.name}: {invalid}", hint, file)


def truths(expression: str, bodies: Sequence[Body], timeout_s: float) -> tuple[Truth, ...]:
    """Return whether it is true of each object.

    Raises:
        Invalid: it never can be, or not within its bounds.
    """
    _compiled(expression)
    question = msgspec.json.encode({"expression": expression, "objects": bodies})
    bounds = (str(ceil(timeout_s)), str(MEMORY_BYTES_MAX))
    try:
        done = subprocess.run(  # noqa: S603 — our own program, by its path
            [sys.executable, "-I", evaluation.__file__, *bounds],
            input=question,
            capture_output=True,
            env={},
            timeout=timeout_s,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as broken:
        raise Invalid(f"takes more than {timeout_s:g} s or {MEMORY_BYTES_MAX // 2**20} MiB") from broken
    answers = msgspec.json.decode(done.stdout, type=list[tuple[str, str]])
    return tuple(_truth(kind, said) for kind, said in answers)


def _truth(kind: str, said: str) -> Truth:
    match kind:
        case "BOOL":
            return said == "True"
        case "ERROR":
            return Untold(shown(said))
        case _:
            raise Invalid(f"gives a {kind}; it must give true or false")


@lru_cache(EXPRESSIONS_KEPT)
def _compiled(expression: str) -> Any:
    surroundings, types = _surroundings(), _library().Type
    try:
        compiled = surroundings.compile(expression)
    except RuntimeError as broken:
        raise Invalid(shown(str(broken).removeprefix("INVALID_ARGUMENT: ERROR: "))) from broken
    if compiled.return_type() not in (types.BOOL, types.DYN):
        raise Invalid(f"gives a {compiled.return_type()}; it must give true or false")
    return compiled


@lru_cache(1)
def _surroundings() -> Any:
    library = _library()
    return library.NewEnv(variables={evaluation.VARIABLE: library.Type.DYN})


@lru_cache(1)
def _library() -> Any:
    """Load it with the first expression: it is half as large as all the rest."""
    try:
        from cel_expr_python import cel  # noqa: PLC0415
    except ImportError:
        raise ExtraMissing("expressions need gitopsd's extra cel, which is not installed") from None
    return cel


def _problem(code: str, message: str, hint: str, file: str) -> Problem:
    return Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=file)

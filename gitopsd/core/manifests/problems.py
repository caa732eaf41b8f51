"""Problems of many files or objects at once: the first ones are told, the rest are counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.model import Manifest

TOLD_MAX = 100


def refuse_any(problems: Sequence[Problem]) -> None:
    """Return if there is no problem.

    Raises:
        RenderError: with all problems, or the first of very many and the number of the others.
    """
    if not problems:
        return
    told = list(problems[:TOLD_MAX])
    if len(problems) > TOLD_MAX:
        message = f"and {len(problems) - TOLD_MAX} more problems"
        told.append(replace(told[-1], code="MORE_PROBLEMS", message=message, hint="", ref="", file="", line=0))
    raise RenderError(*told)


def duplicate_problems(manifests: Iterable[Manifest]) -> Iterator[Problem]:
    """Yield a problem for every manifest that is the same object as the one before it, whatever its version."""
    for first, second in pairwise(manifests):
        if first.ref == second.ref:
            yield Problem(
                code="DUPLICATE_OBJECT",
                stage=Stage.RENDER,
                message=f"the same object is at {first.origin}",
                hint="keep one of the two",
                ref=str(second.ref),
                file=second.origin.file,
                line=second.origin.line,
            )

"""When ``once`` is over: every environment has come to a decision that time alone will not change."""

from __future__ import annotations

from collections.abc import Collection

from gitopsd.core.decision import Held, Rest
from gitopsd.core.passes import Look
from gitopsd.core.status.view import EnvironmentView, View

# An error that may pass is given a few tries before it counts as the end.
TRIES_MAX = 4
_FINAL = frozenset({"RenderError", "PlanRefused", "ConfigError", "SourceError", "InternalError"})


def is_settled(view: View, expected: Collection[str] | None) -> bool:
    """Return whether every expected environment is kept, held, or failed for good; None = not known yet."""
    if expected is None:
        return bool(view.sources) and all(source.error for source in view.sources)
    over = {one.environment.name for one in view.environments if _is_over(one, view.environments)}
    return over >= set(expected)


def _is_over(view: EnvironmentView, everyone: Collection[EnvironmentView]) -> bool:
    if view.problems:
        # While a newer commit cannot begin, what runs may still be on its way back.
        latest = view.latest if view.looked else None
        is_moving = latest is not None and not isinstance(latest.decision, Rest | Held)
        return not is_moving and (view.problem_class in _FINAL or view.problem_count >= TRIES_MAX)
    if view.latest is None or not isinstance(view.latest.decision, Rest | Held):
        return False
    newest = view.latest.newest
    others = [one for one in everyone if one.environment != view.environment]
    return newest is None or not view.latest.hangs_on_others or all(_was_heeded(one, newest) for one in others)


def _was_heeded(other: EnvironmentView, look: Look) -> bool:
    """Whether the look came after all that the other environment has said and done."""
    record = other.known
    has_acted_since = record is not None and bool(record.history) and record.history[0].at > look.at
    return not has_acted_since and (bool(other.problems) or other.environment not in look.target.others.silent)

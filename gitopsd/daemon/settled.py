"""When ``once`` is over: every environment has come to a decision that time alone will not change."""

from __future__ import annotations

from collections.abc import Collection

from gitopsd.core.decision import Held, Rest
from gitopsd.core.status_view import EnvironmentView, View

# An error that may pass is given a few tries before it counts as the end.
TRIES_MAX = 4
_FINAL = frozenset({"RenderError", "PlanRefused", "ConfigError", "SourceError", "InternalError"})


def is_settled(view: View, expected: Collection[str] | None) -> bool:
    """Return whether every expected environment is kept, held, or failed for good; None = not known yet."""
    if expected is None:
        return bool(view.sources) and all(source.error for source in view.sources)
    return all(any(one.environment.name == name and _is_over(one) for one in view.environments) for name in expected)


def _is_over(view: EnvironmentView) -> bool:
    if view.problems:
        return view.problem_class in _FINAL or view.problem_count >= TRIES_MAX
    return view.latest is not None and isinstance(view.latest.decision, Rest | Held)

"""Exit codes: what a script learns without reading a word. The table is in docs/cli.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from gitopsd.core.status.overview import EnvironmentView, View
from gitopsd.core.status.words import Phase, Sync, phase, sync


class Exit(IntEnum):
    """All of them."""

    OK = 0
    NOT_WELL = 1
    USAGE = 2
    CLUSTER = 3
    GIT = 4
    TIMEOUT = 5
    PUT_BACK = 6
    SIGNALLED = 128


_BY_CLASS: Mapping[str, Exit] = {
    "ConfigError": Exit.USAGE,
    "ClusterError": Exit.CLUSTER,
    "Superseded": Exit.CLUSTER,
    "SourceError": Exit.GIT,
}
# The cause of all else comes first; that one was put back says more than that one is not well.
_WORST_FIRST = (Exit.USAGE, Exit.CLUSTER, Exit.GIT, Exit.TIMEOUT, Exit.PUT_BACK, Exit.NOT_WELL)
_ON_ITS_WAY = (Phase.PENDING, Phase.APPLYING, Phase.VERIFYING, Phase.REVERTING)


def code_of(problem_class: str) -> Exit:
    """Return the code for an error, by whose fault it is."""
    return _BY_CLASS.get(problem_class, Exit.NOT_WELL)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the one that says most."""
    found = frozenset(codes)
    return next((code for code in _WORST_FIRST if code in found), Exit.OK)


def code_of_end(view: View) -> Exit:
    """Return how ``once`` ended."""
    if any(source.error for source in view.sources):
        return worst([Exit.GIT, *(_end_of(one) for one in view.environments)])
    if not view.environments:
        return Exit.USAGE if all(source.revision for source in view.sources) else Exit.TIMEOUT
    return worst(_end_of(one) for one in view.environments)


def _end_of(view: EnvironmentView) -> Exit:
    if view.problems:
        return code_of(view.problem_class)
    now = phase(view)
    if view.latest and view.latest.git.stale and now is not Phase.SUSPENDED:
        return Exit.GIT
    if now in _ON_ITS_WAY:
        return Exit.TIMEOUT
    if now is Phase.REVERTED:
        return Exit.PUT_BACK
    return Exit.OK if now is Phase.READY and sync(view) is Sync.SYNCED else Exit.NOT_WELL

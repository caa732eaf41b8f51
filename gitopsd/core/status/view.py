"""What the daemon shows of itself: one immutable snapshot after each pass. Web, CLI and metrics read nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitopsd.core.errors import Problem
from gitopsd.core.model import Environment, Revision
from gitopsd.core.passes import Pass
from gitopsd.core.record import Record
from gitopsd.core.reversal import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One source. ``url`` is without credentials; ``error`` is there since ``error_at``, so many times in a row."""

    name: str
    url: str
    ref: str
    revision: Revision | None = None
    fetched_at: datetime | None = None
    next_fetch_at: datetime | None = None
    error: Problem | None = None
    error_at: datetime | None = None
    error_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """One environment.

    ``latest`` is the last pass that ended without an exception; ``problems`` those of the last pass, when it raised or
    could say nothing of the newest commit, the one to show first. ``looked`` tells whether the last pass came to an
    end, so that what it saw is how things are.
    ``record`` is what the store has, for when there was no pass to read it from.
    ``head`` is the newest revision of its source; a commit that cannot be rendered is known by nothing else.
    ``followed`` is that source.
    ``stages`` are seconds per stage of the current rollout; ``writes`` count create, patch and delete since start.
    ``told`` is how Git was told of the revert that stands, where it is to be told.
    """

    environment: Environment
    latest: Pass | None = None
    record: Record | None = None
    head: Revision | None = None
    followed: SourceView | None = None
    problems: tuple[Problem, ...] = ()
    problem_class: str = ""
    looked: bool = True
    problem_at: datetime | None = None
    problem_count: int = 0
    retry_at: datetime | None = None
    next_at: datetime | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    writes: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    told: Told | None = None

    @property
    def known(self) -> Record | None:
        """The newest record there is."""
        return self.latest.record if self.latest else self.record


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonView:
    """The daemon itself. ``unready_because`` says in words what it waits for."""

    instance: str = ""
    version: str = ""
    started_at: datetime | None = None
    ready: bool = False
    unready_because: str = ""
    leading: bool = False
    leader_holder: str = ""
    queue_depth: int = 0
    cluster_name: str = ""
    cluster_version: str = ""
    watch_restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All of it. ``serial`` grows with every snapshot."""

    daemon: DaemonView
    sources: tuple[SourceView, ...] = ()
    environments: tuple[EnvironmentView, ...] = ()
    at: datetime
    serial: int = 0

    def whole(self) -> tuple[EnvironmentView, ...]:
        """Return the environments, each with its source and the newest revision of it."""
        sources = {source.name: source for source in self.sources}
        return tuple(_with_source(one, sources.get(one.environment.source)) for one in self.environments)

    def named(self, name: str) -> EnvironmentView | None:
        """Return the environment of this name."""
        return next((one for one in self.whole() if one.environment.name == name), None)


def _with_source(view: EnvironmentView, source: SourceView | None) -> EnvironmentView:
    return replace(view, followed=source, head=view.head or source.revision) if source else view

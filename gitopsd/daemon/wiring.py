"""Builds the adapters from the operator's file and joins them to the story's ports. No decision is made here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitopsd.adapters.clock import SystemClock
from gitopsd.adapters.cluster import KubernetesCluster
from gitopsd.adapters.git import GitSource
from gitopsd.adapters.leader import Elector
from gitopsd.adapters.render import PlainRenderer
from gitopsd.adapters.store import ClusterStore
from gitopsd.config import Config, expand
from gitopsd.core.errors import Problem, SourceError
from gitopsd.core.model import Environment, File, Wanted
from gitopsd.core.status_view import SourceView
from gitopsd.daemon.claims import LocalClaims
from gitopsd.daemon.meter import StageTimes, timed
from gitopsd.ports import Ports


@dataclass(eq=False, kw_only=True)
class House:
    """Everything that lives as long as the daemon. ``elector`` None = there is nobody to share with."""

    config: Config
    clock: SystemClock
    sources: Mapping[str, GitSource]
    cluster: KubernetesCluster
    store: ClusterStore
    elector: Elector | None
    claims: LocalClaims = field(default_factory=LocalClaims)
    times: StageTimes = field(default_factory=StageTimes)
    ports: Ports

    def is_leading(self) -> bool:
        """Whether this process may write."""
        return self.elector is None or self.elector.is_leading

    def environments_of(self, source: str) -> tuple[Environment, ...]:
        """Return the environments of one source, patterns expanded; those that cannot be expanded now are left out."""
        try:
            return expand(self.config, source, self.sources[source].directories)
        except SourceError:
            return ()

    def source_view(self, name: str, poll_s: float) -> SourceView:
        """Return how a source is."""
        state = self.sources[name].state()
        return SourceView(
            name=name,
            url=state.url,
            ref=state.branch,
            revision=state.revision,
            fetched_at=state.fetched_at,
            next_fetch_at=state.tried_at + timedelta(seconds=poll_s) if state.tried_at else None,
            error=state.error.problem if state.error else None,
        )

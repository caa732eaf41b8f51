"""What is known of every environment and source right now, as immutable snapshots. Readers never wait for a pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitopsd.core.errors import Problem
from gitopsd.core.model import Environment
from gitopsd.core.passes import Pass
from gitopsd.core.record import Record
from gitopsd.core.reversal import Told
from gitopsd.core.status.view import EnvironmentView, SourceView


@dataclass(eq=False)
class Board:
    """One view per environment and per source; ``serial`` grows with every change."""

    environments: Mapping[str, EnvironmentView] = field(default_factory=dict)
    sources: Mapping[str, SourceView] = field(default_factory=dict)
    serial: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, environment: Environment) -> None:
        """Begin to show an environment."""
        if environment.name not in self.environments:
            self._put(environment.name, lambda _: EnvironmentView(environment=environment, stages={}, writes={}))

    def forget(self, name: str) -> None:
        """Stop showing an environment."""
        with self._lock:
            self.environments = {key: view for key, view in self.environments.items() if key != name}
            self.serial += 1

    def saw(self, name: str, latest: Pass) -> None:
        """Show a pass that came to a decision; what was wrong before is forgotten, unless the commit still is."""
        if latest.git.barred:
            self._put(name, lambda view: replace(view, latest=latest, looked=True))
            return
        self._put(
            name,
            lambda view: replace(
                view,
                latest=latest,
                looked=True,
                problems=(),
                problem_class="",
                problem_at=None,
                problem_count=0,
                retry_at=None,
            ),
        )

    def stand_by(self, name: str, record: Record) -> None:
        """Show what is remembered in the cluster, and nothing of what was seen while we led."""
        self._put(name, lambda view: EnvironmentView(environment=view.environment, record=record))

    def failed(self, name: str, problems: tuple[Problem, ...], kind: str, at: datetime, *, looked: bool = False) -> int:
        """Show a pass that could not know, or not of the newest commit, and since when; return how often in a row."""
        self._put(
            name,
            lambda view: replace(
                view,
                problems=problems,
                problem_class=kind,
                looked=looked,
                problem_at=view.problem_at if _is_still(view.problems, problems) else at,
                problem_count=view.problem_count + 1,
            ),
        )
        return self.environments[name].problem_count

    def measured(self, name: str, stages: Mapping[str, float], writes: Mapping[str, int], requests: int) -> None:
        """Show what the environment has cost so far."""
        self._put(name, lambda view: replace(view, stages=stages, writes=writes, requests=requests))

    def scheduled(self, name: str, at: datetime, *, is_retry: bool) -> None:
        """Show when the environment is looked at again at the latest."""
        self._put(name, lambda view: replace(view, next_at=at, retry_at=at if is_retry else None))

    def told(self, name: str, told: Told | None) -> None:
        """Show how Git was told of a revert; None = there is none to tell of."""
        if name in self.environments and self.environments[name].told != told:
            self._put(name, lambda view: replace(view, told=told))

    def source(self, view: SourceView) -> None:
        """Show how a source is; of what is wrong, since when it is and how often in a row."""
        with self._lock:
            before = self.sources.get(view.name)
            if view.error and before and before.error:
                at = before.error_at if before.error.code == view.error.code else view.error_at
                view = replace(view, error_at=at, error_count=before.error_count + 1)
            self.sources = {**self.sources, view.name: view}
            self.serial += 1

    def _put(self, name: str, change: Callable[[EnvironmentView], EnvironmentView]) -> None:
        with self._lock:
            view = self.environments.get(name)
            self.environments = {**self.environments, name: change(view)}  # type: ignore[arg-type]
            self.serial += 1


def _is_still(before: tuple[Problem, ...], now: tuple[Problem, ...]) -> bool:
    """Whether the same is wrong: what was asked when it showed may differ."""
    return bool(before) and before[0].code == now[0].code

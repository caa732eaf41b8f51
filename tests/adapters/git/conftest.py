"""A served repository and a source that follows it, for every test of this room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitopsd.adapters.git import GitSource, GitSourceSettings
from gitopsd.core.model import Environment, File
from tests.git_server import BareRepository, GitServer

STAGING = Environment(name="staging", source="environments", path="environments/staging")


class TickingClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Place:
    """One server, one repository on it, and where sources keep their cache."""

    folder: Path
    server: GitServer
    repository: BareRepository
    clock: TickingClock = field(default_factory=TickingClock)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def mirror(self) -> Path:
        (found,) = self.cache.glob("*.git")
        return found

    def source(self, **settings: object) -> GitSource:
        said = {"name": "environments", "url": self.server.url("environments.git"), "branch": "main"} | settings
        return GitSource(GitSourceSettings(**said), self.cache, self.clock)

    def commit(self, **texts: str) -> str:
        files = {f"environments/staging/{name}.yaml": text for name, text in texts.items()}
        return self.repository.commit(files)


def files_of(source: GitSource, environment: Environment = STAGING) -> tuple[File, ...]:
    return source.read(environment, source.resolve(environment))


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    (tmp_path / "served").mkdir()
    with GitServer(tmp_path / "served") as server:
        yield Place(tmp_path, server, server.create("environments.git"))

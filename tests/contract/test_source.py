"""One contract, two sources: the fake in memory, and the real one against a real HTTP server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from gitopsd.adapters.git import GitSource, GitSourceSettings
from gitopsd.core.errors import Problem, RenderError, SourceError, Stage
from gitopsd.core.model import Environment
from gitopsd.ports import Source
from tests import git_server
from tests.fakes.source import FakeSource, Symlink

STAGING = Environment(name="staging", source="git", path="environments/staging")
PRODUCTION = Environment(name="production", source="git", path="environments/production")
EVERYTHING = Environment(name="everything", source="git", path="")


class World(Protocol):
    source: Source

    def commit(self, files: Mapping[str, str | Symlink | None], message: str = "Change") -> str: ...
    def lose(self) -> None: ...
    def mend(self) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.source = FakeSource()

    def commit(self, files, message="Change"):
        return self.source.commit(files, message).commit

    def lose(self):
        self.source.break_with(SourceError(Problem(code="GIT_UNREACHABLE", stage=Stage.FETCH, message="gone")))

    def mend(self):
        self.source.mend()


class FixedClock:
    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC)


class GitWorld:
    def __init__(self, server: git_server.GitServer, cache: Path) -> None:
        self.server = server
        self.repository = server.create("environments.git")
        settings = GitSourceSettings(name="git", url=server.url("environments.git"), branch="main")
        self.source = GitSource(settings, cache, FixedClock())
        self.is_lost = False

    def commit(self, files, message="Change"):
        said = {path: _as_entry(entry) for path, entry in files.items()}
        commit = self.repository.commit(said, message)
        if not self.is_lost:
            self.source.fetch()
        return commit

    def lose(self):
        self.is_lost = True
        self.server.stop()
        with pytest.raises(SourceError):
            self.source.fetch()

    def mend(self):
        self.is_lost = False
        self.server.start()
        self.source.fetch()


def _as_entry(entry):
    return git_server.Symlink(entry.target) if isinstance(entry, Symlink) else entry


@pytest.fixture(params=["fake", "git"])
def world(request, tmp_path) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    (tmp_path / "served").mkdir()
    with git_server.GitServer(tmp_path / "served") as server:
        yield GitWorld(server, tmp_path / "cache")


def test_the_newest_commit_is_wanted_and_says_who_made_it(world):
    world.commit({"environments/staging/web.yaml": "a: 1\n"})
    commit = world.commit({"environments/staging/web.yaml": "a: 2\n"}, "Raise a\n\nBecause.")

    wanted = world.source.resolve(STAGING)

    assert (wanted.revision.ref, wanted.revision.commit) == ("main", commit)
    assert (wanted.revision.subject, wanted.revision.author) == ("Raise a", "Ada Lovelace")
    assert wanted.revision.committed_at is not None
    assert wanted.stale is None


def test_files_are_named_from_the_root_and_come_in_path_order(world):
    world.commit({f"environments/staging/{name}": name for name in ("b.yaml", "a/z.yaml", "a.yaml")})

    files = world.source.read(STAGING, world.source.resolve(STAGING))

    assert [(file.path, file.content) for file in files] == [
        ("environments/staging/a.yaml", b"a.yaml"),
        ("environments/staging/a/z.yaml", b"a/z.yaml"),
        ("environments/staging/b.yaml", b"b.yaml"),
    ]


def test_equal_content_has_gits_own_id(world):
    world.commit({"environments/staging/web.yaml": "hello\n"})

    (file,) = world.source.read(STAGING, world.source.resolve(STAGING))

    assert file.oid == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_a_commit_elsewhere_leaves_the_tree_as_it_is(world):
    world.commit({"environments/staging/web.yaml": "a", "environments/production/web.yaml": "a"})
    before = world.source.resolve(STAGING), world.source.resolve(PRODUCTION)
    world.commit({"environments/production/web.yaml": "b"})
    after = world.source.resolve(STAGING), world.source.resolve(PRODUCTION)

    assert before[0].tree == after[0].tree
    assert before[1].tree != after[1].tree
    assert before[0].revision != after[0].revision


def test_going_back_to_old_content_has_the_old_tree(world):
    world.commit({"environments/staging/web.yaml": "good"})
    good = world.source.resolve(STAGING).tree
    world.commit({"environments/staging/web.yaml": "bad"})
    world.commit({"environments/staging/web.yaml": "good"})

    assert world.source.resolve(STAGING).tree == good


def test_an_older_answer_is_still_readable_after_a_newer_commit(world):
    world.commit({"environments/staging/web.yaml": "old"})
    old = world.source.resolve(STAGING)
    world.commit({"environments/staging/web.yaml": "new"})

    assert [file.content for file in world.source.read(STAGING, old)] == [b"old"]


def test_the_whole_repository_can_be_an_environment(world):
    world.commit({"web.yaml": "a", "more/api.yaml": "b"})

    files = world.source.read(EVERYTHING, world.source.resolve(EVERYTHING))

    assert [file.path for file in files] == ["more/api.yaml", "web.yaml"]


def test_another_directory_of_the_same_revision_can_be_read(world):
    world.commit({"environments/staging/web.yaml": "a", "base/web.yaml": "b", "base/more/api.yaml": "c"})
    wanted = world.source.resolve(STAGING)

    files = world.source.read(STAGING, wanted, "base")

    assert [(file.path, file.content) for file in files] == [("base/more/api.yaml", b"c"), ("base/web.yaml", b"b")]
    assert world.source.read(STAGING, wanted, "environments/staging") == world.source.read(STAGING, wanted)
    assert len(world.source.read(STAGING, wanted, "")) == 3


def test_a_directorys_tree_changes_with_what_is_in_it_and_with_nothing_else(world):
    world.commit({"environments/staging/web.yaml": "a", "base/web.yaml": "b"})
    first = world.source.resolve(STAGING)
    world.commit({"environments/staging/web.yaml": "c"})
    second = world.source.resolve(STAGING)
    world.commit({"base/web.yaml": "d"})
    third = world.source.resolve(STAGING)

    trees = [world.source.tree(STAGING, wanted, "base") for wanted in (first, second, third)]

    assert trees[0] == trees[1] != trees[2]
    assert world.source.tree(STAGING, third, "environments/staging") == third.tree
    assert [file.content for file in world.source.read(STAGING, first, "base")] == [b"b"]


@pytest.mark.parametrize("directory", ["base", "environments/staging/web.yaml", "..", "environments/../base", ".git"])
def test_a_directory_that_is_not_there_is_known_to_be_absent(world, directory):
    world.commit({"environments/staging/web.yaml": "a"})
    wanted = world.source.resolve(STAGING)

    assert world.source.tree(STAGING, wanted, directory) is None
    with pytest.raises(RenderError) as raised:
        world.source.read(STAGING, wanted, directory)
    assert raised.value.problem.code == "GIT_NO_SUCH_DIRECTORY"


def test_nothing_fetched_is_an_error_and_not_an_empty_answer(world):
    with pytest.raises(SourceError) as raised:
        world.source.resolve(STAGING)

    assert raised.value.problem.code == "GIT_NOT_FETCHED"


def test_a_directory_that_is_gone_is_an_error_and_not_an_empty_answer(world):
    world.commit({"environments/staging/web.yaml": "a", "README": "b"})
    world.commit({"environments/staging/web.yaml": None})

    with pytest.raises(SourceError) as raised:
        world.source.resolve(STAGING)

    assert raised.value.problem.code == "GIT_PATH_MISSING"


def test_a_file_in_the_directorys_place_is_an_error(world):
    world.commit({"environments/staging": "a"})

    with pytest.raises(SourceError) as raised:
        world.source.resolve(STAGING)

    assert raised.value.problem.code == "GIT_PATH_NOT_DIRECTORY"


def test_a_sibling_with_the_same_beginning_is_not_the_directory(world):
    world.commit({"environments/staging2/web.yaml": "a"})

    with pytest.raises(SourceError) as raised:
        world.source.resolve(STAGING)

    assert raised.value.problem.code == "GIT_PATH_MISSING"


def test_a_symlink_below_the_directory_rejects_the_commit(world):
    world.commit({"environments/staging/web.yaml": "a", "environments/staging/token": Symlink("/etc/passwd")})

    with pytest.raises(RenderError) as raised:
        world.source.read(STAGING, world.source.resolve(STAGING))

    assert raised.value.problem.code == "GIT_SYMLINK"


def test_a_lost_source_keeps_its_last_answer_and_says_it_is_stale(world):
    commit = world.commit({"environments/staging/web.yaml": "a"})
    world.lose()
    world.commit({"environments/staging/web.yaml": "b"})

    wanted = world.source.resolve(STAGING)

    assert wanted.revision.commit == commit
    assert wanted.stale is not None
    assert wanted.stale.problem.code == "GIT_UNREACHABLE"
    assert [file.content for file in world.source.read(STAGING, wanted)] == [b"a"]


def test_a_source_that_came_back_brings_what_it_missed(world):
    world.commit({"environments/staging/web.yaml": "a"})
    world.lose()
    missed = world.commit({"environments/staging/web.yaml": "b"})
    world.mend()

    wanted = world.source.resolve(STAGING)

    assert (wanted.revision.commit, wanted.stale) == (missed, None)


def test_a_source_lost_from_the_beginning_says_why(world):
    world.lose()

    with pytest.raises(SourceError) as raised:
        world.source.resolve(STAGING)

    assert raised.value.problem.code == "GIT_UNREACHABLE"

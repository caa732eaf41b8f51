"""An object moves to another environment with a commit that nobody can look at yet: it is deleted by neither."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from gitopsd.core.commands import Ask, rollback
from gitopsd.core.errors import ClusterError, Problem, RenderError, Stage
from gitopsd.core.model import Desired, Environment, Revision, Wanted
from gitopsd.core.settings import Settings
from gitopsd.daemon.claims import LocalClaims
from gitopsd.ports import Ports
from gitopsd.reconcile import reconcile
from tests.fakes.clock import FakeClock
from tests.fakes.cluster import FakeCluster
from tests.fakes.probes import FakeProbes
from tests.fakes.store import FakeStore
from tests.story.world import manifest

A = Environment(name="a", source="git", path="a", apply_set="set-a")
B = Environment(name="b", source="git", path="b", apply_set="set-b")
TAB = Problem(code="YAML_TAB", stage=Stage.RENDER, message="a tab indents")
PASSES = 20


@dataclass
class Repository:
    """One commit has the directories of both."""

    commits: list[Mapping[str, Mapping[str, str]]] = field(default_factory=list)
    settings: dict[str, Settings] = field(default_factory=dict)
    unreadable: bool = False

    def resolve(self, environment: Environment) -> Wanted:
        revision = Revision(ref="main", commit=f"{len(self.commits):07x}".ljust(40, "0"))
        return Wanted(revision=revision, tree=str(self.commits[-1][environment.name]))

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        if self.unreadable:
            raise RenderError(TAB)
        images = sorted(self.commits[-1][environment.name].items())
        manifests = tuple(manifest(name, image) for name, image in images)
        digest = hashlib.sha256("".join([environment.name, *(one.digest for one in manifests)]).encode()).hexdigest()
        settings = self.settings.get(environment.name, Settings(soak_s=0))
        return Desired(revision=wanted.revision, digest=digest, manifests=manifests, settings=settings)


class Pair:
    """Two environments of one repository, in one namespace of one cluster."""

    def __init__(self) -> None:
        self.git, self.cluster, self.store, self.clock = Repository(), FakeCluster(), FakeStore(), FakeClock()
        claims = LocalClaims()
        for one in (A, B):
            claims.expect(one)
        self._ports = Ports(
            source=self.git,
            renderer=self.git,
            cluster=self.cluster,
            store=self.store,
            claims=claims,
            probes=FakeProbes(self.clock),
            clock=self.clock,
        )

    def commit(self, a: Mapping[str, str], b: Mapping[str, str]) -> None:
        self.git.commits.append({"a": a, "b": b})

    def make_passes(self, count: int) -> None:
        for _ in range(count):
            for one in (A, B):
                with suppress(ClusterError, RenderError):
                    reconcile(one, self._ports)
            self.clock.advance(seconds=5)

    def owner(self, name: str) -> str:
        return next((one.part_of for ref, one in self.cluster.objects.items() if ref.name == name), "")


@pytest.fixture
def pair():
    made = Pair()
    made.commit({"one": "good-0"}, {"web": "good-0"})
    made.make_passes(6)
    return made


def fails_with_an_addition(pair: Pair) -> None:
    """The next commit is under way in both; in B it adds an object, and fails. Nobody has seen that yet."""
    pair.commit({"one": "good-1"}, {"web": "bad-1", "extra": "good-1"})
    pair.make_passes(1)
    assert pair.owner("extra") == "set-b"


MOVED = {"one": "good-1", "extra": "good-1"}, {"web": "good-2"}


@pytest.mark.parametrize("doubt", ["mute", "unreadable"])
def test_a_revert_takes_nothing_away_that_the_newest_commit_may_give_to_another(pair, doubt):
    fails_with_an_addition(pair)
    pair.commit(*MOVED)
    pair.cluster.mute, pair.git.unreadable = doubt == "mute", doubt == "unreadable"
    pair.make_passes(PASSES)
    assert pair.store.load(B).held
    pair.cluster.mute = pair.git.unreadable = False
    pair.make_passes(PASSES)

    assert (pair.owner("extra"), dict(pair.cluster.deletes())) == ("set-a", {})


def test_a_rollback_takes_nothing_away_that_the_newest_commit_may_give_to_another(pair):
    pair.commit({"one": "good-0"}, {"web": "good-1", "extra": "good-1"})
    pair.make_passes(6)
    pair.commit(*MOVED)
    pair.cluster.mute = True
    pair.store.save(B, rollback(pair.store.load(B), Ask(by="ada", why="it is slow", at=pair.clock.now())))
    pair.make_passes(PASSES)

    assert (pair.owner("extra"), dict(pair.cluster.deletes())) == ("set-b", {})


def test_a_revert_takes_nothing_away_that_another_wants_and_may_not_begin_yet(pair):
    fails_with_an_addition(pair)
    pair.git.settings["a"] = replace(Settings(soak_s=0), depends_on=("nobody",))
    pair.commit(MOVED[0], {**MOVED[1], "unsure": "good-1"})
    pair.cluster.unsure = {"unsure"}
    pair.make_passes(PASSES)

    assert pair.store.load(B).held
    assert (pair.owner("extra"), dict(pair.cluster.deletes())) == ("set-b", {})

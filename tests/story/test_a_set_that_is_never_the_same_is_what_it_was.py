"""A set that renders differently each time (a random password) is what it was when it was begun, for equal inputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

import pytest

from gitopsd.core.decision import Rest, Revert
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.manifests.canonical import digest_of
from gitopsd.core.manifests.unstable import CODE, lasting
from gitopsd.core.model import Desired, Environment, Wanted
from tests.story.world import ENVIRONMENT, FakeGit, World, manifest

WARNING = Problem(code=CODE, stage=Stage.RENDER, message="is not the same at each render: /spec/image")


@dataclass
class RandomGit(FakeGit):
    """Every render of a commit has its own images; no cache remembers any."""

    renders: count = field(default_factory=lambda: count(1))

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        number = next(self.renders)
        manifests = tuple(manifest(name, f"{image}-{number}") for name, image in sorted(self.commits[-1].items()))
        content = digest_of("".join(one.digest for one in manifests).encode())
        rendered = Desired(revision=wanted.revision, digest=content, manifests=manifests, settings=self.settings)
        return lasting(replace(rendered, warnings=(WARNING,)), wanted.tree)


@pytest.fixture
def world() -> World:
    world = World(git=RandomGit())
    world.commit(web="good-a", api="good-a")
    world.settle()
    return world


def test_it_is_written_once(world):
    images, writes = world.images(), dict(world.cluster.writes)

    assert isinstance(world.settle_after(minutes=60), Rest)
    assert (world.images(), world.cluster.writes) == (images, writes)


def test_drift_is_put_back_to_what_it_was(world):
    images = world.images()
    world.cluster.edit(next(iter(world.cluster.objects)), image="by-hand")
    world.settle()

    assert world.images() == images


def test_a_new_commit_is_new(world):
    before = world.images()
    world.commit(web="good-b", api="good-a")
    world.settle()

    assert world.images()["web"].startswith("good-b-")
    assert world.images()["api"] != before["api"]


def test_a_bad_one_is_put_back_once_to_exactly_what_was_kept(world):
    images = world.images()
    world.commit(web="bad", api="good-a")

    world.settle_after(minutes=60)
    world.settle_after(minutes=60)

    assert world.images() == images
    assert [type(one) for one in world.decisions].count(Revert) == 1
    assert len(world.store.load(ENVIRONMENT).held) == 1


def test_a_commit_that_goes_back_to_the_kept_inputs_is_recognised(world):
    images = world.images()
    world.commit(web="bad", api="good-a")
    world.settle()
    world.commit(web="good-a", api="good-a")

    assert isinstance(world.settle(), Rest)
    assert world.images() == images

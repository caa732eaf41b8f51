"""With nothing kept there is nothing to go back to: it stays, says so, deletes nothing, and recovers by itself."""

from __future__ import annotations

from gitopsd.core.decision import Held, Rest
from tests.story.world import ENVIRONMENT, World


def first(**images: str) -> World:
    world = World()
    world.commit(**images)
    world.settle()
    return world


def test_it_is_held_and_says_why():
    world = first(web="bad-1")

    assert isinstance(world.decisions[-1], Held)
    assert world.decisions[-1].problems[0].code == "ROLLOUT_FAILED"
    assert world.cluster.deletes() == {}


def test_it_is_kept_when_it_becomes_healthy_after_all():
    world = first(web="bad-1")
    world.cluster.cured = {"bad-1"}

    assert isinstance(world.settle_after(minutes=1), Rest)
    assert world.store.load(ENVIRONMENT).last_kept is not None

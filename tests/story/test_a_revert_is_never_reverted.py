"""When going back does not help, gitopsd says so, stays, and takes up the next commit."""

from __future__ import annotations

from gitopsd.core.decision import Held, Rest, Revert
from tests.story.world import World


def failed_revert() -> World:
    world = World()
    world.commit(web="good-1")
    world.settle()
    world.commit(web="bad-1")
    world.make_passes_until(Revert)
    world.cluster.ill = {"good-1"}
    world.settle()
    return world


def test_it_halts_and_is_held_with_the_reason():
    world = failed_revert()

    assert isinstance(world.decisions[-1], Held)
    assert world.decisions[-1].problems[0].code == "REVERT_FAILED"


def test_nothing_more_is_written():
    world = failed_revert()
    before = dict(world.cluster.writes)
    for _ in range(5):
        world.clock.advance(minutes=10)
        world.settle()

    assert world.cluster.writes == before


def test_a_new_commit_is_taken_up():
    world = failed_revert()
    world.commit(web="good-2")

    assert isinstance(world.settle(), Rest)
    assert world.images() == {"web": "good-2"}


def test_it_is_kept_when_it_recovers_by_itself():
    world = failed_revert()
    world.cluster.ill = set()

    assert isinstance(world.settle_after(minutes=1), Rest)

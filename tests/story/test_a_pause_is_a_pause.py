"""A paused environment is not touched, whatever happens to it or to Git."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.core.record import Suspension
from tests.story.world import ENVIRONMENT, World


def paused() -> World:
    world = World()
    world.commit(web="good-1")
    world.settle()
    record = world.store.load(ENVIRONMENT)
    pause = Suspension(by="alice", reason="lunch", since=world.clock.now())
    world.store.save(ENVIRONMENT, replace(record, suspended=pause))
    return world


def test_neither_drift_nor_commits_are_acted_upon():
    world = paused()
    before = dict(world.cluster.writes)
    world.commit(web="good-2")
    world.cluster.edit(next(iter(world.cluster.objects)), image="by-hand")
    world.settle()

    assert (world.images(), world.cluster.writes) == ({"web": "by-hand"}, before)


def test_resumed_it_catches_up():
    world = paused()
    world.commit(web="good-2")
    world.store.save(ENVIRONMENT, replace(world.store.load(ENVIRONMENT), suspended=None))
    world.settle()

    assert world.images() == {"web": "good-2"}

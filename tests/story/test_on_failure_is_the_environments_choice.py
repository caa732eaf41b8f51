"""onFailure hold stays and takes the next commit; freeze pauses until a person resumes."""

from __future__ import annotations

from gitopsd.core.decision import Held
from gitopsd.core.settings import OnFailure, Settings
from tests.story.world import ENVIRONMENT, World


def failed(on_failure: OnFailure) -> World:
    world = World()
    world.git.settings = Settings(soak_s=0, on_failure=on_failure)
    world.commit(web="good-1")
    world.settle()
    world.commit(web="bad-1")
    world.settle()
    return world


def test_hold_stays_where_it_is():
    world = failed(OnFailure.HOLD)

    assert isinstance(world.decisions[-1], Held)
    assert world.images() == {"web": "bad-1"}


def test_hold_takes_up_the_next_commit():
    world = failed(OnFailure.HOLD)
    world.commit(web="good-2")
    world.settle()

    assert world.images() == {"web": "good-2"}


def test_freeze_pauses_with_the_reason():
    world = failed(OnFailure.FREEZE)
    world.commit(web="good-2")
    world.settle()

    assert world.images() == {"web": "bad-1"}
    assert "image not found" in world.store.load(ENVIRONMENT).suspended.reason

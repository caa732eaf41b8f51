"""A commit that changes only gitopsd.yaml is in force at once, and stays so without Git and on the way back."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.core.decision import Held, Revert
from gitopsd.core.settings import OnFailure, Settings
from gitopsd.core.status.environment import Fields, environment_json
from gitopsd.core.status.view import EnvironmentView
from tests.story.world import ENVIRONMENT, World


def changed(**wishes: object) -> World:
    """A kept commit, and then one with the same manifests and other settings."""
    world = World()
    world.git.settings = Settings(soak_s=0)
    world.commit(web="good-0")
    world.settle()
    world.git.settings = replace(world.git.settings, **wishes)
    world.commit(web="good-0")
    world.settle()
    return world


def test_nothing_is_written_to_the_cluster_and_the_snapshot_is_renewed_once():
    world = changed(deadline_s=60.0)
    record = world.store.load(ENVIRONMENT)
    for _ in range(3):
        world.settle()

    assert world.cluster.writes.total() == 1
    assert world.store.recall(ENVIRONMENT, record.current).settings.deadline_s == 60.0
    assert world.store.load(ENVIRONMENT).version == record.version


def test_without_git_a_rollout_goes_by_the_newer_deadline():
    world = World()
    world.git.settings = Settings(soak_s=0, deadline_s=3_000)
    world.commit(web="good-0")
    world.settle()
    world.commit(web="slow-1")
    world.make_passes(2)
    world.git.settings = Settings(soak_s=0, deadline_s=60)
    world.commit(web="slow-1")
    world.make_passes(1)
    world.git.silent = True
    world.clock.advance(minutes=2)
    world.make_passes(1)

    assert isinstance(world.decisions[-1], Revert)


def test_a_revert_goes_by_the_newer_settings_of_what_was_kept():
    world = changed(deadline_s=60.0)
    world.commit(web="bad-1")
    world.make_passes_until(Revert)
    world.cluster.objects.clear()
    world.cluster.slow = True
    world.make_passes(2)
    world.clock.advance(minutes=2)

    assert isinstance(world.settle(), Held)


def test_settings_that_came_with_what_failed_are_those_of_what_git_goes_back_to_with_them():
    world = changed()
    world.git.settings = replace(world.git.settings, deadline_s=900.0)
    world.commit(web="bad-1")
    world.settle()
    world.commit(web="good-0")
    world.settle()
    record = world.store.load(ENVIRONMENT)

    assert world.images() == {"web": "good-0"}
    assert world.store.recall(ENVIRONMENT, record.current).settings.deadline_s == 900.0


def test_the_status_shows_them():
    world = changed(deadline_s=60.0, on_failure=OnFailure.HOLD, depends_on=("database",))

    shown = environment_json(EnvironmentView(environment=ENVIRONMENT, latest=world.latest), Fields.USUAL)

    assert shown["settings"] == {
        "dependsOn": ["database"],
        "timeoutSeconds": 60.0,
        "soakSeconds": 0,
        "onFailure": "hold",
        "prune": {"enabled": True, "budgetPercent": 20},
    }

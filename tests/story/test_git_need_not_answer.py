"""While Git is silent nothing is deleted, drift is repaired, and a bad commit is still put back."""

from __future__ import annotations

from tests.story.world import World


def world_at(*commits: str) -> World:
    world = World()
    for image in commits:
        world.commit(web=image, cache="good-1")
        world.settle()
    return world


def test_drift_is_repaired():
    world = world_at("good-1")
    world.git.silent = True
    web = next(ref for ref in world.cluster.objects if ref.name == "web")
    world.cluster.edit(web, image="by-hand")
    world.settle()

    assert world.images()["web"] == "good-1"


def test_a_bad_commit_is_put_back_from_the_snapshot_and_its_additions_go():
    world = world_at("good-1")
    world.commit(web="bad-1", cache="good-1", extra="good-1")
    world.make_passes(2)
    world.git.silent = True
    world.settle()

    assert world.images() == {"web": "good-1", "cache": "good-1"}


def test_what_an_earlier_commit_removed_waits_until_git_answers():
    world = world_at("good-1")
    world.commit(web="good-1")
    world.make_passes(1)
    world.git.silent = True
    world.settle()
    while_silent = set(world.images())
    world.git.silent = False
    world.settle()

    assert (while_silent, set(world.images())) == ({"web", "cache"}, {"web"})


def test_with_nothing_ever_seen_nothing_happens():
    world = World()
    world.git.silent = True

    assert world.pass_once() is None
    assert world.cluster.objects == {}

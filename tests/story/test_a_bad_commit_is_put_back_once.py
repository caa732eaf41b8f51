"""A commit that fails is put back to what was kept, once; what it added is gone, and it is not tried again."""

from __future__ import annotations

from gitopsd.core.decision import Rest, Revert
from gitopsd.core.model import ObjectRef
from tests.story.world import ENVIRONMENT, World

WEB = ObjectRef("apps", "Deployment", "shop", "web")


def kept_then(**bad: str) -> World:
    world = World()
    world.commit(web="good-1")
    world.settle()
    world.commit(**bad)
    world.settle()
    return world


def reverts(world: World) -> int:
    return sum(isinstance(decision, Revert) for decision in world.decisions)


def test_the_cluster_runs_what_was_kept():
    world = kept_then(web="bad-1", extra="good-1")

    assert world.images() == {"web": "good-1"}


def test_a_pod_that_would_wait_for_itself_for_ever_is_deleted_on_the_way_back():
    world = World()
    world.commit(web="good-1")
    world.settle()
    world.commit(web="bad-1")
    world.make_passes_until(Revert)
    pod = ObjectRef("", "Pod", "shop", "web-1")
    world.cluster.put(pod, {})
    world.cluster.held_up_by = {WEB: pod}

    assert isinstance(world.settle(), Rest)
    assert world.images() == {"web": "good-1"}
    assert world.cluster.deletes() == {pod: 1}


def test_a_pod_of_what_is_kept_is_left_alone_whatever_holds_it_up():
    world = World()
    world.commit(web="good-1")
    world.settle()
    pod = ObjectRef("", "Pod", "shop", "web-1")
    world.cluster.put(pod, {})
    world.cluster.held_up_by = {WEB: pod}
    world.settle()

    assert world.cluster.deletes() == {}


def test_the_commit_that_brought_it_is_blamed_and_not_one_that_came_later_with_the_same_content():
    world = World()
    world.commit(web="good-1")
    world.settle()
    world.commit(web="bad-1")
    world.make_passes(2)
    world.commit(web="bad-1")
    world.settle()

    (hold,) = world.store.load(ENVIRONMENT).held.values()
    assert (hold.revision.commit, len(world.git.commits)) == ("0000002".ljust(40, "0"), 3)


def test_it_is_put_back_once_however_long_it_stays_in_git():
    world = kept_then(web="bad-1")
    for _ in range(20):
        world.clock.advance(minutes=10)
        world.settle()

    assert reverts(world) == 1


def test_an_unrelated_commit_neither_clears_nor_triggers_it():
    world = kept_then(web="bad-1")
    world.commit(web="bad-1")
    world.settle()

    assert (reverts(world), world.images()) == (1, {"web": "good-1"})


def test_a_commit_of_the_kept_content_is_recognised_at_once():
    world = kept_then(web="bad-1")
    before = dict(world.cluster.writes)
    world.commit(web="good-1")

    assert isinstance(world.settle(), Rest)
    assert world.cluster.writes == before


def test_a_fix_goes_through():
    world = kept_then(web="bad-1", extra="good-1")
    world.commit(web="good-2")
    world.settle()

    assert world.images() == {"web": "good-2"}


def test_the_same_bad_content_later_is_still_held():
    world = kept_then(web="bad-1")
    world.commit(web="good-2")
    world.settle()
    world.commit(web="bad-1")
    world.settle()

    assert (reverts(world), world.images()) == (1, {"web": "good-2"})

"""Rows of the catalogue about reverts that the story itself answers: V1, V2, V6, V7, V8."""

from __future__ import annotations

from gitopsd.core.decision import Apply, Held, Rest, Revert
from gitopsd.core.status.facts import problems
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, phase
from tests.story.world import ENVIRONMENT, World


def kept_then(**images: str) -> World:
    """A kept commit, and another."""
    world = World()
    world.commit(web="good-0", cache="good-0")
    world.settle()
    world.commit(**images)
    return world


def reverts(world: World) -> int:
    return sum(isinstance(one, Revert) for one in world.decisions)


def seen(world: World) -> EnvironmentView:
    return EnvironmentView(environment=ENVIRONMENT, latest=world.latest)


def test_v1_when_the_previous_revision_is_unhealthy_as_well_it_stops_after_one_revert():
    world = kept_then(web="bad-1", cache="good-0")
    world.make_passes_until(Revert)
    world.cluster.ill = {"good-0"}
    stopped = world.settle()
    writes = dict(world.cluster.writes)
    for _ in range(10):
        world.clock.advance(minutes=10)
        world.settle()

    assert (reverts(world), world.cluster.writes) == (1, writes)
    assert stopped.problems[0].code == "REVERT_FAILED"
    assert (phase(seen(world)), problems(seen(world))[0].code) == (Phase.FAILED, "REVERT_FAILED")


def test_v2_when_the_first_sync_of_all_fails_everything_stays_and_is_told():
    world = World()
    world.commit(web="bad-1", cache="good-0")
    stopped = world.settle()

    assert stopped.problems[0].code == "ROLLOUT_FAILED"
    assert (world.images(), reverts(world)) == ({"web": "bad-1", "cache": "good-0"}, 0)
    assert world.cluster.deletes() == {}
    assert phase(seen(world)) is Phase.FAILED


def test_v6_a_new_commit_during_a_revert_takes_over_and_what_the_bad_one_added_is_gone():
    world = kept_then(web="bad-1", cache="good-0", extra="good-1")
    world.make_passes_until(Revert)
    world.make_passes(1)
    began = world.decisions[-1]
    world.commit(web="good-2", cache="good-0")
    world.settle()

    assert isinstance(began, Apply)
    assert world.images() == {"web": "good-2", "cache": "good-0"}
    assert world.store.load(ENVIRONMENT).last_kept.revision.commit == "0000003".ljust(40, "0")


def test_v6_a_bad_commit_during_a_revert_is_put_back_to_what_was_kept_as_well():
    world = kept_then(web="bad-1", cache="good-0")
    world.make_passes_until(Revert)
    world.make_passes(1)
    world.commit(web="bad-2", cache="good-0")
    world.settle()

    assert (reverts(world), world.images()) == (2, {"web": "good-0", "cache": "good-0"})


def test_v7_a_new_commit_with_the_same_bad_content_stays_held_and_nothing_is_written():
    world = kept_then(web="bad-1", cache="good-0")
    world.settle()
    writes, record = dict(world.cluster.writes), world.store.load(ENVIRONMENT)
    world.commit(web="bad-1", cache="good-0")

    assert isinstance(world.settle(), Rest)
    assert (reverts(world), world.cluster.writes) == (1, writes)
    assert world.store.load(ENVIRONMENT).held == record.held
    assert phase(seen(world)) is Phase.REVERTED


def test_v7_also_while_the_revert_is_still_on_its_way():
    world = kept_then(web="bad-1", cache="good-0")
    world.make_passes_until(Revert)
    world.commit(web="bad-1", cache="good-0")
    world.settle()

    assert (reverts(world), world.images()) == (1, {"web": "good-0", "cache": "good-0"})


def test_v8_a_git_revert_to_the_kept_content_is_recognised_and_is_good_again():
    world = kept_then(web="bad-1", cache="good-0", extra="good-1")
    world.settle()
    writes = dict(world.cluster.writes)
    world.commit(web="good-0", cache="good-0")

    assert isinstance(world.settle(), Rest)
    assert world.cluster.writes == writes
    assert phase(seen(world)) is Phase.READY


def test_v8_also_before_the_bad_commit_is_found_out():
    world = kept_then(web="bad-1", cache="good-0", extra="good-1")
    world.make_passes(2)
    world.commit(web="good-0", cache="good-0")
    last = world.settle()

    assert not isinstance(last, Held)
    assert (reverts(world), world.images()) == (0, {"web": "good-0", "cache": "good-0"})

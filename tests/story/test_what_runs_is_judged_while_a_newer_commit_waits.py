"""A newer commit that cannot begin holds up nothing: what runs is kept, put back or repaired as if there were none."""

from __future__ import annotations

import pytest

from gitopsd.core.decision import Held, Rest, Revert, Watch
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.model import Refused
from gitopsd.core.settings import OnFailure, Settings
from gitopsd.core.status.environment import Fields, environment_json
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, Word, health, phase
from tests.story.world import ENVIRONMENT, World

REFUSAL = Refused(Problem(code="APPLY_INVALID", stage=Stage.VALIDATE, message="the server will not have it"))


def rolling_out(**images: str) -> World:
    """A world in which a commit has begun, and the next one is to come."""
    world = World()
    world.commit(web="good-0")
    world.settle()
    world.commit(**images)
    world.make_passes(1)
    return world


def refused(world: World) -> None:
    world.cluster.refuse["never"] = REFUSAL
    world.commit(web="good-2", never="good-1")


def waits_for_another(world: World) -> None:
    world.git.settings = Settings(soak_s=0, depends_on=("database",))
    world.commit(web="good-2")


def belongs_to_another(world: World) -> None:
    world.put_by_hand("theirs")
    world.commit(web="good-2", theirs="good-1")


BLOCKED = pytest.mark.parametrize("block", [refused, waits_for_another, belongs_to_another])


def reverts(world: World) -> int:
    return sum(isinstance(decision, Revert) for decision in world.decisions)


def seen(world: World) -> EnvironmentView:
    return EnvironmentView(environment=ENVIRONMENT, latest=world.latest)


@BLOCKED
def test_a_bad_commit_is_put_back_once_and_what_it_added_goes(block):
    world = rolling_out(web="bad-1", extra="good-1")
    block(world)
    world.rest()
    world.clock.advance(minutes=10)
    world.rest()

    assert world.images("web", "extra") == {"web": "good-0"}
    assert reverts(world) == 1


@BLOCKED
def test_a_good_commit_is_kept(block):
    world = rolling_out(web="good-1")
    block(world)
    world.rest()

    record = world.store.load(ENVIRONMENT)
    assert (record.last_kept.digest, record.rollout) == (record.current, None)
    assert world.images("web") == {"web": "good-1"}


@BLOCKED
def test_what_was_changed_by_hand_is_put_back(block):
    world = rolling_out(web="good-1")
    world.settle()
    block(world)
    world.rest()
    world.cluster.edit(next(ref for ref in world.cluster.objects if ref.name == "web"), image="by-hand")
    world.rest()

    assert world.images("web") == {"web": "good-1"}


@BLOCKED
def test_with_on_failure_hold_it_stays_and_is_told_no_more_than_once(block):
    world = World()
    world.git.settings = Settings(soak_s=0, on_failure=OnFailure.HOLD)
    world.commit(web="good-0")
    world.settle()
    world.commit(web="bad-1")
    world.make_passes(2)
    block(world)
    world.rest()

    record = world.store.load(ENVIRONMENT)
    assert world.images("web") == {"web": "bad-1"}
    assert "image not found" in record.rollout.failure
    assert sum(entry.outcome == "Failed" for entry in record.history) == 1


def test_the_newer_commit_goes_through_as_soon_as_it_can():
    world = rolling_out(web="bad-1")
    refused(world)
    world.rest()
    world.cluster.refuse.clear()

    assert isinstance(world.settle(), Rest)
    assert world.images() == {"web": "good-2", "never": "good-1"}


def test_nothing_is_written_over_and_over_while_it_waits():
    world = rolling_out(web="bad-1")
    refused(world)
    world.rest()
    saved, writes = world.store.load(ENVIRONMENT).version, dict(world.cluster.writes)
    for _ in range(3):
        world.clock.advance(minutes=1)
        world.rest()

    assert (world.store.load(ENVIRONMENT).version, world.cluster.writes) == (saved, writes)


def test_it_is_put_back_even_while_nobody_can_say_whether_the_newer_one_could_begin():
    world = rolling_out(web="bad-1")
    world.commit(web="good-2", unsure="good-1")
    world.cluster.unsure = {"unsure"}
    for _ in range(20):
        world.pass_once()
        world.clock.advance(seconds=5)

    view = seen(world)
    assert world.images() == {"web": "good-0"}
    assert isinstance(view.latest.git.unseen, ClusterError)
    assert view.known.held


def test_a_bad_commit_is_put_back_even_while_nobody_can_say_which_kinds_are_served():
    world = rolling_out(web="bad-1")
    world.cluster.mute = True
    for _ in range(20):
        world.pass_once()
        world.clock.advance(seconds=5)

    assert world.images() == {"web": "good-0"}
    assert reverts(world) == 1


def test_at_rest_nothing_is_told_or_done_anew_while_nobody_can_say_which_kinds_are_served():
    world = rolling_out(web="bad-1")
    world.rest()
    world.commit(web="good-0")
    world.rest()
    before = world.latest
    world.cluster.mute = True

    assert world.pass_once() is None
    assert world.latest is before
    assert phase(seen(world)) is Phase.READY


def test_people_see_what_happens_and_what_the_newer_commit_waits_for():
    world = rolling_out(web="bad-1")
    refused(world)
    world.pass_once()

    view = seen(world)

    assert isinstance(view.latest.decision, Watch)
    assert phase(view) is Phase.VERIFYING
    assert [problem.code for problem in problems(view)] == ["APPLY_INVALID"]
    assert "image not found" in why(view)
    assert "the server will not have it" in why(view)


def test_people_see_that_it_goes_back_and_then_why_it_is_not_what_git_says():
    world = rolling_out(web="bad-1")
    refused(world)
    world.make_passes_until(Revert)
    going = why(seen(world))
    world.rest()

    assert going.startswith("main@sha1:0000002 failed at")
    assert "the server will not have it" in going
    assert isinstance(world.decisions[-1], Held)
    assert phase(seen(world)) is Phase.FAILED


def objects(world: World) -> dict[str, str]:
    shown = environment_json(seen(world), Fields.FULL)
    return {one["name"]: one["health"]["status"] for one in shown.get("objects", ())}


def ready_but_waiting(block) -> World:
    world = rolling_out(web="good-1")
    world.settle()
    block(world)
    world.rest()
    return world


@BLOCKED
def test_people_see_what_runs_as_well_as_it_is(block):
    world = ready_but_waiting(block)

    assert health(seen(world)) is Word.HEALTHY
    assert objects(world) == {"web": "Healthy"}


@BLOCKED
def test_people_see_that_what_runs_fails_by_now(block):
    world = ready_but_waiting(block)
    world.cluster.ill.add("good-1")
    world.rest()

    assert health(seen(world)) is Word.DEGRADED
    assert "OBJECT_FAILED" in [problem.code for problem in problems(seen(world))]


def test_of_a_first_commit_that_cannot_begin_nothing_is_missing():
    world = World()
    refused(world)
    world.rest()

    assert (phase(seen(world)), health(seen(world)), objects(world)) == (Phase.FAILED, Word.UNKNOWN, {})


def test_an_object_of_somebody_else_is_told_once():
    world = ready_but_waiting(belongs_to_another)

    assert len(problems(seen(world))) == 1

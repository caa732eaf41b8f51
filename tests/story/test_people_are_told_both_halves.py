"""A newer commit that cannot be read or is refused hides nothing: people are told of it, and how what runs does."""

from __future__ import annotations

import pytest

from gitopsd.core.commands import Ask, rollback, suspend
from gitopsd.core.decision import Apply, Held, Keep, Rest, Revert
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Refused
from gitopsd.core.settings import OnFailure, Settings
from gitopsd.core.status.facts import problems
from gitopsd.core.status.history import rollback_json
from gitopsd.core.status.sentence import why
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, phase
from gitopsd.daemon.board import Board
from tests.story.world import ENVIRONMENT, UNREADABLE, World

REFUSAL = Refused(Problem(code="FIELD_INVALID", stage=Stage.VALIDATE, message="the server will not have it"))


def unreadable(world: World) -> str:
    world.commit(web=UNREADABLE)
    return "is rejected: web.yaml:3: a tab indents; use spaces"


def refused(world: World) -> str:
    world.cluster.refuse["never"] = REFUSAL
    world.commit(web="good-2", never="good-1")
    return "is rejected: the server will not have it"


NEWER = pytest.mark.parametrize("newer", [unreadable, refused])


def at(*images: str) -> World:
    world = World()
    for image in images:
        world.commit(web=image)
        world.settle()
    return world


def ask(world: World, why: str = "it is slow") -> Ask:
    return Ask(by="ada", why=why, at=world.clock.now())


def says(world: World, change) -> None:
    world.store.save(ENVIRONMENT, change(world.store.load(ENVIRONMENT), ask(world)))


def shown(world: World) -> EnvironmentView:
    """What the daemon shows after a pass."""
    board = Board()
    board.follow(ENVIRONMENT)
    board.saw(ENVIRONMENT.name, world.latest)
    rejected = world.latest.git.rejected
    if rejected:
        board.failed(ENVIRONMENT.name, rejected.problems, "RenderError", world.clock.now(), looked=True)
    return board.environments[ENVIRONMENT.name]


def assert_told(world: World, *parts: str) -> None:
    sentence = why(shown(world))
    for part in parts:
        assert part in sentence


@NEWER
def test_what_runs_is_still_judged(newer):
    world = at("good-0")
    world.commit(web="bad-1")
    world.make_passes_until(Apply)
    refusal = newer(world)
    world.pass_once()

    assert phase(shown(world)) is Phase.VERIFYING
    assert_told(world, "main@sha1:0000002 is applied, not yet proven healthy: ", "image not found", "deadline", refusal)


@NEWER
def test_what_runs_is_kept_or_has_been(newer):
    world = at("good-0")
    world.commit(web="good-1")
    world.make_passes_until(Apply)
    refusal = newer(world)
    world.make_passes_until(Keep)
    on_the_way = phase(shown(world))
    world.rest()

    assert (on_the_way, phase(shown(world))) == (Phase.READY, Phase.FAILED)
    assert_told(world, refusal, "the cluster stays at main@sha1:0000002, kept since ")


@NEWER
def test_what_runs_is_put_back(newer):
    world = at("good-0")
    world.commit(web="bad-1")
    world.make_passes_until(Apply)
    refusal = newer(world)
    world.make_passes_until(Revert)

    assert phase(shown(world)) is Phase.REVERTING
    assert_told(world, "failed at ", "image not found", "going back to main@sha1:0000001", refusal)


@NEWER
def test_what_runs_was_put_back(newer):
    world = at("good-0", "bad-1")
    refusal = newer(world)
    world.rest()

    assert phase(shown(world)) is Phase.FAILED
    assert_told(
        world,
        refusal,
        "the cluster stays at main@sha1:0000001",
        "main@sha1:0000002 was put back at ",
        "image not found",
    )
    assert {"ROLLOUT_FAILED"} < {one.code for one in problems(shown(world))}


@NEWER
def test_a_person_went_back_from_it(newer):
    world = at("good-0", "good-1")
    says(world, rollback)
    world.settle()
    refusal = newer(world)
    world.rest()

    assert_told(world, refusal, "the cluster stays at main@sha1:0000001", "ada holds main@sha1:0000002", "it is slow")


@NEWER
def test_going_back_failed(newer):
    world = at("good-0")
    world.commit(web="bad-1")
    world.make_passes_until(Revert)
    world.cluster.ill = {"good-0"}
    world.settle()
    refusal = newer(world)
    world.rest()

    assert_told(world, refusal, "going back from main@sha1:0000002 to main@sha1:0000001 failed at ")
    assert "REVERT_FAILED" in {one.code for one in problems(shown(world))}


@NEWER
def test_it_failed_and_stays(newer):
    world = World()
    world.git.settings = Settings(soak_s=0, on_failure=OnFailure.HOLD)
    world.commit(web="good-0")
    world.settle()
    world.commit(web="bad-1")
    world.settle()
    refusal = newer(world)
    world.rest()

    assert_told(world, refusal, "main@sha1:0000002 failed at ", "image not found")


@NEWER
def test_what_runs_fails_by_now(newer):
    world = at("good-0")
    refusal = newer(world)
    world.rest()
    world.cluster.ill.add("good-0")
    world.rest()

    assert_told(world, refusal, "kept since", "; by now Deployment shop/web: ")


def test_it_is_paused():
    world = at("good-0")
    says(world, suspend)
    refusal = unreadable(world)
    world.rest()

    assert phase(shown(world)) is Phase.SUSPENDED
    assert_told(world, "suspended by ada since", refusal)


def test_of_a_first_commit_nothing_runs():
    world = World()
    refused(world)
    world.rest()

    assert_told(world, "is rejected: the server will not have it; nothing has been applied yet")


def test_a_put_back_environment_says_that_git_is_silent():
    world = at("good-0", "bad-1")
    world.git.silent = True
    world.rest()

    assert phase(shown(world)) is Phase.REVERTED
    assert_told(world, "was put back at", "gitopsd release staging", "; but no answer")


def test_going_back_says_that_git_is_silent():
    world = at("good-0")
    world.commit(web="bad-1")
    world.make_passes_until(Apply)
    world.git.silent = True
    world.make_passes_until(Revert)

    assert phase(shown(world)) is Phase.REVERTING
    assert_told(world, "going back to main@sha1:0000001", "; but no answer")


@pytest.mark.parametrize("silent", [False, True], ids=["from the record alone", "while Git is silent"])
def test_a_fix_that_was_kept_was_not_put_back_although_what_it_fixed_was(silent):
    world = at("good-0", "bad-1", "good-2")
    world.git.silent = silent
    world.rest()
    record = world.store.load(ENVIRONMENT)
    view = shown(world) if silent else EnvironmentView(environment=ENVIRONMENT, record=record)

    assert isinstance(world.decisions[-1], Rest | Held)
    assert phase(view) is Phase.READY
    assert "put back" not in why(view)


def test_the_last_way_back_is_still_that_one_after_a_fix_was_kept():
    world = at("good-0", "bad-1", "good-2")
    shown = rollback_json(world.store.load(ENVIRONMENT))

    assert (shown["from"]["sha"][:7], shown["to"]["sha"][:7], shown["result"]) == ("0000002", "0000001", "Reverted")


def test_a_way_back_that_is_refused_says_from_what_and_to_what():
    world = at("good-0")
    world.commit(web="bad-1")
    world.make_passes_until(Revert)
    world.cluster.refuse["web"] = REFUSAL
    world.rest()

    assert phase(shown(world)) is Phase.FAILED
    assert_told(world, "failed at ", "image not found", "no way back to main@sha1:0000001: the server will not have it")


def test_a_failed_way_back_says_from_what_since_when_where_the_cluster_is_and_what_to_do():
    world = at("good-0")
    world.commit(web="bad-1")
    world.make_passes_until(Revert)
    world.cluster.ill = {"good-0"}
    world.settle()

    assert_told(
        world,
        "going back from main@sha1:0000002 to main@sha1:0000001 failed at 2026-01-01T12:",
        "all of main@sha1:0000001 is written",
        "going back did not help and is not tried again",
        "commit a fix",
    )

"""What the store knows costs no request; what it may not know any more is asked for again."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from gitopsd.adapters.store import ClusterStore
from gitopsd.adapters.store.memory import Memory, Recalled
from gitopsd.core.errors import ClusterError, PlanRefused, Superseded
from gitopsd.core.model import Environment, Item
from gitopsd.core.record import Record
from tests.fakes.api import FakeApi, Loss, LossyApi
from tests.make import desired, manifest, ref

STAGING = Environment(name="staging", source="git", path="environments/staging")
PRODUCTION = Environment(name="production", source="git", path="environments/production")
OLD, NEW, NEWER = "1" * 64, "2" * 64, "3" * 64
RECORD = Record(current=NEW, inventory={ref("Deployment", "web"): Item(uid="u")})
SET = desired(manifest("Deployment", "web"), digest=NEW)
OLD_SET = replace(SET, digest=OLD)


class World:
    """Two replicas' stores on one server; ``requests`` of the first since it was last asked."""

    def __init__(self) -> None:
        self.server = FakeApi()
        self.road = LossyApi(self.server, before=lambda _: self._count())
        self.store = ClusterStore(self.road, "gitopsd")
        self.other = ClusterStore(self.server, "gitopsd")
        self._requests = 0

    def _count(self) -> None:
        self._requests += 1

    def requests(self) -> int:
        made, self._requests = self._requests, 0
        return made


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("rounds", [1, 50])
def test_what_was_loaded_is_not_asked_for_again(world, rounds):
    world.other.save(STAGING, RECORD)
    first = world.store.load(STAGING)
    world.requests()

    assert [world.store.load(STAGING) for _ in range(rounds)] == [first] * rounds
    assert world.requests() == 0


def test_what_was_saved_is_not_asked_for_again(world):
    saved = world.store.save(STAGING, RECORD)
    world.requests()

    assert world.store.load(STAGING) == saved
    assert world.requests() == 0


def test_that_there_is_no_record_is_remembered_too(world):
    world.store.load(STAGING)
    world.requests()

    assert world.store.load(STAGING) == Record()
    assert world.requests() == 0


def test_a_save_of_what_is_known_is_one_request(world):
    saved = world.store.save(STAGING, RECORD)
    world.requests()
    world.store.save(STAGING, replace(saved, current=NEWER))

    assert world.requests() == 1


@pytest.mark.parametrize("name", [pytest.param("staging", id="this one"), pytest.param(None, id="all of them")])
def test_after_word_of_a_change_the_cluster_is_asked(world, name):
    saved = world.store.save(STAGING, RECORD)
    newer = world.other.save(STAGING, replace(saved, current=NEWER))

    assert world.store.load(STAGING) == saved
    world.store.invalidate(name)
    assert world.store.load(STAGING) == newer


def test_word_of_one_environment_says_nothing_of_another(world):
    world.store.save(STAGING, RECORD)
    world.store.save(PRODUCTION, RECORD)
    world.store.invalidate("production")
    world.requests()
    world.store.load(STAGING)

    assert world.requests() == 0


def test_who_was_superseded_sees_the_newer_record_next(world):
    saved = world.store.save(STAGING, RECORD)
    newer = world.other.save(STAGING, replace(saved, current=NEWER))

    with pytest.raises(Superseded):
        world.store.save(STAGING, replace(saved, current=OLD))

    assert world.store.load(STAGING) == newer


def test_after_a_save_that_nobody_knows_of_the_cluster_is_asked(world):
    saved = world.store.save(STAGING, RECORD)
    world.road.losses += [Loss.NEVER_ARRIVES, Loss.ARRIVES_LATE]
    with pytest.raises(ClusterError):
        world.store.save(STAGING, replace(saved, current=NEWER))
    world.requests()
    world.store.load(STAGING)

    assert world.requests() == 1


class ChangedMeanwhile:
    """A road on which somebody changes the record between the first read and the arrival of its answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_first = True
        self.store = ClusterStore(self, "gitopsd")

    def call(self, call):
        answer = self._world.server.call(call)
        if self._is_first:
            self._is_first = False
            self._world.other.save(STAGING, replace(self._world.other.load(STAGING), current=NEWER))
            self.store.invalidate("staging")
        return answer


def test_a_record_that_changes_while_it_is_read_is_not_remembered(world):
    world.other.save(STAGING, RECORD)
    store = ChangedMeanwhile(world).store

    assert store.load(STAGING).current == NEW
    assert store.load(STAGING).current == NEWER


def test_a_set_that_was_kept_is_not_asked_for_when_it_is_kept_again(world):
    world.store.keep_snapshot(STAGING, SET, frozenset({NEW}))
    world.requests()
    world.store.keep_snapshot(STAGING, SET, frozenset({NEW}))

    assert world.requests() == 0


def test_sets_that_are_needed_no_more_are_dropped_although_the_new_one_is_known(world):
    world.store.keep_snapshot(STAGING, OLD_SET, frozenset({OLD}))
    world.store.keep_snapshot(STAGING, SET, frozenset({OLD, NEW}))
    world.store.keep_snapshot(STAGING, SET, frozenset({NEW}))

    with pytest.raises(PlanRefused):
        world.store.recall(STAGING, OLD)


def test_a_set_whose_objects_moved_is_kept_again_under_its_digest(world):
    moved = desired(manifest("Deployment", "api"), digest=NEW)
    world.store.keep_snapshot(STAGING, SET, frozenset({NEW}))
    world.store.recall(STAGING, NEW)
    world.store.keep_snapshot(STAGING, moved, frozenset({NEW}))

    assert world.store.recall(STAGING, NEW) == moved


def test_a_set_that_somebody_deleted_is_kept_again_after_word_of_it(world):
    world.store.keep_snapshot(STAGING, SET, frozenset({NEW}))
    for key in [key for key in world.server.objects if key[0] == "secrets"]:
        del world.server.objects[key]
    world.store.invalidate()
    world.store.keep_snapshot(STAGING, SET, frozenset({NEW}))

    assert world.store.recall(STAGING, NEW) == SET


def test_a_recalled_set_is_not_read_again(world):
    world.other.keep_snapshot(STAGING, SET, frozenset({NEW}))
    world.store.recall(STAGING, NEW)
    world.requests()

    assert world.store.recall(STAGING, NEW) == SET
    assert world.requests() == 0


def test_recalled_sets_are_bounded_and_the_last_one_stays():
    recalled = Recalled(objects_max=3)
    pair = desired(manifest("Deployment", "web"), manifest("Deployment", "api"), digest=OLD)
    large = desired(*(manifest("ConfigMap", f"c{number}") for number in range(5)), digest=NEWER)
    recalled.keep("staging", pair)
    recalled.keep("staging", replace(pair, digest=NEW))

    assert recalled.get("staging", OLD) is None
    assert recalled.get("staging", NEW) is not None

    recalled.keep("staging", large)
    assert recalled.get("staging", NEW) is None
    assert recalled.get("staging", NEWER) == large


def test_what_many_threads_remember_and_forget_is_never_older_than_the_forgetting():
    memory: Memory[int] = Memory()
    truth = 0
    stale: list[int] = []

    def read():
        for _ in range(2_000):
            mark = memory.mark("staging")
            memory.keep(truth, mark)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 300):
        truth = number
        memory.forget("staging" if number % 2 else None)
        known = memory.get("staging")
        stale += [known] if known is not None and known < number else []
    for reader in readers:
        reader.join()

    assert stale == []

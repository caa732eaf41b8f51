"""What the store makes of hearing that a record changed."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from gitopsd.adapters.store import ClusterStore
from gitopsd.core.model import Environment
from gitopsd.core.record import Record
from gitopsd.ports import Answer, Call
from tests.fakes.api import FakeApi

STAGING = Environment(name="staging", source="git", path="environments/staging")
RECORD = Record(current="1" * 64)


@pytest.fixture
def server() -> FakeApi:
    return FakeApi()


@pytest.fixture
def store(server) -> ClusterStore:
    return ClusterStore(server, "gitopsd")


def test_what_we_wrote_ourselves_is_no_news_and_is_not_read_again(server, store):
    saved = store.save(STAGING, RECORD)
    server.calls.clear()

    assert not store.notice("staging", saved.version)
    assert store.load(STAGING) == saved
    assert server.calls == []


def test_an_event_that_is_late_is_no_news(store):
    first = store.save(STAGING, RECORD)
    second = store.save(STAGING, replace(first, current="2" * 64))

    assert not store.notice("staging", first.version)
    assert store.load(STAGING) == second


def test_what_somebody_else_wrote_is_news_and_is_read(server, store):
    saved = store.save(STAGING, RECORD)
    theirs = ClusterStore(server, "gitopsd").save(STAGING, replace(saved, current="2" * 64))

    assert store.notice("staging", theirs.version)
    assert store.load(STAGING) == theirs


def test_that_it_was_deleted_is_news(server, store):
    saved = store.save(STAGING, RECORD)
    del server.objects["configmaps", "gitopsd", "gitopsd-staging"]

    assert store.notice("staging", str(int(saved.version) + 1))
    assert store.load(STAGING) == Record()


def test_versions_that_are_no_numbers_are_only_told_apart(store):
    saved = store.save(STAGING, RECORD)

    assert store.notice("staging", f"{saved.version}-b")


def test_of_what_is_not_remembered_everything_is_news(store):
    assert store.notice("staging", "7")


class _SlowApi:
    """Has written before it answers; ``heard`` is told in between."""

    def __init__(self, server: FakeApi) -> None:
        self.server, self.written, self.may_answer = server, threading.Event(), threading.Event()

    def call(self, call: Call) -> Answer:
        answer = self.server.call(call)
        if call.method != "GET":
            self.written.set()
            assert self.may_answer.wait(10)
        return answer


def test_an_event_that_overtakes_the_answer_to_our_own_save_is_no_news(server):
    road = _SlowApi(server)
    store, heard = ClusterStore(road, "gitopsd"), []
    saving = threading.Thread(target=store.save, args=(STAGING, RECORD))
    saving.start()
    assert road.written.wait(10)
    version = server.objects["configmaps", "gitopsd", "gitopsd-staging"]["metadata"]["resourceVersion"]
    hearing = threading.Thread(target=lambda: heard.append(store.notice("staging", version)))
    hearing.start()

    road.may_answer.set()
    saving.join(10)
    hearing.join(10)

    assert heard == [False]

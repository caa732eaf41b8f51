"""One contract, three stores: in memory, on an API server in memory, and on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gitopsd.adapters.cluster import Transport, credentials
from gitopsd.adapters.store import ClusterStore
from gitopsd.core.errors import PlanRefused, Problem, Stage, Superseded
from gitopsd.core.model import Environment, Item, Revision
from gitopsd.core.record import Hold, Kept, Record, Suspension
from gitopsd.core.settings import IgnoreRule, OnFailure, Settings
from gitopsd.ports import Store
from tests.fakes.api import FakeApi
from tests.fakes.store import FakeStore
from tests.make import NOON, REVISION, desired, manifest, ref, rollout

STAGING = Environment(name="staging", source="git", path="environments/staging")
PRODUCTION = Environment(name="production/web", source="git", path="environments/production/web")

OLD, NEW, NEWER = "1" * 64, "2" * 64, "3" * 64
WEB = ref("Deployment", "web")
RECORD = Record(
    current=NEW,
    inventory={WEB: Item(uid="u", digest="d", fingerprint="f", born=OLD), ref("Namespace", "shop"): Item(born=NEW)},
    rollout=rollout(WEB, digest=NEW, failing={WEB: NOON}),
    kept=(Kept(digest=OLD, revision=REVISION, at=NOON),),
    held={NEW: Hold(digest=NEW, revision=REVISION, why="0/3 ready", since=NOON, back_to=OLD)},
    suspended=Suspension(by="ada", reason="migration", since=NOON),
    corrections={WEB: (NOON,)},
)
SECRET = manifest("Secret", "token", {"größe": [1, 1.5, None, True, "ü", 10**19 * 1.0]})
SET = desired(
    manifest("Deployment", "web", {"image": "a"}, {"gitopsd.dev/prune": "never"}),
    SECRET,
    digest=NEW,
    settings=Settings(
        namespace="shop",
        depends_on=("database",),
        on_failure=OnFailure.HOLD,
        ignore=(IgnoreRule(kind="Deployment", pointers=("/spec/replicas",)),),
    ),
)


@pytest.fixture(params=["memory", "fake API", pytest.param("real API", marks=pytest.mark.cluster)])
def store(request) -> Iterator[Store]:
    match request.param:
        case "memory":
            yield FakeStore()
        case "fake API":
            yield ClusterStore(FakeApi(), "gitopsd")
        case _:
            cluster = request.getfixturevalue("api_cluster")
            transport = Transport(credentials(str(cluster.kubeconfig)))
            yield ClusterStore(transport, request.getfixturevalue("api_namespace"))
            transport.close()


def test_what_was_never_saved_is_an_empty_record(store):
    assert store.load(STAGING) == Record()


def test_what_was_saved_is_loaded(store):
    saved = store.save(STAGING, RECORD)

    assert saved.version
    assert store.load(STAGING) == saved
    assert replace(saved, version="") == RECORD


def test_an_empty_record_can_be_saved(store):
    saved = store.save(STAGING, Record())

    assert store.load(STAGING) == saved


def test_the_newest_save_is_loaded(store):
    first = store.save(STAGING, RECORD)
    second = store.save(STAGING, replace(first, current=NEWER))

    assert store.load(STAGING) == second
    assert second.version != first.version


def test_environments_do_not_share_a_record(store):
    store.save(STAGING, RECORD)

    assert store.load(PRODUCTION) == Record()


def test_who_saves_over_a_newer_version_is_superseded(store):
    loaded = store.save(STAGING, RECORD)
    newer = store.save(STAGING, replace(loaded, current=NEWER))

    with pytest.raises(Superseded):
        store.save(STAGING, replace(loaded, current=OLD))

    assert store.load(STAGING) == newer


def test_of_two_who_save_the_first_record_one_is_superseded(store):
    first = store.save(STAGING, RECORD)

    with pytest.raises(Superseded):
        store.save(STAGING, Record())

    assert store.load(STAGING) == first


def test_a_kept_set_is_recalled_as_it_was(store):
    store.keep_snapshot(STAGING, SET, frozenset({NEW}))

    assert store.recall(STAGING, NEW) == SET


def test_a_set_comes_with_its_warnings_and_its_author(store):
    warned = replace(
        SET,
        revision=Revision(ref="main", commit="d" * 40, subject="Größer", author="Ada", committed_at=NOON),
        warnings=(Problem(code="WARNED", stage=Stage.RENDER, message="old", file="web.yaml", line=3),),
    )
    store.keep_snapshot(STAGING, warned, frozenset({NEW}))

    assert store.recall(STAGING, NEW) == warned


def test_the_latest_keeping_of_a_digest_is_recalled(store):
    later = replace(SET, settings=Settings(soak_s=7), revision=Revision(ref="main", commit="e" * 40))
    store.keep_snapshot(STAGING, SET, frozenset({NEW}))
    store.keep_snapshot(STAGING, later, frozenset({NEW}))

    assert store.recall(STAGING, NEW) == later


def test_a_set_that_is_needed_no_more_is_dropped(store):
    for digest in (OLD, NEW, NEWER):
        store.keep_snapshot(STAGING, replace(SET, digest=digest), frozenset({digest, NEW}))

    assert store.recall(STAGING, NEW).digest == NEW
    assert store.recall(STAGING, NEWER).digest == NEWER
    with pytest.raises(PlanRefused) as raised:
        store.recall(STAGING, OLD)
    assert raised.value.problem.code == "SNAPSHOT_MISSING"


def test_dropping_leaves_other_environments_alone(store):
    store.keep_snapshot(PRODUCTION, SET, frozenset({NEW}))
    store.keep_snapshot(STAGING, replace(SET, digest=OLD), frozenset({OLD}))

    assert store.recall(PRODUCTION, NEW) == SET


def test_the_set_just_kept_is_never_dropped(store):
    store.keep_snapshot(STAGING, SET, frozenset())

    assert store.recall(STAGING, NEW) == SET


def test_a_set_that_was_never_kept_is_refused_and_not_empty(store):
    with pytest.raises(PlanRefused) as raised:
        store.recall(STAGING, NEW)

    assert raised.value.problem.code == "SNAPSHOT_MISSING"


def test_a_snapshot_is_no_record(store):
    store.keep_snapshot(STAGING, SET, frozenset({NEW}))

    assert store.load(STAGING) == Record()

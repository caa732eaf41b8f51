"""Records and snapshots on a real API server: as large as they get, from several writers, and through its crashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gitopsd.adapters.cluster import Limits, Transport, credentials
from gitopsd.adapters.store import ClusterStore
from gitopsd.core.applyset import apply_set, parent_name
from gitopsd.core.errors import ClusterError, Superseded
from gitopsd.core.model import Environment, Item
from gitopsd.core.record import Entry, Outcome, Record
from gitopsd.ports import Store
from rig.faults import crash_and_restart, crashed
from tests.make import NOON, REVISION, desired, manifest, ref, rollout

pytestmark = pytest.mark.cluster

STAGING = Environment(name="staging", source="git", path="environments/staging")
ODD = Environment(name="Größe/v1.2", source="git", path="odd")
NEW = "2" * 64
WRITERS, WRITES = 4, 5


class Stores:
    """Stores of several processes, on one namespace."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.login, self.namespace = credentials(kubeconfig), namespace

    def open(self) -> Store:
        return ClusterStore(Transport(self.login, limits=Limits(total_s=5.0)), self.namespace)


@pytest.fixture
def stores(api_cluster, api_namespace) -> Iterator[Stores]:
    return Stores(str(api_cluster.kubeconfig), api_namespace)


def _item(name: str) -> Item:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Item(uid=f"{digest[:8]}-0000-4000-8000-{digest[:12]}", digest=digest, fingerprint=digest[::2], born=NEW)


def test_a_record_of_five_thousand_objects_is_stored(stores):
    refs = [ref("Deployment", f"service-{number}", f"team-{number % 9}") for number in range(5_000)]
    record = Record(
        inventory={one: _item(one.name) for one in refs},
        rollout=rollout(*refs, digest=NEW, failing=dict.fromkeys(refs, NOON)),
        corrections=dict.fromkeys(refs, (NOON,) * 5),
    )
    saved = stores.open().save(STAGING, record)

    assert stores.open().load(STAGING) == saved


def test_a_set_of_several_megabytes_is_recalled_by_another_process(stores):
    noise = "".join(hashlib.sha512(str(number).encode()).hexdigest() for number in range(40_000))
    large = desired(manifest("ConfigMap", "blob", {"noise": noise}), digest=NEW)
    stores.open().keep_snapshot(STAGING, large, frozenset())

    assert stores.open().recall(STAGING, NEW) == large


@pytest.mark.parametrize("environment", [STAGING, ODD], ids=lambda environment: environment.name)
def test_the_parent_can_be_found_by_the_apply_sets_id(stores, api_cluster, environment):
    stores.open().save(environment, Record())
    selector = f"applyset.kubernetes.io/id={apply_set(environment.name, stores.namespace)}"
    found = api_cluster.api().get(f"/api/v1/namespaces/{stores.namespace}/configmaps?labelSelector={selector}")

    assert [item["metadata"]["name"] for item in found["items"]] == [parent_name(environment.name)]


def test_of_many_who_write_at_once_nobodys_line_is_lost(stores):
    def write(name: str) -> None:
        store, done = stores.open(), 0
        while done < WRITES:
            record = store.load(STAGING)
            line = Entry(outcome=Outcome.HELD, digest=f"{name}-{done}", revision=REVISION, at=NOON)
            try:
                store.save(STAGING, record.note(line))
                done += 1
            except Superseded:
                continue

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, "abcd"))

    lines = [line.digest for line in stores.open().load(STAGING).history]
    assert sorted(lines) == [f"{name}-{number}" for name in "abcd" for number in range(WRITES)]


@pytest.mark.rig_power
def test_a_crash_of_the_api_server_is_an_error_and_not_an_empty_record(stores, api_cluster):
    store = stores.open()
    saved = store.save(STAGING, Record(current=NEW))
    with crashed(api_cluster.powers()):
        with pytest.raises(ClusterError):
            stores.open().load(STAGING)
        with pytest.raises(ClusterError):
            store.save(STAGING, replace(saved, current="x"))

    assert stores.open().load(STAGING) == saved
    assert store.save(STAGING, replace(saved, current="y")).current == "y"


@pytest.mark.rig_power
def test_what_was_stored_is_there_after_a_crash(stores, api_cluster):
    small = desired(manifest("ConfigMap", "web"), digest=NEW)
    store = stores.open()
    saved = store.save(STAGING, Record(current=NEW))
    store.keep_snapshot(STAGING, small, frozenset())
    crash_and_restart(api_cluster.powers())

    assert stores.open().load(STAGING) == saved
    assert stores.open().recall(STAGING, NEW) == small


@pytest.mark.rig_power
def test_a_save_is_one_write_and_a_load_is_none(stores, api_audit):
    store = stores.open()
    saved = store.save(STAGING, Record())
    began = api_audit.position()
    saved = store.save(STAGING, replace(saved, current=NEW))
    stores.open().load(STAGING)

    writes = api_audit.writes(began)
    assert sum(writes.values()) == 1
    assert {write.manager for write in writes} == {"gitopsd-applyset"}

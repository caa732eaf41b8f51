"""The record among others on a real API server: kubectl, people, and a namespace that comes and goes."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gitopsd.adapters.cluster import Transport, credentials
from gitopsd.adapters.store import ClusterStore
from gitopsd.core.errors import ClusterError, PlanRefused
from gitopsd.core.model import Environment, Item
from gitopsd.core.record import Record
from rig.api import MERGE
from rig.binaries import binary_path
from rig.waiting import wait_for
from tests.make import ref

pytestmark = pytest.mark.cluster

STAGING = Environment(name="staging", source="git", path="environments/staging")
RECORD = Record(current="2" * 64, inventory={ref("Deployment", "web"): Item(uid="u")})
MEMBER = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "member"}}'


@pytest.fixture
def transport(api_cluster) -> Iterator[Transport]:
    made = Transport(credentials(str(api_cluster.kubeconfig)))
    yield made
    made.close()


@pytest.fixture
def store(transport, api_namespace) -> ClusterStore:
    return ClusterStore(transport, api_namespace)


@pytest.fixture
def records(api_namespace) -> str:
    """The path of the namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{api_namespace}/configmaps"


def test_kubectl_knows_our_apply_set_and_leaves_it_alone(store, api_cluster, api_namespace):
    store.save(STAGING, RECORD)
    apply = ("apply", "--prune", "--applyset=configmap/gitopsd-staging", "--namespace", api_namespace, "-f", "-")
    said = subprocess.run(
        [binary_path("kubectl"), "--kubeconfig", api_cluster.kubeconfig, *apply],
        input=MEMBER,
        env={**os.environ, "KUBECTL_APPLYSET": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode != 0
    assert 'already exists and is managed by tooling "gitopsd"' in said.stderr


def test_a_parent_that_kubectl_made_is_refused(store, api_cluster, api_namespace, records):
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gitopsd-staging"}}
    made["metadata"]["annotations"] = {"applyset.kubernetes.io/tooling": "kubectl/v1.35"}
    api_cluster.api().create(records, made)

    with pytest.raises(PlanRefused) as raised:
        store.load(STAGING)

    assert raised.value.problem.code == "RECORD_FOREIGN"
    assert raised.value.problem.ref == f"ConfigMap {api_namespace}/gitopsd-staging"


def test_marks_of_others_outlive_our_saves(store, api_cluster, records):
    store.save(STAGING, RECORD)
    marks = {"metadata": {"labels": {"velero.io/backup": "yes"}, "annotations": {"note": "do not touch"}}}
    api_cluster.api().request("PATCH", f"{records}/gitopsd-staging", marks, MERGE)
    store.invalidate("staging")
    store.save(STAGING, replace(store.load(STAGING), current="3" * 64))

    metadata = api_cluster.api().get(f"{records}/gitopsd-staging")["metadata"]
    assert (metadata["labels"]["velero.io/backup"], metadata["annotations"]["note"]) == ("yes", "do not touch")


def test_no_record_in_a_namespace_that_is_going_says_nothing(api_cluster, api_namespace, transport, records):
    api = api_cluster.api()
    clinging = {"name": "clinging", "finalizers": ["rig.test/clings"]}
    api.create(records, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": clinging})
    api.delete(f"/api/v1/namespaces/{api_namespace}")
    try:
        with pytest.raises(ClusterError) as raised:
            ClusterStore(transport, api_namespace).load(STAGING)
        assert raised.value.problem.code == "NAMESPACE_TERMINATING"
    finally:
        gone = {"metadata": {"finalizers": None}}
        api.request("PATCH", f"{records}/clinging", gone, MERGE)


def test_the_first_save_brings_the_namespace(api_cluster, transport):
    namespace = f"gitopsd-test-{uuid.uuid4().hex[:8]}"
    store = ClusterStore(transport, namespace)
    try:
        assert store.load(STAGING) == Record()
        saved = store.save(STAGING, RECORD)
        assert ClusterStore(transport, namespace).load(STAGING) == saved
    finally:
        api_cluster.api().delete(f"/api/v1/namespaces/{namespace}")
        path = f"/api/v1/namespaces/{namespace}"
        wait_for(f"{namespace} to be gone", lambda: api_cluster.api().find(path) is None, deadline_s=60)


@pytest.mark.rig_power
def test_a_load_of_what_is_known_asks_nothing(store, api_audit):
    saved = store.save(STAGING, RECORD)
    began = api_audit.position()

    assert [store.load(STAGING) for _ in range(100)] == [saved] * 100
    assert api_audit.requests(began) == []

"""Fixtures over the rig, and nothing else: a cluster per session, a namespace per test, the oracles.

`GITOPSD_TEST_KUBECONFIG` names a cluster that serves instead; what needs the rig's powers is skipped there.
"""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rig.api import Api
from rig.audit import AuditLog
from rig.cluster import Cluster, Nodes
from rig.lifecycle import Wish, down, up
from rig.programs import myself
from rig.traces import traces
from rig.waiting import wait_for

EXISTING = "GITOPSD_TEST_KUBECONFIG"
_NO_POWER = f"needs what only the rig can do (audit log, kill, pause, played nodes); {EXISTING} names a cluster instead"
_NAMESPACES = "/api/v1/namespaces"


@dataclass(frozen=True, slots=True)
class TestCluster:
    """The cluster a test runs on, and its namespaces so far; `rig` is `None` when an existing one serves."""

    __test__ = False
    kubeconfig: Path
    rig: Cluster | None
    namespaces: list[str] = field(default_factory=list)

    def api(self) -> Api:
        """The API as the administrator."""
        return Api.from_kubeconfig(self.kubeconfig)

    def powers(self) -> Cluster:
        """The rig's cluster, or the test is skipped."""
        if self.rig is None:
            pytest.skip(_NO_POWER)
        return self.rig


def pytest_configure(config: pytest.Config) -> None:
    """Know the markers, wherever the plugin is used."""
    config.addinivalue_line("markers", "rig_power: needs what only the rig can do (audit log, kill, pause)")
    config.addinivalue_line("markers", "kubelet: needs a real kubelet (root, Linux); run by make e2e")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say at once that a test cannot run on someone else's cluster."""
    if os.environ.get(EXISTING) and (item.get_closest_marker("rig_power") or item.get_closest_marker("kubelet")):
        pytest.skip(_NO_POWER)


@pytest.fixture(scope="session")
def cluster() -> Iterator[TestCluster]:
    """A cluster whose pods are played by kwok, for the session."""
    yield from _cluster(Nodes.KWOK)


@pytest.fixture(scope="session")
def api_cluster() -> Iterator[TestCluster]:
    """A cluster without nodes, for the session: quicker, and no Deployment ever gets a pod."""
    yield from _cluster(Nodes.NONE)


@pytest.fixture(scope="session")
def node_cluster() -> Iterator[TestCluster]:
    """A cluster with a real kubelet, for the session, which leaves no trace. Mark the test `kubelet`."""
    before = traces()
    yield from _cluster(Nodes.KUBELET)
    left = sorted(traces() - before)
    assert not left, f"the cluster left behind: {left}"  # noqa: S101 - what a fixture asserts, its last test shows


@pytest.fixture
def namespace(cluster: TestCluster) -> Iterator[str]:
    """A namespace of the cluster for one test."""
    yield from _namespace(cluster)


@pytest.fixture
def api_namespace(api_cluster: TestCluster) -> Iterator[str]:
    """A namespace of the cluster without nodes for one test."""
    yield from _namespace(api_cluster)


@pytest.fixture
def node_namespace(node_cluster: TestCluster) -> Iterator[str]:
    """A namespace of the cluster with a real kubelet for one test."""
    yield from _namespace(node_cluster)


@pytest.fixture
def audit(cluster: TestCluster) -> AuditLog:
    """Who asked what of the cluster."""
    return AuditLog(cluster.powers())


@pytest.fixture
def api_audit(api_cluster: TestCluster) -> AuditLog:
    """Who asked what of the cluster without nodes."""
    return AuditLog(api_cluster.powers())


def _cluster(nodes: Nodes) -> Iterator[TestCluster]:
    existing = os.environ.get(EXISTING)
    if existing:
        yield from _existing(Path(existing))
        return
    made = up(Wish(name=f"test-{nodes}-{os.getpid()}", nodes=nodes, owner=myself()))
    try:
        with pytest.MonkeyPatch.context() as surroundings:
            # What kubectl remembers of a server goes with that server.
            surroundings.setenv("KUBECACHEDIR", str(made.folder / "kubectl"))
            yield TestCluster(made.kubeconfig, made)
    finally:
        down(made.name)


def _existing(kubeconfig: Path) -> Iterator[TestCluster]:
    if not kubeconfig.is_file():
        pytest.exit(f"{EXISTING} names {kubeconfig}, which is no file", returncode=pytest.ExitCode.USAGE_ERROR)
    cluster = TestCluster(kubeconfig, None)
    yield cluster
    wait_for("the namespaces of the tests to be gone", lambda: not _there(cluster), deadline_s=300)


def _there(cluster: TestCluster) -> set[str]:
    there = cluster.api().get(_NAMESPACES)["items"]
    return {one["metadata"]["name"] for one in there} & set(cluster.namespaces)


def _namespace(cluster: TestCluster) -> Iterator[str]:
    api, name = cluster.api(), f"gitopsd-test-{uuid.uuid4().hex[:8]}"
    cluster.namespaces.append(name)
    api.create(_NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    furnished = f"{_NAMESPACES}/{name}/serviceaccounts/default"
    try:
        wait_for(f"namespace {name} to be furnished", lambda: api.find(furnished))
        yield name
    finally:
        api.delete(f"{_NAMESPACES}/{name}")

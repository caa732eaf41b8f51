"""An API server that crashes, hangs or is far away does so on purpose and comes back with everything it had."""

import time

import pytest

from rig.api import Api
from rig.audit import AuditLog
from rig.faults import crash_and_restart, crashed, delayed, paused
from rig.played import NODE_LEASE_S
from rig.pytest_plugin import TestCluster
from tests.rig.worlds import create_configmap

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


def test_a_killed_api_server_comes_back_with_its_objects(api_cluster: TestCluster, api_namespace: str) -> None:
    create_configmap(api_cluster.api(), api_namespace, "kept")
    crash_and_restart(api_cluster.powers())
    assert api_cluster.api().find(f"/api/v1/namespaces/{api_namespace}/configmaps/kept")


def test_the_audit_log_goes_on_after_a_crash(api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog) -> None:
    begin = api_audit.position()
    create_configmap(api_cluster.api(), api_namespace, "before")
    crash_and_restart(api_cluster.powers())
    create_configmap(api_cluster.api(), api_namespace, "after")
    mine = [r.name for r in api_audit.requests(begin, everyone=True) if r.is_of_the_rig and r.is_write]
    assert mine == ["before", "after"]


def test_a_killed_api_server_does_not_answer(api_cluster: TestCluster) -> None:
    with crashed(api_cluster.powers()):
        assert not api_cluster.api().answers()
    assert api_cluster.api().answers()


def test_after_a_crash_nobody_who_runs_pods_waits_to_look_again(cluster: TestCluster) -> None:
    programs = cluster.powers().programs
    before = {name: programs.identity(name) for name in ("kube-controller-manager", "kube-scheduler", "kwok", "etcd")}
    began = time.monotonic()
    crash_and_restart(cluster.powers())
    assert time.monotonic() - began < NODE_LEASE_S
    anew = {name for name, identity in before.items() if programs.identity(name) != identity}
    assert anew == {"kube-controller-manager", "kube-scheduler", "kwok"}


def test_a_paused_api_server_says_nothing_and_goes_on_later(api_cluster: TestCluster) -> None:
    api = api_cluster.api()
    with paused(api_cluster.powers()), pytest.raises(TimeoutError):
        api.exchange("GET", "/readyz", timeout_s=0.5)
    assert api.answers()


def test_a_delayed_api_server_answers_later(api_cluster: TestCluster) -> None:
    with delayed(api_cluster.powers(), 0.3) as kubeconfig:
        begin = time.monotonic()
        assert Api.from_kubeconfig(kubeconfig).answers()
        assert time.monotonic() - begin >= 0.3
    assert not kubeconfig.exists()

"""Pods on a played node behave as their image says, and look like a kubelet's."""

import re
from pathlib import Path

import pytest

from rig.balancers import ADDRESS
from rig.behaviours import table
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.rig.worlds import (
    await_ready,
    await_shown,
    condition,
    create_deployment,
    create_job,
    deployment,
    pods,
    shows,
)

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


def test_a_deployment_with_an_ordinary_image_becomes_ready(cluster: TestCluster, namespace: str) -> None:
    create_deployment(cluster.api(), namespace, "web", "registry.example/web:1.0", replicas=3)
    await_ready(cluster.api(), namespace, "web", 3)
    assert all(pod["status"]["podIP"] for pod in pods(cluster.api(), namespace))


@pytest.mark.parametrize(
    ("image", "reason", "phase"),
    [
        ("rig.test/web:missing", "ErrImagePull", "Pending"),
        ("rig.test/web:missing", "ImagePullBackOff", "Pending"),
        ("rig.test/shop/web:v2-misconfigured", "CreateContainerConfigError", "Pending"),
        ("rig.test/web:crash", "CrashLoopBackOff", "Running"),
        ("rig.test/web:v2-oom", "CrashLoopBackOff", "Running"),
    ],
)
def test_a_failing_image_shows_its_own_state(
    cluster: TestCluster, namespace: str, image: str, reason: str, phase: str
) -> None:
    create_deployment(cluster.api(), namespace, "web", image)
    pod = await_shown(cluster.api(), namespace, reason)
    assert pod["status"]["phase"] == phase
    assert condition(pod, "ContainersReady") == "False"
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]


@pytest.mark.parametrize(("image", "why", "code"), [("crash", "Error", 1), ("oom", "OOMKilled", 137)])
def test_a_crash_loop_counts_its_restarts_and_keeps_the_last_end(
    cluster: TestCluster, namespace: str, image: str, why: str, code: int
) -> None:
    create_deployment(cluster.api(), namespace, "web", f"rig.test/web:{image}")
    status = await_shown(cluster.api(), namespace, "CrashLoopBackOff")["status"]["containerStatuses"][0]
    ended = status["lastState"]["terminated"]
    assert (status["restartCount"], ended["reason"], ended["exitCode"]) == (1, why, code)

    def more() -> bool:
        now = pods(cluster.api(), namespace)[0]["status"]["containerStatuses"][0]
        return bool(now["restartCount"] == 2 and "waiting" in now["state"])

    wait_for("the next restart", more, deadline_s=30)


def test_never_ready_runs_and_the_deployment_waits(cluster: TestCluster, namespace: str) -> None:
    create_deployment(cluster.api(), namespace, "web", "rig.test/web:never-ready")
    pod = await_shown(cluster.api(), namespace, "Running")
    assert "Unready" in shows(pod)
    assert deployment(cluster.api(), namespace, "web")["status"].get("readyReplicas") is None


def test_ready_then_not_is_both_in_turn(cluster: TestCluster, namespace: str) -> None:
    create_deployment(cluster.api(), namespace, "web", "rig.test/web:ready-then-not")
    await_ready(cluster.api(), namespace, "web", 1)
    pod = await_shown(cluster.api(), namespace, "Unready")
    assert "running" in pod["status"]["containerStatuses"][0]["state"]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_slow_is_ready_in_the_end(cluster: TestCluster, namespace: str) -> None:
    create_deployment(cluster.api(), namespace, "web", "rig.test/web:slow")
    await_shown(cluster.api(), namespace, "Unready")
    await_ready(cluster.api(), namespace, "web", 1)


def test_an_ordinary_job_completes(cluster: TestCluster, namespace: str) -> None:
    create_job(cluster.api(), namespace, "migrate", "registry.example/migrate:1.0")
    await_shown(cluster.api(), namespace, "Completed")
    wait_for("the job to complete", lambda: _job_condition(cluster, namespace) == "Complete")


def test_a_failing_job_fails(cluster: TestCluster, namespace: str) -> None:
    create_job(cluster.api(), namespace, "migrate", "rig.test/migrate:crash")
    pod = await_shown(cluster.api(), namespace, "Failed")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
    wait_for("the job to fail", lambda: _job_condition(cluster, namespace) == "Failed")


def test_a_pod_that_never_stops_stays_for_its_grace_period(cluster: TestCluster, namespace: str) -> None:
    api = cluster.api()
    create_deployment(api, namespace, "web", "rig.test/web:never-stops")
    await_ready(api, namespace, "web", 1)
    api.delete(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    wait_for("the pod to be asked", lambda: [p for p in pods(api, namespace) if "deletionTimestamp" in p["metadata"]])
    wait_for("the pod to be gone", lambda: not pods(api, namespace))


def test_a_load_balancer_gets_an_address(cluster: TestCluster, namespace: str) -> None:
    api, path = cluster.api(), f"/api/v1/namespaces/{namespace}/services"
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    api.create(path, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    ingress = wait_for("an address", lambda: api.get(f"{path}/web")["status"]["loadBalancer"].get("ingress"))
    assert [one["ip"] for one in ingress] == [ADDRESS]


def test_the_documentation_shows_the_table_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "rig.md").read_text()
    assert table() in re.sub(r"[ ]+\n", "\n", text)


def _job_condition(cluster: TestCluster, namespace: str) -> str | None:
    status = cluster.api().get(f"/apis/batch/v1/namespaces/{namespace}/jobs/migrate")["status"]
    kinds = [c["type"] for c in status.get("conditions", []) if c["status"] == "True"]
    return next((kind for kind in kinds if kind in ("Complete", "Failed")), None)

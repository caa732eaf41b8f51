"""What is told of a pod that is not ready, one row a sentence."""

import pytest

from gitopsd.core.health import Reason, assess
from gitopsd.core.model import HealthStatus

IN_PROGRESS, FAILED = HealthStatus.IN_PROGRESS, HealthStatus.FAILED
IMAGE = "registry.example/shop:2.1"
RUNNING = {"running": {"startedAt": "2026-01-01T12:00:00Z"}}
PROBE = {"httpGet": {"path": "/", "port": 80}}
NOT_READY = {
    "type": "Ready",
    "status": "False",
    "reason": "ContainersNotReady",
    "lastTransitionTime": "2026-01-01T12:00:05Z",
}


def pod(state, spec=None, *, first=False, phase="Pending", conditions=(), **status):
    name = "first" if first else "app"
    kubelets = {"name": name, "ready": False, "restartCount": 0, "state": state, **status}
    statuses = {"initContainerStatuses" if first else "containerStatuses": [kubelets]}
    specs = {"initContainers" if first else "containers": [{"name": name, "image": IMAGE, **(spec or {})}]}
    return _body(specs, {"phase": phase, "conditions": list(conditions), **statuses})


def _body(spec, status):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec, "status": status}


def waiting(reason, message="", spec=None, **status):
    return pod({"waiting": {"reason": reason, "message": message}}, spec, **status)


def ended(reason, code, message="", **status):
    return {"lastState": {"terminated": {"reason": reason, "exitCode": code, "message": message}}, **status}


def mounting(*volumes):
    body = waiting("ContainerCreating")
    body["spec"]["volumes"] = list(volumes)
    return body


def scheduled(reason, message=""):
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return _body({}, {"phase": "Pending", "conditions": [condition]})


NO_COMMAND = 'exec: "/nope": stat /nope: no such file or directory'
GATE = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": 'gate "a/b" is not true'}

DOOMED = {
    "an image that must not be pulled": (
        waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never"),
        Reason.IMAGE_PULL,
        f"image is not on the node and must not be pulled: {IMAGE}",
    ),
    "a registry that has no such name": (
        waiting("ImagePullBackOff", "dial tcp: lookup registry.example: no such host"),
        Reason.IMAGE_PULL,
        f"cannot pull image {IMAGE}: dial tcp: lookup registry.example: no such host",
    ),
    "a command that is not there, tried at this moment": (
        waiting("RunContainerError", NO_COMMAND, **ended("StartError", 128, NO_COMMAND)),
        Reason.RUN_CONTAINER,
        "container app cannot run its command: no such file or directory",
    ),
    "a command that is not there, backed off from": (
        waiting("CrashLoopBackOff", "back-off", **ended("StartError", 128, NO_COMMAND, restartCount=2)),
        Reason.RUN_CONTAINER,
        "container app cannot run its command: no such file or directory",
    ),
    "a container that is out of memory": (
        waiting("CrashLoopBackOff", **ended("OOMKilled", 137, restartCount=2)),
        Reason.CRASH_LOOP,
        "container app keeps running out of memory after 2 restarts, last exit code 137 (OOMKilled)",
    ),
    "a container that ends well but should stay": (
        waiting("CrashLoopBackOff", **ended("Completed", 0, restartCount=1)),
        Reason.CRASH_LOOP,
        "container app keeps ending after 1 restart, last exit code 0 (Completed)",
    ),
    "a sidecar that crashes": (
        waiting("CrashLoopBackOff", first=True, spec={"restartPolicy": "Always"}, **ended("Error", 6, restartCount=4)),
        Reason.CRASH_LOOP,
        "container first keeps crashing after 4 restarts, last exit code 6 (Error)",
    ),
    "no node, without what preemption would do": (
        scheduled("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available"),
        Reason.UNSCHEDULABLE,
        "no node takes it: 0/1 nodes are available: 1 Insufficient cpu.",
    ),
}

WAITING = {
    "a registry that does not answer": (
        waiting("ErrImagePull", "Get https://registry.example/v2/: i/o timeout"),
        f"the registry does not answer: {IMAGE}",
    ),
    "a registry that is overloaded": (
        waiting("ImagePullBackOff", "unexpected status code 503"),
        f"the registry does not answer: {IMAGE}",
    ),
    "volumes that may not be there": (
        mounting(
            {"name": "a", "configMap": {"name": "settings"}},
            {"name": "b", "secret": {"secretName": "db"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}},
            {"name": "d", "secret": {"secretName": "extra", "optional": True}},
            {"name": "e", "emptyDir": {}},
        ),
        "waits for its volumes and its network (ConfigMap settings, Secret db, claim disk)",
    ),
    "nothing to mount": (mounting(), "its containers are being created"),
    "an init container that runs": (pod(RUNNING, first=True), "init container first is still running"),
    "a sidecar that has not started": (
        pod(RUNNING, {"restartPolicy": "Always", "startupProbe": PROBE}, first=True, started=False),
        "container first has not passed its startup probe yet",
    ),
    "a startup probe": (
        pod(RUNNING, {"startupProbe": PROBE, "readinessProbe": PROBE}, started=False),
        "container app has not passed its startup probe yet",
    ),
    "a readiness probe, and since when": (
        pod(RUNNING, {"readinessProbe": PROBE}, phase="Running", conditions=[NOT_READY], started=True),
        "container app is running but not ready: its readiness probe does not pass, since 12:00:05 UTC",
    ),
    "one crash": (
        pod({"terminated": {"exitCode": 3, "reason": "Error"}}),
        "container app has ended with exit code 3 and is started again",
    ),
    "a scheduling gate": (scheduled("SchedulingGated"), "a scheduling gate holds it"),
    "a readiness gate": (
        _body({}, {"phase": "Running", "conditions": [GATE], "containerStatuses": [{"name": "app", "ready": True}]}),
        'gate "a/b" is not true',
    ),
}


@pytest.mark.parametrize(("body", "reason", "sentence"), DOOMED.values(), ids=DOOMED)
def test_a_doomed_pod_says_why_in_a_sentence(body, reason, sentence):
    health = assess(body)
    assert (health.status, health.reason, health.message) == (FAILED, reason, sentence)


@pytest.mark.parametrize(("body", "sentence"), WAITING.values(), ids=WAITING)
def test_a_pod_that_may_come_up_says_what_it_waits_for(body, sentence):
    health = assess(body)
    assert (health.status, health.message) == (IN_PROGRESS, sentence)


def test_what_a_container_wrote_when_it_ended_is_not_repeated():
    body = waiting("CrashLoopBackOff", **ended("Error", 1, "permission denied: password=hunter2", restartCount=2))
    assert "hunter2" not in repr(assess(body))
    body = waiting("CrashLoopBackOff", **ended("StartError", 128, "x: permission denied, password=hunter2"))
    assert assess(body).message == "container app cannot run its command: permission denied"

"""Workloads by the numbers their controllers report: each number behind, one row; all there, one row."""

import pytest

from gitopsd.core.health import Reason, assess
from gitopsd.core.model import HealthStatus

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
DONE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
GOING = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "is progressing"}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
AVAILABLE = {"type": "Available", "status": "True"}


def _of(api_version, kind, spec, status, generation=2):
    metadata = {"name": "x", "generation": generation}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, "status": status}


def deployment(conditions=(DONE, AVAILABLE), spec=None, **status):
    counts = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, "observedGeneration": 2}
    spec = {"replicas": 3, "progressDeadlineSeconds": 600, **(spec or {})}
    return _of("apps/v1", "Deployment", spec, {**counts, "conditions": list(conditions), **status})


def stateful_set(spec=None, **status):
    counts = {"replicas": 3, "readyReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    revisions = {"currentRevision": "x-2", "updateRevision": "x-2", "observedGeneration": 2}
    return _of("apps/v1", "StatefulSet", {"replicas": 3, **(spec or {})}, {**counts, **revisions, **status})


def partitioned(partition, **status):
    moving = {"currentRevision": "x-1", "currentReplicas": partition}
    return stateful_set({"updateStrategy": {"rollingUpdate": {"partition": partition}}}, **moving, **status)


def daemon_set(spec=None, **status):
    counts = {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3}
    counts |= {"numberReady": 3, "numberAvailable": 3, "observedGeneration": 2}
    return _of("apps/v1", "DaemonSet", spec or {}, {**counts, **status})


def replica_set(kind="ReplicaSet", **status):
    counts = {"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
    api_version = "apps/v1" if kind == "ReplicaSet" else "v1"
    return _of(api_version, kind, {"replicas": 3}, {**counts, "observedGeneration": 2, **status})


def job(spec=None, *conditions, **status):
    return _of("batch/v1", "Job", spec or {}, {"conditions": list(conditions), **status})


REFUSED = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
KEPT = {"type": "ReplicaFailure", "status": "True", "reason": "FailedDelete", "message": "a webhook said no"}
PARTLY = {"replicas": 3, "updatedReplicas": 1}

ROWS = {
    "a Deployment with all there": (deployment(), CURRENT, "3/3 ready"),
    "a Deployment that has missed its deadline": (deployment((LATE, AVAILABLE)), FAILED, "3/3 ready; timed out"),
    "a Deployment with too few pods": (deployment(replicas=1, updatedReplicas=1), IN_PROGRESS, "1/3 created"),
    "a Deployment with too few new pods": (deployment(**PARTLY), IN_PROGRESS, "1/3 updated"),
    "a Deployment with old pods left": (deployment(replicas=4), IN_PROGRESS, "1 old still to go"),
    "a Deployment with new pods that are not available": (
        deployment(availableReplicas=2),
        IN_PROGRESS,
        "2/3 available",
    ),
    "a Deployment with pods that are not ready": (deployment(readyReplicas=2), IN_PROGRESS, "2/3 ready"),
    "a Deployment that still says it progresses": (deployment((GOING, AVAILABLE)), IN_PROGRESS, "is progressing"),
    "a Deployment that has not said it progresses": (deployment((AVAILABLE,)), IN_PROGRESS, "not reported yet"),
    "a Deployment that is not available": (deployment((DONE,)), IN_PROGRESS, "not available yet"),
    "a Deployment its controller has not seen": (deployment(observedGeneration=1), IN_PROGRESS, "not observed yet"),
    "a Deployment whose pods are refused": (
        deployment((GOING, REFUSED), replicas=0, updatedReplicas=0),
        FAILED,
        "pods cannot be created: exceeded quota",
    ),
    "a Deployment whose old pods cannot be deleted": (deployment((DONE, KEPT), replicas=4), IN_PROGRESS, "1 old"),
    "a StatefulSet with all there": (stateful_set(), CURRENT, "3/3 ready"),
    "a StatefulSet with too few pods": (stateful_set(replicas=2), IN_PROGRESS, "2/3 created"),
    "a StatefulSet with pods that are not ready": (stateful_set(readyReplicas=2), IN_PROGRESS, "2/3 ready"),
    "a StatefulSet with too many pods": (stateful_set(replicas=4), IN_PROGRESS, "1 too many"),
    "a StatefulSet with too few current pods": (stateful_set(currentReplicas=2), IN_PROGRESS, "3/3 updated"),
    "a StatefulSet between two revisions": (stateful_set(currentRevision="x-1"), IN_PROGRESS, "updated"),
    "a StatefulSet updated down to its partition": (partitioned(2, updatedReplicas=1), CURRENT, "3/3 ready"),
    "a StatefulSet not updated down to its partition": (partitioned(1, updatedReplicas=1), IN_PROGRESS, "1/2 updated"),
    "a StatefulSet whose pods are ready for too short a time": (
        stateful_set({"minReadySeconds": 9}, availableReplicas=1),
        IN_PROGRESS,
        "1/3 available",
    ),
    "a StatefulSet nobody has observed": (stateful_set(observedGeneration=None), IN_PROGRESS, "not observed yet"),
    "a DaemonSet with all there": (daemon_set(), CURRENT, "3/3 ready"),
    "a DaemonSet nobody has observed": (daemon_set(observedGeneration=None), IN_PROGRESS, "not observed yet"),
    "a DaemonSet that has counted no nodes": (daemon_set(desiredNumberScheduled=None), IN_PROGRESS, "not observed yet"),
    "a DaemonSet not on all its nodes": (daemon_set(currentNumberScheduled=2), IN_PROGRESS, "2/3 scheduled"),
    "a DaemonSet with old pods": (daemon_set(updatedNumberScheduled=1), IN_PROGRESS, "1/3 updated"),
    "a DaemonSet with pods that are not available": (daemon_set(numberAvailable=2), IN_PROGRESS, "2/3 available"),
    "a DaemonSet with pods that are not ready": (daemon_set(numberReady=2), IN_PROGRESS, "2/3 ready"),
    "a DaemonSet that wants no node": (
        daemon_set(desiredNumberScheduled=0, currentNumberScheduled=0, numberReady=0),
        CURRENT,
        "0/0 ready",
    ),
    "a ReplicaSet with all there": (replica_set(), CURRENT, "3/3 ready"),
    "a ReplicaSet whose pods are refused": (replica_set(conditions=[REFUSED]), IN_PROGRESS, "exceeded quota"),
    "a ReplicaSet with pods of other labels": (replica_set(fullyLabeledReplicas=2), IN_PROGRESS, "2/3 labeled"),
    "a ReplicaSet with pods that are not available": (replica_set(availableReplicas=2), IN_PROGRESS, "2/3 available"),
    "a ReplicaSet with pods that are not ready": (replica_set(readyReplicas=2), IN_PROGRESS, "2/3 ready"),
    "a ReplicaSet with too many pods": (replica_set(replicas=4), IN_PROGRESS, "1 too many"),
    "a ReplicationController with all there": (replica_set("ReplicationController"), CURRENT, "3/3 ready"),
    "a ReplicationController with pods that are not ready": (
        replica_set("ReplicationController", readyReplicas=0, availableReplicas=0),
        IN_PROGRESS,
        "0/3 available",
    ),
    "a Job that is complete": (job({}, {"type": "Complete", "status": "True"}, succeeded=1), CURRENT, "1/1 done"),
    "a Job that has failed": (
        job({}, {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}),
        FAILED,
        "0/1 done; too long",
    ),
    "a Job that will fail once its pods are gone": (
        job({}, {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}),
        IN_PROGRESS,
        "0/1 done",
    ),
    "a Job that has not begun": (job(), IN_PROGRESS, "0/1 done"),
    "a Job that tries again": (
        job({"completions": 3}, failed=2, succeeded=1),
        IN_PROGRESS,
        "1/3 done; 2 failed so far",
    ),
    "a Job that is suspended": (job({"suspend": True}), HealthStatus.PAUSED, "suspended by spec.suspend"),
}


@pytest.mark.parametrize(("body", "status", "words"), ROWS.values(), ids=ROWS)
def test_a_workload_is_as_its_numbers_say(body, status, words):
    health = assess(body)
    assert health.status is status
    assert words in health.message


VOLUMES = {
    "a volume that is bound": ("Bound", CURRENT),
    "a volume that waits for a claim": ("Available", CURRENT),
    "a volume that was given back": ("Released", CURRENT),
    "a volume that is being made": ("Pending", CURRENT),
    "a volume that could not be given back": ("Failed", FAILED),
}


@pytest.mark.parametrize(("phase", "status"), VOLUMES.values(), ids=VOLUMES)
def test_a_persistent_volume(phase, status):
    assert assess(_of("v1", "PersistentVolume", {}, {"phase": phase})).status is status


def test_a_replication_controller_fails_when_all_its_pods_are_doomed():
    body = replica_set("ReplicationController", readyReplicas=0, availableReplicas=0)
    body["metadata"]["uid"] = "rc"
    owners = [{"uid": "rc", "controller": True}]
    waiting = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "ownerReferences": owners}}
    health = assess(body, [pod | {"status": {"phase": "Running", "containerStatuses": [waiting]}}])
    assert (health.status, health.reason) == (FAILED, Reason.CRASH_LOOP)

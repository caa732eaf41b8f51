"""Pods recorded on a real kubelet (v1.35, containerd), each with all the states it went through; and what is said.

``recorded_pods.jsonl`` holds what was asked for, and what the kubelet and the scheduler wrote, in order.
"""

import json
from pathlib import Path

from gitopsd.core.model import HealthStatus

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
LINES = (Path(__file__).parent / "recorded_pods.jsonl").read_text(encoding="utf-8").splitlines()
RECORDED = {recorded["name"]: recorded for recorded in map(json.loads, LINES)}

# name: how it is once it has come that far, the reason, and the words
SAID = {
    "image-not-found": (
        FAILED,
        "ImagePullBackOff",
        "cannot pull image rig.test/web:missing: dial tcp: lookup rig.test",
    ),
    "image-no-registry": (FAILED, "ImagePullBackOff", "cannot pull image registry.example/shop:2.1: dial tcp: lookup"),
    "image-bad-name": (FAILED, "InvalidImageName", "no image can have this name: registry.example/Shop:2.1"),
    "image-never-pulled": (FAILED, "ImagePullBackOff", "must not be pulled: rig.test/other:1"),
    "crash-exit-3": (FAILED, "CrashLoopBackOff", "app keeps crashing after 2 restarts, last exit code 3 (Error)"),
    "crash-then-running": (FAILED, "CrashLoopBackOff", "app keeps crashing after 1 restart, last exit code 4 (Error)"),
    "ends-well-again-and-again": (FAILED, "CrashLoopBackOff", "keeps ending after 1 restart, last exit code 0"),
    "command-not-there": (FAILED, "RunContainerError", "app cannot run its command: no such file or directory"),
    "command-not-executable": (FAILED, "RunContainerError", "app cannot run its command: permission denied"),
    "config-map-missing": (FAILED, "CreateContainerConfigError", 'container app: configmap "settings" not found'),
    "config-map-key-missing": (FAILED, "CreateContainerConfigError", "couldn't find key nope in ConfigMap"),
    "secret-missing": (FAILED, "CreateContainerConfigError", 'container app: secret "db" not found'),
    "secret-key-missing": (FAILED, "CreateContainerConfigError", "couldn't find key nope in Secret"),
    "must-not-be-root": (FAILED, "CreateContainerConfigError", "container's runAsUser breaks non-root policy"),
    "image-is-root": (FAILED, "CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
    "out-of-memory": (
        FAILED,
        "CrashLoopBackOff",
        "app keeps running out of memory after 1 restart, last exit code 137",
    ),
    "no-room": (FAILED, "Unschedulable", "no node takes it: 0/1 nodes are available: 1 Insufficient cpu."),
    "no-such-node": (FAILED, "Unschedulable", "1 node(s) didn't match Pod's node affinity/selector."),
    "volume-config-map-missing": (
        IN_PROGRESS,
        "NotReady",
        "waits for its volumes and its network (ConfigMap settings)",
    ),
    "volume-claim-missing": (FAILED, "Unschedulable", 'persistentvolumeclaim "none" not found'),
    "readiness-fails": (IN_PROGRESS, "NotReady", "running but not ready: its readiness probe does not pass, since "),
    "startup-fails-still-trying": (IN_PROGRESS, "NotReady", "app has not passed its startup probe yet"),
    "liveness-fails": (FAILED, "CrashLoopBackOff", "app keeps crashing after 2 restarts, last exit code 137"),
    "init-crashes": (FAILED, "CrashLoopBackOff", "migrate keeps crashing after 1 restart, last exit code 5 (Error)"),
    "init-runs": (IN_PROGRESS, "NotReady", "init container migrate is still running"),
    "init-image-not-found": (FAILED, "ImagePullBackOff", "cannot pull image rig.test/web:missing"),
    "sidecar-crashes": (FAILED, "CrashLoopBackOff", "proxy keeps crashing after 1 restart, last exit code 6 (Error)"),
    "sidecar-not-started": (IN_PROGRESS, "NotReady", "proxy has not passed its startup probe yet"),
    "gated": (IN_PROGRESS, "NotReady", "a scheduling gate holds it"),
    "deadline": (FAILED, "DeadlineExceeded", "ended in failure"),
    "fails-for-good": (FAILED, "PodFailed", "ended in failure, exit code 7"),
    "well": (CURRENT, "", "running and ready"),
}


def pod(name, status):
    """The pod as it was asked for, with this status."""
    spec = RECORDED[name]["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec, "status": status}


def is_said(health, name):
    """Whether the pod is as it should be said to be in the end."""
    status, reason, words = SAID[name]
    return (health.status, health.reason) == (status, reason) and words in health.message

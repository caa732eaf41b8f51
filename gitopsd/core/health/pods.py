"""Pods, and the containers in them: ready, on the way, or doomed.

Doomed means that the present picture is terminal. How long it must last before it counts is not decided here.
Nothing a container wrote itself (its termination message, its logs) is ever repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitopsd.core.fields import flag, part, parts, text, whole
from gitopsd.core.health.conditions import conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress
from gitopsd.core.model import Body, Health

CRASHES_MIN = 2
DETAIL_MAX = 160

_DOOMED_WAITING = {
    "CrashLoopBackOff": Reason.CRASH_LOOP,
    "ErrImagePull": Reason.IMAGE_PULL,
    "ImagePullBackOff": Reason.IMAGE_PULL,
    "InvalidImageName": Reason.INVALID_IMAGE_NAME,
    "CreateContainerConfigError": Reason.CREATE_CONTAINER_CONFIG,
    "CreateContainerError": Reason.CREATE_CONTAINER,
    "RunContainerError": Reason.RUN_CONTAINER,
}
_PASSING = re.compile(r"failed to sync \w+ cache|context deadline exceeded", re.IGNORECASE)
_IMAGE_TROUBLES = (
    ("image not found", re.compile(r"not found|manifest unknown|does not exist", re.IGNORECASE)),
    ("no right to pull", re.compile(r"unauthorized|authentication required|denied|forbidden", re.IGNORECASE)),
)
_URL_QUERY = re.compile(r"\?[^\s\"']+")
_TRANSIENT_PODS = frozenset({"Evicted", "Preempting"})
_START_RACE = 128


@dataclass(frozen=True, slots=True)
class Doom:
    """Why a pod will not become ready by itself."""

    reason: Reason
    message: str


def assess_pod(pod: Body) -> Health:
    """A pod of its own, that nothing replaces."""
    phase = text(pod, "status.phase")
    if phase == "Succeeded":
        return current("ran to its end")
    if phase == "Failed":
        return _finished(pod)
    doom = doom_of(pod)
    if doom and doom.reason is Reason.CRASH_LOOP and text(pod, "spec.restartPolicy") == "OnFailure":
        return in_progress(doom.reason, f"{doom.message}; tried again until it ends well")
    if doom:
        return failed(doom.reason, doom.message)
    if is_ready(pod):
        return current("running and ready")
    return in_progress(Reason.NOT_READY, trouble_of(pod) or f"phase {phase or 'not reported yet'}")


def is_active(pod: Body) -> bool:
    """Whether a controller still counts on this pod; one that is going or has ended is replaced."""
    gone = bool(text(pod, "metadata.deletionTimestamp"))
    return not gone and text(pod, "status.phase") not in {"Succeeded", "Failed"}


def is_ready(pod: Body) -> bool:
    """Whether it runs and its Ready condition is true."""
    return text(pod, "status.phase") == "Running" and find(conditions_of(pod), "Ready").is_true


def doom_of(pod: Body) -> Doom | None:
    """The first container's doom, or that no node takes the pod; None while there is hope."""
    if text(pod, "status.reason") in _TRANSIENT_PODS:
        return None
    dooms = (_container_doom(pod, container) for container in _containers(pod))
    return next((doom for doom in dooms if doom), None) or _unschedulable(pod)


def trouble_of(pod: Body) -> str:
    """What a pod that is neither ready nor doomed is waiting for; empty when it does not say."""
    for container in _containers(pod):
        waiting = text(container, "state.waiting.reason")
        name = text(container, "name")
        if waiting:
            return f"container {name} is waiting: {waiting}"
        if not flag(container, "ready") and part(container, "state.running"):
            return f"container {name} is running but not ready"
    return ""


def _containers(pod: Body) -> tuple[Body, ...]:
    return parts(pod, "status.initContainerStatuses") + parts(pod, "status.containerStatuses")


def _finished(pod: Body) -> Health:
    reason = text(pod, "status.reason")
    if reason in _TRANSIENT_PODS:
        return in_progress(reason, "the node put it out; that is no fault of its own")
    codes = [whole(c, "state.terminated.exitCode") for c in _containers(pod)]
    code = next((code for code in codes if code), None)
    return failed(reason or Reason.POD_FAILED, "ended in failure" + (f", exit code {code}" if code else ""))


def _container_doom(pod: Body, container: Body) -> Doom | None:
    waiting = part(container, "state.waiting")
    reason, detail = _DOOMED_WAITING.get(text(waiting, "reason")), text(waiting, "message")
    if reason is None:
        return _cannot_run(container) or _crashing(container)
    if reason is Reason.CRASH_LOOP:
        return _crash(container)
    if reason is Reason.IMAGE_PULL:
        return _image_pull(pod, container, detail)
    if _PASSING.search(detail):
        return None
    return Doom(reason, f"container {text(container, 'name')}: {_shown(detail) or reason}")


def _cannot_run(container: Body) -> Doom | None:
    for path in ("state.terminated", "lastState.terminated"):
        ended = part(container, path)
        code = whole(ended, "exitCode")
        if not flag(container, "ready") and text(ended, "reason") == Reason.CANNOT_RUN and code != _START_RACE:
            return Doom(Reason.CANNOT_RUN, f"container {text(container, 'name')} cannot run, exit code {code}")
    return None


def _crashing(container: Body) -> Doom | None:
    """Between two back-offs a crash looping container looks as if it were running."""
    restarts = whole(container, "restartCount")
    code = whole(container, "lastState.terminated.exitCode")
    if restarts < CRASHES_MIN or flag(container, "ready") or code == 0:
        return None
    return None if _ended_well(container) else _crash(container)


def _ended_well(container: Body) -> bool:
    ended = part(container, "state.terminated")
    return bool(ended) and whole(ended, "exitCode") == 0


def _crash(container: Body) -> Doom:
    last = part(container, "lastState.terminated") or part(container, "state.terminated")
    why = text(last, "reason")
    exit_code = f", last exit code {whole(last, 'exitCode')}" + (f" ({why})" if why else "") if last else ""
    restarts = whole(container, "restartCount")
    times = f" after {restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    return Doom(Reason.CRASH_LOOP, f"container {text(container, 'name')} keeps crashing{times}{exit_code}")


def _image_pull(pod: Body, container: Body, detail: str) -> Doom:
    name = text(container, "name")
    specs = parts(pod, "spec.initContainers") + parts(pod, "spec.containers")
    asked = next((text(spec, "image") for spec in specs if text(spec, "name") == name), "")
    image = asked or text(container, "image") or f"of container {name}"
    for sentence, pattern in _IMAGE_TROUBLES:
        if pattern.search(detail):
            return Doom(Reason.IMAGE_PULL, f"{sentence}: {image}")
    return Doom(Reason.IMAGE_PULL, f"cannot pull image {image}" + (f": {_shown(detail)}" if detail else ""))


def _unschedulable(pod: Body) -> Doom | None:
    scheduled = find(conditions_of(pod), "PodScheduled")
    if not scheduled.is_false or scheduled.reason != Reason.UNSCHEDULABLE:
        return None
    return Doom(Reason.UNSCHEDULABLE, f"no node takes it: {_shown(scheduled.sentence)}")


def _shown(detail: str) -> str:
    """Registries sign the addresses they redirect to: a query string may be a credential."""
    return _URL_QUERY.sub("?…", " ".join(detail[: 4 * DETAIL_MAX].split()))[:DETAIL_MAX]

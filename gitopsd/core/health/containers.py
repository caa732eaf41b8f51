"""Containers: why one will not come up by itself, and what one that is not ready waits for, in a plain sentence.

Nothing a container wrote itself (its termination message, its logs) is ever repeated; what the runtime says of a
command that it could not start is not the container's own word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitopsd.core.fields import flag, part, parts, read, text, whole
from gitopsd.core.health.reasons import Reason
from gitopsd.core.model import Body

CRASHES_MIN = 2
DETAIL_MAX = 160

_DOOMED_WAITING = {
    "CrashLoopBackOff": Reason.CRASH_LOOP,
    "ErrImageNeverPull": Reason.IMAGE_PULL,
    "ErrImagePull": Reason.IMAGE_PULL,
    "ImagePullBackOff": Reason.IMAGE_PULL,
    "InvalidImageName": Reason.INVALID_IMAGE_NAME,
    "CreateContainerConfigError": Reason.CREATE_CONTAINER_CONFIG,
    "CreateContainerError": Reason.CREATE_CONTAINER,
    "RunContainerError": Reason.RUN_CONTAINER,
}
_PASSING = re.compile(r"failed to sync \w+ cache|context deadline exceeded", re.IGNORECASE)
_REGISTRY_HICCUP = re.compile(
    r"i/o timeout|connection re(fused|set)|handshake timeout|deadline exceeded|too many requests|misbehaving"
    r"|\b(429|50[0234])\b",
    re.IGNORECASE,
)
_IMAGE_TROUBLES = (
    ("image is not on the node and must not be pulled", re.compile("ErrImageNeverPull")),
    ("image not found", re.compile(r"not found|manifest unknown|does not exist", re.IGNORECASE)),
    ("no right to pull", re.compile(r"unauthorized|authentication required|denied|forbidden", re.IGNORECASE)),
)
_COMMAND_TROUBLE = re.compile(r"executable file not found|no such file or directory|permission denied|is a directory")
_WHICH_POD = " (pod: "
_URL_QUERY = re.compile(r"\?[^\s\"']+")
_START_RACE = 128
_START_ERROR = "StartError"


@dataclass(frozen=True, slots=True)
class Doom:
    """Why a pod will not become ready by itself."""

    reason: Reason
    message: str


def statuses_of(pod: Body) -> tuple[Body, ...]:
    """Return what the kubelet says of the pod's containers, those that run first before the others."""
    return parts(pod, "status.initContainerStatuses") + parts(pod, "status.containerStatuses")


def doom_of_container(pod: Body, container: Body) -> Doom | None:
    """Why this container will not come up by itself; None while there is hope."""
    waiting = part(container, "state.waiting")
    reason, detail = _DOOMED_WAITING.get(text(waiting, "reason")), text(waiting, "message")
    not_started = _not_started(container)
    if not_started or reason is None:
        return not_started or _crashing(container)
    if reason is Reason.CRASH_LOOP:
        return _crash(container)
    if reason is Reason.IMAGE_PULL:
        return _image_pull(pod, container, f"{text(waiting, 'reason')} {detail}")
    if reason is Reason.INVALID_IMAGE_NAME:
        return Doom(reason, f"no image can have this name: {_image_of(pod, container)}")
    if _PASSING.search(detail):
        return None
    words, _, _ = detail.partition(_WHICH_POD)
    return Doom(reason, f"container {text(container, 'name')}: {shown(words) or reason}")


def want_of_container(pod: Body, container: Body) -> str:
    """What a container that is neither ready nor doomed waits for; empty when it has all it needs."""
    name, waiting = text(container, "name"), text(container, "state.waiting.reason")
    ended = part(container, "state.terminated")
    is_first = any(container is each for each in parts(pod, "status.initContainerStatuses"))
    if waiting in {"ContainerCreating", "PodInitializing"}:
        return _creating(pod) if waiting == "ContainerCreating" or is_first else ""
    if _DOOMED_WAITING.get(waiting) is Reason.IMAGE_PULL:
        return f"the registry does not answer: {_image_of(pod, container)}"
    if waiting:
        return f"container {name} is waiting: {waiting}"
    if ended and (whole(ended, "exitCode") or not is_first):
        again = "" if text(pod, "spec.restartPolicy") == "Never" else " and is started again"
        return f"container {name} has ended with exit code {whole(ended, 'exitCode')}{again}"
    if flag(container, "ready") or not part(container, "state.running"):
        return ""
    return _not_ready(pod, container, is_first=is_first)


def shown(detail: str) -> str:
    """Return somebody's message short and on one line, without query strings: registries sign addresses in them."""
    return _URL_QUERY.sub("?…", " ".join(detail[: 4 * DETAIL_MAX].split()))[:DETAIL_MAX]


def _not_started(container: Body) -> Doom | None:
    """A command that is not there; whether the kubelet backs off from it or tries it at this moment."""
    name = text(container, "name")
    for path in ("state.terminated", "lastState.terminated"):
        ended = part(container, path)
        code, why = whole(ended, "exitCode"), text(ended, "reason")
        if flag(container, "ready") or why not in {Reason.CANNOT_RUN, _START_ERROR}:
            continue
        trouble = _COMMAND_TROUBLE.search(text(ended, "message"))
        if why == _START_ERROR and trouble:
            return Doom(Reason.RUN_CONTAINER, f"container {name} cannot run its command: {trouble.group()}")
        if why == Reason.CANNOT_RUN and code != _START_RACE:
            return Doom(Reason.CANNOT_RUN, f"container {name} cannot run, exit code {code}")
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
    why, code = text(last, "reason"), whole(last, "exitCode")
    does = (
        "keeps running out of memory"
        if why == "OOMKilled"
        else "keeps crashing"
        if code or not last
        else "keeps ending"
    )
    exit_code = f", last exit code {code}" + (f" ({why})" if why else "") if last else ""
    restarts = whole(container, "restartCount")
    times = f" after {restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    return Doom(Reason.CRASH_LOOP, f"container {text(container, 'name')} {does}{times}{exit_code}")


def _image_pull(pod: Body, container: Body, said: str) -> Doom | None:
    image = _image_of(pod, container)
    for sentence, pattern in _IMAGE_TROUBLES:
        if pattern.search(said):
            return Doom(Reason.IMAGE_PULL, f"{sentence}: {image}")
    if _REGISTRY_HICCUP.search(said):
        return None
    detail = shown(said.partition(" ")[2].rpartition('": ')[2])
    return Doom(Reason.IMAGE_PULL, f"cannot pull image {image}" + (f": {detail}" if detail else ""))


def _image_of(pod: Body, container: Body) -> str:
    name = text(container, "name")
    return text(_spec_of(pod, name), "image") or text(container, "image") or f"of container {name}"


def _spec_of(pod: Body, name: str) -> Body:
    specs = parts(pod, "spec.initContainers") + parts(pod, "spec.containers")
    return next((spec for spec in specs if text(spec, "name") == name), {})


def _creating(pod: Body) -> str:
    """The kubelet tells which volume is missing in events only; the pod names those that could be."""
    wanted = ", ".join(_volumes(pod))
    return f"waits for its volumes and its network ({wanted})" if wanted else "its containers are being created"


def _volumes(pod: Body) -> Iterator[str]:
    for volume in parts(pod, "spec.volumes"):
        for kind, path in (
            ("ConfigMap", "configMap.name"),
            ("Secret", "secret.secretName"),
            ("claim", "persistentVolumeClaim.claimName"),
        ):
            name = text(volume, path)
            if name and read(volume, f"{path.partition('.')[0]}.optional") is not True:
                yield f"{kind} {name}"


def _not_ready(pod: Body, container: Body, *, is_first: bool) -> str:
    name = text(container, "name")
    spec = _spec_of(pod, name)
    if is_first and text(spec, "restartPolicy") != "Always":
        return f"init container {name} is still running"
    if part(spec, "startupProbe") and not flag(container, "started"):
        return f"container {name} has not passed its startup probe yet"
    return f"container {name} is running but not ready" + (
        ": its readiness probe does not pass" if part(spec, "readinessProbe") else ""
    )

"""From the pods below a workload to the workload: only pods of its newest revision speak for it.

Otherwise old pods that crash would fail the very fix that replaces them. Where the newest revision cannot be
told for sure, no pod speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gitopsd.core.fields import annotation, flag, label, parts, text, whole, whole_or_none
from gitopsd.core.health.containers import Doom
from gitopsd.core.health.pods import doom_of, is_active, is_ready, trouble_of, unready_since
from gitopsd.core.health.reasons import Reason, clipped, failed
from gitopsd.core.model import Body, Health, HealthStatus

REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"
CONTROLLER_HASH = "controller-revision-hash"
TEMPLATE_GENERATION = "pod-template-generation"
DAEMON_GENERATION = "deprecated.daemonset.template.generation"

_ONE_IS_ENOUGH = frozenset({"StatefulSet", "DaemonSet", "Job"})
_PATIENT = frozenset({Reason.UNSCHEDULABLE})
_JOB_RETRIES = frozenset({Reason.CRASH_LOOP, Reason.UNSCHEDULABLE})


def look_below(body: Body, own: Health, below: Sequence[Body]) -> Health:
    """Return the workload's own health, made worse or at least told better by its newest pods."""
    pods = sorted(newest_pods(body, below), key=_name)
    dooms = [(pod, doom) for pod in pods if (doom := _doom_for(body, pod))]
    if dooms and (text(body, "kind") in _ONE_IS_ENOUGH or len(dooms) == len(pods)):
        pod, doom = _spokesman(body, dooms)
        return failed(doom.reason, f"{own.message}; {_name(pod)}: {doom.message}")
    told = [f"{_name(pod)}: {doom.message}" for pod, doom in dooms] or _unready(pods) or _held_up(body, below)
    message = "; ".join([own.message, *told[:1]])
    return Health(own.status, own.reason, clipped(message))


def stuck_pod(body: Body, below: Sequence[Body]) -> Body | None:
    """Return the pod that an ordered StatefulSet will not replace before it is ready, although of another revision.

    It waits for each pod to be ready before it touches the next; Kubernetes' own advice ("forced rollback") is to
    delete such a pod by hand. One that may yet come up is none while another one is being replaced: two would be down.
    """
    newest = text(body, "status.updateRevision")
    if not _goes_in_order(body) or not newest or not text(body, "status.currentRevision"):
        return None
    pod = _waited_for(body, below)
    if pod is None or label(pod, CONTROLLER_HASH) in {"", newest}:
        return None
    is_at_work = not all(map(is_ready, newest_pods(body, below)))
    return None if is_at_work and may_come_up(body, pod) else pod


def may_come_up(body: Body, pod: Body) -> bool:
    """Whether a pod that holds up its StatefulSet may yet become ready by itself.

    One that is doomed, or of a revision that the StatefulSet has left for good, is waited for in vain.
    """
    return label(pod, CONTROLLER_HASH) == text(body, "status.currentRevision") and doom_of(pod) is None


def down_since(body: Body, below: Sequence[Body]) -> datetime | None:
    """Return since when no pod of the workload is ready; None where one is, there is none, or nobody can say.

    Here pods of any revision speak: whichever is ready, the workload is not down.
    """
    pods = [pod for pod in below if text(pod, "kind") == "Pod" and is_active(pod)]
    since = [unready_since(pod) for pod in pods if not is_ready(pod)]
    known = [at for at in since if at]
    is_told = text(body, "kind") != "Job" and len(known) == len(pods)
    return max(known, default=None) if is_told else None


def _goes_in_order(body: Body) -> bool:
    """Whether it is a StatefulSet that replaces all its pods by itself, one after the other."""
    return (
        text(body, "kind") == "StatefulSet"
        and text(body, "spec.podManagementPolicy") in {"", "OrderedReady"}
        and text(body, "spec.updateStrategy.type") in {"", "RollingUpdate"}
        and not whole(body, "spec.updateStrategy.rollingUpdate.partition")
        and whole_or_none(body, "status.observedGeneration") == whole_or_none(body, "metadata.generation")
    )


def _waited_for(body: Body, below: Sequence[Body]) -> Body | None:
    """The first pod in order that is not ready. None as well where one before it has yet to go, or to be made."""
    uid = text(body, "metadata.uid")
    pods = [pod for pod in below if text(pod, "kind") == "Pod" and uid and _controller_uid(pod) == uid]
    by_ordinal = {int(number): pod for pod in pods if (number := _name(pod).rpartition("-")[2]).isdecimal()}
    first = whole(body, "spec.ordinals.start")
    end = first + whole(body, "spec.replicas", 1)
    for ordinal in range(first, end):
        pod = by_ordinal.get(ordinal)
        if pod is None or not is_active(pod):
            return None
        if not is_ready(pod):
            return pod
    return _waited_for_to_go([by_ordinal[ordinal] for ordinal in sorted(by_ordinal) if ordinal >= end])


def _waited_for_to_go(too_many: Sequence[Body]) -> Body | None:
    """The last goes first, but not while it is unready and another one before it is, too."""
    unready = [pod for pod in too_many if not is_ready(pod)]
    is_blocked = len(unready) > 1 and unready[-1] is too_many[-1] and all(map(is_active, too_many))
    return unready[0] if is_blocked else None


def newest_pods(body: Body, below: Sequence[Body]) -> tuple[Body, ...]:
    """Return the pods of the workload's newest revision that its controller still counts on."""
    pods = [pod for pod in below if text(pod, "kind") == "Pod" and is_active(pod)]
    match text(body, "kind"):
        case "Deployment":
            return _of_deployment(body, below, pods)
        case "StatefulSet":
            newest = text(body, "status.updateRevision")
            return tuple(p for p in _owned(body, pods) if newest and label(p, CONTROLLER_HASH) == newest)
        case "DaemonSet":
            return _of_daemon_set(body, _owned(body, pods))
        case _:
            return _owned(body, pods)


def _of_deployment(body: Body, below: Sequence[Body], pods: Sequence[Body]) -> tuple[Body, ...]:
    revision = annotation(body, REVISION)
    sets = [each for each in below if text(each, "kind") == "ReplicaSet"]
    newest = [each for each in _owned(body, sets) if revision and annotation(each, REVISION) == revision]
    hashes = {label(each, TEMPLATE_HASH) for each in newest} - {""}
    return tuple(pod for pod in pods if label(pod, TEMPLATE_HASH) in hashes)


def _of_daemon_set(body: Body, pods: Sequence[Body]) -> tuple[Body, ...]:
    """A pod is new by the template's generation, or, after a rollback, by sharing the hash of one that is."""
    scheduled = whole_or_none(body, "status.currentNumberScheduled")
    if scheduled is not None and scheduled == whole_or_none(body, "status.updatedNumberScheduled"):
        return tuple(pods)
    generation = annotation(body, DAEMON_GENERATION)
    new = [pod for pod in pods if generation and label(pod, TEMPLATE_GENERATION) == generation]
    hashes = {label(pod, CONTROLLER_HASH) for pod in new} - {""}
    return tuple(pod for pod in pods if pod in new or label(pod, CONTROLLER_HASH) in hashes)


def _owned(body: Body, candidates: Sequence[Body]) -> tuple[Body, ...]:
    """Selectors may overlap: a controller reference to another object's UID counts it out."""
    uid = text(body, "metadata.uid")
    return tuple(each for each in candidates if _controller_uid(each) in {"", uid} or not uid)


def _controller_uid(each: Body) -> str:
    owners = parts(each, "metadata.ownerReferences")
    return next((text(owner, "uid") for owner in owners if flag(owner, "controller")), "")


def _doom_for(body: Body, pod: Body) -> Doom | None:
    """A Job counts its crashes and waits for room itself; what it never gets over is a pod that cannot start."""
    doom = doom_of(pod)
    retried = doom is not None and text(body, "kind") == "Job" and doom.reason in _JOB_RETRIES
    return None if retried else doom


def _spokesman(body: Body, dooms: Sequence[tuple[Body, Doom]]) -> tuple[Body, Doom]:
    """Where one doomed pod is enough the surest speaks; where it takes all of them, the one with the most hope."""
    one_is_enough = text(body, "kind") in _ONE_IS_ENOUGH
    return min(dooms, key=lambda pair: (pair[1].reason in _PATIENT) is one_is_enough)


def _unready(pods: Sequence[Body]) -> list[str]:
    troubles = [(pod, trouble_of(pod)) for pod in pods if not is_ready(pod)]
    return [f"{_name(pod)}: {trouble}" for pod, trouble in troubles if trouble]


def _held_up(body: Body, below: Sequence[Body]) -> list[str]:
    pod = stuck_pod(body, below)
    if pod is None:
        return []
    what_now = "its replacement waits for that" if may_come_up(body, pod) else "it must be deleted to be replaced"
    return [f"{_name(pod)} is of an older revision and not ready; {what_now}"]


def _name(pod: Body) -> str:
    return text(pod, "metadata.name", "a pod")


def can_look_below(own: Health) -> bool:
    """Whether pods have anything to add: not to what is well, at rest, or going."""
    return own.status in {HealthStatus.IN_PROGRESS, HealthStatus.FAILED}

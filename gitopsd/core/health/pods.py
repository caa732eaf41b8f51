"""Pods: ready, on the way, or doomed.

Doomed means that the present picture is terminal. How long it must last before it counts is not decided here.
"""

from __future__ import annotations

import re
from datetime import datetime

from gitopsd.core.fields import text, whole
from gitopsd.core.health.conditions import Condition, conditions_of, find
from gitopsd.core.health.containers import Doom, doom_of_container, shown, statuses_of, want_of_container
from gitopsd.core.health.reasons import Reason, current, failed, in_progress
from gitopsd.core.model import Body, Health

_TRANSIENT_PODS = frozenset({"Evicted", "Preempting"})
_TIME_OF_DAY = slice(11, 19)
_CANNOT_MAKE_ROOM = re.compile(r",? (no new claims to deallocate|preemption:).*", re.DOTALL)


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
    dooms = (doom_of_container(pod, container) for container in statuses_of(pod))
    return next((doom for doom in dooms if doom), None) or _unschedulable(pod)


def trouble_of(pod: Body) -> str:
    """What a pod that is neither ready nor doomed waits for; empty when it does not say."""
    conditions = conditions_of(pod)
    scheduled = find(conditions, "PodScheduled")
    if scheduled.is_false:
        return "a scheduling gate holds it" if scheduled.reason == "SchedulingGated" else shown(scheduled.sentence)
    wants = (want_of_container(pod, container) for container in statuses_of(pod))
    want = next((want for want in wants if want), "")
    return f"{want}{_since(pod, conditions)}" if want else _gate(conditions)


def unready_since(pod: Body) -> datetime | None:
    """Since when it is not ready, as its node says; None where it does not say."""
    ready = find(conditions_of(pod), "Ready")
    try:
        return datetime.fromisoformat(ready.since) if ready.is_false else None
    except ValueError:
        return None


def _finished(pod: Body) -> Health:
    reason = text(pod, "status.reason")
    if reason in _TRANSIENT_PODS:
        return in_progress(reason, "the node put it out; that is no fault of its own")
    codes = [whole(c, "state.terminated.exitCode") for c in statuses_of(pod)]
    code = next((code for code in codes if code), None)
    told = f", {reason}" if reason else ""
    return failed(reason or Reason.POD_FAILED, "ended in failure" + (f", exit code {code}" if code else "") + told)


def _unschedulable(pod: Body) -> Doom | None:
    scheduled = find(conditions_of(pod), "PodScheduled")
    if not scheduled.is_false or scheduled.reason != Reason.UNSCHEDULABLE:
        return None
    why = _CANNOT_MAKE_ROOM.sub("", scheduled.sentence)
    return Doom(Reason.UNSCHEDULABLE, f"no node takes it: {shown(why)}")


def _since(pod: Body, conditions: tuple[Condition, ...]) -> str:
    """A point in time and not a span, so that the sentence stays the same while nothing changes."""
    at = find(conditions, "Ready").since
    is_running = text(pod, "status.phase") == "Running"
    return f", since {at[_TIME_OF_DAY]} UTC" if is_running and at else ""


def _gate(conditions: tuple[Condition, ...]) -> str:
    """All containers are ready, and still the pod is not: somebody else has the last word."""
    ready = find(conditions, "Ready")
    return shown(ready.message) if ready.is_false and ready.reason == "ReadinessGatesNotReady" else ""

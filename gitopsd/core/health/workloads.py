"""Deployments, StatefulSets, DaemonSets and ReplicaSets, by the numbers their controllers report.

The first number that is not there yet is the one that is told.
"""

from __future__ import annotations

from gitopsd.core.fields import flag, part, text, whole, whole_or_none
from gitopsd.core.health.conditions import Condition, conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress, paused
from gitopsd.core.model import Body, Health

NO_DEADLINE = 2**31 - 1


def assess_deployment(body: Body) -> Health:
    """A deadline missed is terminal; a pod that may not be created is, while any is missing."""
    ready = _ready_of(body)
    if flag(body, "spec.paused"):
        return paused(f"{ready}; paused by spec.paused")
    conditions = conditions_of(body)
    progressing = find(conditions, "Progressing")
    if progressing.reason == Reason.DEADLINE:
        return failed(Reason.DEADLINE, f"{ready}; {progressing.sentence}")
    behind = _deployment_behind(body) or _deployment_unsure(body, progressing, find(conditions, "Available"))
    if not behind:
        return current(ready)
    refused = find(conditions, "ReplicaFailure")
    if refused.is_true and refused.reason == Reason.FAILED_CREATE:
        return failed(Reason.FAILED_CREATE, f"{ready}; pods cannot be created: {refused.sentence}")
    return _rolling_out(ready, behind)


def assess_stateful_set(body: Body) -> Health:
    """Never failed by its own numbers; only its pods can say that."""
    wanted, ready = _wanted(body), _ready_of(body)
    if text(body, "spec.updateStrategy.type") == "OnDelete":
        return current(f"{ready}; pods are updated when somebody deletes them")
    if whole_or_none(body, "status.observedGeneration") is None:
        return in_progress(Reason.OBSERVING, f"{ready}; not observed yet")
    behind = _stateful_set_behind(body, wanted) or _not_available_yet(body, wanted)
    return _rolling_out(ready, behind) if behind else current(ready)


def assess_daemon_set(body: Body) -> Health:
    """One pod on every node it wants."""
    wanted = whole_or_none(body, "status.desiredNumberScheduled")
    if text(body, "spec.updateStrategy.type") == "OnDelete":
        return current("pods are updated when somebody deletes them")
    if wanted is None or whole_or_none(body, "status.observedGeneration") is None:
        return in_progress(Reason.OBSERVING, "not observed yet")
    ready = f"{whole(body, 'status.numberReady')}/{wanted} ready"
    counts = {
        "scheduled": whole(body, "status.currentNumberScheduled"),
        "updated": whole(body, "status.updatedNumberScheduled"),
        "available": whole(body, "status.numberAvailable"),
        "ready": whole(body, "status.numberReady"),
    }
    behind = _first_behind(counts, wanted)
    return _rolling_out(ready, behind) if behind else current(ready)


def assess_replica_set(body: Body) -> Health:
    """A ReplicaSet that nobody owns, or a ReplicationController."""
    wanted, ready = _wanted(body), _ready_of(body)
    refused = find(conditions_of(body), "ReplicaFailure")
    if refused.is_true:
        return in_progress(refused.reason or Reason.FAILED_CREATE, f"{ready}; {refused.sentence}")
    counts = {
        "labeled": whole(body, "status.fullyLabeledReplicas"),
        "available": whole(body, "status.availableReplicas"),
        "ready": whole(body, "status.readyReplicas"),
    }
    behind = _first_behind(counts, wanted) or _surplus(body, wanted)
    return _rolling_out(ready, behind) if behind else current(ready)


def _rolling_out(ready: str, behind: str) -> Health:
    return in_progress(Reason.ROLLING_OUT, ready if behind == ready else f"{ready}; {behind}")


def _deployment_behind(body: Body) -> str:
    wanted = _wanted(body)
    total, updated = whole(body, "status.replicas"), whole(body, "status.updatedReplicas")
    available = whole(body, "status.availableReplicas")
    counts = {"created": total, "updated": updated, "ready": whole(body, "status.readyReplicas")}
    if total > wanted or total > updated >= wanted:
        return f"{total - min(updated, wanted)} old still to go"
    return _first_behind(counts, wanted) or (f"{available}/{updated} available" if updated > available else "")


def _deployment_unsure(body: Body, progressing: Condition, available: Condition) -> str:
    timed = whole(body, "spec.progressDeadlineSeconds", NO_DEADLINE) < NO_DEADLINE
    if timed and not (progressing.is_true and progressing.reason == "NewReplicaSetAvailable"):
        return progressing.sentence if progressing.status else "progress not reported yet"
    return "" if available.is_true else "not available yet"


def _stateful_set_behind(body: Body, wanted: int) -> str:
    total, ready = whole(body, "status.replicas"), whole(body, "status.readyReplicas")
    short = _first_behind({"created": total, "ready": ready}, wanted) or _surplus(body, wanted)
    if short:
        return short
    updated, partition = (
        whole(body, "status.updatedReplicas"),
        whole(body, "spec.updateStrategy.rollingUpdate.partition"),
    )
    if part(body, "spec.updateStrategy.rollingUpdate") and partition:
        return f"{updated}/{wanted - partition} updated" if updated < wanted - partition else ""
    if whole(body, "status.currentReplicas") < wanted:
        return f"{updated}/{wanted} updated"
    moving = text(body, "status.currentRevision") != text(body, "status.updateRevision")
    return f"{updated}/{wanted} updated" if moving else ""


def _not_available_yet(body: Body, wanted: int) -> str:
    """With ``minReadySeconds`` ready is not yet available."""
    available = whole_or_none(body, "status.availableReplicas")
    waits = whole(body, "spec.minReadySeconds") > 0 and (available or 0) < wanted
    return f"{available or 0}/{wanted} available" if waits else ""


def _first_behind(counts: dict[str, int], wanted: int) -> str:
    return next((f"{count}/{wanted} {what}" for what, count in counts.items() if count < wanted), "")


def _surplus(body: Body, wanted: int) -> str:
    surplus = whole(body, "status.replicas") - wanted
    return f"{surplus} too many still to go" if surplus > 0 else ""


def _wanted(body: Body) -> int:
    return whole(body, "spec.replicas", 1)


def _ready_of(body: Body) -> str:
    return f"{whole(body, 'status.readyReplicas')}/{_wanted(body)} ready"

"""The kinds that a cluster is built of: definitions, API services, autoscalers, budgets, volumes, namespaces."""

from __future__ import annotations

import json

from gitopsd.core.fields import annotation, text, whole_or_none
from gitopsd.core.health.conditions import Condition, conditions_at, conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress
from gitopsd.core.model import Body, Health

HPA_V1_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")

_NO_SCALE = frozenset({"FailedGetScale", "FailedUpdateScale"})


def assess_definition(body: Body) -> Health:
    """A CustomResourceDefinition: its names are taken, or it serves."""
    conditions = conditions_of(body)
    names, established = find(conditions, "NamesAccepted"), find(conditions, "Established")
    if names.is_false:
        return failed(Reason.NAMES_NOT_ACCEPTED, names.sentence)
    if established.is_true:
        return current("established")
    if established.is_false and established.reason != "Installing":
        return failed(Reason.NOT_ESTABLISHED, established.sentence)
    return in_progress(Reason.WAITING, "not established yet")


def assess_api_service(body: Body) -> Health:
    """Its backend answers. One that does not may still come up."""
    available = find(conditions_of(body), "Available")
    if available.is_true:
        return current(available.message)
    return in_progress(
        available.reason or Reason.WAITING, available.sentence if available.type else "not available yet"
    )


def assess_autoscaler(body: Body) -> Health:
    """A target that cannot be scaled is wrong; metrics that are not there may come."""
    conditions = _autoscaler_conditions(body)
    able, active = find(conditions, "AbleToScale"), find(conditions, "ScalingActive")
    if able.is_false and able.reason in _NO_SCALE:
        return failed(able.reason, able.sentence)
    if active.is_false and active.reason == "InvalidSelector":
        return failed(active.reason, active.sentence)
    if active.is_false and active.reason != "ScalingDisabled":
        return in_progress(active.reason or Reason.WAITING, active.sentence)
    if not able.is_true:
        return in_progress(able.reason or Reason.WAITING, able.sentence if able.type else "no conditions reported yet")
    return current(able.message)


def assess_budget(body: Body) -> Health:
    """A PodDisruptionBudget that is observed does its work, also while it allows no disruption."""
    allowed = whole_or_none(body, "status.disruptionsAllowed")
    return current("" if allowed is None else f"allows {allowed} disruptions now")


def assess_volume(body: Body) -> Health:
    """A PersistentVolume waits for nobody: only one that could not be given back has failed."""
    phase, message = text(body, "status.phase"), text(body, "status.message")
    if phase == "Failed":
        return failed(text(body, "status.reason") or Reason.VOLUME_FAILED, message or "it could not be given back")
    return current(f"phase {phase}" if phase else "")


def assess_volume_claim(body: Body) -> Health:
    """Bound, or waiting for its first consumer, which is no fault: nobody was asked to provision it."""
    phase = text(body, "status.phase")
    if phase == "Bound":
        return current("bound")
    if phase == "Lost":
        return failed(Reason.LOST, "the volume it was bound to is gone")
    if phase == "Pending" and _nobody_provisions(body):
        return current("waits for its first consumer", "WaitForFirstConsumer")
    return in_progress(Reason.WAITING, "not bound yet")


def assess_namespace(body: Body) -> Health:
    """A namespace that is not going is there."""
    phase = text(body, "status.phase", "Active")
    return current() if phase == "Active" else in_progress(phase, f"phase {phase}")


def _nobody_provisions(body: Body) -> bool:
    """A class that binds at once names its provisioner on the claim as soon as it is seen."""
    asked = any(annotation(body, name) for name in PROVISIONERS)
    return bool(text(body, "spec.storageClassName")) and not text(body, "spec.volumeName") and not asked


def _autoscaler_conditions(body: Body) -> tuple[Condition, ...]:
    """``autoscaling/v1`` has no conditions; the server writes them down as JSON in an annotation."""
    written = annotation(body, HPA_V1_CONDITIONS)
    if not written:
        return conditions_of(body)
    try:
        return conditions_at({"conditions": json.loads(written)}, "conditions", 0)
    except (ValueError, RecursionError):
        return ()

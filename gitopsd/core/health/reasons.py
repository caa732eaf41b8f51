"""The words for why an object is as it is, and the short way to say how it is.

A reason is stable: it does not flap between two names of one trouble, so that a debounce may be keyed by it.
"""

from __future__ import annotations

import re
from enum import StrEnum

from gitopsd.core.model import Health, HealthStatus


class Reason(StrEnum):
    """The reasons gitopsd itself gives. A custom resource's own reason, when it has one, is passed on instead."""

    CRASH_LOOP = "CrashLoopBackOff"
    CREATE_CONTAINER = "CreateContainerError"
    CREATE_CONTAINER_CONFIG = "CreateContainerConfigError"
    CANNOT_RUN = "ContainerCannotRun"
    DEADLINE = "ProgressDeadlineExceeded"
    DELETED = "Deleted"
    FAILED_CREATE = "FailedCreate"
    IMAGE_PULL = "ImagePullBackOff"
    INVALID_IMAGE_NAME = "InvalidImageName"
    JOB_FAILED = "JobFailed"
    LOST = "VolumeLost"
    NAMES_NOT_ACCEPTED = "NamesNotAccepted"
    NOT_ESTABLISHED = "NotEstablished"
    NOT_READY = "NotReady"
    NO_STATUS = "NoStatus"
    OBSERVING = "NotObservedYet"
    POD_FAILED = "PodFailed"
    RECONCILING = "Reconciling"
    REPORTED_FAILED = "ReportedFailed"
    ROLLING_OUT = "RollingOut"
    RUN_CONTAINER = "RunContainerError"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    UNSCHEDULABLE = "Unschedulable"
    VOLUME_FAILED = "VolumeFailed"
    WAITING = "Waiting"


# A pod's troubles that come before it has run at all.
NOT_STARTED = frozenset(
    {
        Reason.CANNOT_RUN,
        Reason.CREATE_CONTAINER,
        Reason.CREATE_CONTAINER_CONFIG,
        Reason.FAILED_CREATE,
        Reason.IMAGE_PULL,
        Reason.INVALID_IMAGE_NAME,
        Reason.RUN_CONTAINER,
        Reason.UNSCHEDULABLE,
        Reason.VOLUME_FAILED,
    }
)
MESSAGE_MAX = 300
REASON_MAX = 60

_WORDS = re.compile(r"[A-Za-z0-9]+")


def current(message: str = "", reason: str = "") -> Health:
    """As wanted."""
    return Health(HealthStatus.CURRENT, reason, clipped(message))


def in_progress(reason: str, message: str) -> Health:
    """On its way, or not to be told yet."""
    return Health(HealthStatus.IN_PROGRESS, one_word(reason), clipped(message))


def failed(reason: str, message: str) -> Health:
    """As it is now, it will not become current by itself."""
    return Health(HealthStatus.FAILED, one_word(reason), clipped(message))


def paused(message: str) -> Health:
    """Somebody wants it to stand still."""
    return Health(HealthStatus.PAUSED, Reason.SUSPENDED, clipped(message))


def is_good(health: Health) -> bool:
    """Whether a rollout may be kept with it: current, at rest, or of a kind that may never report anything."""
    if health.status in {HealthStatus.CURRENT, HealthStatus.PAUSED}:
        return True
    return health.status is HealthStatus.IN_PROGRESS and health.reason == Reason.NO_STATUS


def one_word(reason: str) -> str:
    """Return the reason as one CamelCase word; controllers that write sentences there are many."""
    if reason.isalnum():
        return reason[:REASON_MAX]
    words = _WORDS.findall(reason[: 4 * REASON_MAX])
    return "".join(word[0].upper() + word[1:] for word in words)[:REASON_MAX]


def clipped(message: str) -> str:
    """Return the message on one line, bounded."""
    line = " ".join(message[: 4 * MESSAGE_MAX].split())
    return line if len(line) <= MESSAGE_MAX else line[: MESSAGE_MAX - 1] + "…"

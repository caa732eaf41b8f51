"""Any other kind: general rules over what controllers by custom report.

Each rule gives an opinion; the worst one is told. A rule that is not sure has none, and no rule knows a kind.
"""

from __future__ import annotations

from gitopsd.core.fields import part, text, whole, whole_or_none
from gitopsd.core.health.customary import opinions_of_conditions
from gitopsd.core.health.reasons import Reason, current, failed, in_progress, paused
from gitopsd.core.health.spoken import opinions_of_words
from gitopsd.core.model import Body, Health, HealthStatus

_WORST_FIRST = (
    HealthStatus.FAILED,
    HealthStatus.PAUSED,
    HealthStatus.NOT_FOUND,
    HealthStatus.IN_PROGRESS,
    HealthStatus.UNKNOWN,
    HealthStatus.CURRENT,
)
_AT_REST = frozenset({"suspend", "suspended", "paused", "pause", "halted", "stopped"})
_YES_OR_NO = ("ready", "healthy", "readyToUse", "applied", "available", "valid", "synced")
_COMPLAINTS = ("status.error", "status.errorMessage")
_FINAL_WORDS = ("failureMessage", "failureReason")
_COUNTS = ("updatedReplicas", "readyReplicas", "availableReplicas")


def assess_custom(body: Body) -> Health:
    """Switches, then conditions, words, answers and counts of the status."""
    switch = _switched_off(body)
    if switch:
        return paused(f"suspended by {switch}")
    if not part(body, "status"):
        return _silent(body)
    opinions = [*opinions_of_conditions(body), *opinions_of_words(body), *_answers(body), *_counted(body)]
    worst = min(opinions, key=lambda opinion: _WORST_FIRST.index(opinion.status), default=None)
    return worst or _wordless(body)


def _switched_off(body: Body) -> str:
    """A switch in the spec or in how it is updated; or an annotation, ``example.com/paused``, true or empty."""
    for path in ("spec", "spec.updateStrategy"):
        spec = part(body, path)
        switch = next((key for key in sorted(_AT_REST) if spec.get(key) is True), "")
        if switch:
            return f"{path}.{switch}"
    annotations = part(body, "metadata.annotations")
    names = (name for name, value in annotations.items() if value in {"true", ""})
    return next((name for name in sorted(names) if name.rpartition("/")[2] in _AT_REST), "")


def _silent(body: Body) -> Health:
    """Kinds of the cluster itself that report nothing are what they are; others may not have been seen yet."""
    group, slash, _ = text(body, "apiVersion").partition("/")
    built_in = not slash or "." not in group or group.endswith(".k8s.io")
    if built_in:
        return current()
    return in_progress(Reason.NO_STATUS, "has not said yet how it is, if it ever does")


def _wordless(body: Body) -> Health:
    """A status of zeros, empty values and no conditions has been laid out, but nobody has written in it yet."""
    complaint = next((text(body, path) for path in _COMPLAINTS if text(body, path)), "")
    if complaint:
        return in_progress(Reason.NOT_READY, complaint)
    status = part(body, "status")
    is_written = any(status.values()) and status.get("conditions") != []
    return current("reports nothing against it") if is_written else _silent(body)


def _answers(body: Body) -> list[Health]:
    status = part(body, "status")
    final = [text(status, key) for key in _FINAL_WORDS if text(status, key)]
    opinions = [failed(Reason.REPORTED_FAILED, message) for message in final[:1]]
    for key in _YES_OR_NO:
        if status.get(key) is True:
            opinions.append(current(f"{key} is true"))
        if status.get(key) is False:
            opinions.append(in_progress(Reason.NOT_READY, f"{key} is false"))
    return opinions


def _counted(body: Body) -> list[Health]:
    """Kinds that run pods count them as Deployments do."""
    wanted = whole_or_none(body, "spec.replicas")
    if wanted is None:
        return []
    counts = {key.removesuffix("Replicas"): whole_or_none(body, f"status.{key}") for key in _COUNTS}
    behind = [f"{count}/{wanted} {what}" for what, count in counts.items() if count is not None and count < wanted]
    old = whole(body, "status.replicas") - (counts["updated"] if counts["updated"] is not None else wanted)
    if counts["updated"] is not None and old > 0:
        behind.append(f"{old} old still to go")
    if not behind and all(counts.values()):
        return [current(f"{wanted}/{wanted} ready")]
    return [in_progress(Reason.ROLLING_OUT, what) for what in behind]

"""Conditions as kstatus and Flux write them, so that their tools can wait on us: one aspect each, with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitopsd.core.model import Json
from gitopsd.core.status.facts import problems, since, wanted
from gitopsd.core.status.holds import hold_in_force, is_put_back
from gitopsd.core.status.sentence import told, why
from gitopsd.core.status.shown import present, reason_of, stamp
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import (
    Phase,
    Sync,
    Word,
    drifted_count,
    failed_probes,
    health,
    phase,
    sync,
    unknown_probes,
)

_TRUE, _FALSE, _UNKNOWN = "True", "False", "Unknown"
_MOVING = (Phase.APPLYING, Phase.VERIFYING, Phase.REVERTING)
_SUCCEEDED = "ReconciliationSucceeded"
_PROGRESSING = "Progressing"


def conditions(view: EnvironmentView) -> Sequence[Mapping[str, Json]]:
    """Return all that apply; ``Reconciling``, ``Stalled`` and ``Held`` only while they are true."""
    return list(_all(view))


def ready(view: EnvironmentView) -> tuple[str, str]:
    """Return status and reason of the condition that sums up the others."""
    match phase(view):
        case Phase.READY:
            return _TRUE, _SUCCEEDED
        case Phase.REVERTED:
            hold = hold_in_force(view)
            return _FALSE, "RolledBack" if hold and is_put_back(hold) else "RevisionHeld"
        case Phase.FAILED:
            return _FALSE, _why_failed(view)
        case Phase.SUSPENDED:
            return _UNKNOWN, "Suspended"
        case Phase.PENDING:
            return _UNKNOWN, _PROGRESSING
        case Phase.APPLYING | Phase.VERIFYING | Phase.REVERTING:
            return _FALSE, _PROGRESSING if view.looked else "ProgressingWithRetry"


def _all(view: EnvironmentView) -> Iterable[Mapping[str, Json]]:
    sentence, now = why(view), phase(view)
    status, reason = ready(view)
    yield _condition(view, "Ready", (status, reason), sentence, timed=True)
    if now in _MOVING:
        yield _condition(view, "Reconciling", (_TRUE, reason), sentence, timed=True)
    if now is Phase.FAILED:
        yield _condition(view, "Stalled", (_TRUE, reason), sentence, timed=True)
    yield _condition(view, "Healthy", _healthy(view), _healthy_because(view))
    yield _condition(view, "Synced", _synced(view), "")
    yield _condition(view, "SourceReady", _source_ready(view), _silence(view))
    hold = hold_in_force(view)
    if hold:
        yield _condition(view, "Held", (_TRUE, "RevisionHeld"), hold.why, timed=now is Phase.REVERTED)


def _condition(
    view: EnvironmentView, kind: str, state: tuple[str, str], message: str, *, timed: bool = False
) -> Mapping[str, Json]:
    revision, _ = wanted(view)
    return present(
        type=kind,
        status=state[0],
        reason=state[1],
        message=message,
        observedRevision=str(revision) if revision else None,
        lastTransitionTime=stamp(since(view)) if timed else None,
    )


def _why_failed(view: EnvironmentView) -> str:
    found = problems(view)
    return reason_of(found[0], view.problem_class) if found else "ReconciliationFailed"


def _healthy(view: EnvironmentView) -> tuple[str, str]:
    match health(view):
        case Word.HEALTHY:
            return _TRUE, _SUCCEEDED
        case Word.PROGRESSING:
            return _FALSE, _PROGRESSING
        case Word.DEGRADED | Word.MISSING:
            return _FALSE, "HealthCheckFailed"
        case Word.UNKNOWN:
            return _UNKNOWN, "HealthCheckCanceled"


def _healthy_because(view: EnvironmentView) -> str:
    look = view.latest.look if view.latest else None
    if look is None:
        return ""
    doubts = (*look.verdict.findings, *failed_probes(look), *unknown_probes(look))
    return str(doubts[0]) if doubts else ""


def _synced(view: EnvironmentView) -> tuple[str, str]:
    match sync(view):
        case Sync.SYNCED:
            return _TRUE, _SUCCEEDED
        case Sync.OUT_OF_SYNC:
            return _FALSE, _why_out_of_sync(view)
        case Sync.UNKNOWN:
            return _UNKNOWN, "Suspended" if phase(view) is Phase.SUSPENDED else _PROGRESSING


def _why_out_of_sync(view: EnvironmentView) -> str:
    look = view.latest.look if view.latest else None
    if hold_in_force(view):
        return "RevisionHeld"
    if phase(view) is Phase.FAILED:
        return _why_failed(view)
    return "DriftDetected" if look and drifted_count(look) else _PROGRESSING


def _source_ready(view: EnvironmentView) -> tuple[str, str]:
    if view.problem_class == "SourceError" or (view.latest and view.latest.git.stale):
        return _FALSE, "ArtifactFailed"
    return (_TRUE, "Succeeded") if wanted(view)[0] else (_UNKNOWN, _PROGRESSING)


def _silence(view: EnvironmentView) -> str:
    if view.problem_class == "SourceError":
        return told(view.problems[0])
    stale = view.latest.git.stale if view.latest else None
    return told(stale.problem) if stale else ""

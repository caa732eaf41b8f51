"""Nouns as the status writes them: RFC 3339 in UTC, no key for what is not there, no list without a bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from gitopsd.core.errors import Problem
from gitopsd.core.model import Json, Revision
from gitopsd.core.status.view import SourceView

LIST_MAX = 20
_SHORT = 7
_CLASS_REASONS = {
    "RenderError": "BuildFailed",
    "SourceError": "ArtifactFailed",
    "ConfigError": "InvalidConfiguration",
    "InternalError": "InternalError",
}
_CODE_REASONS = {
    "ROLLOUT_FAILED": "HealthCheckFailed",
    "REVERT_FAILED": "RollbackFailed",
    "HELD": "RevisionHeld",
    "OBJECT_FAILED": "HealthCheckFailed",
    "PROBE_FAILED": "HealthCheckFailed",
    "PROBE_UNKNOWN": "HealthCheckCanceled",
    "FIGHTING": "DriftDetected",
    "OWNERSHIP_CONFLICT": "ApplyConflict",
    "ADOPTION_REFUSED": "ApplyConflict",
}


def stamp(at: datetime | None) -> str | None:
    """``2026-11-21T09:41:12Z``."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def present(**values: Json) -> dict[str, Json]:
    """Leave out what is not there."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


def bounded(entries: Iterable[Json], most: int = LIST_MAX) -> Sequence[Json]:
    """Return the first ones."""
    return [entry for _, entry in zip(range(most), entries, strict=False)]


def short(revision: Revision) -> str:
    """``main@sha1:4f2a1b9``, for sentences and tables."""
    return f"{revision.ref}@sha1:{revision.commit[:_SHORT]}"


def revision_json(revision: Revision | None, digest: str = "") -> Mapping[str, Json] | None:
    """Return the commit, and the digest of what it renders to, where known."""
    if revision is None:
        return None
    return present(
        sha=revision.commit,
        ref=revision.ref,
        subject=revision.subject,
        author=revision.author,
        committedAt=stamp(revision.committed_at),
        digest=digest,
    )


def problem_json(problem: Problem, reason: str = "") -> dict[str, Json]:
    """Return the problem with all that a person paged at night needs."""
    return present(
        code=problem.code,
        stage=problem.stage.value,
        reason=reason,
        message=problem.message,
        cause=problem.cause,
        hint=problem.hint,
        ref=problem.ref,
        file=problem.file,
        line=problem.line or None,
        docsUrl=problem.docs,
    )


def times_json(source: SourceView) -> dict[str, Json]:
    """Return since when the source is silent, how often in a row, and when it is asked again."""
    return present(at=stamp(source.error_at), count=source.error_count or None, retryAt=stamp(source.next_fetch_at))


def reason_of(problem: Problem, problem_class: str = "") -> str:
    """Return the CamelCase word, Flux's where it has one."""
    if problem.code in _CODE_REASONS:
        return _CODE_REASONS[problem.code]
    if problem.code.startswith("PRUNE_"):
        return "PruneBlocked"
    return _CLASS_REASONS.get(problem_class, "ReconciliationFailed")

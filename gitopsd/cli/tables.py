"""The tables of environments and of their history, drawn from the v1 status alone: the daemon's or our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from gitopsd.cli.output import Output, emit, emit_names, emit_table
from gitopsd.core.fields import part, parts, text
from gitopsd.core.model import Body, Json

_COLUMNS = ("NAME", "REVISION", "READY", "SYNC", "HEALTH", "SUSPENDED", "AGE")
_WIDE = ("PHASE", "DIGEST", "WANTED", "KEPT")
_SHORT_COMMIT = 7
_SHORT_DIGEST = 12
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def show_status(status: Body, output: Output) -> None:
    """Print how the environments are; ``status`` is of all of them, or of one."""
    environments = _environments(status)
    if output in (Output.JSON, Output.YAML):
        emit(status, output)
        return
    if output is Output.NAME:
        emit_names(text(one, "name") for one in environments)
        return
    at = text(status, "metadata.generatedAt")
    is_wide = output is Output.WIDE
    rows = [(*_row(one, at), *(_wide(one) if is_wide else ())) for one in environments]
    columns = (*_COLUMNS, *_WIDE) if is_wide else _COLUMNS
    emit_table(columns, rows, under=[text(one, "message") for one in environments])


def show_history(status: Body, output: Output) -> None:
    """Print what happened in an environment, the newest first."""
    entries = parts(status, "history")
    if output in (Output.JSON, Output.YAML):
        emit(list(entries), output)
        return
    if output is Output.NAME:
        emit_names(text(entry, "digest") for entry in entries)
        return
    emit_table(
        ("WHEN", "RESULT", "REVISION", "DIGEST", "TOOK", "BY"),
        [_happened(entry) for entry in entries],
        under=[text(entry, "message") for entry in entries],
    )


def seconds_said(seconds: float) -> str:
    """``90`` is ``1m30s``: the two largest units."""
    said: list[str] = []
    left = int(max(seconds, 0))
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not said):
            said.append(f"{count}{unit}")
    return "".join(said[:2])


def _environments(status: Body) -> Sequence[Body]:
    return parts(status, "environments") if "environments" in status else (status,)


def _row(environment: Body, at: str) -> tuple[str, ...]:
    conditions = {text(one, "type"): one for one in parts(environment, "conditions")}
    since = text(conditions.get("Ready", {}), "lastTransitionTime")
    return (
        text(environment, "name"),
        _revision(part(environment, "revision.applied")),
        text(environment, "ready"),
        text(environment, "sync.status"),
        text(environment, "health.status"),
        str(bool(environment.get("suspended"))),
        _age(since, at),
    )


def _wide(environment: Body) -> tuple[str, ...]:
    return (
        text(environment, "phase"),
        text(environment, "revision.applied.digest")[:_SHORT_DIGEST],
        _revision(part(environment, "revision.desired")),
        _revision(part(environment, "revision.lastHealthy")),
    )


def _happened(entry: Body) -> tuple[str, ...]:
    took = entry.get("durationSeconds")
    return (
        text(entry, "finishedAt"),
        text(entry, "result"),
        _revision(entry),
        text(entry, "digest")[:_SHORT_DIGEST],
        seconds_said(took) if isinstance(took, int | float) else "",
        text(entry, "by"),
    )


def _revision(shown: Mapping[str, Json]) -> str:
    commit = text(shown, "sha")[:_SHORT_COMMIT]
    return f"{text(shown, 'ref')}@{commit}" if commit else ""


def _age(since: str, at: str) -> str:
    if not since or not at:
        return ""
    return seconds_said((datetime.fromisoformat(at) - datetime.fromisoformat(since)).total_seconds())

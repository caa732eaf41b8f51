"""What happened, what is refused, and the last time it was put back: the record's memory, shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from gitopsd.core.model import Json
from gitopsd.core.record import Entry, Hold, Outcome, Record
from gitopsd.core.status.facts import remembered
from gitopsd.core.status.holds import hold_that_led_here, is_put_back
from gitopsd.core.status.shown import bounded, present, revision_json, stamp

_WENT_BACK = (Outcome.REVERTED, Outcome.REVERT_FAILED)


def held_json(record: Record, environment: str) -> Sequence[Json]:
    """Return the refused digests, the newest first."""
    newest = sorted(record.held.values(), key=lambda hold: hold.since, reverse=True)
    return bounded(
        present(
            sha=hold.revision.commit,
            ref=hold.revision.ref,
            digest=hold.digest,
            since=stamp(hold.since),
            by=hold.by,
            reason=hold.why,
            backTo=hold.back_to,
            releaseHint=f"gitopsd release {environment} --digest {hold.digest[:12]}",
        )
        for hold in newest
    )


def history_json(record: Record) -> Sequence[Json]:
    """Return the history, the newest first."""
    return bounded(_entry(entry) for entry in record.history)


def rollback_json(record: Record) -> Mapping[str, Json] | None:
    """Return the last time that the environment went back, by itself or by a person."""
    hold = hold_that_led_here(record)
    return _by_hold(record, hold) if hold and hold.back_to else _by_history(record)


def _entry(entry: Entry) -> Mapping[str, Json]:
    return present(
        id=f"{entry.at:%Y%m%dT%H%M%SZ}-{entry.digest[:8]}",
        sha=entry.revision.commit,
        ref=entry.revision.ref,
        subject=entry.revision.subject,
        digest=entry.digest,
        startedAt=stamp(entry.at - timedelta(seconds=entry.seconds)) if entry.seconds else None,
        finishedAt=stamp(entry.at),
        durationSeconds=round(entry.seconds, 3) if entry.seconds else None,
        result=entry.outcome.value,
        message=entry.why,
        by=entry.by,
    )


def _by_hold(record: Record, hold: Hold) -> Mapping[str, Json]:
    came_back = (
        entry.outcome.value
        for entry in record.history
        if entry.outcome in _WENT_BACK and entry.digest == hold.back_to and entry.at >= hold.since
    )
    to = remembered(record, hold.back_to)
    return {
        **present(
            at=stamp(hold.since),
            by=hold.by,
            trigger="HealthCheckFailed" if is_put_back(hold) else "Manual",
            result=next(came_back, "InProgress" if record.current != hold.back_to or record.rollout else "Reverted"),
            evidence=[hold.why] if hold.why else [],
        ),
        "from": revision_json(hold.revision, hold.digest),
        "to": revision_json(to, hold.back_to) if to else {"digest": hold.back_to},
    }


def _by_history(record: Record) -> Mapping[str, Json] | None:
    """Tell it from the history, once the hold is lifted or a commit has led on."""
    for place, entry in enumerate(record.history):
        if entry.outcome in _WENT_BACK:
            older = record.history[place + 1 :]
            cause = next((one for one in older if one.outcome in (Outcome.FAILED, Outcome.HELD)), None)
            return {
                **present(
                    at=stamp(entry.at),
                    trigger="HealthCheckFailed" if cause and cause.outcome is Outcome.FAILED else "Manual",
                    result=entry.outcome.value,
                    evidence=[cause.why] if cause and cause.why else [],
                ),
                **({"from": revision_json(cause.revision, cause.digest)} if cause else {}),
                "to": revision_json(entry.revision, entry.digest),
            }
    return None

"""What a person may ask for, as changes of the record. Each says who, why and when, and is one line of the history.

Nothing here asks Git or the cluster, so a person can go back while both are silent. What makes no sense is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gitopsd.core.errors import PlanRefused, Problem, Stage
from gitopsd.core.model import Revision
from gitopsd.core.record import Entry, Hold, Outcome, Record, Rollout, Suspension
from gitopsd.core.status.facts import remembered
from gitopsd.core.status.shown import short, stamp

PREFIX_MIN = 4
TOLD_MAX = 3
_NOTHING_YET = Revision(ref="", commit="")


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, why and when."""

    by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """A digest and a revision that renders to it."""

    digest: str
    revision: Revision


class _Digested(Protocol):
    @property
    def digest(self) -> str: ...
    @property
    def revision(self) -> Revision: ...


def rollback(record: Record, ask: Ask, to: str = "", wanted: Content | None = None) -> Record:
    """Refuse what runs (and what Git wants, when known) and go back to a kept digest.

    ``to`` is a revision, a digest or a prefix of one; empty = the digest kept before what runs.

    Raises:
        PlanRefused: there is nothing to go back to, or ``to`` names nothing, or not one thing.
    """
    back_to = _chosen(record, to) if to else _before(record)
    if back_to in record.held:
        raise _to_held(record.held[back_to])
    if back_to == record.current and not record.rollout:
        raise _refused(
            "ROLLBACK_ALREADY_THERE", "the environment is there already", "gitopsd history lists what was kept"
        )
    refused = {one.digest: one for one in (_running(record), wanted) if one and one.digest != back_to}
    redirected = {
        digest: replace(hold, back_to=back_to) for digest, hold in record.held.items() if hold.back_to in refused
    }
    going = replace(record, held={**record.held, **redirected})
    for content in refused.values():
        going = going.hold(_hold(content, ask, back_to)).note(_entry(Outcome.HELD, content, ask))
    return going


def hold(record: Record, ask: Ask, wanted: Content) -> Record:
    """Refuse what Git wants, and be at the last kept digest instead.

    Raises:
        PlanRefused: it is refused already, or it is what was kept.
    """
    if wanted.digest in record.held:
        other = record.held[wanted.digest]
        raise _refused(
            "HOLD_ALREADY", f"{other.by} holds it since {other.since:%Y-%m-%d %H:%M} UTC", "there is nothing to do"
        )
    kept = record.last_kept
    if kept and kept.digest == wanted.digest:
        hint = "to stop all changes: gitopsd suspend; to go back to an older one: gitopsd rollback"
        raise _refused("HOLD_IS_KEPT", "what Git wants is what runs, proven healthy", hint)
    back_to = kept.digest if kept else ""
    return record.hold(_hold(wanted, ask, back_to)).note(_entry(Outcome.HELD, wanted, ask))


def release(record: Record, ask: Ask, which: str = "") -> Record:
    """Lift one hold, by digest, revision or a prefix; or, with none named, all of them.

    Raises:
        PlanRefused: nothing is held, or ``which`` names nothing, or not one thing.
    """
    if not record.held:
        raise _refused("RELEASE_NOTHING_HELD", "nothing is held", "gitopsd history shows what happened")
    lifted = [_one_of(record.held.values(), which, "held")] if which else list(record.held)
    freed = record
    for digest in lifted:
        content = Content(digest, record.held[digest].revision)
        freed = freed.release(digest).note(_entry(Outcome.RELEASED, content, ask))
    rollout = freed.rollout
    # What is tried again gets its whole time again.
    if rollout is None or rollout.digest not in lifted:
        return freed
    return replace(freed, rollout=_afresh(replace(rollout, healthy_s=0.0), ask.at))


def released(before: Record, after: Record) -> str:
    """Say which holds are lifted, the newest first, why they were held, and what comes next."""
    lifted = [hold for digest, hold in before.held.items() if digest not in after.held]
    newest_first = sorted(lifted, key=lambda hold: hold.since, reverse=True)
    told = "; ".join(f"{short(hold.revision)}, held {_by_whom(hold)}" for hold in newest_first[:TOLD_MAX])
    more = f" (and {len(lifted) - TOLD_MAX} more)" if len(lifted) > TOLD_MAX else ""
    return f"released {told}{more}; {_after_release({hold.digest for hold in lifted}, after)}"


def not_held(record: Record, name: str) -> Problem:
    """Say that nobody could tell what to hold, and what works without Git."""
    back = f", gitopsd rollback {name} (goes back to what was kept before)" if record.older else ""
    return Problem(
        code="HOLD_UNKNOWN",
        stage=Stage.RECORD,
        message="nothing was held: what Git wants now is not known",
        hint=f"mend what is told next, and hold again; meanwhile: gitopsd suspend {name} (stops all changes){back}",
    )


def suspend(record: Record, ask: Ask) -> Record:
    """Stop all changes of the environment.

    Raises:
        PlanRefused: it is suspended already.
    """
    pause = record.suspended
    if pause:
        message = f"{pause.by} suspended it on {pause.since:%Y-%m-%d %H:%M} UTC"
        raise _refused("SUSPEND_ALREADY", message, "there is nothing to do; gitopsd resume lifts it")
    paused = replace(record, suspended=Suspension(by=ask.by, reason=ask.why, since=ask.at))
    return paused.note(_entry(Outcome.SUSPENDED, _running(record), ask))


def resume(record: Record, ask: Ask) -> Record:
    """Go on; the time of a rollout under way stood still meanwhile.

    Raises:
        PlanRefused: it is not suspended.
    """
    pause, rollout = record.suspended, record.rollout
    if pause is None:
        raise _refused("RESUME_NOT_SUSPENDED", "it is not suspended", "there is nothing to do")
    if rollout and not rollout.failure:
        paused = max(ask.at - pause.since, ask.at - ask.at)
        rollout = _afresh(rollout.unwell(pause.since), rollout.started_at + paused)
    resumed = replace(record, suspended=None, rollout=rollout)
    return resumed.note(_entry(Outcome.RESUMED, _running(record), ask))


def _afresh(rollout: Rollout, started_at: datetime) -> Rollout:
    fresh = replace(rollout, started_at=started_at, failing={}, quiet={}, reasons={}, failure="")
    return replace(fresh, healthy_since=None, well_since=None)


def _running(record: Record) -> Content | None:
    return Content(record.current, remembered(record, record.current) or _NOTHING_YET) if record.current else None


def _after_release(lifted: set[str], after: Record) -> str:
    if after.suspended:
        return "nothing moves until it goes on with: gitopsd resume"
    if len(lifted) > 1:
        return "what Git wants of them is tried again at the next pass"
    if after.current in lifted:
        again = ", and has its whole time again" if after.rollout_of(after.current) else ""
        return f"the cluster is still at it{again}"
    return "if Git still wants it, it is tried again at the next pass; if not, nothing changes"


def _before(record: Record) -> str:
    if record.older:
        return record.older.digest
    others = (kept.digest for kept in record.kept if kept.digest != record.current)
    held = next((record.held[digest] for digest in others if digest in record.held), None)
    if held:
        raise _to_held(held)
    hint = "commit the older manifests; or gitopsd suspend to stop changes meanwhile"
    raise _refused("ROLLBACK_NOTHING_KEPT", "nothing older was kept to go back to", hint)


def _chosen(record: Record, to: str) -> str:
    if not record.kept:
        return _before(record)
    return _one_of(record.kept, to, "kept")


def _one_of(found: Iterable[_Digested], which: str, how: str) -> str:
    """Return the digest that the words name."""
    listed = tuple(found)
    matching = sorted({one.digest for one in listed if _names(which, one)})
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(f"{one.revision.commit[:7]} (digest {one.digest[:12]})" for one in listed)
    if matching:
        raise _refused(
            "NAME_AMBIGUOUS", f"{which} names {len(matching)} of what is {how}", f"say more of it; {how}: {known}"
        )
    raise _refused("NAME_UNKNOWN", f"{which} is not {how} here", f"{how}: {known}")


def _names(which: str, one: _Digested) -> bool:
    asked = which.rpartition("sha1:")[2].lower()
    if len(asked) < PREFIX_MIN:
        return False
    return one.digest.startswith(asked) or one.revision.commit.startswith(asked)


def _by_whom(hold: Hold) -> str:
    return f"by {hold.by} since {stamp(hold.since)}" + (f": {hold.why}" if hold.why else "")


def _hold(content: Content, ask: Ask, back_to: str) -> Hold:
    return Hold(digest=content.digest, revision=content.revision, why=ask.why, since=ask.at, by=ask.by, back_to=back_to)


def _entry(outcome: Outcome, content: Content | None, ask: Ask) -> Entry:
    about = content or Content("", _NOTHING_YET)
    return Entry(outcome=outcome, digest=about.digest, revision=about.revision, at=ask.at, why=ask.why, by=ask.by)


def _to_held(hold: Hold) -> PlanRefused:
    hint = f"lift that hold with: gitopsd release ENVIRONMENT --digest {hold.digest[:12]}; then roll back again"
    said = f"{short(hold.revision)} was kept, but {hold.by} holds it since {stamp(hold.since)}"
    return _refused("ROLLBACK_TO_HELD", f"{said}: {hold.why}" if hold.why else said, hint)


def _refused(code: str, message: str, hint: str) -> PlanRefused:
    return PlanRefused(Problem(code=code, stage=Stage.RECORD, message=message, hint=hint))

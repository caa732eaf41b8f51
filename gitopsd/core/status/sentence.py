"""The one sentence: why this is, or is not, what was committed. It names who, what, since when, and what to do.

It has two halves where a newer commit cannot begin: what stands in the way of that one, and how what runs does.
An assertion about a cluster that could not be asked is never made; then the sentence says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gitopsd.core.decision import Watch
from gitopsd.core.errors import Problem
from gitopsd.core.passes import Pass
from gitopsd.core.record import GITOPSD, Hold, Record
from gitopsd.core.status.facts import (
    around,
    deadline,
    in_the_way,
    problems,
    regressed,
    remembered,
    revision_of,
    silence,
    standing,
    wanted,
)
from gitopsd.core.status.holds import hold_in_force, hold_that_led_here, is_put_back
from gitopsd.core.status.shown import short, stamp
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, Sync, phase, sync

SENTENCE_MAX = 1000
# Of what runs, these sentences say themselves why it is not what was committed.
_SELF_EXPLAINING = (Phase.REVERTING, Phase.REVERTED, Phase.SUSPENDED)


def why(view: EnvironmentView) -> str:
    """Say it."""
    sentence = _BY_PHASE[phase(view)](view)
    return sentence if len(sentence) <= SENTENCE_MAX else sentence[: SENTENCE_MAX - 1] + "…"


def told(problem: Problem) -> str:
    """Tell one problem: where, what, what came before it, what to do."""
    place = ": ".join(part for part in (problem.where, problem.ref) if part)
    said = problem.message.removesuffix(".")
    what = f"{place}: {said}" if place else said
    cause = f" ({problem.cause})" if problem.cause and problem.cause not in problem.message else ""
    return f"{what}{cause}" + (f"; {problem.hint.removesuffix('.')}" if problem.hint else "")


def _pending(view: EnvironmentView) -> str:
    return _also(view, "not looked at yet" if view.known is None else "nothing has been applied yet")


def _applying(view: EnvironmentView) -> str:
    record = view.known or Record()
    if not record.rollout_of(record.current):
        return _also(view, f"putting back what was changed by hand, to {_here(view)}")
    return _also(view, f"applying {_here(view)}{_to_come(view)}")


def _verifying(view: EnvironmentView) -> str:
    record = view.known or Record()
    look = view.latest.look if view.latest else None
    seen = look.verdict.why if look else ""
    ends = deadline(view, record.rollout) if record.rollout else None
    until = f"; its deadline is {stamp(ends)}" if ends else ""
    return _also(view, f"{_here(view)} is applied, not yet proven healthy{f': {seen}' if seen else ''}{until}")


def _ready(view: EnvironmentView) -> str:
    match sync(view):
        case Sync.SYNCED:
            return _also(view, f"in sync with {_here(view)}{_kept(view)}{_by_now(view)}")
        case Sync.OUT_OF_SYNC:
            return _also(view, f"at {_here(view)}{_kept(view)}{_led_here(view)}{_by_now(view)}; not yet what Git says")
        case Sync.UNKNOWN:
            return _also(view, f"last known at {_here(view)}{_kept(view)}{_by_now(view)}")


def _reverting(view: EnvironmentView) -> str:
    hold = hold_in_force(view)
    if hold is None:
        return _also(view, f"going back to {_here(view)}{_to_come(view)}")
    back = f"going back to {_target(view, hold)}{_to_come(view)}"
    return _also(view, f"{_refusal(hold, 'failed')}{_further(view, hold)}; {back}")


def _reverted(view: EnvironmentView) -> str:
    hold = hold_in_force(view)
    if hold is None:
        return _also(view, f"running {_here(view)}")
    name = view.environment.name
    lift = f"gitopsd release {name}"
    way_out = f"commit a fix, or try it again with: {lift}" if is_put_back(hold) else f"lift it with: {lift}"
    instead = f"running {_target(view, hold)} instead{_by_now(view)}"
    return _also(view, f"{_refusal(hold)}{_further(view, hold)}; {instead}; {way_out}")


def _failed(view: EnvironmentView) -> str:
    rejected, unheard = _rejected(view), silence(view)
    found = [one for one in problems(view) if one not in unheard] if view.looked else view.problems
    again = f"; next try at {stamp(view.retry_at)}" if view.problems and view.retry_at else ""
    if rejected:
        return f"{rejected}; {_stays(view)}{_unheard(view)}{again}"
    if not found:
        return "it failed"
    stays = f"; {_stays(view)}" if view.problems and _is_somewhere(view) else ""
    return f"{_no_way_back(view)}{_counted(found)}{stays}{_waits(view)}{_unheard(view)}{again}"


def _suspended(view: EnvironmentView) -> str:
    record = view.known or Record()
    pause, name = record.suspended, view.environment.name
    if pause is None:
        hold = hold_in_force(view)
        refusal = _refusal(hold) if hold else "held"
        return _also(view, f"{refusal}; nothing was kept to go back to; lift it with: gitopsd release {name}")
    because = f": {pause.reason}" if pause.reason else ""
    what = "stopped by gitopsd" if pause.by == GITOPSD else f"suspended by {pause.by}"
    # Nobody looks while it is paused: where it was left is all that is known.
    left = f"left at {_here(view)}{_kept(view)}" if _is_somewhere(view) else "nothing has been applied yet"
    return _also(view, f"{what} since {stamp(pause.since)}{because}; {left}; go on with: gitopsd resume {name}")


_BY_PHASE: Mapping[Phase, Callable[[EnvironmentView], str]] = {
    Phase.PENDING: _pending,
    Phase.APPLYING: _applying,
    Phase.VERIFYING: _verifying,
    Phase.READY: _ready,
    Phase.REVERTING: _reverting,
    Phase.REVERTED: _reverted,
    Phase.FAILED: _failed,
    Phase.SUSPENDED: _suspended,
}


def _to_come(view: EnvironmentView) -> str:
    """Tell what is not written yet, and what it waits for."""
    look = view.latest.look if view.latest else None
    waiting = look.plan.waiting if look else ()
    more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
    return f"; {waiting[0]}{more}" if waiting else ""


def _refusal(hold: Hold, happened: str = "was put back") -> str:
    if is_put_back(hold):
        return f"{short(hold.revision)} {happened} at {stamp(hold.since)} because {hold.why}"
    return f"{hold.by} holds {short(hold.revision)} since {stamp(hold.since)}" + (f": {hold.why}" if hold.why else "")


def _further(view: EnvironmentView, hold: Hold) -> str:
    """Tell of the person who later went back further than this hold did."""
    later = [
        one
        for one in (view.known or Record()).held.values()
        if one.back_to == hold.back_to and one.since > hold.since and not is_put_back(one)
    ]
    newest = max(later, key=lambda one: one.since, default=None)
    return f"; then {_refusal(newest)}" if newest else ""


def _target(view: EnvironmentView, hold: Hold) -> str:
    revision = remembered(view.known or Record(), hold.back_to)
    return short(revision) if revision else f"what was kept before (digest {hold.back_to[:12]})"


def _here(view: EnvironmentView) -> str:
    record = view.known or Record()
    revision = revision_of(view, record.current)
    return short(revision) if revision else f"digest {record.current[:12]}"


def _also(view: EnvironmentView, sentence: str) -> str:
    """Add what stands in the newer commit's way, and the first of what else is wrong."""
    rejected = _rejected(view)
    newer = f"; but {rejected}" if rejected else _waits(view)
    first = next(iter(_others(view)), None)
    if first is None:
        return f"{sentence}{newer}"
    if first.message in sentence:
        return f"{sentence}{f'; {first.hint}' if first.hint else ''}{newer}"
    return f"{sentence}{newer}; {'and' if rejected else 'but'} {told(first)}"


def _rejected(view: EnvironmentView) -> str:
    """Tell which newer commit cannot begin, and why."""
    found = in_the_way(view)
    if not found:
        return ""
    waiting = view.latest.waiting if view.latest else None
    revision = waiting.look.desired.revision if waiting else wanted(view)[0]
    return f"{short(revision) if revision else 'the newest commit'} {_barred(view.latest)}: {_counted(found)}"


def _barred(latest: Pass | None) -> str:
    if latest and latest.git.unseen:
        return "cannot be looked at"
    return "cannot begin" if latest and latest.waiting and not latest.waiting.look.plan.rejections else "is rejected"


def _waits(view: EnvironmentView) -> str:
    """Tell what the newer commit waits for."""
    waiting = view.latest.waiting if view.latest and view.looked else None
    if waiting and isinstance(waiting.decision, Watch):
        return f"; {short(waiting.look.desired.revision)} {waiting.decision.why}"
    return ""


def _others(view: EnvironmentView) -> tuple[Problem, ...]:
    if not view.looked:
        return () if in_the_way(view) else view.problems
    return (*(() if phase(view) in _SELF_EXPLAINING else standing(view)), *around(view))


def _counted(found: Sequence[Problem]) -> str:
    others = len(found) - 1
    more = f" (and {others} more problem{'s' if others > 1 else ''})" if others > 0 else ""
    return f"{told(found[0])}{more}"


def _unheard(view: EnvironmentView) -> str:
    unheard = silence(view) if view.looked else ()
    return f"; but {told(unheard[0])}" if unheard else ""


def _stays(view: EnvironmentView) -> str:
    """Tell of what runs that it stays, and how that came about."""
    record = view.known or Record()
    if not record.current:
        return "nothing has been applied yet"
    if record.rollout_of(record.current) and record.rollout and record.rollout.failure:
        return f"the cluster stays as it is: {told(standing(view)[0])}"
    return f"the cluster stays at {_here(view)}{_kept(view)}{_led_here(view)}{_by_now(view)}"


def _no_way_back(view: EnvironmentView) -> str:
    """Tell what was to be put back, where it is the way back that cannot begin."""
    record = view.known or Record()
    hold = record.held.get(record.current)
    if hold is None or not view.looked:
        return ""
    return f"{_refusal(hold, 'failed')}; no way back to {_target(view, hold)}: "


def _led_here(view: EnvironmentView) -> str:
    """Tell of the hold that led to where the cluster is."""
    record = view.known or Record()
    hold = hold_that_led_here(record)
    if hold is None:
        return ""
    happened = "failed" if hold.digest == record.current else "was put back"
    return f"; {_refusal(hold, happened)}{_further(view, hold)}"


def _kept(view: EnvironmentView) -> str:
    kept = view.known.last_kept if view.known else None
    is_here = kept is not None and view.known is not None and kept.digest == view.known.current
    return f", kept since {stamp(kept.at)}" if kept and is_here else ""


def _by_now(view: EnvironmentView) -> str:
    look = view.latest.look if view.latest and view.looked else None
    worst = next(iter(regressed(look)), None) if look else None
    return f"; by now {worst}" if worst else ""


def _is_somewhere(view: EnvironmentView) -> bool:
    return view.known is not None and bool(view.known.current)

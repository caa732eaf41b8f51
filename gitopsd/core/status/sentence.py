"""The one sentence: why this is, or is not, what was committed. It names who, what, since when, and what to do.

An assertion about a cluster that could not be asked is never made; then the sentence says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitopsd.core.decision import Watch
from gitopsd.core.errors import Problem
from gitopsd.core.record import GITOPSD, Hold, Record
from gitopsd.core.status.facts import deadline, problems, regressed, remembered, revision_of, since
from gitopsd.core.status.shown import short, stamp
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, Sync, hold_in_force, is_put_back, phase, sync

SENTENCE_MAX = 1000


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
    kept = since(view)
    healthy = (f", kept since {stamp(kept)}" if kept else "") + _by_now(view)
    match sync(view):
        case Sync.SYNCED:
            return _also(view, f"in sync with {_here(view)}{healthy}")
        case Sync.OUT_OF_SYNC:
            return _also(view, f"at {_here(view)}{healthy}; not yet what Git says")
        case Sync.UNKNOWN:
            return _also(view, f"last known at {_here(view)}{healthy}")


def _by_now(view: EnvironmentView) -> str:
    look = view.latest.look if view.latest and not view.problems else None
    worst = next(iter(regressed(look)), None) if look else None
    return f"; by now {worst}" if worst else ""


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
    return f"{_refusal(hold)}{_further(view, hold)}; running {_target(view, hold)} instead; {way_out}"


def _failed(view: EnvironmentView) -> str:
    found = problems(view)
    sentence = f"{_rejected(view)}{told(found[0])}" if found else "it failed"
    others = len(found) - 1
    more = f" (and {others} more problem{'s' if others > 1 else ''})" if others > 0 else ""
    here = f"; the cluster stays at {_here(view)}" if view.problems and _is_somewhere(view) else ""
    again = f"; next try at {stamp(view.retry_at)}" if view.problems and view.retry_at else ""
    return f"{sentence}{more}{here}{again}"


def _suspended(view: EnvironmentView) -> str:
    record = view.known or Record()
    pause, name = record.suspended, view.environment.name
    if pause is None:
        hold = hold_in_force(view)
        refusal = _refusal(hold) if hold else "held"
        return f"{refusal}; nothing was kept to go back to; lift it with: gitopsd release {name}"
    because = f": {pause.reason}" if pause.reason else ""
    what = "stopped by gitopsd" if pause.by == GITOPSD else f"suspended by {pause.by}"
    return f"{what} since {stamp(pause.since)}{because}; go on with: gitopsd resume {name}"


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


def _rejected(view: EnvironmentView) -> str:
    return f"{short(view.head)} is rejected: " if view.problem_class == "RenderError" and view.head else ""


def _is_somewhere(view: EnvironmentView) -> bool:
    return view.known is not None and bool(view.known.current)


def _also(view: EnvironmentView, sentence: str) -> str:
    """Add what is wrong beside it, or what a newer commit waits for."""
    waiting = view.latest.waiting if view.latest else None
    found = () if phase(view) is Phase.REVERTING and not view.problems and not waiting else problems(view)
    if found and found[0].message in sentence:
        return f"{sentence}; {found[0].hint}"
    if found:
        return f"{sentence}; but {told(found[0])}"
    if waiting and isinstance(waiting.decision, Watch):
        return f"{sentence}; {short(waiting.look.desired.revision)} {waiting.decision.why}"
    return sentence

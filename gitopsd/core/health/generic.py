"""What is asked of every object before its kind is: is it going, has its controller seen it, does it say so itself.

A check answers with a health, or with None when it has nothing to say.
"""

from __future__ import annotations

from gitopsd.core.fields import read, text, whole_or_none
from gitopsd.core.health.conditions import conditions_of, find
from gitopsd.core.health.reasons import Reason, clipped, failed, in_progress
from gitopsd.core.model import Body, Health, HealthStatus


def assess_generic(body: Body) -> Health | None:
    """Deletion, then the observed generation, then the two conditions made for this question."""
    return _going(body) or _unseen(body) or _declared(body)


def _going(body: Body) -> Health | None:
    if not text(body, "metadata.deletionTimestamp"):
        return None
    remaining = [c.message for c in conditions_of(body) if c.is_true and c.type.endswith("Remaining")]
    message = "; ".join(["being deleted", *remaining])
    return Health(HealthStatus.TERMINATING, Reason.DELETED, clipped(message))


def _unseen(body: Body) -> Health | None:
    generation = whole_or_none(body, "metadata.generation")
    observed = _observed_generation(body)
    if generation is None or observed is None or observed == generation:
        return None
    return in_progress(Reason.OBSERVING, f"generation {generation} is not observed yet, only {observed}")


def _observed_generation(body: Body) -> int | None:
    """The number. Some controllers write text, a hash even: then only a number that is behind tells anything."""
    observed = read(body, "status.observedGeneration")
    if not isinstance(observed, str):
        return whole_or_none(body, "status.observedGeneration")
    generation = whole_or_none(body, "metadata.generation") or 0
    behind = len(observed) <= len(str(generation)) and observed.isdecimal() and int(observed) < generation
    return int(observed) if behind else None


def _declared(body: Body) -> Health | None:
    conditions = conditions_of(body)
    reconciling, stalled = find(conditions, "Reconciling"), find(conditions, "Stalled")
    if reconciling.is_true:
        return in_progress(reconciling.reason or Reason.RECONCILING, reconciling.sentence)
    if stalled.is_true:
        return failed(stalled.reason or Reason.STALLED, stalled.sentence)
    return None

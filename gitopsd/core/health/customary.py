"""Conditions of kinds we do not know, by the customs they follow.

The type's own words tell its polarity: ``Ready`` is good when true, ``Degraded`` when not, ``Progressing`` is neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitopsd.core.fields import parts, read, whole
from gitopsd.core.health.conditions import Condition, conditions_at, conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress, paused
from gitopsd.core.health.words import (
    Tone,
    ends_well,
    is_negated,
    names,
    part_count,
    tone_of,
    tone_of_type,
)
from gitopsd.core.model import Body, Health

_ENDS = ("succeeded", "complete", "completed", "done", "finished")
_ON_THE_WAY = ("active", "created", "initialized", "running", "scheduled", "started")
_NESTED = ("status.ingress", "status.parents", "status.ancestors")


@dataclass(frozen=True, slots=True)
class _Company:
    """What a condition's neighbours say.

    ``trying`` = something is under way that the rest depends on. ``ended`` = what runs to an end has reached it.
    """

    ready: bool
    trying: bool
    main: bool
    ended: bool


def opinions_of_conditions(body: Body) -> list[Health]:
    """One opinion for each condition that says something."""
    conditions = conditions_of(body)
    generation = whole(body, "metadata.generation")
    for path in _NESTED:
        for entry in parts(body, path):
            conditions += conditions_at(entry, "conditions", generation)
    if read(body, "spec.replicas") == 0:
        conditions = tuple(condition for condition in conditions if not names(condition.type, "available", "ready"))
    company = _company_of(conditions)
    opinions = [_opinion(condition, company) for condition in conditions]
    return [opinion for opinion in opinions if opinion]


def is_sure(body: Body) -> bool:
    """Whether a condition that speaks for the whole says that all is well."""
    return any(c.is_true and _is_main(c) for c in conditions_of(body))


def _company_of(conditions: tuple[Condition, ...]) -> _Company:
    return _Company(
        ready=find(conditions, "Ready").is_true,
        trying=any(_is_trying(condition) for condition in conditions),
        main=any(condition.is_true and _is_main(condition) for condition in conditions),
        ended=any(condition.is_true and names(condition.type, *_ENDS) for condition in conditions),
    )


def _is_main(condition: Condition) -> bool:
    return part_count(condition.type) == 1 and tone_of(condition.type) is Tone.WELL


def _is_trying(condition: Condition) -> bool:
    if names(condition.type, "scheduled"):
        return condition.is_false
    if names(condition.type, "recoverable"):
        return condition.is_true
    return tone_of_type(condition.type) is Tone.PROGRESS and condition.is_true and not _is_done(condition)


def _is_done(condition: Condition) -> bool:
    return ends_well(condition.reason)


def _opinion(condition: Condition, company: _Company) -> Health | None:
    if names(condition.type, "warning", "warnings") or (company.ended and _is_over(condition)):
        return None
    tone = tone_of_type(condition.type)
    if tone is Tone.FAILURE:
        return _of_negative(condition)
    if tone is Tone.REST:
        return paused(condition.sentence) if condition.is_true else None
    if tone is Tone.PROGRESS:
        return _of_activity(condition)
    if tone is Tone.WELL or condition.severity == "Error":
        return _of_reached(condition) if condition.is_true else _of_missed(condition, company)
    return None


def _is_over(condition: Condition) -> bool:
    """What has ended well no longer runs, and need not."""
    return not condition.is_true and names(condition.type, *_ON_THE_WAY)


def _of_negative(condition: Condition) -> Health | None:
    """``Failed``, ``Degraded``, ``InvalidSpec``: good is what is not."""
    if condition.is_false or (condition.is_true and ends_well(condition.reason)):
        return current(condition.message)
    if not condition.is_true or condition.severity in {"Info", "Warning"}:
        return None
    return failed(condition.reason or condition.type, condition.sentence)


def _of_activity(condition: Condition) -> Health | None:
    """``Progressing``, ``Issuing``: true while at it, unless its reason says how it ended."""
    tone = tone_of(condition.reason)
    if tone is Tone.REST:
        return paused(condition.sentence)
    ended_badly = condition.is_false and names(condition.type, "progressing")
    if tone is Tone.FAILURE and (ended_badly or (condition.is_true and is_negated(condition.type))):
        return failed(condition.reason, condition.sentence)
    at_it = condition.is_true and not _is_done(condition)
    at_it |= condition.status == "Unknown" and names(condition.type, "progressing")
    return in_progress(condition.reason or Reason.RECONCILING, condition.sentence) if at_it else None


def _of_reached(condition: Condition) -> Health:
    """A condition may be true and its reason or its one-word message still tell another story."""
    said = _said(condition)
    if said is Tone.FAILURE:
        return failed(condition.reason or Reason.REPORTED_FAILED, condition.sentence)
    if _word(condition.message) is Tone.PROGRESS:
        return in_progress(condition.reason or Reason.RECONCILING, condition.sentence)
    return current(condition.message)


def _of_missed(condition: Condition, company: _Company) -> Health | None:
    """A failure word in why it is not is terminal, unless something is still under way; all else takes time."""
    main = part_count(condition.type) == 1
    if not main and (company.ready or condition.severity == "Info"):
        return None
    said = _said(condition)
    if said is Tone.REST:
        return paused(condition.sentence)
    if condition.is_false and said is Tone.FAILURE and not company.trying and condition.severity != "Warning":
        return failed(condition.reason or Reason.REPORTED_FAILED, condition.sentence)
    if company.ready or (company.main and not main):
        return None
    return in_progress(condition.reason or Reason.NOT_READY, condition.sentence)


def _said(condition: Condition) -> Tone:
    """The reason is chosen with care, the message only where it is one word or all there is."""
    if condition.severity == "Error" and condition.is_false:
        return Tone.FAILURE
    if _word(condition.message) is Tone.FAILURE:
        return Tone.FAILURE
    if condition.is_true:
        return tone_of(condition.reason)
    return tone_of(condition.reason or condition.message)


def _word(message: str) -> Tone:
    return tone_of(message) if part_count(message) == 1 else Tone.NEUTRAL

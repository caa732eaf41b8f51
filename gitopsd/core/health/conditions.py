"""Conditions, read once and the same way for every kind.

A condition that was made for an older generation says nothing about this one: it reads as Unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitopsd.core.fields import parts, text_of, whole, whole_or_none
from gitopsd.core.model import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One aspect of an object, as its controller tells it. ``since`` is when its status last changed, RFC 3339."""

    type: str
    status: str
    reason: str
    message: str
    severity: str
    since: str = ""

    @property
    def is_true(self) -> bool:
        """Whether the controller says yes."""
        return self.status == "True"

    @property
    def is_false(self) -> bool:
        """Whether the controller says no; ``Unknown`` is neither."""
        return self.status == "False"

    @property
    def sentence(self) -> str:
        """The message, or else the next best that it says."""
        return self.message or self.reason or f"{self.type} is {self.status}"


ABSENT = Condition(type="", status="", reason="", message="", severity="")


def conditions_of(body: Body) -> tuple[Condition, ...]:
    """Return ``status.conditions`` in order."""
    return conditions_at(body, "status.conditions", whole(body, "metadata.generation"))


def conditions_at(body: Body, path: str, generation: int) -> tuple[Condition, ...]:
    """Return the conditions of the list at the path; ``generation`` is the object's, 0 when it has none."""
    return tuple(_condition(entry, generation) for entry in parts(body, path))


def find(conditions: tuple[Condition, ...], kind: str) -> Condition:
    """Return the condition of that type; one without a status when there is none."""
    return next((condition for condition in conditions if condition.type == kind), ABSENT)


def _condition(entry: Body, generation: int) -> Condition:
    seen = whole_or_none(entry, "observedGeneration")
    stale = seen is not None and 0 < seen < generation
    return Condition(
        type=text_of(entry, "type"),
        status="Unknown" if stale else _status(entry),
        reason="" if stale else text_of(entry, "reason"),
        message="" if stale else text_of(entry, "message"),
        severity=text_of(entry, "severity"),
        since=text_of(entry, "lastTransitionTime"),
    )


def _status(entry: Body) -> str:
    """By custom it is a word; some write ``true`` all the same."""
    found = entry.get("status")
    return str(found) if isinstance(found, bool) else text_of(entry, "status")

"""Single words in a status: its phase, its state, its health, by whatever name it goes.

Only what speaks for the whole is heard, not what is said of a part, of the past, or of what is meant to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitopsd.core.fields import part, parts, text
from gitopsd.core.health.customary import is_sure
from gitopsd.core.health.reasons import Reason, clipped, current, failed, in_progress, paused
from gitopsd.core.health.words import Tone, names, part_count, shares_a_word, tone_of
from gitopsd.core.model import Body, Health, HealthStatus

_KEYS = frozenset({"phase", "state", "status", "health", "compliant", "compliance"})
_SCOPES = (
    "current",
    "overall",
    "cluster",
    "deployment",
    "health",
    "lifecycle",
    "application",
    "operation",
    "update",
    "printable",
    "stage",
    "sync",
    "reconciliation",
    "provisioning",
    "install",
    "installation",
    "rollout",
)
_REPORTS = ("status", "statuses", "summary", "summaries")
_PAST = frozenset({"previous", "old", "history", "desired", "target", "backup", "snapshot"})
_RUNS_TO_AN_END = ("run", "job", "task", "workflow", "test", "backup", "restore", "experiment", "migration", "build")
_TOLD_BY_PARTS = (Tone.FAILURE, Tone.PROGRESS, Tone.WELL)
_ABSENT = frozenset({"notfound", "missing", "absent"})


def opinions_of_words(body: Body) -> list[Health]:
    """One opinion for each word that speaks for the object, and, where no condition is sure, for its parts' words."""
    status, kind = part(body, "status"), text(body, "kind")
    message = text(status, "message")
    said = [(word, message or f"{key} is {word}") for key, word in _said(status, kind)]
    if is_sure(body):
        return [_of_word(word, told, kind) for word, told in said if tone_of(word) is not Tone.NEUTRAL]
    said += [(word, f"{key} has {word}") for key, word in _said_of_parts(status) if tone_of(word) in _TOLD_BY_PARTS]
    return [_of_word(word, told, kind) for word, told in said]


def _said(status: Body, kind: str) -> Iterator[tuple[str, str]]:
    for key, value in status.items():
        speaks = _speaks_for_all(key, kind)
        if speaks and isinstance(value, str) and value:
            yield key, value
        if speaks or _is_of_the_whole(key, kind):
            yield from ((key, word) for word in _words_in(_inner(status, key)))


def _said_of_parts(status: Body) -> Iterator[tuple[str, str]]:
    """Parts that are named for their statuses (``jobStatus``, ``domainStatus``), and maps by who reports."""
    for key in status:
        if not names(key, *_REPORTS) or names(key, *_PAST):
            continue
        one = _inner(status, key)
        for entry in (one, *(_inner(one, who) for who in one), *parts(status, key)):
            yield from ((key, word) for word in _words_in(entry))


def _words_in(entry: Body) -> list[str]:
    return [text(entry, name) for name in sorted(_KEYS) if text(entry, name)]


def _inner(body: Body, key: str) -> Body:
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def _speaks_for_all(key: str, kind: str) -> bool:
    """``phase``, ``currentState``, a Certificate's ``certificateStatus``; not ``previousState`` or ``backupStatus``."""
    if key in _KEYS:
        return True
    return part_count(key) > 1 and names(key, *_KEYS) and _is_of_the_whole(key, kind)


def _is_of_the_whole(key: str, kind: str) -> bool:
    return not names(key, *_PAST) and (names(key, *_SCOPES) or shares_a_word(key, kind))


def _of_word(word: str, message: str, kind: str) -> Health:
    tone = tone_of(word)
    if word.lower() in _ABSENT:
        return Health(HealthStatus.NOT_FOUND, _as_reason(word, Reason.WAITING), clipped(message))
    if word.lower() == "running" and names(kind, *_RUNS_TO_AN_END):
        tone = Tone.PROGRESS
    match tone:
        case Tone.FAILURE:
            return failed(_as_reason(word, Reason.REPORTED_FAILED), message)
        case Tone.REST:
            return paused(message)
        case Tone.UNKNOWN if part_count(word) == 1:
            return Health(HealthStatus.UNKNOWN, _as_reason(word, Reason.WAITING), clipped(message))
        case Tone.WELL:
            return current(message)
        case Tone.PROGRESS | Tone.NEUTRAL | Tone.UNKNOWN:
            return in_progress(_as_reason(word, Reason.WAITING), message)


def _as_reason(word: str, otherwise: Reason) -> str:
    return word if word.isalpha() and word[0].isupper() else otherwise

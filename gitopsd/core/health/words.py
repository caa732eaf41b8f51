"""What words say: the vocabularies in which controllers tell how their resources are.

A word is judged by its parts (``UpdateFailed`` is ``update failed``), never by the kind that uses it.
What is in no vocabulary says nothing. What says that it goes on trying has not failed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

PHRASE_MAX = 400


class Tone(StrEnum):
    """What a phrase says about the thing it is said of."""

    FAILURE = "failure"
    REST = "rest"
    PROGRESS = "progress"
    UNKNOWN = "unknown"
    WELL = "well"
    NEUTRAL = "neutral"


def _vocabulary(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FAILURE = _vocabulary(
    """
    aborted broken canceled cancelled cannot corrupt corrupted crashed degraded denied err error errored errors
    exceeded exception fail failed fails failure failures fatal forbidden illegal impossible inconsistent invalid
    malformed misconfigured panic panicked refused rejected stalled terminal timedout timeout unable unauthorized
    unhealthy unrecoverable unsupported violated violation violations wrong
    """
)
_REST = frozenset({"hibernated", "ignored", "paused", "stopped", "suspended"})
_PROGRESS = _vocabulary(
    """
    backoff deferred delayed init initial orphan orphaned partial partially pending planned postponed progress
    queued rerun requested scheduled started submitted transition unready warn warning warnings
    """
)
_UNKNOWN = frozenset({"inconclusive", "unknown"})
_WELL = _vocabulary(
    """
    accepted active admitted alive applied approved assigned attached available bound clean complete compliant
    completed configured connected created current deployed done enabled established exists finished granted
    green healthy initialized installed issued latest listening live normal ok online operational passed
    programmed provisioned published ready reconciled registered released resolved run running satisfied
    serving settled stable succeeded success successful successfully synced synchronized up valid verified
    """
)
_AT_THE_END = {"dead": Tone.FAILURE, "lost": Tone.FAILURE, "red": Tone.FAILURE, "yellow": Tone.PROGRESS}
_HOPE = _vocabulary("await being recovering retry retrying temporarily temporary transient wait waiting")
_NO_HOPE = frozenset({"exceeded", "exhausted", "limit"})
_OUTCOMES = _vocabulary(
    """
    accepted available completed configured deployed enabled established free healthy installed provisioned ready
    registered resolved succeeded success successful synced
    """
)
_TRIED = frozenset({"be", "become", "get", "to"})
_STEPS_TAKEN = frozenset({"planned", "queued", "requested", "scheduled", "started", "submitted"})
_NOT = frozenset({"cannot", "never", "no", "non", "not", "without"})
_REFUSED = frozenset(
    {"allowed", "authorized", "controlled", "exist", "found", "permitted", "set", "supported", "valid"}
)
_FAILURES_OF_TWO = frozenset({("already", "exists"), ("timed", "out"), ("limit", "reached")})
_NO_ACTIVITY = frozenset({"existing", "following", "missing", "nothing", "something", "string"})
_NONE_OF = re.compile(r"\b0 +[A-Za-z]+|[A-Za-z]+ *[:=] *0\b")
_TOKENS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORST_FIRST = (Tone.FAILURE, Tone.REST, Tone.PROGRESS, Tone.UNKNOWN, Tone.WELL)
_ING_MIN = 5
# The same few reasons and types are on every object of a kind; a message is on one.
_WORD_MAX = 64
_WORDS_KEPT = 4096
_TONES: Mapping[str, Tone] = {
    **dict.fromkeys(_WELL, Tone.WELL),
    **dict.fromkeys(_UNKNOWN, Tone.UNKNOWN),
    **dict.fromkeys(_PROGRESS, Tone.PROGRESS),
    **dict.fromkeys(_REST, Tone.REST),
    **dict.fromkeys(_FAILURE, Tone.FAILURE),
}


def tone_of(phrase: str) -> Tone:
    """Judge a phrase; of several tones in it the one to worry about most wins."""
    return _tone_of_word(phrase) if len(phrase) <= _WORD_MAX else _tone_of_phrase(phrase)


def tone_of_type(name: str) -> Tone:
    """Judge a condition's type: a step in the past tense, ``Scheduled``, is there to be reached."""
    return Tone.WELL if names(name, *_STEPS_TAKEN) else tone_of(name)


def ends_well(phrase: str) -> bool:
    """Whether the last word tells of success, as in ``ArchivingSuccess``, but not in ``ClusterNotReady``."""
    before, last = ["", "", *_tokens(phrase)][-2:]
    return _tone(last, before) is Tone.WELL


def is_negated(name: str) -> bool:
    """Whether a condition's type denies what is good, as ``NotReady`` does."""
    return names(name, "not", "unready") and tone_of(name) is Tone.PROGRESS


def is_failure(phrase: str) -> bool:
    """Whether the phrase speaks of something that went wrong."""
    return tone_of(phrase) is Tone.FAILURE


def names(name: str, *words: str) -> bool:
    """Whether one of the words is among the parts of a name."""
    return not frozenset(_tokens(name)).isdisjoint(words)


def part_count(name: str) -> int:
    """Return of how many words a name is made: one for ``Ready``, two for ``RoutesReady``."""
    return len(_tokens(name))


def shares_a_word(name: str, other: str) -> bool:
    """Whether two names have a part in common, as ``Certificate`` and ``certificateStatus`` do."""
    return not frozenset(_tokens(name)).isdisjoint(_tokens(other))


@lru_cache(_WORDS_KEPT)
def _tone_of_word(word: str) -> Tone:
    return _tone_of_phrase(word)


def _tone_of_phrase(phrase: str) -> Tone:
    phrase = phrase[:PHRASE_MAX]
    tokens = _tokens(_NONE_OF.sub("", phrase) if "0" in phrase else phrase)
    if not _HOPE.isdisjoint(tokens) and _NO_HOPE.isdisjoint(tokens):
        return Tone.PROGRESS
    if "could" in tokens and not _NOT.isdisjoint(tokens):
        return Tone.FAILURE
    if " " not in phrase and _has_outcome(tokens):
        return Tone.WELL
    tones = {_tone(token, before) for token, before in zip(tokens, ["", *tokens], strict=False)}
    tones |= {_AT_THE_END.get(token, Tone.NEUTRAL) for token in tokens[-1:]}
    return next((tone for tone in _WORST_FIRST if tone in tones), Tone.NEUTRAL)


def _tokens(phrase: str) -> tuple[str, ...]:
    return _tokens_of_word(phrase) if len(phrase) <= _WORD_MAX else _split(phrase)


@lru_cache(_WORDS_KEPT)
def _tokens_of_word(word: str) -> tuple[str, ...]:
    return _split(word)


def _split(phrase: str) -> tuple[str, ...]:
    return tuple(token.lower() for token in _TOKENS.findall(phrase[:PHRASE_MAX]))


def _has_outcome(tokens: tuple[str, ...]) -> bool:
    """``DeadLetterSinkResolved`` and ``ErrorHandlerReady`` are good, ``FailedToBecomeReady`` is not."""
    before, last = ["", "", *tokens][-2:]
    return last in _OUTCOMES and before not in _NOT and _TRIED.isdisjoint(tokens)


def _tone(token: str, before: str) -> Tone:
    if before in _NOT:
        return _negated(token)
    if (before, token) in _FAILURES_OF_TWO:
        return Tone.FAILURE
    found = _TONES.get(token)
    if found:
        return found
    return Tone.PROGRESS if _is_activity(token) else Tone.NEUTRAL


def _negated(token: str) -> Tone:
    """``not found`` is a failure, ``not ready`` a matter of time, ``no errors`` nothing."""
    if token in _REFUSED:
        return Tone.FAILURE
    return Tone.PROGRESS if token in _WELL else Tone.NEUTRAL


def _is_activity(token: str) -> bool:
    return token.endswith("ing") and len(token) >= _ING_MIN and token not in _NO_ACTIVITY

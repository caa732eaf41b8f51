"""What was encrypted stays out of sight: which objects hold it, and any text without it.

A value may come out of a render anywhere: in a ConfigMap that a generator made, in a variable of a Deployment, inside a
longer text, in base64. Very short values are compared with whole texts only, or half the words would be hidden.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitopsd.core.errors import Problem
from gitopsd.core.model import Body, Json

MASK = "***"
# Shorter values are no secrets worth the name; those up to the second bound count as whole texts only.
LENGTH_MIN = 3
PART_LENGTH_MIN = 6
VALUES_MAX = 20_000

_SEPARATOR = "\0"
_NAME = re.compile(r"[-\w.]*")


@dataclass(frozen=True, slots=True)
class Secrecy:
    """The texts to keep out of sight. ``parts`` are found inside other texts, longest first; ``wholes`` only alone."""

    parts: tuple[str, ...] = field(default=(), repr=False)
    wholes: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, values: Iterable[str]) -> Secrecy:
        """Return the secrecy of these values: of each as it is, of its lines, and of what these assign."""
        texts = {text for value in values for text in _texts_of(value) if len(text) >= LENGTH_MIN}
        longest_first = sorted(texts, key=lambda text: (-len(text), text))[:VALUES_MAX]
        parts = [text for text in longest_first if len(text) >= PART_LENGTH_MIN]
        return cls(tuple(parts), frozenset(longest_first))

    def is_told_by(self, body: Body) -> bool:
        """Return whether an object holds one of the values."""
        if not self.wholes:
            return False
        texts = [*_strings(body)]
        texts += [decoded for text in texts if (decoded := _decoded(text))]
        joined = _SEPARATOR.join(texts)
        return not self.wholes.isdisjoint(texts) or any(part in joined for part in self.parts)

    def masked(self, text: str) -> str:
        """Return the text without the values, and without their base64."""
        if text in self.wholes:
            return MASK
        for part in self.parts:
            text = text.replace(part, MASK).replace(_encoded(part), MASK)
        return text

    def masked_problem(self, problem: Problem) -> Problem:
        """Return the problem with its words masked; code and place stay."""
        return replace(
            problem,
            message=self.masked(problem.message),
            cause=self.masked(problem.cause),
            hint=self.masked(problem.hint),
            ref=self.masked(problem.ref),
        )


def _texts_of(value: str) -> Iterator[str]:
    yield value
    yield value.strip()
    if "\n" not in value and "=" not in value:
        return
    for line in value.splitlines():
        bare = line.strip()
        yield bare
        for mark in ("=", ": "):
            name, _, assigned = bare.partition(mark)
            yield assigned.strip().strip("\"'")
            # "password" before a mark is a name, which half the objects may use; anything else was meant to be hidden.
            if not _NAME.fullmatch(name.strip()):
                yield name.strip()


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield key
            yield from _strings(below)
    elif isinstance(value, Sequence):
        for below in value:
            yield from _strings(below)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _decoded(text: str) -> str:
    if len(text) < LENGTH_MIN or len(text) % 4:
        return ""
    try:
        return b64decode(text, validate=True).decode()
    except (NotBase64, ValueError):
        return ""


def _encoded(part: str) -> str:
    return b64encode(part.encode()).decode()

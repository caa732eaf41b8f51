"""What was encrypted stays out of sight: which objects hold it, and any text without it.

A value may come out of a render anywhere: in a ConfigMap that a generator made, in a variable of a Deployment, inside a
longer text, in base64, as JSON writes it. Very short values are compared with whole texts only, or half the words
would be hidden.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from gitopsd.core.errors import Problem
from gitopsd.core.model import Body, Json

MASK = "***"
# Shorter values are no secrets worth the name; those up to the second bound count as whole texts only.
LENGTH_MIN = 3
PART_LENGTH_MIN = 6
VALUES_MAX = 20_000

# So many are looked for one by one; more are sorted out by how they begin.
_FEW = 100

# Base64 writes so many bytes at a time, in letters of so many bits.
_GROUP_BYTES = 3
_CHAR_BITS = 6

_SEPARATOR = "\0"
_NAME = re.compile(r"[-\w.]*")


@dataclass(frozen=True, slots=True)
class Secrecy:
    """The texts to keep out of sight. ``parts`` are found inside other texts, longest first; ``wholes`` only alone.

    ``by_start`` has the parts and their base64 by how they begin.
    """

    parts: tuple[str, ...] = field(default=(), repr=False)
    wholes: frozenset[str] = field(default=frozenset(), repr=False)
    by_start: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, values: Iterable[str]) -> Secrecy:
        """Return the secrecy of these values: of each as it is, of its lines, and of what these assign."""
        texts = {text for value in values for text in _texts_of(value) if len(text) >= LENGTH_MIN}
        longest_first = sorted(texts, key=lambda text: (-len(text), text))[:VALUES_MAX]
        parts = [text for text in longest_first if len(text) >= PART_LENGTH_MIN]
        encoded = (form for part in parts for form in _encoded(part))
        return cls(tuple(parts), frozenset(longest_first), _by_start(*parts, *encoded))

    def is_told_by(self, body: Body) -> bool:
        """Return whether an object holds one of the values."""
        if not self.wholes:
            return False
        texts = [*_strings(body)]
        texts += [decoded for text in texts if (decoded := _decoded(text))]
        return not self.wholes.isdisjoint(texts) or bool(self._found_in(_SEPARATOR.join(texts)))

    def masked(self, text: str) -> str:
        """Return the text without the values, and without their base64, which may be that of a longer text."""
        if text in self.wholes:
            return MASK
        for part in sorted(self._found_in(text), key=len, reverse=True):
            text = text.replace(part, MASK)
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

    def _found_in(self, text: str) -> frozenset[str]:
        """Return the parts and their base64 that the text holds."""
        starts: Iterable[str] = self.by_start
        if len(self.parts) > _FEW:
            ends = range(PART_LENGTH_MIN, len(text) + 1)
            starts = {start for end in ends if (start := text[end - PART_LENGTH_MIN : end]) in self.by_start}
        return frozenset(part for start in starts for part in self.by_start[start] if part in text)


def _by_start(*parts: str) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for part in parts:
        found.setdefault(part[:PART_LENGTH_MIN], []).append(part)
    return found


def _texts_of(value: str) -> Iterator[str]:
    yield value
    yield value.strip()
    yield msgspec.json.encode(value.strip()).decode()[1:-1]
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


def _encoded(part: str) -> Iterator[str]:
    """Yield its base64, and what it alone decides in the base64 of a text that has it at any place."""
    plain = part.encode()
    yield b64encode(plain).decode()
    for before in range(_GROUP_BYTES):
        bits, length = 8 * before, 8 * (before + len(plain))
        encoded = b64encode(bytes(before) + plain).decode()
        yield encoded[-(-bits // _CHAR_BITS) : length // _CHAR_BITS]

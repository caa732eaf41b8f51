"""A plain YAML word becomes the value that kubectl reads: Go's rules, not YAML 1.1's and not Python's.

No dates, no base 60; octal with ``0`` or ``0o``; ``y`` and ``on`` are booleans. A number that Go would turn into
text because it is out of range is text here too. What JSON cannot say (``.inf``, ``.nan``) is refused.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

NUMBER_LENGTH_MAX = 100

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NOT_FINITE = frozenset(
    sign + word for word in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN") for sign in ("", "+", "-")
) - {sign + word for word in (".nan", ".NaN", ".NAN") for sign in "+-"}
_NUMERIC_START = frozenset("+-.0123456789")

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_PREFIXED = re.compile(
    r"(?P<sign>[-+]?)0(?:[xX](?P<hex>[0-9a-fA-F]+)|[bB](?P<bin>[01]+)|[oO]?(?P<oct>[0-7]+))", re.ASCII
)
_ODDLY_SIGNED_BINARY = re.compile(r"0b(?P<sign>[-+])(?P<bin>[01]+)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_POINT_FIRST = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?", re.ASCII)
_BASES = {"hex": 16, "bin": 2, "oct": 8}

_INT64_MIN = -(2**63)
_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1


class NotJson(ValueError):
    """The word means something that JSON, and so Kubernetes, cannot say."""


def resolve(word: str) -> Scalar:
    """Return the value of a plain (unquoted, untagged) word.

    Raises:
        NotJson: it is not a finite number, or too long to be one.
    """
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in _NUMERIC_START:
        return word
    return _number(word)


def is_text(word: str) -> bool:
    """Return whether a plain word is text, and not a number, a boolean or null."""
    if word in _WORDS:
        return False
    try:
        return word[0] not in _NUMERIC_START or _number(word) is word
    except NotJson:
        return False


def as_json_number(number: float) -> int | float:
    """Return the number as it looks after a round trip through Go's JSON: whole ones are integers, huge ones floats.

    Raises:
        NotJson: it is not finite.
    """
    if _INT64_MIN <= number <= _INT64_MAX and number == int(number):
        return int(number)
    try:
        as_float = float(number)
    except OverflowError:
        raise NotJson("the number is out of range") from None
    if as_float - as_float != 0:
        raise NotJson("the number is not finite")
    return as_float


def _number(word: str) -> int | float | str:
    if word in _NOT_FINITE:
        raise NotJson(f"{word} cannot be said in JSON")
    plain = word.replace("_", "")
    if word[0] == "." and not _POINT_FIRST.fullmatch(word):
        return word
    if not (_FLOAT.fullmatch(plain) or _PREFIXED.fullmatch(plain) or _ODDLY_SIGNED_BINARY.fullmatch(plain)):
        return word
    if len(plain) > NUMBER_LENGTH_MAX:
        raise NotJson(f"a number of {len(plain)} characters is too long")
    return _in_range(word, plain)


def _in_range(word: str, plain: str) -> int | float | str:
    if _DECIMAL.fullmatch(plain):
        return as_json_number(int(plain))
    prefixed = _PREFIXED.fullmatch(plain) or _ODDLY_SIGNED_BINARY.fullmatch(plain)
    whole = _whole(prefixed) if prefixed else None
    if whole is not None:
        return as_json_number(whole)
    if not _FLOAT.fullmatch(plain):
        return word
    number = float(plain)
    return word if number - number != 0 else as_json_number(number)


def _whole(match: re.Match[str]) -> int | None:
    """Return the integer, or None where Go's 64 bits cannot hold it."""
    base, digits = next((name, digits) for name, digits in match.groupdict().items() if name in _BASES and digits)
    number = int(match["sign"] + digits, _BASES[base])
    whole_max = _INT64_MAX if match["sign"] else _UINT64_MAX
    return number if _INT64_MIN <= number <= whole_max else None

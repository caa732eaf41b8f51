"""The bytes that a value which is not encrypted adds to the MAC: those of the value that SOPS's own YAML reader sees.

It is go-yaml 3, which disagrees with kubectl's reader (``yes`` is text, ``2001-12-14`` a time). Nothing here says what
is applied; the file's own text does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_WORDS = {
    "true": b"True",
    "True": b"True",
    "TRUE": b"True",
    "false": b"False",
    "False": b"False",
    "FALSE": b"False",
    ".nan": b"NaN",
    ".NaN": b"NaN",
    ".NAN": b"NaN",
}
_WORDS |= {f"{sign}.{word}": b"+Inf" for sign in ("", "+") for word in ("inf", "Inf", "INF")}
_WORDS |= {f"-.{word}": b"-Inf" for word in ("inf", "Inf", "INF")}

_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9})[0-9]*)?(Z|[-+][0-9]{2}:[0-9]{2}))"
    r"|(?: ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9})[0-9]*)?))?",
    re.ASCII,
)
_NUMBER_LENGTH_MAX = 400
_DIGITS_MAX = 100


def is_null(plain: str) -> bool:
    """Return whether a scalar without quotes is null; SOPS leaves these alone."""
    return plain in _NULLS


def value_bytes(plain: str) -> bytes | None:
    """Return what a scalar without quotes adds; None when it is text, which adds itself.

    Raises:
        ValueError: SOPS could not have encrypted a file with this value.
    """
    if plain in _WORDS:
        return _WORDS[plain]
    if not plain or plain[0] not in "+-.0123456789" or len(plain) > _NUMBER_LENGTH_MAX:
        return None
    if plain[0] == ".":
        return _of_float(plain)
    bare = plain.replace("_", "")
    return next((found for found in (_of_time(plain), _of_integer(bare), _of_float(bare)) if found is not None), None)


def float_bytes(value: float) -> bytes:
    """Return the shortest digits that read back as the number, never with an exponent."""
    digits = format(Decimal(repr(value)), "f")
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits).encode()


def _of_integer(plain: str) -> bytes | None:
    found = _INTEGER.fullmatch(plain)
    if not found:
        return None
    sign, *digits = found.groups()
    at = next(number for number, one in enumerate(digits) if one is not None)
    if len(digits[at]) > _DIGITS_MAX:
        return None
    value = int(digits[at], (16, 2, 8, 10)[at]) * (-1 if sign == "-" else 1)
    if INT_MAX < value <= 2 * INT_MAX + 1 and not sign:
        raise ValueError("a whole number above 2^63")
    return str(value).encode() if INT_MIN <= value <= INT_MAX else None


def _of_float(plain: str) -> bytes | None:
    if not _FLOAT.fullmatch(plain):
        return None
    value = float(plain)
    return None if abs(value) == float("inf") else float_bytes(value)


def _of_time(plain: str) -> bytes | None:
    found = _TIME.fullmatch(plain)
    if not found:
        return None
    groups = found.groups()
    year, month, day = (int(one) for one in groups[:3])
    hour, minute, second = (int(one or 0) for one in (groups[3:6] if groups[3] else groups[8:11]))
    fraction = (groups[6] or groups[11] or "").rstrip("0")
    try:
        datetime(max(year, 1), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    written = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
    zone = "Z" if groups[7] in (None, "+00:00", "-00:00") else groups[7]
    return f"{written}{'.' + fraction if fraction else ''}{zone}".encode()

"""One mapping of a strict settings file: every key is asked for by type, and every fault is noted with path and line.

A wrong value gives its default, so that all faults of a file can be told at once; the caller looks at ``problems``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import isfinite

from gitopsd.core.errors import Problem
from gitopsd.core.manifests import durations
from gitopsd.core.manifests.lines import Lines, Place
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import Document, Value

_PERCENT = re.compile(r"[0-9]{1,3}%", re.ASCII)
_PERCENT_MAX = 100


class Section:
    """A mapping and its place in the file."""

    def __init__(self, around: _File, value: Value, place: Place) -> None:
        self._file = around
        self._place = place
        self._fields = value if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping) and value is not None:
            around.note("SETTINGS_INVALID", place, "must be a mapping")

    @classmethod
    def of(cls, text: TextFile, document: Document) -> Section:
        """Return the whole document."""
        return cls(_File(text, document.line), document.value, ())

    @property
    def problems(self) -> Sequence[Problem]:
        """What was found wrong so far, in the whole file."""
        return self._file.problems

    def allow(self, keys: Sequence[str], later: Sequence[str] = ()) -> None:
        """Note every key that is not one of ``keys``; ``later`` are known, but this build cannot do them."""
        for key in self._fields:
            if key in later:
                message = "this build cannot do that yet, so it does not pretend to"
                self._file.note("FEATURE_NOT_AVAILABLE", (*self._place, key), message, "take the key out")
            elif key not in keys:
                close = get_close_matches(key, keys, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(keys)}"
                self._file.note("SETTINGS_UNKNOWN_KEY", (*self._place, key), "is not a key that is known here", hint)

    def fault(self, key: str, message: str) -> None:
        """Note what is wrong with the key's value; an empty key is the whole mapping."""
        self._file.note("SETTINGS_INVALID", (*self._place, key) if key else self._place, message)

    def value(self, key: str) -> Value:
        """Return whatever the key has, for a key that takes more than one shape; None when it is not there."""
        return self._fields.get(key)

    def mapping(self, key: str) -> Mapping[str, Value]:
        """Return the key's mapping as it is written; an empty one when there is none."""
        value = self._fields.get(key)
        if isinstance(value, Mapping):
            return value
        if key in self._fields:
            self.fault(key, "must be a mapping")
        return {}

    def text(self, key: str, default: str = "") -> str:
        """Return the key's text."""
        value = self._fields.get(key)
        if isinstance(value, str):
            return value
        if key in self._fields:
            self.fault(key, "must be text")
        return default

    def texts(self, key: str, count_max: int) -> tuple[str, ...]:
        """Return the key's list of texts."""
        values = self._list(key, count_max)
        if not all(isinstance(value, str) and value for value in values):
            self.fault(key, "must be a list of texts")
        return tuple(value for value in values if isinstance(value, str) and value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return the key's true or false."""
        value = self._fields.get(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, "must be true or false")
        return default

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        """Return the key's word, one of the choices."""
        value = self.text(key, default)
        if value in choices:
            return value
        self.fault(key, f"must be one of {', '.join(choices)}")
        return default

    def seconds(self, key: str, default: float, bounds: tuple[float, float]) -> float:
        """Return the key's duration in seconds, within the bounds."""
        text = self._fields.get(key)
        if text is None and key not in self._fields:
            return default
        try:
            value = durations.seconds(text if isinstance(text, str) else "")
        except ValueError as error:
            self.fault(key, str(error))
            return default
        if bounds[0] <= value <= bounds[1]:
            return value
        self.fault(key, f"must be between {bounds[0]:g}s and {bounds[1]:g}s")
        return default

    def integer(self, key: str, default: int, bounds: tuple[int, int]) -> int:
        """Return the key's whole number, within the bounds."""
        value = self._fields.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]:
            return value
        self.fault(key, f"must be a whole number from {bounds[0]} to {bounds[1]}")
        return default

    def number(self, key: str) -> float | None:
        """Return the key's number; None when it is not there."""
        value = self._fields.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return float(value)
        if key in self._fields:
            self.fault(key, "must be a number")
        return None

    def percent(self, key: str, default: int) -> int:
        """Return the key's percentage."""
        text = self.text(key, f"{default}%")
        if _PERCENT.fullmatch(text) and int(text[:-1]) <= _PERCENT_MAX:
            return int(text[:-1])
        self.fault(key, "must be a percentage from 0% to 100%")
        return default

    def section(self, key: str) -> Section:
        """Return the mapping below the key; an empty one when there is none."""
        return Section(self._file, self._fields.get(key), (*self._place, key))

    def sections(self, key: str, count_max: int) -> tuple[Section, ...]:
        """Return the mappings in the key's list."""
        values = enumerate(self._list(key, count_max))
        return tuple(Section(self._file, value, (*self._place, key, index)) for index, value in values)

    def _list(self, key: str, count_max: int) -> Sequence[Value]:
        values = self._fields.get(key)
        if values is None:
            return []
        if not isinstance(values, list) or len(values) > count_max:
            self.fault(key, f"must be a list of at most {count_max}")
            return []
        return values


class _File:
    """The file around all sections, and what was found wrong with it."""

    def __init__(self, text: TextFile, document: int) -> None:
        self._text = text
        self._document = document
        self._lines = Lines(text.content)
        self.problems: list[Problem] = []

    def note(self, code: str, place: Place, message: str, hint: str = "") -> None:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
        line = self._lines.at(self._document, place)
        self.problems.append(self._text.problem(code, f"{path} {message}".strip(), line, hint))

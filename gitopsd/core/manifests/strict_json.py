"""JSON text becomes plain values, by the letter of JSON: no second value of a key, no trailing comma, no NaN.

Numbers come out as YAML's do, so that a manifest has one digest however it is written.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.lines import duplicate_keys
from gitopsd.core.manifests.scalars import NUMBER_LENGTH_MAX, NotJson, as_json_number
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import DEPTH_MAX, PROBLEMS_PER_FILE_MAX, Document, Value

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?P<code>[0-9a-fA-F]{4})|.)", re.DOTALL
)
_HALVES = frozenset(f"d{digit}" for digit in "89abcdef")


def parse(text: TextFile) -> tuple[Document, ...]:
    """Return the file's one document; none when the file is blank.

    Raises:
        RenderError: with every problem that could be found.
    """
    if not text.content.strip():
        return ()
    reader = _Reader()
    try:
        value = reader.read(text.content)
        too_deep = _height(value) > DEPTH_MAX
    except json.JSONDecodeError as error:
        message = f"not valid JSON at column {error.colno}: {error.msg}"
        raise RenderError(text.problem("JSON_SYNTAX", message, error.lineno)) from None
    except NotJson as error:
        raise RenderError(text.problem("JSON_NUMBER", str(error))) from None
    except RecursionError:
        too_deep = True
    if too_deep:
        raise RenderError(text.problem("YAML_TOO_DEEP", f"nested deeper than {DEPTH_MAX} levels"))
    if reader.has_duplicates:
        raise RenderError(*_duplicate_problems(text))
    if "\\u" in text.content and (line := _bad_escape_line(text.content)):
        raise RenderError(text.problem("YAML_CHARACTER", "half a surrogate pair, or NUL, is not text", line))
    return (Document(_first_line(text.content), value),)


class _Reader:
    def __init__(self) -> None:
        self.has_duplicates = False

    def read(self, content: str) -> Value:
        value: Value = json.loads(
            content,
            object_pairs_hook=self._object,
            parse_constant=_refuse_constant,
            parse_float=_number,
            parse_int=_number,
        )
        return value

    def _object(self, pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        value = dict(pairs)
        self.has_duplicates = self.has_duplicates or len(value) != len(pairs)
        return value


def _refuse_constant(word: str) -> NoReturn:
    raise NotJson(f"{word} is not JSON")


def _number(digits: str) -> int | float:
    if len(digits) > NUMBER_LENGTH_MAX:
        raise NotJson(f"a number of {len(digits)} characters is too long")
    return as_json_number(float(digits) if set(digits) & set(".eE") else int(digits))


def _bad_escape_line(content: str) -> int:
    """Return the line (from 1) of the first escape that is no character; 0 when all are."""
    for escape in _ESCAPE.finditer(content):
        code = escape["code"]
        if code and (code == "0000" or code[:2].lower() in _HALVES):
            return content.count("\n", 0, escape.start()) + 1
    return 0


def _duplicate_problems(text: TextFile) -> list[Problem]:
    found = [
        text.problem("YAML_DUPLICATE_KEY", f"the key {key} is written twice, first on line {first}", second)
        for key, first, second in duplicate_keys(text.content)
    ]
    return found[:PROBLEMS_PER_FILE_MAX] or [text.problem("YAML_DUPLICATE_KEY", "a key is written twice")]


def _height(value: Value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_height, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_height, value), default=0)
    return 0


def _first_line(content: str) -> int:
    return content[: len(content) - len(content.lstrip())].count("\n") + 1

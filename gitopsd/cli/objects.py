"""Objects out of a file of any kind that people and clusters make: YAML, JSON, JSON lines, a List, an event stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitopsd.core.errors import ConfigError, Problem, RenderError, Stage
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import parse
from gitopsd.core.model import Body, Json

BYTES_MAX = 256 * 1024 * 1024
OBJECTS_MAX = 100_000


def objects_in(file: str) -> tuple[Body, ...]:
    """Return the objects of a file (``-`` is stdin), in their order.

    Raises:
        ConfigError: it cannot be read.
        RenderError: something in it is not an object.
    """
    name = "stdin" if file == "-" else file
    bodies = tuple(body for line, value in _values(name, _content(file)) for body in _opened(name, line, value))
    if len(bodies) > OBJECTS_MAX:
        raise _wrong(name, 0, "INPUT_TOO_LARGE", f"{len(bodies)} objects; {OBJECTS_MAX} are the most", "split it")
    return bodies


def _content(file: str) -> str:
    try:
        content = sys.stdin.buffer.read(BYTES_MAX + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        reason = error.strerror or "unknown"
        problem = Problem(code="INPUT_UNREADABLE", stage=Stage.CONFIG, message=f"{file} cannot be read: {reason}")
        raise ConfigError(problem) from error
    if len(content) > BYTES_MAX:
        raise _wrong(file, 0, "INPUT_TOO_LARGE", f"more than {BYTES_MAX} bytes", "split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(file, 0, "INPUT_ENCODING", f"byte {error.start} is not UTF-8", "save it as UTF-8") from None


def _values(name: str, content: str) -> Iterator[tuple[int, Json]]:
    """Yield each document with its line."""
    if not content.lstrip().startswith(("{", "[")):
        yield from ((document.line, document.value) for document in parse(TextFile(name, content)))
        return
    try:
        yield 1, json.loads(content)
    except ValueError:
        yield from _lines(name, content)


def _lines(name: str, content: str) -> Iterator[tuple[int, Json]]:
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                hint = "give one JSON document, or one in each line"
                raise _wrong(name, number, "INPUT_NOT_JSON", "is not JSON", hint) from error


def _opened(name: str, line: int, value: Json) -> Iterator[Body]:
    """Open lists, and the wrapping in which watches and event streams send objects."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for entry in value:
            yield from _opened(name, line, entry)
        return
    if not isinstance(value, Mapping):
        raise _wrong(name, line, "INPUT_NOT_AN_OBJECT", "is not an object", "every document must be one")
    inner, items = value.get("object"), value.get("items")
    if "kind" not in value and isinstance(inner, Mapping):
        yield from _opened(name, line, inner)
    elif str(value.get("kind", "")).endswith("List") and isinstance(items, Sequence):
        yield from _opened(name, line, items)
    else:
        yield value


def _wrong(name: str, line: int, code: str, message: str, hint: str) -> RenderError:
    return RenderError(Problem(code=code, stage=Stage.HEALTH, message=message, hint=hint, file=name, line=line))

"""YAML text becomes plain JSON values: what kubectl would read, or an error with file and line. Nothing in between.

The C parser's events (constant stack, whatever the depth) feed our own builder, which knows every bound.
Whatever could mean two things is refused: duplicate keys, keys that are not text, tags, unbounded aliases.
No value's text ever goes into a message: it may be a secret. Keys do, not at length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import NoReturn, TypeAlias

import yaml

from gitopsd.core.errors import ConfigError, Problem, RenderError, Stage
from gitopsd.core.manifests.scalars import NotJson, Scalar, is_text, resolve
from gitopsd.core.manifests.text import TextFile

DEPTH_MAX = 64
ALIASES_MAX = 100
NODES_MAX = 1_000_000
PROBLEMS_PER_FILE_MAX = 20

Value: TypeAlias = "dict[str, Value] | list[Value] | Scalar"

_MERGE = "<<"
_KEY_SHOWN_CHARS = 40
_TOO_MANY = f"more than {NODES_MAX} values once the aliases are written out"
_QUOTE_IT = 'put it in quotes if it is meant as text: "…"'
_Start: TypeAlias = yaml.ScalarEvent | yaml.CollectionStartEvent


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, and the line (from 1) where its first node stands."""

    line: int
    value: Value = field(repr=False)


def parse(text: TextFile) -> tuple[Document, ...]:
    """Return the documents of a YAML file; empty ones are left out.

    Raises:
        RenderError: with every problem that could be found.
    """
    require_c_parser()
    builder = _Builder(text)
    try:
        documents = tuple(builder.documents())
    except yaml.YAMLError as error:
        builder.problems.append(_syntax_problem(error, text))
    if builder.problems:
        raise RenderError(*builder.problems)
    return tuple(document for document in documents if document.value is not None)


def require_c_parser() -> None:
    """Refuse to read anything when PyYAML came without libyaml.

    Raises:
        ConfigError: the installation cannot be used.
    """
    if not yaml.__with_libyaml__:
        raise ConfigError(
            Problem(
                code="YAML_NO_C_PARSER",
                stage=Stage.CONFIG,
                message="PyYAML is installed without its C parser",
                hint="install the wheel of PyYAML, which brings libyaml",
            )
        )


@dataclass(frozen=True, slots=True)
class _Anchor:
    """What an alias stands for; ``nodes`` and ``height`` once everything below is written out."""

    value: Value
    nodes: int
    height: int


class _Builder:
    """Builds values from events. ``problems`` are those after which reading on still makes sense."""

    def __init__(self, text: TextFile) -> None:
        self._text = text
        self._get = yaml.CBaseLoader(text.content).get_event
        self._depth = 0
        self._nodes = 0
        self._aliases = 0
        self._anchors: dict[str, _Anchor | None] = {}
        self._shared: dict[int, _Anchor] = {}
        self.problems: list[Problem] = []

    def documents(self) -> Iterator[Document]:
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                root = self._next()
                yield Document(_line(root), self._node(root))
                self._aliases = 0
                self._anchors.clear()
                self._shared.clear()

    def _next(self) -> yaml.Event:
        event = self._get()
        if event is None:
            raise yaml.YAMLError("the text ends too early")
        return event

    def _node(self, event: yaml.Event) -> Value:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            self._refuse("YAML_TOO_LARGE", _TOO_MANY, event)
        if isinstance(event, yaml.ScalarEvent) and event.anchor is None and event.tag is None:
            return self._scalar(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            return self._decorated(event)
        raise yaml.YAMLError("no value where one must be")

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        if not event.implicit[0]:
            if "\0" in event.value:
                self._note("YAML_CHARACTER", "the character NUL is not allowed", event)
            return event.value
        try:
            return resolve(event.value)
        except NotJson as error:
            self._note("YAML_NOT_JSON", str(error), event, _QUOTE_IT)
            return None

    def _decorated(self, event: _Start) -> Value:
        """Return the value of a node that may have a tag or an anchor."""
        if event.tag is not None:
            self._note("YAML_TAG", "a tag (!…) is not read", event, "write the value without a tag")
        if event.anchor is None:
            return self._plain(event)
        self._anchors[event.anchor] = None
        before = self._nodes
        value = self._plain(event)
        anchor = _Anchor(value, self._nodes - before + 1, self._height(value))
        self._anchors[event.anchor] = anchor
        self._shared[id(value)] = anchor
        return value

    def _plain(self, event: _Start) -> Value:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self._refuse("YAML_TOO_DEEP", f"nested deeper than {DEPTH_MAX} levels", event)
        value = self._mapping() if isinstance(event, yaml.MappingStartEvent) else self._sequence()
        self._depth -= 1
        return value

    def _sequence(self) -> list[Value]:
        values: list[Value] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            values.append(self._node(event))
        return values

    def _mapping(self) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        seen: dict[str, yaml.Event] = {}
        merged: dict[str, Value] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._key(event)
            value = self._node(self._next())
            if key is None:
                continue
            if key in seen:
                self._duplicate(key, seen[key], event)
                continue
            seen[key] = event
            if key == _MERGE and _is_plain(event):
                merged = self._merged(value, event, mapping)
            else:
                mapping[key] = value
        return {**merged, **mapping} if merged else mapping

    def _key(self, event: yaml.Event) -> str | None:
        """Return the key's text, or None when there is none; then that is noted."""
        if isinstance(event, yaml.ScalarEvent) and event.tag is None:
            if event.anchor is not None:
                self._decorated(event)
            if not event.implicit[0] or is_text(event.value):
                return intern(event.value)
        elif not isinstance(event, yaml.AliasEvent):
            self._node(event)
        self._note_key(event)
        return None

    def _note_key(self, event: yaml.Event) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            self._note("YAML_KEY", "a key that is a mapping, a list or an alias", event, "write the key as text")
        elif event.value:
            shown = event.value[:_KEY_SHOWN_CHARS]
            self._note("YAML_KEY", f"the key {shown} is not text", event, f'put the key in quotes: "{shown}":')
        else:
            self._note("YAML_KEY", "a key without text", event, 'put the key in quotes: "":')

    def _duplicate(self, key: str, first: yaml.Event, second: yaml.Event) -> None:
        message = f"the key {key} is written twice, first on line {_line(first)}"
        self._note("YAML_DUPLICATE_KEY", message, second, "keep one of the two")

    def _merged(self, value: Value, event: yaml.Event, before: Mapping[str, Value]) -> dict[str, Value]:
        """Return what ``<<`` brings; the first of several sources wins, as in kubectl."""
        sources = value if isinstance(value, list) else [value]
        merged: dict[str, Value] = {}
        for source in reversed(sources):
            if not isinstance(source, dict):
                self._note("YAML_MERGE", "only a mapping can be merged with <<", event)
                continue
            merged.update(source)
        disputed = sorted(merged.keys() & before.keys())
        if disputed:
            message = f"{disputed[0]} stands before << and comes with it too; readers of YAML disagree which one wins"
            self._note("YAML_MERGE", message, event, "put << first in its mapping")
        return merged

    def _alias(self, event: yaml.AliasEvent) -> Value:
        name = event.anchor
        if name not in self._anchors:
            self._refuse("YAML_ALIAS", "an alias (*…) refers to nothing above it in this document", event)
        anchor = self._anchors[name]
        if anchor is None:
            self._refuse("YAML_ALIAS", "an alias (*…) contains itself", event)
        self._aliases += 1
        self._nodes += anchor.nodes
        if self._aliases > ALIASES_MAX:
            self._refuse("YAML_TOO_MANY_ALIASES", f"more than {ALIASES_MAX} aliases in one document", event)
        if self._nodes > NODES_MAX:
            self._refuse("YAML_TOO_LARGE", _TOO_MANY, event)
        if self._depth + anchor.height > DEPTH_MAX:
            self._refuse("YAML_TOO_DEEP", f"nested deeper than {DEPTH_MAX} levels by an alias", event)
        return anchor.value

    def _height(self, value: Value) -> int:
        if id(value) in self._shared:
            return self._shared[id(value)].height
        if isinstance(value, dict):
            return 1 + max(map(self._height, value.values()), default=0)
        if isinstance(value, list):
            return 1 + max(map(self._height, value), default=0)
        return 0

    def _note(self, code: str, message: str, event: yaml.Event, hint: str = "") -> None:
        self.problems.append(self._text.problem(code, message, _line(event), hint))
        if len(self.problems) >= PROBLEMS_PER_FILE_MAX:
            raise RenderError(*self.problems)

    def _refuse(self, code: str, message: str, event: yaml.Event) -> NoReturn:
        raise RenderError(*self.problems, self._text.problem(code, message, _line(event)))


def _is_plain(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0]


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _syntax_problem(error: yaml.YAMLError, text: TextFile) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.content.encode().count(b"\n", 0, error.position) + 1
        return text.problem("YAML_CHARACTER", f"the character 0x{error.character:02x} is not allowed", line)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return text.problem("YAML_SYNTAX", "not valid YAML", 0)
    line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
    hint = "indent with spaces, never with tabs" if text.line(line).startswith("\t") else ""
    return text.problem("YAML_SYNTAX", f"not valid YAML at column {column}: {error.problem}", line, hint)

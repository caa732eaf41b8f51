"""YAML and JSON as SOPS walks them: every value in the order of the text, with the keys that lead to it.

Both are read by the C parser's events, which know where each value stands. What SOPS itself never writes into a file
that it encrypts (aliases, keys that are not text) is refused.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import strict_json
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import DEPTH_MAX, NODES_MAX
from gitopsd.core.sops.envelope import KEY
from gitopsd.core.sops.layout import Layout, Leaf, Span
from gitopsd.core.sops.recipients import Told
from gitopsd.core.sops.scalars import INT_MAX, INT_MIN, float_bytes, is_null, value_bytes
from gitopsd.core.sops.sealed import written_json

CODE = "DECRYPT_FORMAT"

_BINARY = "tag:yaml.org,2002:binary"
_TEXT = "tag:yaml.org,2002:str"
_TEXT_TAGS = (_TEXT, "!")
# Only numbers and words of the metadata's own stand there; whoever may open the file is named below.
_RULES_DEPTH = 2
# Half a character, or one that is not printed, written as JSON may and YAML may not; as long as what takes its place.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

# A scalar that is not null: its text, None when it is none; and what it adds to the MAC.
_Read: TypeAlias = "tuple[str | None, bytes] | None"


def yaml_layout(file: TextFile) -> Layout:
    """Return the layout of a YAML file.

    Raises:
        RenderError: it is not YAML, or not as SOPS writes it.
    """
    return _Walk(file, file.content, is_json=False).layout()


def json_layout(file: TextFile) -> Layout:
    """Return the layout of a JSON file.

    Raises:
        RenderError: it is not JSON, or its root is no object.
    """
    strict_json.parse(file)
    readable = _UNPRINTED.sub("?", _SURROGATE.sub(r"\\uFFFD", file.content))
    return _Walk(file, readable, is_json=True).layout()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key of a document's root."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Root:
    """The root of a document: its keys, where it ends, and whether it is written in braces."""

    entries: list[_Entry] = field(default_factory=list)
    end: int = 0
    is_flow: bool = False


class _Walk:
    """Reads one file from its first event to its last."""

    def __init__(self, file: TextFile, readable: str, *, is_json: bool) -> None:
        self._file = file
        self._is_json = is_json
        self._get = yaml.CBaseLoader(readable).get_event
        self._leaves: list[Leaf] = []
        self._envelope: Told | None = None
        self._envelope_line = 0
        self._cuts: list[Span] = []
        self._documents = 0
        self._nodes = 0
        self._end = 0

    def layout(self) -> Layout:
        try:
            self._read()
        except yaml.YAMLError:
            raise self._refusal("the file cannot be read", 0) from None
        return Layout(
            file=self._file,
            leaves=tuple(self._leaves),
            envelope=self._envelope,
            envelope_line=self._envelope_line,
            cuts=tuple(self._cuts),
            documents=self._documents,
            write=written_json,
        )

    def _read(self) -> None:
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                self._document(self._next(), is_first=self._documents == 1)

    def _next(self) -> yaml.Event:
        event = self._get()
        if event is None:
            raise yaml.YAMLError("the text ends too early")
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise self._refusal(f"more than {NODES_MAX} values", _line(event))
        self._end = event.end_mark.index if event.end_mark else self._end
        return event

    def _document(self, root: yaml.Event, *, is_first: bool) -> None:
        if isinstance(root, yaml.ScalarEvent) and root.implicit[0] and is_null(root.value):
            return
        if not isinstance(root, yaml.MappingStartEvent):
            raise self._refusal("the document is no mapping", _line(root))
        entries: list[_Entry] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, start, line = self._key(event), _start(event), _line(event)
            if key == KEY:
                self._take_envelope(line, is_first=is_first)
            else:
                self._value(self._next(), (key,))
            entries.append(_Entry(key, start, self._end))
        self._cuts += _cuts(_Root(entries, _start(event), bool(root.flow_style)))

    def _take_envelope(self, line: int, *, is_first: bool) -> None:
        told = self._told(self._next(), 1)
        if not is_first:
            return
        if self._envelope is not None:
            raise self._refusal("the metadata of SOPS is there twice", line)
        self._envelope, self._envelope_line = told, line

    def _told(self, event: yaml.Event, depth: int) -> Told:
        self._check_depth(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._told_scalar(event, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._told_keys(depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._told(item, depth + 1) for item in self._items()]
        raise self._refusal("an alias in the metadata of SOPS", _line(event))

    def _told_scalar(self, event: yaml.ScalarEvent, depth: int) -> str:
        """What names a recipient must be text as it stands there: of 0x10 SOPS makes 16, of !!binary what is in it."""
        if event.tag is None and event.implicit[0] and is_null(event.value):
            return ""
        if not _is_text(event) and (event.tag is not None or depth > _RULES_DEPTH):
            raise self._refusal("a value in the metadata of SOPS that is not text", _line(event))
        return event.value

    def _told_keys(self, depth: int) -> Told:
        told: dict[str, Told] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            if key in told:
                raise self._refusal("a key twice in the metadata of SOPS", _line(event))
            told[key] = self._told(self._next(), depth + 1)
        return told

    def _value(self, event: yaml.Event, path: tuple[str, ...], depth: int = 1) -> None:
        self._check_depth(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            self._leaf(event, path)
        elif isinstance(event, yaml.MappingStartEvent):
            while not isinstance(key := self._next(), yaml.MappingEndEvent):
                name = self._key(key)
                self._value(self._next(), (*path, name), depth + 1)
        elif isinstance(event, yaml.SequenceStartEvent):
            for item in self._items():
                self._value(item, path, depth + 1)
        else:
            raise self._refusal("an alias (*…); SOPS writes values out when it encrypts", _line(event))

    def _items(self) -> Iterator[yaml.Event]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield event

    def _leaf(self, event: yaml.ScalarEvent, path: tuple[str, ...]) -> None:
        try:
            read = self._json_scalar(event) if self._is_json else _yaml_scalar(event)
        except ValueError as error:
            raise self._refusal(f"a value that SOPS cannot encrypt: {error}", _line(event)) from None
        if read is not None:
            text, mac = read
            span = Span(_start(event), self._end)
            self._leaves.append(Leaf(path=path, line=_line(event), span=span, text=text, mac=mac))

    def _json_scalar(self, event: yaml.ScalarEvent) -> _Read:
        value = json.loads(self._file.content[_start(event) : self._end])
        match value:
            case None:
                return None
            case str():
                return value, value.encode(errors="surrogatepass")
            case bool():
                return None, str(value).encode()
            case int() if INT_MIN <= value <= INT_MAX:
                return None, str(value).encode()
            case _:
                return None, float_bytes(float(value))

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent) or not _is_text(event):
            raise self._refusal("a key that is not text", _line(event))
        return event.value

    def _check_depth(self, event: yaml.Event, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise self._refusal(f"nested deeper than {DEPTH_MAX} levels", _line(event))

    def _refusal(self, message: str, line: int) -> RenderError:
        return RenderError(self._file.problem(CODE, message, line, "encrypt the file with a current sops"))


def _is_text(event: yaml.ScalarEvent) -> bool:
    """Whether SOPS reads the very text that stands there."""
    if event.tag is not None:
        return event.tag == _TEXT
    if not event.implicit[0]:
        return True
    try:
        return not is_null(event.value) and value_bytes(event.value) is None
    except ValueError:
        return False


def _yaml_scalar(event: yaml.ScalarEvent) -> _Read:
    if event.tag == _BINARY:
        return None, b64decode(event.value)
    if event.tag is not None and event.tag not in _TEXT_TAGS:
        raise ValueError("a tag (!…)")
    if event.tag is not None or not event.implicit[0]:
        return event.value, event.value.encode()
    if is_null(event.value):
        return None
    mac = value_bytes(event.value)
    return (event.value, event.value.encode()) if mac is None else (None, mac)


def _cuts(root: _Root) -> Iterator[Span]:
    for number, entry in enumerate(root.entries):
        following = root.entries[number + 1].start if number + 1 < len(root.entries) else root.end
        if entry.key != KEY:
            continue
        if not root.is_flow:
            yield Span(entry.start, following)
        elif number:
            # With the comma before it.
            yield Span(root.entries[number - 1].end, entry.end)
        else:
            yield Span(entry.start, following)


def _start(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0

"""The line on which a value of a file stands, looked up only when somebody must be told.

Keeping a line for every value would make reading dearer; the file is read once more instead, and only when it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import yaml

Place: TypeAlias = tuple[str | int, ...]

# Half a character, written as JSON may and YAML may not; as long as what takes its place.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Lines:
    """The lines of one file that could be read."""

    def __init__(self, content: str) -> None:
        self._content = content
        self._roots: dict[int, yaml.Node] | None = None

    def at(self, document: int, place: Place) -> int:
        """Return the line of what these keys and indices lead to, or of what is nearest around it.

        ``document`` is the line where the document begins; it is the answer wherever nothing better is known.
        """
        if self._roots is None:
            self._roots = {_line(node): node for node in _nodes(self._content)}
        line, node = document, self._roots.get(document)
        for step in place:
            key, node = _child(node, step)
            if node is None:
                return line
            line = _line(key or node)
        return line


def duplicate_keys(content: str) -> Iterator[tuple[str, int, int]]:
    """Yield each key that a mapping of the file has twice, and both lines."""
    for root in _nodes(content):
        yield from _duplicates(root)


def _nodes(content: str) -> Iterator[yaml.Node]:
    try:
        for node in yaml.compose_all(_SURROGATE.sub(r"\\uFFFD", content), Loader=yaml.CBaseLoader):
            if isinstance(node, yaml.Node):
                yield node
    except yaml.YAMLError:
        return


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), (None, None))
    return None, None


def _duplicates(node: yaml.Node) -> Iterator[tuple[str, int, int]]:
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicates(value)
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            if key.value in first:
                yield key.value, first[key.value], _line(key)
            first.setdefault(key.value, _line(key))
            yield from _duplicates(value)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 0

"""A dotenv file as SOPS reads it: one ``KEY=value`` a line, its metadata flattened into keys of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import DEPTH_MAX
from gitopsd.core.sops.envelope import FLAT_PREFIX
from gitopsd.core.sops.layout import Layout, Leaf, Span
from gitopsd.core.sops.recipients import Told
from gitopsd.core.sops.sealed import Kind

LINES_MAX = 100_000

_STEP = re.compile(r"__(map|list)_")

_Step: TypeAlias = tuple[str, str]
_Tree: TypeAlias = "dict[_Step, _Tree] | str"


def dotenv_layout(file: TextFile) -> Layout:
    """Return the layout of a dotenv file.

    Raises:
        RenderError: a line is neither a comment nor a value, there are too many, or SOPS writes no such metadata.
    """
    leaves: list[Leaf] = []
    flat: dict[str, str] = {}
    cuts: list[Span] = []
    at, first = 0, 0
    lines = file.content.split("\n", LINES_MAX)
    if len(lines) > LINES_MAX:
        raise RenderError(file.problem("DECRYPT_FORMAT", f"more than {LINES_MAX} lines"))
    for number, line in enumerate(lines, start=1):
        start, at = at, at + len(line) + 1
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise RenderError(file.problem("DECRYPT_FORMAT", "a line without =", number))
        if key.startswith(FLAT_PREFIX):
            if key.count("__") > DEPTH_MAX:
                raise RenderError(file.problem("DECRYPT_FORMAT", f"nested deeper than {DEPTH_MAX} levels", number))
            if key.removeprefix(FLAT_PREFIX) in flat:
                raise RenderError(file.problem("DECRYPT_FORMAT", "a key twice in the metadata of SOPS", number))
            flat[key.removeprefix(FLAT_PREFIX)] = value.replace("\\n", "\n")
            cuts.append(Span(start, start + len(line)))
            first = first or number
            continue
        text = value.replace("\\n", "\n")
        span = Span(start + len(key) + 1, start + len(line))
        leaves.append(Leaf(path=(key,), line=number, span=span, text=text, mac=text.encode()))
    return Layout(
        file=file,
        leaves=tuple(leaves),
        envelope=_envelope(file, flat, first) if flat else None,
        envelope_line=first,
        cuts=tuple(cuts),
        write=_written,
    )


def _written(_: Kind, plain: str) -> str:
    return plain.replace("\n", "\\n")


def _envelope(file: TextFile, flat: Mapping[str, str], line: int) -> Told:
    try:
        return _told(_unflattened(flat))
    except ValueError as error:
        raise RenderError(file.problem("DECRYPT_FORMAT", f"the metadata of SOPS: {error}", line)) from None


def _unflattened(flat: Mapping[str, str]) -> _Tree:
    root: dict[_Step, _Tree] = {}
    for key, value in flat.items():
        first, *rest = _STEP.split(key)
        *above, last = [("map", first), *zip(rest[::2], rest[1::2], strict=True)]
        place = root
        for step in above:
            below = place.setdefault(step, {})
            if isinstance(below, str):
                raise ValueError("a key is a value and has others below it")  # noqa: TRY004 - what is wrong is the file
            place = below
        if last in place:
            raise ValueError("a key is a value and has others below it")
        place[last] = value
    return root


def _told(tree: _Tree) -> Told:
    if isinstance(tree, str):
        return tree
    kinds = {kind for kind, _ in tree}
    if kinds == {"map"}:
        return {name: _told(below) for (_, name), below in tree.items()}
    # SOPS takes 00 for 0 and makes one entry of both.
    places = [("list", str(number)) for number in range(len(tree))]
    if tree.keys() != set(places):
        raise ValueError("a list that is not numbered as SOPS numbers it")
    return [_told(tree[place]) for place in places]

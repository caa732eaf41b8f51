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

_Tree: TypeAlias = "dict[str, _Tree] | str"


def dotenv_layout(file: TextFile) -> Layout:
    """Return the layout of a dotenv file.

    Raises:
        RenderError: a line is neither a comment nor a value.
    """
    leaves: list[Leaf] = []
    flat: dict[str, str] = {}
    cuts: list[Span] = []
    at, first = 0, 0
    for number, line in enumerate(file.content.split("\n")[:LINES_MAX], start=1):
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
        envelope=_unflattened(flat) if flat else None,
        envelope_line=first,
        cuts=tuple(cuts),
        write=_written,
    )


def _written(_: Kind, plain: str) -> str:
    return plain.replace("\n", "\\n")


def _unflattened(flat: Mapping[str, str]) -> Told:
    root: dict[str, _Tree] = {}
    for key, value in flat.items():
        first, *rest = _STEP.split(key)
        place, steps = root, [first, *(f"{kind}:{name}" for kind, name in zip(rest[::2], rest[1::2], strict=True))]
        for step in steps[:-1]:
            below = place.setdefault(step, {})
            place = below if isinstance(below, dict) else {}
        place[steps[-1]] = value
    return _told(root)


def _told(tree: _Tree) -> Told:
    if isinstance(tree, str):
        return tree
    if tree and all(key.startswith("list:") for key in tree):
        return [_told(below) for _, below in sorted(tree.items(), key=lambda entry: entry[0].zfill(12))]
    return {key.removeprefix("map:"): _told(below) for key, below in tree.items()}

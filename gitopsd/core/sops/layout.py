"""Where in a file the values stand that SOPS walks, in its order, and where its metadata stands.

The text itself stays: what is opened takes the place of what was encrypted, and every other line keeps its number.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.sops.recipients import Told
from gitopsd.core.sops.sealed import Kind, comments_in

_DASH = re.compile(r"-[ \t]+$")


@dataclass(frozen=True, slots=True)
class Span:
    """From which character of the text to which."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value that is not null. ``text`` is None when it is no text; ``mac`` is what it adds to the MAC as it is."""

    path: tuple[str, ...]
    line: int
    span: Span
    text: str | None = field(repr=False)
    mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A file taken apart. ``envelope`` is None when there is none; ``write`` puts an opened value into its syntax.

    ``documents`` is how many it holds.
    """

    file: TextFile
    leaves: tuple[Leaf, ...]
    envelope: Told | None = field(default=None, repr=False)
    envelope_line: int = 0
    cuts: tuple[Span, ...] = ()
    documents: int = 1
    write: Callable[[Kind, str], str]

    def refusal(self, code: str, message: str, line: int = 0, hint: str = "", cause: str = "") -> RenderError:
        """Return the error to raise about a line of this file, or about its metadata."""
        problem = self.file.problem(code, message, line or self.envelope_line, hint)
        return RenderError(replace(problem, cause=cause))

    def item(self, leaf: Leaf) -> Span:
        """Return where a value stands together with the dash that makes it an item of a list.

        Raises:
            ValueError: it has none.
        """
        dash = _DASH.search(self.file.content, self.file.content.rfind("\n", 0, leaf.span.start) + 1, leaf.span.start)
        if not dash:
            raise ValueError("not an item of a list")
        return Span(dash.start(), leaf.span.end)

    def rewritten(self, opened: Iterable[tuple[Span, str]]) -> str:
        """Return the text with what was opened in its place, without metadata and encrypted comments."""
        edits = [*opened]
        edits += [(cut, "") for cut in self.cuts]
        edits += [(comment, "#") for comment in self._comments()]
        return _edited(self.file.content, edits)

    def _comments(self) -> Iterable[Span]:
        spans = sorted((*(leaf.span for leaf in self.leaves), *self.cuts), key=_start)
        for start, end in comments_in(self.file.content):
            before = bisect_right(spans, start, key=_start)
            if not before or spans[before - 1].end <= start:
                yield Span(start, end)


def _start(span: Span) -> int:
    return span.start


def _edited(text: str, edits: list[tuple[Span, str]]) -> str:
    parts, at = [], 0
    for span, written in sorted(edits, key=lambda edit: edit[0].start):
        lost = "\n" * text.count("\n", span.start, span.end)
        parts += [text[at : span.start], written, lost]
        at = span.end
    return "".join([*parts, text[at:]])

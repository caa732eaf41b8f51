"""What a page asks a reader to type, read from its fenced blocks.

A ``console`` block is typed: ``$`` begins a command, ``>`` goes on with it, all else is what must be answered.
A block with ``title="FILE"`` is a file that the reader writes. Any block of a shell is one of these, or a comment
above it says why it is not run: ``<!-- not run: the reason -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELLS = {"sh", "bash", "shell", "console"}

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n+)?^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n"
    r"(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Command:
    """Something to type, and what must be answered; ``shown`` empty = whatever is answered."""

    typed: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A file to write, below the folder that the reader is in."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``reason`` = why it is not run."""

    page: str
    line: int
    language: str
    title: str
    reason: str
    body: str

    @property
    def where(self) -> str:
        """``docs/cli.md:12``."""
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether the tests type or write it."""
        return not self.reason and (self.language == "console" or bool(self.title))

    def steps(self) -> Iterator[Command | Written]:
        """Return what a reader does."""
        if self.title:
            yield Written(self.title, self.body)
            return
        for command in re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]:
            lines = command.splitlines()
            more = [line[2:] for line in lines[1:] if line.startswith("> ")]
            yield Command("\n".join([lines[0], *more]), "\n".join(lines[1 + len(more) :]).strip())


def pages() -> list[Path]:
    """Return every page that a reader may type from."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=str(page.relative_to(ROOT)),
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            title=found["title"] or "",
            reason=found["reason"] or "",
            body=found["body"],
        )
        for found in _BLOCK.finditer(text)
    ]

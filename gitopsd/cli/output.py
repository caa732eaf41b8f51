"""What is printed, and how: answers on stdout, everything else on stderr; colours only for a person's eyes.

Text from repositories and clusters may hold anything; nothing of it can move a cursor or pass for our own words.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gitopsd.core.errors import Problem
from gitopsd.core.manifests.scalars import is_text
from gitopsd.core.model import Json

UNBROKEN_COLUMNS = 10_000

_STYLES = {
    **dict.fromkeys(
        ("Ready", "Synced", "Healthy", "Current", "True", "Kept", "create", "Released", "Resumed"), "green"
    ),
    **dict.fromkeys(("Failed", "Degraded", "Missing", "NotFound", "RevertFailed", "False", "error"), "red"),
    **dict.fromkeys(
        ("Applying", "Verifying", "Progressing", "InProgress", "Terminating", "Reverting", "Reverted", "OutOfSync"),
        "yellow",
    ),
    **dict.fromkeys(("Unknown", "Suspended", "Paused", "Held", "warning"), "cyan"),
}


class Output(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print the answer.")]


def emit(value: Json, output: Output) -> None:
    """Print the answer for a machine."""
    if output is Output.YAML:
        print(yaml.dump(_plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True), end="")
    else:
        print(json.dumps(value, indent=2, ensure_ascii=False))


def emit_names(names: Iterable[str]) -> None:
    """Print one name a line."""
    for name in names:
        print(clean(name))


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, under: Sequence[str] = ()) -> None:
    """Print a table as kubectl and Flux do. ``under`` are sentences, one per row.

    A terminal gets each sentence below its row, within its width; a pipe gets it as the last column, on one line.
    """
    listed = [tuple(row) for row in rows]
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        _for_a_person(console, columns, listed, under)
    else:
        _for_a_pipe(columns, listed, under)


def emit_line(text: str, style: str = "") -> None:
    """Print one line."""
    Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(Text(clean(text), style))


def emit_sentence(text: str) -> None:
    """Print a sentence; a terminal gets it broken between words."""
    _sentence(Console(highlight=False, markup=False, emoji=False), text, label="")


def progress(text: str) -> None:
    """Tell a person at a terminal how it goes; nobody else."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        console.print(Text(clean(text), "dim"))


def tell(*problems: Problem, kind: str = "error", to_stdout: bool = False) -> None:
    """Print problems for someone paged at night: what, where, why, what to do, where to read on."""
    console = Console(stderr=not to_stdout, highlight=False, markup=False, emoji=False)
    for problem in problems:
        head = ((kind, f"bold {_STYLES[kind]}"), " ", (problem.code, "bold"), clean(f" {problem.where}".rstrip()))
        console.print(Text.assemble(*head), soft_wrap=True)
        for name, said in (
            ("", ": ".join(part for part in (problem.ref, problem.message) if part)),
            ("cause", problem.cause),
            ("hint", problem.hint),
            ("see", problem.docs),
        ):
            if said:
                _sentence(console, said, label=f"  {name + ':':<7}" if name else "  ")


def clean(text: str) -> str:
    """Return the text without anything that a terminal would obey."""
    return "".join(char if unicodedata.category(char) not in ("Cc", "Cf") else _harmless(char) for char in text)


def _harmless(char: str) -> str:
    return " " if char in "\n\t\r" else "\ufffd"


def _for_a_person(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], under: Sequence[str]
) -> None:
    columns, rows = _without_empty(columns, rows)
    widths = [max((len(clean(row[place])) for row in rows), default=0) for place in range(len(columns))]
    table = _table(columns)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if not any(under) or sum(widths) == 0:
        console.print(table)
        return
    lines = console.render_lines(table, console.options, pad=False)
    # A row that had to be broken would no longer be one line: then the sentences follow the whole table.
    by_row = len(lines) == len(rows) + 1
    for number, segments in enumerate(lines):
        console.print(Text.assemble(*((segment.text, segment.style or "") for segment in segments)), soft_wrap=True)
        if by_row and number and under[number - 1]:
            _sentence(console, under[number - 1], "dim")
    for sentence in () if by_row else under:
        _sentence(console, sentence, "dim")


def _sentence(console: Console, sentence: str, style: str = "", *, label: str = "  ") -> None:
    """A terminal gets it within its width, broken between words; a pipe on one line."""
    said = Text(clean(sentence), style)
    lines = said.wrap(console, max(console.width - len(label), 1)) if console.file.isatty() else [said]
    for number, line in enumerate(lines):
        line.rstrip()
        console.print(Text.assemble((" " * len(label) if number else label, "dim"), line), soft_wrap=True)


def _for_a_pipe(columns: Sequence[str], rows: Sequence[Sequence[str]], under: Sequence[str]) -> None:
    table = _table((*columns, "MESSAGE") if under else columns)
    for number, row in enumerate(rows):
        table.add_row(*(_cell(value) for value in (*row, *under[number : number + 1])))
    console = Console(file=sys.stdout, width=UNBROKEN_COLUMNS, no_color=True, highlight=False)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        print(line.rstrip())


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cell(value: str) -> Text:
    return Text(clean(value), _STYLES.get(value, ""))


def _without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Leave out columns in which no row says anything, for width."""
    kept = [place for place in range(len(columns)) if not rows or any(row[place] for row in rows)]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _plain(value: Json) -> Json:
    """Return only what PyYAML knows how to write."""
    if isinstance(value, Mapping):
        return {name: _plain(below) for name, below in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(below) for below in value]
    return str(value) if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    """Writes YAML that kubectl reads as it was meant: to kubectl more words are numbers and booleans than to Python."""


def _quoted_where_in_doubt(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text(text) else "'")


_Dumper.add_representer(str, _quoted_where_in_doubt)

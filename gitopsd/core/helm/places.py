"""Where a chart's files lie: in the copy that helm renders, and in the repository by the path that helm says.

Helm names a template by its charts' names (``shop/charts/web/templates/a.yaml``), wherever these lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from gitopsd.core.helm.chart import Chart, is_archive_of
from gitopsd.core.helm.ignore import kept
from gitopsd.core.model import File


def copied_files(chart: Chart) -> Iterator[tuple[str, File]]:
    """Yield the files of a whole chart, each with its path in the copy.

    Raises:
        RenderError: a ``.helmignore`` has a rule that helm would not take.
    """
    yield from chart.files.items()
    yield from _parts(chart, "")


def written_at(chart: Chart, source: str) -> str:
    """Return the path of what helm calls this, from the repository's root; empty = the chart has no such file.

    A file of a packed chart is written where the pack lies.
    """
    name, *rest = source.split("/")
    if name != chart.name:
        return ""
    match rest:
        case ["charts", part, *further]:
            return _written_in_part(chart, chart.aliases.get(part, part), further)
        case _:
            file = chart.files.get("/".join(rest))
            return file.path if file else ""


def _parts(chart: Chart, prefix: str) -> Iterator[tuple[str, File]]:
    """Yield what the copies bring, at any depth; what lies unpacked is among its chart's own files."""
    for part in chart.copied:
        place = f"{prefix}charts/{part.name}/"
        yield from ((place + path, file) for path, file in kept(part.files).items())
        yield from _parts(part, place)
    for part in chart.unpacked:
        lies = part.directory[len(chart.directory) :].lstrip("/")
        yield from _parts(part, f"{prefix}{lies}/")


def _written_in_part(chart: Chart, name: str, rest: list[str]) -> str:
    for part in chain(chart.unpacked, chart.copied):
        if part.name == name:
            return written_at(part, "/".join((name, *rest)))
    return next((path for path in chart.archives if is_archive_of(name, path)), "")

"""What helm prints, back to where it was written: objects to their template, its complaints to file and line.

Helm names the template before each document. Lines of what it prints are nobody's lines, so none is ever told.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.helm.chart import Chart
from gitopsd.core.helm.places import written_at
from gitopsd.core.manifests.objects import OUTPUT_BYTES_MAX, FileContent, read_output
from gitopsd.core.model import Origin

_SOURCE = "# Source: "
# Where YAML's lines end.
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_PLACE = re.compile(r"(?P<source>[^\s()<>\"]+/[^\s()<>\":]+):(?P<line>[0-9]{1,7})(?::[0-9]+)?")
_NOT_YAML = re.compile(r"YAML parse error on (?P<source>\S+):")
_VALUES = re.compile(r"failed to parse (?P<values>values/\S+):")
_SCHEMA = re.compile(r"values don't meet the specifications of the schema\(s\) in the following chart\(s\):\s+(\S+):")
_DEBUG = "Use --debug flag to render out invalid YAML"
_LOADED = re.compile(r"cannot load (?P<file>values\.yaml|Chart\.yaml|Chart\.lock|requirements\.yaml):")
_MISSING = "missing in charts/ directory"
_KUBE_VERSION = "chart requires kubeVersion"


@dataclass(frozen=True, slots=True)
class _Complaint:
    code: str
    message: str
    hint: str = ""


_FAILED = _Complaint("HELM_FAILED", "helm could not render the chart")
_TEMPLATE = _Complaint("HELM_TEMPLATE", "the template fails", "correct the template, or the values it needs")
_RENDERED = _Complaint(
    "HELM_TEMPLATE", "what the template renders to is no YAML", "look at what helm template prints for it"
)
_SCHEMA_SAYS = _Complaint("HELM_VALUES_INVALID", "the values are not what the chart's schema asks for")
_NOT_VALUES = _Complaint("HELM_VALUES_INVALID", "this is no file of values")
_NOT_READ = _Complaint("HELM_CHART_INVALID", "helm cannot read this file of the chart")
_DEPENDENCY = _Complaint(
    "HELM_DEPENDENCY_MISSING",
    "a dependency is not in charts/",
    "run helm dependency build and commit charts/: gitopsd fetches no chart",
)
_CLUSTER = _Complaint(
    "HELM_KUBE_VERSION",
    "the chart is not for the version of Kubernetes that it is rendered for",
    "say the cluster's version under render.helm.kubeVersion in gitopsd.yaml",
)


def objects_in(stdout: bytes, chart: Chart) -> FileContent:
    """Return the objects that helm printed, each with the template that it comes from."""
    # What is too large to be read has no lines either: the list of them could fill the memory.
    starts = list(_starts(stdout if len(stdout) <= OUTPUT_BYTES_MAX else b"", chart))

    def placed(_: str, line: int) -> Origin:
        return Origin(starts[bisect_right(starts, line, key=itemgetter(0)) - 1][1])

    return read_output(stdout, placed)


def complaint_of(said: str, chart: Chart, values: Mapping[str, str]) -> Problem:
    """Return what helm complains of, masked already, at its place. ``values`` are files by their names in the copy."""
    if found := _VALUES.search(said):
        return _problem(_NOT_VALUES, said, Origin(values.get(found["values"], "")))
    if found := _SCHEMA.search(said):
        return _problem(_SCHEMA_SAYS, said, Origin(_schema_of(chart, found[1])))
    if found := _NOT_YAML.search(said):
        return _problem(_RENDERED, said, Origin(written_at(chart, found["source"]) or chart.file))
    if (found := _LOADED.search(said)) and (file := chart.files.get(found["file"])):
        return _problem(_NOT_READ, said, Origin(file.path))
    if place := _last_place(said, chart):
        return _problem(_TEMPLATE, said, place)
    known = _DEPENDENCY if _MISSING in said else _CLUSTER if _KUBE_VERSION in said else _FAILED
    return _problem(known, said, Origin(chart.file))


def _starts(stdout: bytes, chart: Chart) -> Iterator[tuple[int, str]]:
    """Yield the lines (from 1) at which the documents of another file begin, and that file's path.

    A file of ``crds/`` is printed as it is. What looks like a name in it, and is no file of the chart, is its comment.
    """
    yield 0, chart.file
    previous = ""
    for number, line in enumerate(_LINE_END.split(stdout.decode(errors="replace")), start=1):
        named = line.startswith(_SOURCE) and previous == "---"
        if path := written_at(chart, line.removeprefix(_SOURCE).strip()) if named else "":
            yield number - 1, path
        previous = line


def _last_place(said: str, chart: Chart) -> Origin | None:
    """Helm tells the way from the outermost template to where it happened; the last that is ours is the place."""
    found = [(written_at(chart, place["source"]), int(place["line"])) for place in _PLACE.finditer(said)]
    known = [(path, line) for path, line in found if path]
    if not known:
        return None
    path, line = known[-1]
    # Nobody can open a line of a packed chart.
    return Origin(path, 0 if path.endswith(".tgz") else line)


def _schema_of(chart: Chart, name: str) -> str:
    parts = [chart, *chart.unpacked, *chart.copied]
    files = [
        part.files["values.schema.json"] for part in parts if part.name == name and "values.schema.json" in part.files
    ]
    return files[0].path if files else chart.file


def _problem(complaint: _Complaint, said: str, origin: Origin) -> Problem:
    return Problem(
        code=complaint.code,
        stage=Stage.RENDER,
        message=complaint.message,
        cause=said.partition("Error: ")[2].replace(_DEBUG, "").strip() or said.strip(),
        hint=complaint.hint,
        file=origin.file,
        line=origin.line,
    )

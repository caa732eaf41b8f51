"""A chart and the charts that it is made of, as the repository has them. What is not committed is missing.

Charts in ``charts/`` count as they lie there, unpacked or packed. A ``file://`` dependency that does not lie there is
copied there, as ``helm dependency build`` would; one with an address must have been committed. Nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.lines import Lines
from gitopsd.core.manifests.paths import inside, is_below
from gitopsd.core.manifests.text import TextFile, read_text
from gitopsd.core.model import File

CHARTS_MAX = 200
DEPTH_MAX = 8

# The files of a directory, which is named from the repository's root; None = there is no such directory.
Read: TypeAlias = Callable[[str], Sequence[File] | None]

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,249}", re.ASCII)
_LOCAL = "file://"
_VENDOR_HINT = "run helm dependency build and commit charts/: gitopsd fetches no chart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One unpacked chart.

    ``directory`` is where it lies, from the repository's root; ``aliases`` are other names that its parent calls its
    parts by; ``unpacked`` lie in its ``charts/``, ``copied`` are to lie there; ``archives`` are the packed ones' paths.
    """

    directory: str
    name: str
    files: Mapping[str, File] = field(repr=False)
    aliases: Mapping[str, str] = field(default_factory=dict)
    unpacked: tuple[Chart, ...] = ()
    copied: tuple[Chart, ...] = ()
    archives: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its ``Chart.yaml``, from the repository's root."""
        return _joined(self.directory, "Chart.yaml")


def chart_in(directory: str, read: Read) -> Chart:
    """Return the chart in this directory, which is named from the repository's root.

    Raises:
        RenderError: the chart, or one that it is made of, is not there, leads out of the repository or round in a
            circle, or is none that can be rendered.
    """
    return _Surveyor(read).chart(directory, ())


def directories_of(chart: Chart) -> Iterator[str]:
    """Yield the directories that the chart and all that it is made of lie in."""
    yield chart.directory
    for part in (*chart.unpacked, *chart.copied):
        yield from directories_of(part)


def chart_missing(directory: str, file: str, line: int = 0) -> Problem:
    """Return the problem of a directory, named in this place, without a chart in it."""
    return Problem(
        code="HELM_CHART_MISSING",
        stage=Stage.RENDER,
        message=f"there is no Chart.yaml in {directory or 'the root of the repository'}",
        hint="correct the path, or commit the chart: gitopsd fetches none",
        file=file,
        line=line,
    )


def is_archive_of(name: str, path: str) -> bool:
    """Return whether a file is, by its name, a packed chart of this name: ``web-1.2.3.tgz``."""
    file = path.rpartition("/")[2]
    return bool(re.fullmatch(rf"{re.escape(name)}-v?[0-9].*\.tgz", file, re.ASCII))


@dataclass(frozen=True, slots=True)
class _Written:
    """A file of one mapping: its text, the line where the mapping begins, and its fields."""

    text: TextFile
    lines: Lines
    line: int
    fields: Mapping[str, yaml.Value]

    def line_of(self, *steps: str | int) -> int:
        return self.lines.at(self.line, steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dependency:
    """One line of ``dependencies``; ``line`` and ``file`` say where it is written."""

    name: str
    alias: str
    repository: str
    text: TextFile
    line: int

    def problem(self, code: str, message: str, hint: str) -> Problem:
        return self.text.problem(code, f"the dependency {self.name} {message}", self.line, hint)


class _Surveyor:
    """Walks from chart to chart. ``chain`` are the directories of the charts around one."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._count = 0

    def chart(self, directory: str, chain: tuple[str, ...]) -> Chart:
        """Return the chart and what it is made of."""
        start = len(directory) + 1 if directory else 0
        files = {file.path[start:]: file for file in self._read(directory) or ()}
        if "Chart.yaml" not in files:
            raise RenderError(chart_missing(directory, _joined(directory, "Chart.yaml")))
        self._refuse_too_much(files["Chart.yaml"], chain)
        written = _read_chart(files["Chart.yaml"])
        if not chain:
            _refuse_library(written)
        chart = Chart(directory=directory, name=_name(written), files=files)
        return self._with_parts(chart, tuple(_dependencies(files, written)), (*chain, directory))

    def _with_parts(self, chart: Chart, dependencies: Sequence[_Dependency], chain: tuple[str, ...]) -> Chart:
        chart = replace(
            chart,
            aliases={one.alias: one.name for one in dependencies if one.alias},
            unpacked=tuple(self._unpacked(chart, chain)),
            archives=tuple(_joined(chart.directory, path) for path in sorted(chart.files) if _is_archive(path)),
        )
        missing = {one.name: one for one in dependencies if not _is_there(one.name, chart)}
        _refuse_clashes(dependencies, missing, chart.files)
        return replace(chart, copied=tuple(self._copied(chart, missing.values(), chain)))

    def _unpacked(self, chart: Chart, chain: tuple[str, ...]) -> Iterator[Chart]:
        for path in sorted(chart.files):
            match path.split("/"):
                case ["charts", place, "Chart.yaml"] if not place.startswith(("_", ".")):
                    yield self.chart(_joined(chart.directory, f"charts/{place}"), chain)
                case _:
                    pass

    def _copied(self, chart: Chart, missing: Iterable[_Dependency], chain: tuple[str, ...]) -> Iterator[Chart]:
        """A chart that came vendored may lack what its values turn off; then helm has the last word."""
        is_vendored = len(chain) > 1 and is_below(chart.directory, _joined(chain[-2], "charts"))
        for dependency in missing:
            if dependency.repository.startswith(_LOCAL):
                yield self._local(chart.directory, dependency, chain)
            elif not is_vendored:
                raise RenderError(dependency.problem("HELM_DEPENDENCY_MISSING", "is not in charts/", _VENDOR_HINT))

    def _local(self, directory: str, dependency: _Dependency, chain: tuple[str, ...]) -> Chart:
        path = dependency.repository.removeprefix(_LOCAL)
        place = inside(directory, path)
        if place is None:
            message = f"leads out of the repository: {path[:200]}"
            raise RenderError(dependency.problem("HELM_OUTSIDE", message, "copy the chart into the repository"))
        if place in chain:
            circle = " → ".join((*chain[chain.index(place) :], place))
            hint = "let one of them stand without the other"
            raise RenderError(dependency.problem("HELM_DEPENDENCY_CIRCLE", f"leads round in a circle: {circle}", hint))
        try:
            chart = self.chart(place, chain)
        except RenderError as error:
            raise RenderError(*(_seen_from(dependency, problem) for problem in error.problems)) from None
        if chart.name != dependency.name:
            message = f"is not the chart in {place}, which calls itself {chart.name}"
            raise RenderError(dependency.problem("HELM_CHART_INVALID", message, "write the chart's own name"))
        return chart

    def _refuse_too_much(self, file: File, chain: tuple[str, ...]) -> None:
        self._count += 1
        if self._count > CHARTS_MAX or len(chain) > DEPTH_MAX:
            message = f"more than {CHARTS_MAX} charts, or {DEPTH_MAX} within each other"
            hint = "vendor the dependencies packed, or use fewer"
            raise RenderError(TextFile(file.path, "").problem("ENVIRONMENT_TOO_LARGE", message, hint=hint))


def _seen_from(dependency: _Dependency, problem: Problem) -> Problem:
    """A chart that is not there is the fault of who names it."""
    if problem.code != "HELM_CHART_MISSING":
        return problem
    return dependency.problem("HELM_DEPENDENCY_MISSING", f"is not there: {problem.message}", problem.hint)


def _read_chart(file: File) -> _Written:
    text = read_text(file.path, file.content)
    documents = yaml.parse(text)
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise RenderError(text.problem("HELM_CHART_INVALID", "must be one mapping"))
    return _Written(text, Lines(text.content), documents[0].line, documents[0].value)


def _refuse_library(written: _Written) -> None:
    if written.fields.get("type") == "library":
        message = "is a library chart: it renders to nothing by itself"
        hint = "name a chart that uses it"
        raise RenderError(written.text.problem("HELM_LIBRARY_CHART", message, written.line_of("type"), hint))


def _name(written: _Written) -> str:
    name = written.fields.get("name")
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    message = "name must be of letters, digits, -, _ and ."
    raise RenderError(written.text.problem("HELM_CHART_INVALID", message, written.line_of("name")))


def _dependencies(files: Mapping[str, File], written: _Written) -> Iterator[_Dependency]:
    """Charts of the first version write them in a file of their own."""
    if "requirements.yaml" in files:
        written = _read_chart(files["requirements.yaml"])
    found = written.fields.get("dependencies") or []
    if not isinstance(found, list):
        line = written.line_of("dependencies")
        raise RenderError(written.text.problem("HELM_CHART_INVALID", "dependencies must be a list", line))
    for index, one in enumerate(found):
        line = written.line_of("dependencies", index)
        yield _dependency(written.text, line, one if isinstance(one, dict) else {})


def _dependency(text: TextFile, line: int, fields: Mapping[str, yaml.Value]) -> _Dependency:
    name, alias, repository = (fields.get(key) or "" for key in ("name", "alias", "repository"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = "the name of a dependency must be of letters, digits, -, _ and ."
        raise RenderError(text.problem("HELM_CHART_INVALID", message, line))
    if not isinstance(alias, str) or not isinstance(repository, str):
        raise RenderError(text.problem("HELM_CHART_INVALID", f"the dependency {name} must be of texts", line))
    return _Dependency(name=name, alias=alias, repository=repository, text=text, line=line)


def _is_archive(path: str) -> bool:
    return path.startswith("charts/") and path.endswith(".tgz") and path.count("/") == 1


def _is_there(name: str, chart: Chart) -> bool:
    return any(one.name == name for one in chart.unpacked) or any(is_archive_of(name, path) for path in chart.archives)


def _refuse_clashes(
    dependencies: Sequence[_Dependency], missing: Mapping[str, _Dependency], files: Mapping[str, File]
) -> None:
    for one in dependencies:
        if one.name not in missing:
            continue
        if one.repository != missing[one.name].repository:
            message = "is written twice, with two repositories"
            raise RenderError(one.problem("HELM_CHART_INVALID", message, "keep one, with an alias for each use"))
        if any(path.startswith(f"charts/{one.name}/") for path in files):
            message = f"is another chart than the one in charts/{one.name}"
            raise RenderError(one.problem("HELM_CHART_INVALID", message, "rename or remove that directory"))


def _joined(directory: str, path: str) -> str:
    return f"{directory}/{path}" if directory else path

"""What helm is told to render: a chart, its values, a release. All of it from the recipe, the files and the bounds.

Files of values go to helm as they are, so it reads them as it always does. Only inline values are written by us.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.helm.chart import Chart, Read, chart_in, directories_of
from gitopsd.core.helm.places import copied_files
from gitopsd.core.manifests.paths import inside, is_below, parent
from gitopsd.core.manifests.place import default_namespace
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.manifests.recipe_section import origin_of, release_fault
from gitopsd.core.model import Environment, File, Json, Origin
from gitopsd.core.recipes import Helm
from gitopsd.core.settings import Settings

# Where helm finds things: names of ours, so that no name of the repository is ever an option or an address.
CHART = "chart"
VALUES = "values"

# Of all files of a chart, each as often as it is copied: a chart may be in many others.
COPIED_BYTES_MAX = 64 * 1024 * 1024

_INLINE = f"{VALUES}/inline.json"
# What YAML takes for the end of a line, for nothing, or for no character at all, though it is text in JSON.
_NOT_AS_IT_IS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The recipe, for whom, and what was written of it: ``written`` is ``gitopsd.yaml``, ``settings`` what it says."""

    environment: Environment
    recipe: Helm
    settings: Settings
    written: File | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What helm is told. ``values`` win over each other in their order, ``inline`` (JSON) over all; empty = none."""

    chart: Chart
    release: str
    namespace: str
    values: tuple[File, ...] = ()
    inline: bytes = field(default=b"", repr=False)
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()

    @property
    def directories(self) -> tuple[str, ...]:
        """Where all that is needed lies, from the repository's root."""
        charts = tuple(directories_of(self.chart))
        apart = (parent(file.path) for file in self.values)
        return (*charts, *apart)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line, without the program."""
        files = [*self.values_by_name, *([_INLINE] if self.inline else [])]
        return (
            *("template", self.release, CHART, f"--namespace={self.namespace}", "--include-crds"),
            *(f"--values={name}" for name in files),
            *([f"--kube-version={self.kube_version}"] if self.kube_version else []),
            *(f"--api-versions={version}" for version in self.api_versions),
        )

    @property
    def values_by_name(self) -> Mapping[str, File]:
        """The files of values by the names under which helm finds them."""
        return {f"{VALUES}/{index}.yaml": file for index, file in enumerate(self.values)}

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the files of helm's own directory, by path.

        Raises:
            RenderError: a ``.helmignore`` has a rule that helm would not take, or there is too much of it.
        """
        copied = tuple(copied_files(self.chart))
        _refuse_too_much(self.chart, sum(len(file.content) for _, file in copied))
        for path, file in copied:
            yield f"{CHART}/{path}", file.content
        for name, file in self.values_by_name.items():
            yield name, file.content
        if self.inline:
            yield _INLINE, self.inline


def order_of(wish: Wish, read: Read) -> Order:
    """Return what helm is told.

    Raises:
        RenderError: the chart or files of values are not there or not in the repository, or the release's name is none.
    """
    recipe = wish.recipe
    return Order(
        chart=_chart(wish, read),
        release=_release(wish),
        namespace=recipe.namespace or default_namespace(wish.settings, wish.environment) or "default",
        values=_values_files(wish, read),
        inline=as_yaml(recipe.values) if recipe.values else b"",
        kube_version=recipe.kube_version,
        api_versions=recipe.api_versions,
    )


def as_yaml(values: Json) -> bytes:
    """Return the values in JSON that YAML reads as the same."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return _NOT_AS_IT_IS.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _refuse_too_much(chart: Chart, size: int) -> None:
    if size > COPIED_BYTES_MAX:
        message = f"{size} bytes once its dependencies are copied; {COPIED_BYTES_MAX} are the most"
        raise _refused("ENVIRONMENT_TOO_LARGE", message, Origin(chart.file))


def _chart(wish: Wish, read: Read) -> Chart:
    directory = inside(wish.environment.path, wish.recipe.chart)
    if directory is None:
        raise _refused("HELM_OUTSIDE", f"{wish.recipe.chart} leads out of the repository", _written_at(wish, "chart"))
    try:
        return chart_in(directory, read)
    except RenderError as error:
        if error.problem.code == "HELM_CHART_MISSING" and wish.recipe.chart:
            raise _refused(error.problem.code, error.problem.message, _written_at(wish, "chart")) from None
        raise


def _release(wish: Wish) -> str:
    release = wish.recipe.release or wish.environment.name.replace("/", "-")
    if fault := release_fault(release):
        message = f"the environment's name {release!r} cannot be the release's: it {fault}"
        raise _refused("HELM_RELEASE_INVALID", message, _written_at(wish))
    return release


def _values_files(wish: Wish, read: Read) -> tuple[File, ...]:
    """Return all of them, or say of each why it is not there."""
    found: list[File] = []
    problems: list[Problem] = []
    for index in range(len(wish.recipe.values_files)):
        try:
            found.append(_values_file(wish, index, read))
        except RenderError as error:
            problems += error.problems
    refuse_any(problems)
    return tuple(found)


def _values_file(wish: Wish, index: int, read: Read) -> File:
    """A directory above the environment's own holds others too, and their secrets: nothing is read from there."""
    written = wish.recipe.values_files[index]
    path, origin = inside(wish.environment.path, written), _written_at(wish, "valuesFiles", index)
    if path is None:
        raise _refused("HELM_OUTSIDE", f"{written} leads out of the repository", origin)
    directory = parent(path)
    if is_below(wish.environment.path, directory) and directory != wish.environment.path:
        message = f"{path} lies above the environment's directory, among other environments"
        raise _refused("HELM_VALUES_PLACE", message, origin)
    found = next((file for file in read(directory) or () if file.path == path), None)
    if found is None:
        raise _refused("HELM_VALUES_MISSING", f"there is no file {path}", origin)
    return found


def _written_at(wish: Wish, *steps: str | int) -> Origin:
    return origin_of(wish.written, "helm", *steps) if wish.written else Origin(wish.environment.path)


_HINTS = {
    "ENVIRONMENT_TOO_LARGE": "let fewer charts depend on the same large one",
    "HELM_CHART_MISSING": "correct the path, or commit the chart: gitopsd fetches none",
    "HELM_OUTSIDE": "name a place in the repository",
    "HELM_RELEASE_INVALID": "name the release under render.helm.release in gitopsd.yaml",
    "HELM_VALUES_MISSING": "correct the path, or commit the file",
    "HELM_VALUES_PLACE": "put values for several environments into a directory of their own, beside these",
}


def _refused(code: str, message: str, origin: Origin) -> RenderError:
    hint = _HINTS[code]
    return RenderError(
        Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=origin.file, line=origin.line)
    )

"""One file's bytes become manifests and problems; nothing else has a say, so the answer can be kept by their digest.

Lists are opened, empty documents dropped. A file with a problem still gives its good objects, so that all problems of
all files can be told at once; whoever assembles a set refuses it if there is any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests import strict_json, yaml
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.manifests.check import Fault, faults, identity_faults
from gitopsd.core.manifests.intents import intent_faults
from gitopsd.core.manifests.kustomization import GROUP as KUSTOMIZE_GROUP
from gitopsd.core.manifests.lines import Lines, Place
from gitopsd.core.manifests.text import TextFile, read_text
from gitopsd.core.manifests.tidy import tidy
from gitopsd.core.model import Body, File, Json, Manifest, ObjectRef, Origin
from gitopsd.core.sops.gate import place_of_ciphertext

OBJECT_BYTES_MAX = 1_500_000
OUTPUT_BYTES_MAX = 16 * 1024 * 1024
OWN_GROUP = "gitopsd.dev"

# An object in words (empty = not known) and its line in the output, to where somebody wrote it.
Placed: TypeAlias = Callable[[str, int], Origin]


@dataclass(frozen=True, slots=True)
class Written:
    """A manifest with its body in canonical JSON."""

    manifest: Manifest
    canonical: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """What a file holds."""

    objects: tuple[Written, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_file(file: File) -> FileContent:
    """Return what the file holds; what is wrong with it is in the answer, never raised."""
    try:
        text = read_text(file.path, file.content)
        parse = strict_json.parse if file.path.lower().endswith(".json") else yaml.parse
        return _content_of(text, parse(text))
    except RenderError as error:
        return FileContent(problems=error.problems)


def read_output(output: bytes, placed: Placed) -> FileContent:
    """Return what a tool printed, by the same reading and the same checks as a file that somebody wrote.

    ``placed`` says where what stands at a line of the output was written; no line of the output itself is ever told.
    """
    try:
        text = read_text("", output, OUTPUT_BYTES_MAX)
        content = _content_of(text, yaml.parse(text))
    except RenderError as error:
        content = FileContent(problems=error.problems)
    return FileContent(
        objects=tuple(_placed(written, placed) for written in content.objects),
        problems=tuple(_placed_problem(problem, placed) for problem in content.problems),
    )


def _placed(written: Written, placed: Placed) -> Written:
    manifest = written.manifest
    origin = placed(str(manifest.ref), manifest.origin.line)
    return Written(replace(manifest, origin=origin), written.canonical)


def _placed_problem(problem: Problem, placed: Placed) -> Problem:
    origin = placed(problem.ref, problem.line)
    return replace(problem, file=origin.file, line=origin.line)


def _content_of(text: TextFile, documents: Sequence[yaml.Document]) -> FileContent:
    reader = _Reader(text)
    for document in documents:
        reader.read(document)
        if len(reader.problems) >= yaml.PROBLEMS_PER_FILE_MAX:
            break
    return FileContent(objects=tuple(reader.objects), problems=tuple(reader.problems))


class _Reader:
    """Collects one file's objects and problems."""

    def __init__(self, text: TextFile) -> None:
        self._text = text
        self._lines = Lines(text.content)
        self.objects: list[Written] = []
        self.problems: list[Problem] = []

    def read(self, document: yaml.Document) -> None:
        for place, value in _opened(document.value, ()):
            line = self._lines.at(document.line, place) if place else document.line
            if isinstance(value, Mapping):
                self._read_object(value, document.line, place, line)
            else:
                hint = "every document must be one Kubernetes object"
                message = "an item of this list is not an object" if place else "the document is not an object"
                self.problems.append(self._text.problem("NOT_AN_OBJECT", message, line, hint))

    def _read_object(self, body: Body, document: int, place: Place, line: int) -> None:
        found = [*_foreign_faults(body)] or [*identity_faults(body)]
        if found:
            self._note(found, "", document, place)
            return
        ref, version = _ref(body)
        found = [*faults(ref.group, ref.kind, body), *intent_faults(ref, body)]
        if found:
            self._note(found, str(ref), document, place)
            return
        written = _written(tidy(ref.group, ref.kind, body), ref, version, Origin(self._text.path, line))
        if len(written.canonical) > OBJECT_BYTES_MAX:
            message = f"the object has {len(written.canonical)} bytes; {OBJECT_BYTES_MAX} are the most"
            self._note([Fault("OBJECT_TOO_LARGE", message)], str(ref), document, place)
            return
        if encrypted := place_of_ciphertext(written.canonical, body):
            message = "holds a value that SOPS encrypted; ciphertext is never applied"
            hint = "let the whole file be as sops writes it, with its metadata"
            self._note([Fault("ENCRYPTED", message, encrypted, hint)], str(ref), document, place)
            return
        self.objects.append(written)

    def _note(self, found: Sequence[Fault], ref: str, document: int, place: Place) -> None:
        for fault in found:
            line = self._lines.at(document, (*place, *fault.place))
            self.problems.append(self._text.problem(fault.code, fault.message, line, fault.hint, ref))


def _opened(value: Json, place: Place) -> Iterator[tuple[Place, Json]]:
    """Yield the objects of a List, and of lists in it; anything else as it is."""
    if not isinstance(value, Mapping) or not _is_list(value):
        yield place, value
        return
    items = value["items"]
    if not isinstance(items, Sequence) or isinstance(items, str):
        yield (*place, "items"), None
        return
    for index, item in enumerate(items):
        yield from _opened(_typed(item, value), (*place, "items", index))


def _is_list(value: Body) -> bool:
    kind, metadata = value.get("kind"), value.get("metadata")
    named = isinstance(metadata, Mapping) and "name" in metadata
    return isinstance(kind, str) and kind.endswith("List") and "items" in value and not named


def _typed(item: Json, around: Body) -> Json:
    """Items of a ConfigMapList need not say that they are ConfigMaps."""
    kind = str(around["kind"]).removesuffix("List")
    if isinstance(item, Mapping) and kind and "kind" not in item and "apiVersion" not in item:
        return {"apiVersion": around.get("apiVersion"), "kind": kind, **item}
    return item


def _ref(body: Body) -> tuple[ObjectRef, str]:
    version, metadata = str(body["apiVersion"]), body["metadata"]
    named: Body = metadata if isinstance(metadata, Mapping) else {}
    group = version.rpartition("/")[0]
    ref = ObjectRef(group, str(body["kind"]), str(named.get("namespace") or ""), str(named["name"]))
    return ref, version


def _foreign_faults(body: Body) -> Iterator[Fault]:
    group = str(body.get("apiVersion")).partition("/")[0]
    if group == KUSTOMIZE_GROUP:
        hint = "put a kustomization.yaml at the root of the environment's directory, or name this one in gitopsd.yaml"
        yield Fault("KUSTOMIZATION_MISPLACED", "this is for kustomize, which does not render here", (), hint)
    if group == OWN_GROUP:
        hint = "its settings are in one gitopsd.yaml at the root of the environment's directory"
        yield Fault("SETTINGS_MISPLACED", "this is for gitopsd, not for the cluster", (), hint)


def _written(body: Body, ref: ObjectRef, version: str, origin: Origin) -> Written:
    text = canonical(body)
    manifest = Manifest(ref=ref, api_version=version, body=body, digest=digest_of(text), origin=origin)
    return Written(manifest, text)

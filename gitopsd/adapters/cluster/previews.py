"""The server's dry-run of our apply: what would become of an object, or why it would be refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gitopsd.adapters.cluster import trouble
from gitopsd.adapters.cluster.discovery import Discovery, Resource
from gitopsd.adapters.cluster.transport import APPLY, Line
from gitopsd.core import diff
from gitopsd.core.answers import Meaning, about, meaning_of, problem_of, warnings_about
from gitopsd.core.errors import ClusterError, Stage
from gitopsd.core.fields import part, text_of
from gitopsd.core.model import Accepted, Body, Deferred, Manifest, ObjectRef, Preview, Refused
from gitopsd.core.ownership import MANAGER
from gitopsd.ports import Answer, Call

_WAITS: Mapping[Meaning, str] = {
    Meaning.QUOTA_EXCEEDED: "the quota of its namespace is used up",
    Meaning.WEBHOOK_UNREACHABLE: "an admission webhook does not answer",
    Meaning.NAMESPACE_TERMINATING: "its namespace is being deleted",
    Meaning.OBJECT_TERMINATING: "it is being deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bringers:
    """What the set itself brings into being: kinds, API groups and namespaces."""

    kinds: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    groups: frozenset[str] = field(default_factory=frozenset)
    namespaces: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> Bringers:
        """Read them off the manifests."""
        specs = [(manifest.ref.kind, part(manifest.body, "spec")) for manifest in manifests]
        return cls(
            kinds=frozenset(
                (text_of(spec, "group"), text_of(part(spec, "names"), "kind"))
                for kind, spec in specs
                if kind == "CustomResourceDefinition"
            ),
            groups=frozenset(text_of(spec, "group") for kind, spec in specs if kind == "APIService"),
            namespaces=frozenset(m.ref.name for m in manifests if m.ref.kind == "Namespace" and not m.ref.group),
        )

    def bring(self, ref: ObjectRef) -> bool:
        """Return whether the object's kind comes with the set."""
        return (ref.group, ref.kind) in self.kinds or ref.group in self.groups


@dataclass(frozen=True, slots=True)
class Asked:
    """The preview, and whether the server would create the object: None = it did not say."""

    preview: Preview
    creates: bool | None = None


@dataclass(frozen=True, slots=True)
class Previewer:
    """Asks for previews on one environment's line."""

    line: Line
    discovery: Discovery
    bringers: Bringers

    def ask(self, manifest: Manifest, resource: Resource, sent: Body, live: Body | None) -> Asked:
        """Return what the server would make of it.

        Raises:
            ClusterError: it did not say; or the object changed since it was read (``OBJECT_REPLACED``).
        """
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict", "dryRun": "All"}
        call = Call(
            method="PATCH",
            path=resource.path(manifest.ref),
            query=query,
            body=msgspec.json.encode(sent),
            content_type=APPLY,
        )
        answer = self.line.call(call)
        meaning = meaning_of(answer.status, answer.body)
        if meaning is Meaning.DONE:
            return _accepted(call, answer, manifest)
        if meaning is Meaning.DRY_RUN_UNSUPPORTED:
            return Asked(Accepted(diff.overlay(live or {}, sent), warnings_about(manifest, answer.warnings)))
        return Asked(self._refused(manifest, answer, meaning))

    def _refused(self, manifest: Manifest, answer: Answer, meaning: Meaning) -> Preview:
        subject = about(manifest, Stage.VALIDATE)
        if meaning in _WAITS:
            return Deferred(_WAITS[meaning])
        if meaning is Meaning.NAMESPACE_ABSENT and manifest.ref.namespace in self.bringers.namespaces:
            return Deferred("its namespace is not there yet")
        if meaning is Meaning.KIND_UNKNOWN:
            self.discovery.expire()
            if self.bringers.bring(manifest.ref):
                return Deferred("its kind is not served yet")
            raise trouble.failed(meaning, answer.body, subject)
        if meaning.may_pass or meaning is Meaning.NOT_FOUND:
            raise trouble.failed(meaning, answer.body, subject)
        return Refused(problem_of(meaning, answer.body, subject), immutable=meaning is Meaning.IMMUTABLE_FIELD)


def is_stale_look(error: ClusterError) -> bool:
    """Return whether the object changed between our read and our question."""
    return error.problem.code in (Meaning.OBJECT_REPLACED, Meaning.OBJECT_CHANGED)


def _accepted(call: Call, answer: Answer, manifest: Manifest) -> Asked:
    if not isinstance(answer.body, Mapping) or not part(answer.body, "metadata"):
        raise trouble.bad_answer(call, "a dry-run without an object")
    warnings = warnings_about(manifest, answer.warnings)
    return Asked(Accepted(answer.body, warnings), creates=answer.status == 201)  # noqa: PLR2004 - Created

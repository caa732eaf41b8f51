"""A few objects of our own on the API server: read, create, merge, delete, each with one meaning of every answer.

A write whose answer was lost is never taken for done or for not done: ``Unsure`` says so, and the caller looks again.
A body is never part of a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

import msgspec

from gitopsd.core.answers import Meaning, Subject, meaning_of, problem_of
from gitopsd.core.errors import ClusterError, Problem, Stage, Superseded
from gitopsd.core.fields import part, parts, text
from gitopsd.core.model import Body, Json, ObjectRef
from gitopsd.ports import Answer, Api, Call

FIELD_MANAGER = "gitopsd-applyset"
MANAGED_BY = "app.kubernetes.io/managed-by"
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets", "Namespace": "namespaces"}
_LOST_ANSWERS = frozenset({Meaning.CLUSTER_FLAKY, Meaning.CLUSTER_BUSY})
_CHANGED = frozenset({Meaning.OBJECT_CHANGED, Meaning.OBJECT_REPLACED})


class Unsure(ClusterError):
    """The write may or may not have happened."""


class Exists(ClusterError):
    """There is an object of that name already."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one kind in one namespace; for namespaces themselves, ``namespace`` is empty."""

    api: Api = field(repr=False)
    kind: str
    namespace: str = ""

    def find(self, name: str) -> Body | None:
        """Return the object; None only when the server said of this very name that there is none.

        Raises:
            ClusterError: it could not be read.
        """
        answer = self.api.call(Call(method="GET", path=f"{self._path}/{name}"))
        if answer.status == 404 and self._is_about(answer.body, name):  # noqa: PLR2004
            return None
        return self._object(answer, name)

    def list(self, labels: Mapping[str, str]) -> tuple[Body, ...]:
        """Return all objects with these labels.

        Raises:
            ClusterError: they could not be read whole.
        """
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        answer = self.api.call(Call(method="GET", path=self._path, query={"labelSelector": selector}))
        found = self._object(answer, "")
        if found.get("kind") != f"{self.kind}List" or text(found, "metadata.continue"):
            self._refuse(Answer(502, "not a whole list"), "")
        return parts(found, "items")

    def create(self, body: Body) -> Body:
        """Return the object as it was created, and its namespace before it when there was none.

        Raises:
            Exists, Unsure, ClusterError: it was not, or nobody knows.
        """
        try:
            return self._write("POST", self._path, body)
        except ClusterError as error:
            if error.problem.code != Meaning.NAMESPACE_ABSENT:
                raise
        self._create_namespace()
        return self._write("POST", self._path, body)

    def merge(self, body: Body) -> Body:
        """Return the object with the body's fields in it; the body carries the resourceVersion that it changes.

        What the body does not speak of (somebody's annotation, an owner) stays.

        Raises:
            Superseded, Unsure, ClusterError: it was not changed, or nobody knows.
        """
        return self._write("PATCH", f"{self._path}/{text(body, 'metadata.name')}", body)

    def delete(self, live: Body) -> None:
        """Delete exactly the object that was read; gone already is fine.

        Raises:
            ClusterError: it may still be there.
        """
        name = text(live, "metadata.name")
        same = {"uid": text(live, "metadata.uid"), "resourceVersion": text(live, "metadata.resourceVersion")}
        body = msgspec.json.encode({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": same})
        answer = self.api.call(Call(method="DELETE", path=f"{self._path}/{name}", body=body))
        if meaning_of(answer.status, answer.body) not in (Meaning.DONE, Meaning.NOT_FOUND):
            self._refuse(answer, name)

    def _create_namespace(self) -> None:
        body: Body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        try:
            Objects(self.api, "Namespace").create(body)
        except Exists:
            return
        except ClusterError as error:
            hint = f"create the namespace {self.namespace}: gitopsd keeps its records there"
            raise ClusterError(replace(error.problem, hint=hint), retry=error.retry, denied=error.denied) from None

    @property
    def _path(self) -> str:
        place = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"/api/v1{place}/{_PLURALS[self.kind]}"

    def _write(self, method: str, path: str, body: Body) -> Body:
        name = text(body, "metadata.name")
        call = Call(
            method=method,
            path=path,
            query={"fieldManager": FIELD_MANAGER},
            body=msgspec.json.encode(body),
            content_type=MERGE_PATCH if method == "PATCH" else JSON,
        )
        try:
            answer = self.api.call(call)
        except Superseded:
            raise
        except ClusterError as error:
            if error.denied or not error.retry:
                raise
            raise Unsure(*error.problems) from None
        meaning = meaning_of(answer.status, answer.body)
        if meaning in _LOST_ANSWERS:
            raise Unsure(self._problem(meaning, answer, name))
        if meaning in _CHANGED and method == "POST":
            raise Exists(self._problem(meaning, answer, name))
        if meaning in _CHANGED or (meaning is Meaning.NOT_FOUND and method == "PATCH"):
            raise Superseded(self._problem(meaning, answer, name))
        return self._object(answer, name)

    def _object(self, answer: Answer, name: str) -> Body:
        if meaning_of(answer.status, answer.body) is not Meaning.DONE or not isinstance(answer.body, Mapping):
            self._refuse(answer, name)
        return answer.body

    def _is_about(self, body: Json, name: str) -> bool:
        """Tell a real NotFound from a proxy's, and from that of an API server which does not know the kind."""
        details = part(body, "details") if isinstance(body, Mapping) else {}
        return (
            isinstance(body, Mapping)
            and text(body, "reason") == "NotFound"
            and (text(details, "kind"), text(details, "name")) == (_PLURALS[self.kind], name)
        )

    def _refuse(self, answer: Answer, name: str) -> NoReturn:
        meaning = meaning_of(answer.status, answer.body)
        meaning = Meaning.CLUSTER_FLAKY if meaning is Meaning.DONE else meaning
        denied = meaning in (Meaning.FORBIDDEN, Meaning.CREDENTIALS_REFUSED)
        raise ClusterError(self._problem(meaning, answer, name), retry=meaning.may_pass, denied=denied)

    def _problem(self, meaning: Meaning, answer: Answer, name: str) -> Problem:
        ref = ObjectRef("", self.kind, self.namespace, name)
        return problem_of(meaning, answer.body, Subject(ref=ref, stage=Stage.RECORD))

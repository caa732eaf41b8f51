"""Reads that are whole or an error: an object, or surely none; a list to its last page, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitopsd.adapters.cluster import trouble
from gitopsd.adapters.cluster.discovery import Discovery, Resource
from gitopsd.adapters.cluster.transport import Line
from gitopsd.core.answers import Meaning, Subject, meaning_of
from gitopsd.core.errors import ClusterError, Stage
from gitopsd.core.fields import parts, text
from gitopsd.core.model import Body, ObjectRef
from gitopsd.ports import Answer, Call

PAGE_COUNT = 500
PAGES_MAX = 2_000
RESTARTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads through one environment's line. An answer that contradicts discovery expires it."""

    line: Line
    discovery: Discovery

    def get(self, resource: Resource, ref: ObjectRef, stage: Stage = Stage.PLAN) -> Body | None:
        """Return the object; None when the server says that it is not there.

        Raises:
            ClusterError: anything else.
        """
        call = Call(method="GET", path=resource.path(ref))
        answer = self.line.call(call)
        meaning = meaning_of(answer.status, answer.body)
        if meaning in (Meaning.NOT_FOUND, Meaning.NAMESPACE_ABSENT):
            return None
        return self._body(call, answer, meaning, Subject(ref=ref, stage=stage))

    def list_all(self, resource: Resource, namespace: str = "", selector: str = "") -> list[Body]:
        """Return all objects, of one namespace or of all.

        Raises:
            ClusterError: it could not be read to the end.
        """
        for _ in range(RESTARTS_MAX):
            try:
                return [item for page in self._pages(resource, namespace, selector) for item in page]
            except ClusterError as broken:
                if broken.problem.code != Meaning.HISTORY_EXPIRED:
                    raise
                expired = broken
        raise expired

    def first(self, resource: Resource) -> Body | None:
        """Return one object of the kind, from anywhere; None when there is none.

        Raises:
            ClusterError: it could not be asked.
        """
        page = self._page(Call(method="GET", path=resource.collection(), query={"limit": "1"}))
        return next(iter(parts(page, "items")), None)

    def _pages(self, resource: Resource, namespace: str, selector: str) -> Iterator[list[Body]]:
        query = {"limit": str(PAGE_COUNT)} | ({"labelSelector": selector} if selector else {})
        for _ in range(PAGES_MAX):
            call = Call(method="GET", path=resource.collection(namespace), query=query)
            page = self._page(call)
            yield [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in parts(page, "items")]
            token = text(page, "metadata.continue")
            if not token:
                return
            query = {**query, "continue": token}
        raise trouble.bad_answer(call, f"a list of more than {PAGES_MAX} pages")

    def _page(self, call: Call) -> Body:
        answer = self.line.call(call)
        page = self._body(call, answer, meaning_of(answer.status, answer.body), None)
        if not text(page, "kind").endswith("List") or not text(page, "metadata.resourceVersion"):
            raise trouble.bad_answer(call, "a list without its kind or version")
        return page

    def _body(self, call: Call, answer: Answer, meaning: Meaning, subject: Subject | None) -> Body:
        if meaning is Meaning.KIND_UNKNOWN:
            self.discovery.expire()
        if meaning is not Meaning.DONE:
            raise trouble.unexpected(call, answer, meaning, subject if meaning is not Meaning.FORBIDDEN else None)
        if not isinstance(answer.body, Mapping) or not text(answer.body, "kind"):
            raise trouble.bad_answer(call, "an object without a kind")
        return answer.body


def ref_of(resource: Resource, body: Body) -> ObjectRef:
    """Return the identity of an object that was read."""
    return ObjectRef(resource.group, resource.kind, text(body, "metadata.namespace"), text(body, "metadata.name"))

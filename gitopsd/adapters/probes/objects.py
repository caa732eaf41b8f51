"""Reads single objects and short lists through ``ports.Api``, as gitopsd itself: there, surely absent, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from gitopsd.core.answers import Meaning, Subject, meaning_of, problem_of
from gitopsd.core.errors import ClusterError, Stage
from gitopsd.core.fields import parts, text
from gitopsd.core.model import Body, ObjectRef
from gitopsd.ports import Answer, Api, Call

LIST_MAX = 500

_DENIED = frozenset({Meaning.FORBIDDEN, Meaning.CREDENTIALS_REFUSED})
_ABSENT = frozenset({Meaning.NOT_FOUND, Meaning.NAMESPACE_ABSENT})


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one resource. ``root`` is its group and version: ``/api/v1``, ``/apis/batch/v1``."""

    api: Api = field(repr=False)
    root: str
    plural: str
    group: str
    kind: str

    def find(self, namespace: str, name: str) -> Body | None:
        """Return the object; None when there is surely none.

        Raises:
            ClusterError: it could not be read.
        """
        answer = self.api.call(Call(method="GET", path=f"{self.collection(namespace)}/{quote(name, safe='')}"))
        if meaning_of(answer.status, answer.body) in _ABSENT:
            return None
        return self.whole(answer, namespace, name)

    def labelled(self, namespace: str, selector: str) -> tuple[Body, ...]:
        """Return the first so many objects with these labels.

        Raises:
            ClusterError: they could not be read.
        """
        query = {"labelSelector": selector, "limit": str(LIST_MAX)}
        answer = self.api.call(Call(method="GET", path=self.collection(namespace), query=query))
        return parts(self.whole(answer, namespace, selector), "items")

    def whole(self, answer: Answer, namespace: str, name: str, *, secret: bool = False) -> Body:
        """Return the body of an answer that says yes. ``secret`` = a no may quote what must not be shown.

        Raises:
            ClusterError: it does not.
        """
        meaning = meaning_of(answer.status, answer.body)
        body = answer.body
        if meaning is Meaning.DONE and isinstance(body, Mapping) and text(body, "kind").startswith(self.kind):
            return body
        meaning = Meaning.CLUSTER_FLAKY if meaning is Meaning.DONE else meaning
        ref = ObjectRef(self.group, self.kind, namespace, name)
        subject = Subject(ref=ref, stage=Stage.HEALTH, secret=secret)
        raise ClusterError(problem_of(meaning, body, subject), retry=meaning.may_pass, denied=meaning in _DENIED)

    def collection(self, namespace: str) -> str:
        """Return the path of the objects of one namespace; for the whole cluster, it is empty."""
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{self.root}{place}/{self.plural}"


def services(api: Api) -> Objects:
    """Return the cluster's Services."""
    return Objects(api, "/api/v1", "services", "", "Service")


def slices(api: Api) -> Objects:
    """Return the cluster's EndpointSlices."""
    return Objects(api, "/apis/discovery.k8s.io/v1", "endpointslices", "discovery.k8s.io", "EndpointSlice")


def pods(api: Api) -> Objects:
    """Return the cluster's Pods."""
    return Objects(api, "/api/v1", "pods", "", "Pod")


def jobs(api: Api) -> Objects:
    """Return the cluster's Jobs."""
    return Objects(api, "/apis/batch/v1", "jobs", "batch", "Job")

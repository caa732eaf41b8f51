"""Which kinds the cluster serves, where, and in which scope: asked once, and again when an answer proves it old.

A group that could not be asked is unsure, by itself; unsure is never "not served".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from gitopsd.adapters.cluster import trouble
from gitopsd.adapters.cluster.transport import Transport
from gitopsd.core.answers import Meaning, meaning_of
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.fields import parts, read, text, text_of
from gitopsd.core.model import Body, ObjectRef
from gitopsd.ports import Answer, Call

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
MISS_S = 10.0
AGE_S_MAX = 600.0
NEVER = float("-inf")
GROUP_SILENT = "DISCOVERY_INCOMPLETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One served version of a kind."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    watchable: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``; a core kind's is just ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str = "") -> str:
        """Return the path of all objects, or of those in one namespace."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}"

    def path(self, ref: ObjectRef) -> str:
        """Return the path of one object."""
        return f"{self.collection(ref.namespace)}/{quote(ref.name, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Catalogue:
    """One reading. ``kinds`` has the versions of a kind in the server's order of preference."""

    kinds: Mapping[tuple[str, str], Sequence[Resource]] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()
    read_at: float = NEVER


class Discovery:
    """The newest reading, shared by all environments."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._catalogue = _Catalogue()

    def find(self, api_version: str, kind: str, *, expected: bool = False) -> Resource | None:
        """Return where exactly this version is served; None when it surely is not.

        ``expected``: it may appear at any moment, so the last miss counts for nothing.

        Raises:
            ClusterError: its group could not be asked.
        """
        group = api_version.rpartition("/")[0]
        versions = self._versions(group, kind, MISS_S if not expected else 0.0, wanted=api_version)
        return next((one for one in versions if one.api_version == api_version), None)

    def serving(self, group: str, kind: str) -> Resource | None:
        """Return the preferred version of the kind; None when it surely is served in none.

        Raises:
            ClusterError: its group could not be asked.
        """
        return next(iter(self._versions(group, kind, MISS_S)), None)

    def known(self, group: str, kind: str) -> Resource | None:
        """Return the preferred version as last read; None when it was not served then, or is not known."""
        return next(iter(self._newer_than(AGE_S_MAX).kinds.get((group, kind), ())), None)

    def versions(self, group: str, kind: str) -> tuple[str, ...]:
        """Return the versions in which the kind is known to be served."""
        found = self._catalogue.kinds.get((group, kind), ())
        return tuple(resource.api_version for resource in found)

    def expire(self) -> None:
        """Ask again at the next question: a CRD was written, or a path was not where we thought."""
        with self._lock:
            self._catalogue = _Catalogue(kinds=self._catalogue.kinds, unsure=self._catalogue.unsure)

    def _versions(self, group: str, kind: str, miss_s: float, wanted: str = "") -> Sequence[Resource]:
        catalogue = self._newer_than(AGE_S_MAX)
        found = catalogue.kinds.get((group, kind), ())
        if not found or (wanted and all(one.api_version != wanted for one in found)):
            catalogue = self._newer_than(miss_s)
            found = catalogue.kinds.get((group, kind), ())
        if not found and group in catalogue.unsure:
            raise _unsure(group, kind)
        return found

    def _newer_than(self, age_s: float) -> _Catalogue:
        with self._lock:
            if time.monotonic() - self._catalogue.read_at >= age_s:
                self._catalogue = self._ask()
            return self._catalogue

    def _ask(self) -> _Catalogue:
        asked_at = time.monotonic()
        found: dict[tuple[str, str], list[Resource]] = {}
        unsure: set[str] = set()
        for root in ("/api", "/apis"):
            answer = self._get(root, AGGREGATED)
            if text(_body(answer), "kind") == "APIGroupDiscoveryList":
                resources = _aggregated(_body(answer), unsure)
            else:
                resources = self._plain(root, _body(answer), unsure)
            for resource in resources:
                found.setdefault((resource.group, resource.kind), []).append(resource)
        return _Catalogue(kinds=found, unsure=frozenset(unsure), read_at=asked_at)

    def _plain(self, root: str, listed: Body, unsure: set[str]) -> Iterator[Resource]:
        """One request per version: for servers that cannot answer all at once."""
        for group, version in _group_versions(root, listed):
            path = f"{root}/{group}/{version}" if group else f"{root}/{version}"
            try:
                answer = self._get(path, "application/json")
            except ClusterError:
                unsure.add(group)
                continue
            yield from _of_resource_list(group, version, _body(answer))

    def _get(self, path: str, accept: str) -> Answer:
        call = Call(method="GET", path=path)
        answer = self._transport.send(call, accept=accept)
        meaning = meaning_of(answer.status, answer.body)
        if meaning is not Meaning.DONE:
            raise trouble.unexpected(call, answer, meaning)
        return answer


def _aggregated(listed: Body, unsure: set[str]) -> Iterator[Resource]:
    for group in parts(listed, "items"):
        name = text(group, "metadata.name")
        for version in parts(group, "versions"):
            if text_of(version, "freshness") == "Stale":
                unsure.add(name)
            yield from _of_version(name, version)


def _of_version(group: str, version: Body) -> Iterator[Resource]:
    for served in parts(version, "resources"):
        if text(served, "responseKind.kind"):
            yield Resource(
                group=group,
                version=text_of(version, "version"),
                kind=text(served, "responseKind.kind"),
                plural=text_of(served, "resource"),
                namespaced=text_of(served, "scope") == "Namespaced",
                watchable="watch" in _words(served, "verbs"),
            )


def _group_versions(root: str, listed: Body) -> Iterator[tuple[str, str]]:
    if root == "/api":
        yield from (("", version) for version in _words(listed, "versions"))
        return
    for group in parts(listed, "groups"):
        preferred = text(group, "preferredVersion.version")
        versions = [text_of(version, "version") for version in parts(group, "versions")]
        for version in sorted(versions, key=lambda each: each != preferred):
            yield text_of(group, "name"), version


def _of_resource_list(group: str, version: str, listed: Body) -> Iterator[Resource]:
    for served in parts(listed, "resources"):
        plural = text_of(served, "name")
        if "/" not in plural:
            yield Resource(
                group=group,
                version=version,
                kind=text_of(served, "kind"),
                plural=plural,
                namespaced=served.get("namespaced") is True,
                watchable="watch" in _words(served, "verbs"),
            )


def _words(body: Body, path: str) -> tuple[str, ...]:
    found = read(body, path)
    return tuple(word for word in found if isinstance(word, str)) if isinstance(found, Iterable) else ()


def _body(answer: Answer) -> Body:
    return answer.body if isinstance(answer.body, Mapping) else {}


def _unsure(group: str, kind: str) -> ClusterError:
    return ClusterError(
        Problem(
            code=GROUP_SILENT,
            stage=Stage.PLAN,
            message=f"whether {kind} is served is unknown: its API group {group} does not answer",
            hint="look at the APIService of that group and the pods behind it",
        )
    )

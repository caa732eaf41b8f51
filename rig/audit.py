"""The oracle of requests: what the API server's audit log says was asked, by whom, of which object, how often."""

import http.client
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rig.cluster import Cluster
from rig.waiting import wait_for

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_PARTS = ("system:apiserver", "system:kube-", "system:kwok", "system:node:", "system:serviceaccount:kube-system:")
_RIG = "gitopsd-rig"
# Where the token of a pod's account says which pod it is.
_POD = "authentication.kubernetes.io/pod-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One answered request."""

    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    user: str
    pod: str
    impersonated_user: str
    agent: str
    manager: str
    dry_run: bool
    code: int
    uri: str
    at: str

    @property
    def is_write(self) -> bool:
        """Whether it was to change something (a dry run is not, whatever its verb)."""
        return self.verb in WRITES and not self.dry_run

    @property
    def is_of_the_cluster(self) -> bool:
        """Whether a part of the cluster itself asked."""
        return self.user.startswith(_PARTS)

    @property
    def is_of_the_rig(self) -> bool:
        """Whether the rig asked, to build a test's world or to look at it."""
        return self.agent.startswith(_RIG)

    @property
    def object(self) -> str:
        """What it was about: `apps/deployments shop/web`, with `/status` where a part of it was meant."""
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{what} {where}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The kind of write that is counted, per object."""

    object: str
    verb: str
    agent: str
    manager: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Reads one cluster's log. A position marks now; what was answered later comes after it."""

    cluster: Cluster

    def position(self) -> int:
        """Now: everything answered so far lies before."""
        return self._await_everything_answered()

    def requests(self, since: int = 0, *, everyone: bool = False) -> list[Request]:
        """What was asked since then; the cluster's own parts and the rig itself only with `everyone`."""
        self._await_everything_answered()
        with self.cluster.audit_log.open("rb") as log:
            log.seek(since)
            found = [_request(json.loads(line)) for line in log if line.endswith(b"\n")]
        return [r for r in found if everyone or not (r.is_of_the_cluster or r.is_of_the_rig)]

    def writes(self, since: int = 0, *, everyone: bool = False) -> Counter[Write]:
        """How often each object was written since then, by whom and how; refused writes and dry runs are not."""
        return Counter(_writes(r for r in self.requests(since, everyone=everyone) if r.is_write))

    def dry_runs(self, since: int = 0) -> Counter[Write]:
        """The same for dry runs, which change nothing."""
        return Counter(_writes(r for r in self.requests(since) if r.dry_run))

    def _await_everything_answered(self) -> int:
        """Ask something unmistakable and find it: what was answered before it has been written before it."""
        mark = f"rig-mark={uuid.uuid4()}"
        begin = self.cluster.audit_log.stat().st_size
        self.cluster.api().get(f"/version?{mark}")
        return wait_for("the audit log to be written", lambda: self._end_of(mark, begin), deadline_s=10, every_s=0.01)

    def _end_of(self, mark: str, begin: int) -> int | None:
        with self.cluster.audit_log.open("rb") as log:
            log.seek(begin)
            before, found, after = log.read().partition(mark.encode())
        if not found or b"\n" not in after:
            return None
        return begin + len(before) + len(found) + after.index(b"\n") + 1


def _writes(requests: Iterator[Request]) -> Iterator[Write]:
    for request in requests:
        if request.code < http.client.BAD_REQUEST:
            yield Write(object=request.object, verb=request.verb, agent=request.agent, manager=request.manager)


def _request(event: dict[str, Any]) -> Request:
    about = event.get("objectRef", {})
    asked = parse_qs(urlsplit(event["requestURI"]).query)
    agent = event.get("userAgent", "")
    group, resource = about.get("apiGroup", ""), about.get("resource", "")
    in_body = (event.get("requestObject") or {}).get("dryRun")
    return Request(
        verb=event["verb"],
        resource=f"{group}/{resource}" if group else resource,
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        subresource=about.get("subresource", ""),
        user=event["user"].get("username", ""),
        pod=event["user"].get("extra", {}).get(_POD, [""])[0],
        impersonated_user=event.get("impersonatedUser", {}).get("username", ""),
        agent=agent,
        # The API server's own rule for clients that name no manager.
        manager=asked.get("fieldManager", [agent.split("/", maxsplit=1)[0]])[0],
        dry_run=bool(asked.get("dryRun") or in_body),
        code=event.get("responseStatus", {}).get("code", 0),
        uri=event["requestURI"],
        at=event["requestReceivedTimestamp"],
    )

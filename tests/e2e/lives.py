"""The lives of gitopsd's pods: which one leads, how one ends, and what each of them wrote in the shop."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from rig.audit import AuditLog, Request
from rig.faults import kill_container
from rig.waiting import wait_for
from tests.e2e.followed import Json
from tests.e2e.installed import HOME, SHOP, Installation

PODS = f"/api/v1/namespaces/{HOME}/pods"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases"
# A lease lasts 15 s and is looked at every 2; a pod starts meanwhile.
TAKEOVER_S = 40.0


def leader(made: Installation) -> str:
    """Return the name of the pod that holds the Lease; empty when none of those that run does."""
    holder = made.api.get(f"{LEASE}/gitopsd")["spec"].get("holderIdentity") or ""
    names = [pod["metadata"]["name"] for pod in made.pods() if "deletionTimestamp" not in pod["metadata"]]
    return next((name for name in names if holder.startswith(name)), "")


def await_leader(made: Installation, *, other_than: str = "") -> str:
    """Return the pod that leads, once one does."""
    return wait_for(
        "a pod to lead",
        lambda: name if (name := leader(made)) not in ("", other_than) else None,
        deadline_s=TAKEOVER_S,
        every_s=0.2,
    )


def strike(made: Installation, pod: str) -> None:
    """Kill (-9) what runs in the pod; nobody is told."""
    (container,) = made.api.get(f"{PODS}/{pod}")["status"]["containerStatuses"]
    kill_container(container["containerID"].rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Ending:
    """How a pod ended: its exit code, how long that took after it was told, and all it logged."""

    code: int
    took_s: float
    log: list[Json]


def tell_to_end(made: Installation, pod: str) -> Future[Ending]:
    """Delete the pod as kubectl does, with the grace that it has."""
    pool = ThreadPoolExecutor(2)
    log = pool.submit(made.api.exchange, "GET", f"{PODS}/{pod}/log?follow=true")
    version = made.api.get(f"{PODS}")["metadata"]["resourceVersion"]
    told = made.api.delete(f"{PODS}/{pod}")["metadata"]
    grace_s = told["deletionGracePeriodSeconds"]

    def ending() -> Ending:
        wait_for(f"{pod} to be gone", lambda: not made.api.find(f"{PODS}/{pod}"), deadline_s=2 * grace_s, every_s=0.1)
        last = _history(made, PODS, pod, version)[-1]["status"]["containerStatuses"][0]["state"]["terminated"]
        took = _instant(last["finishedAt"]) - _instant(told["deletionTimestamp"])
        lines = [json.loads(line) for line in log.result()[1].splitlines()]
        return Ending(last["exitCode"], took.total_seconds() + grace_s, lines)

    end = pool.submit(ending)
    pool.shutdown(wait=False)
    return end


def holders(made: Installation, since: Json) -> list[str]:
    """Return who held the Lease, one after the other, since it was this."""
    later = _history(made, LEASE, "gitopsd", since["metadata"]["resourceVersion"])
    names = [one["spec"].get("holderIdentity", "") for one in (since, *later)]
    return [name for name, _ in groupby(names)]


def writes(made: Installation, since: int) -> list[Request]:
    """Return what gitopsd wrote in the shop since then."""
    ours = f"system:serviceaccount:{HOME}:"
    asked = AuditLog(made.cluster.powers()).requests(since)
    return [
        one for one in asked if one.is_write and one.code < 400 and one.namespace == SHOP and one.user.startswith(ours)
    ]


def each(found: list[Request]) -> Counter[str]:
    """Return how often each object was written, and how."""
    return Counter(f"{one.verb} {one.object.rpartition('/')[2]}" for one in found)


def by_pod(found: list[Request]) -> Counter[str]:
    """Return how much each pod wrote."""
    return Counter(one.pod for one in found)


def _history(made: Installation, collection: str, name: str, since: str) -> list[Json]:
    """Every version that an object has had since: the API server's own memory of it."""
    path = f"{collection}?watch=1&resourceVersion={since}&timeoutSeconds=1&fieldSelector=metadata.name%3D{name}"
    return [json.loads(line)["object"] for line in made.api.exchange("GET", path)[1].splitlines() if line]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

"""One environment on a real API server: the adapter, the real plan, an inventory that is kept as the story keeps it."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gitopsd.adapters.cluster import KubernetesCluster, Tally, Transport, credentials
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.model import (
    Applied,
    Desired,
    Environment,
    Live,
    Manifest,
    ObjectRef,
    Origin,
    Revision,
    Sight,
)
from gitopsd.core.plan import Plan, Prune
from gitopsd.core.planning import make_plan
from gitopsd.core.record import Record, Rollout, Trigger
from gitopsd.core.settings import Settings
from gitopsd.core.target import Target
from rig.api import Api

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REVISION = Revision(ref="main", commit="c" * 40)
MERGE = "application/merge-patch+json"
PASSES_MAX = 200


@dataclass
class StillClock:
    """It is noon. ``ahead_s`` is how far it was set forward meanwhile."""

    at: datetime = NOON
    ahead_s: float = 0.0

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self.ahead_s)

    def steady(self) -> float:
        return self.at.timestamp()


def manifest(body: Mapping[str, Any], line: int = 1) -> Manifest:
    """A manifest with its real digest."""
    metadata = body["metadata"]
    group = body["apiVersion"].rpartition("/")[0]
    return Manifest(
        ref=ObjectRef(group, body["kind"], metadata.get("namespace", ""), metadata["name"]),
        api_version=body["apiVersion"],
        body=body,
        digest=digest_of(canonical(body)),
        origin=Origin(f"{metadata['name']}.yaml", line),
    )


def desired(*bodies: Mapping[str, Any], settings: Settings | None = None) -> Desired:
    """A rendered set."""
    manifests = tuple(manifest(body) for body in bodies)
    digest = digest_of("".join(one.digest for one in manifests).encode())
    return Desired(revision=REVISION, digest=digest, manifests=manifests, settings=settings or Settings())


@dataclass
class World:
    """``run`` makes passes until there is nothing left to write."""

    kubeconfig: Path
    namespace: str
    environment: Environment
    cluster: KubernetesCluster
    api: Api
    clock: StillClock = field(default_factory=StillClock)
    record: Record = field(default_factory=Record)
    woken: Counter[str] = field(default_factory=Counter)
    applied: list[Applied] = field(default_factory=list)

    def observe(self, wanted: Desired) -> Live:
        return self.cluster.observe(self.environment, wanted, self.record.inventory, None)

    def sight(self, body: Mapping[str, Any], *others: Mapping[str, Any], settings: Settings | None = None) -> Sight:
        wanted = desired(body, *others, settings=settings)
        return self.observe(wanted).sights[wanted.manifests[0].ref]

    def plan(self, wanted: Desired) -> Plan:
        target = Target(digest=wanted.digest, trigger=Trigger.COMMIT, desired=wanted, proven=True)
        return make_plan(target, wanted, self.observe(wanted), self.record, NOON)

    def run(self, *bodies: Mapping[str, Any], settings: Settings | None = None) -> Plan:
        """Make the cluster equal to these; return the last plan, which has no changes."""
        wanted = desired(*bodies, settings=settings)
        rollout = Rollout(digest=wanted.digest, revision=REVISION, trigger=Trigger.COMMIT, started_at=NOON)
        self.record = self.record.begin(wanted, rollout)
        for _ in range(PASSES_MAX):
            plan = self.plan(wanted)
            self.record = self.record.learn(plan.learned)
            assert not plan.rejections
            if not plan.changes and not plan.waiting:
                return plan
            self.applied = list(self.cluster.apply(self.environment, plan.changes))
            digests = {change.ref: change.manifest.digest for change in plan.changes}
            self.record = self.record.wrote(self.applied, digests)
            assert not [answer.problem for answer in self.applied if answer.problem]
        raise AssertionError(f"still writing after {PASSES_MAX} passes: {plan.changes}")

    def prune(self, *bodies: Mapping[str, Any]) -> tuple[Applied, ...]:
        refs = [manifest(body).ref for body in bodies]
        answers = self.cluster.prune(self.environment, [Prune(ref, self.record.inventory[ref].uid) for ref in refs])
        self.record = self.record.wrote(answers, {})
        return answers

    def tally(self) -> Tally:
        return self.cluster.tally(self.environment.name)

    def restarted(self) -> World:
        """The same environment after a restart: nothing in memory."""
        return replace(self, cluster=_cluster(self.kubeconfig, self.clock))

    def beside(self, name: str) -> World:
        """Another environment on the same cluster."""
        environment = replace(self.environment, name=name, apply_set=f"applyset-{name}-v1")
        return replace(self, environment=environment, record=Record())

    def config_map(self, name: str = "web", metadata: Mapping[str, Any] | None = None, **values: str) -> dict[str, Any]:
        return self.named("v1", "ConfigMap", name, metadata) | {"data": values or {"a": "1"}}

    def deployment(self, name: str = "web", image: str = "rig.test/web", **spec: Any) -> dict[str, Any]:
        labels = {"app": name}
        containers = [{"name": "web", "image": image}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
        return self.named("apps/v1", "Deployment", name) | {
            "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template, **spec}
        }

    def named(
        self, api_version: str, kind: str, name: str, metadata: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace, **(metadata or {})},
        }

    def path(self, body: Mapping[str, Any]) -> str:
        plural = {"ConfigMap": "configmaps", "Deployment": "deployments", "Secret": "secrets", "Job": "jobs"}
        plural |= {
            "Service": "services",
            "StatefulSet": "statefulsets",
            "HorizontalPodAutoscaler": "horizontalpodautoscalers",
        }
        api_version = body["apiVersion"]
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        return f"{root}/namespaces/{self.namespace}/{plural[body['kind']]}/{body['metadata']['name']}"

    def live(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self.api.get(self.path(body))

    def live_like(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as somebody would make it who copies our labels."""
        labels = {"applyset.kubernetes.io/part-of": self.environment.apply_set}
        return {**body, "metadata": {**body["metadata"], "labels": labels}}

    def edit(self, body: Mapping[str, Any], change: Mapping[str, Any], writer: str = "kubectl-edit") -> dict[str, Any]:
        """Change a live object as a person with that tool."""
        return self.api.request("PATCH", f"{self.path(body)}?fieldManager={writer}", dict(change), MERGE)


@contextlib.contextmanager
def world(kubeconfig: Path, namespace: str) -> Iterator[World]:
    """A world of its own, with an apply set nobody else has."""
    clock = StillClock()
    environment = Environment(
        name=namespace, source="git", path="p", apply_set=f"applyset-{uuid.uuid4().hex}-v1", namespaces=(namespace,)
    )
    cluster = _cluster(kubeconfig, clock)
    made = World(
        kubeconfig=kubeconfig,
        namespace=namespace,
        environment=environment,
        cluster=cluster,
        api=Api.from_kubeconfig(kubeconfig),
        clock=clock,
    )
    try:
        yield made
    finally:
        cluster.stop()


def _cluster(kubeconfig: Path, clock: StillClock) -> KubernetesCluster:
    return KubernetesCluster(Transport(credentials(str(kubeconfig))), clock)

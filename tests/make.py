"""Values for tests, with as little said as possible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.model import (
    Desired,
    Health,
    HealthStatus,
    Item,
    Live,
    LiveObject,
    Manifest,
    ObjectRef,
    Origin,
    Preview,
    Revision,
    Sight,
)
from gitopsd.core.record import Rollout, Trigger
from gitopsd.core.settings import Settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REVISION = Revision(ref="main", commit="c" * 40)

CURRENT = Health(HealthStatus.CURRENT)
ROLLING = Health(HealthStatus.IN_PROGRESS, "Progressing", "1/3 ready")
BROKEN = Health(HealthStatus.FAILED, "ImagePullBackOff", "0/3 ready; image not found")

_GROUPS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "Widget": "example.com/v1",
}
_CLUSTER_SCOPED = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ValidatingWebhookConfiguration"}


LEFT_ALONE = {"gitopsd.dev/reconcile": "disabled"}


def ref(kind: str, name: str, namespace: str = "shop") -> ObjectRef:
    """An identity; cluster-scoped kinds have no namespace."""
    group = _GROUPS.get(kind, "v1").rpartition("/")[0]
    return ObjectRef(group, kind, "" if kind in _CLUSTER_SCOPED else namespace, name)


def manifest(
    kind: str, name: str, spec: Mapping[str, object] | None = None, annotations: Mapping[str, str] | None = None
) -> Manifest:
    """A manifest with a real digest."""
    who = ref(kind, name)
    metadata: dict[str, object] = {"name": name}
    if who.namespace:
        metadata["namespace"] = who.namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    api_version = _GROUPS.get(kind, "v1")
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec or {})}
    digest = digest_of(canonical(body))
    return Manifest(ref=who, api_version=api_version, body=body, digest=digest, origin=Origin(f"{name}.yaml", 3))


def desired(*manifests: Manifest, digest: str = "new", settings: Settings | None = None) -> Desired:
    """A set of manifests under a digest of one's own."""
    return Desired(
        revision=REVISION, digest=digest, manifests=manifests, settings=settings or Settings(soak_s=0, deadline_s=300)
    )


def found(who: ObjectRef, health: Health = CURRENT, **more: str) -> LiveObject:
    """An object as the cluster has it, ours unless said otherwise."""
    fields = {"uid": f"uid-{who.name}", "resource_version": "1", "fingerprint": "f", "part_of": "ours", **more}
    return LiveObject(ref=who, health=health, body={"metadata": {"name": who.name}}, **fields)


def live(*sights: Sight, **more: object) -> Live:
    """What was looked at."""
    return Live(sights={sight.ref: sight for sight in sights}, **more)  # type: ignore[arg-type]


def sight(who: ObjectRef, health: Health | None = CURRENT, preview: Preview | None = None) -> Sight:
    """One object looked at; health None = absent."""
    return Sight(ref=who, live=found(who, health) if health else None, preview=preview)


def inventory(*manifests: Manifest, born: str = "old") -> dict[ObjectRef, Item]:
    """All of them applied before."""
    return {
        one.ref: Item(uid=f"uid-{one.ref.name}", digest=one.digest, fingerprint="f", born=born) for one in manifests
    }


def rollout(*changed: ObjectRef, digest: str = "new", **more: object) -> Rollout:
    """A rollout that began at noon."""
    fields: dict[str, object] = {"trigger": Trigger.COMMIT, "started_at": NOON, **more}
    return Rollout(digest=digest, revision=REVISION, changed=frozenset(changed), **fields)  # type: ignore[arg-type]

"""Which of Kubernetes' own kinds live in a namespace, for whoever has no cluster to ask (Kubernetes 1.35).

A cluster's own answer always comes before this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitopsd.core.model import Manifest

_CLUSTER_SCOPED: Mapping[str, tuple[str, ...]] = {
    "": ("Namespace", "Node", "PersistentVolume"),
    "admissionregistration.k8s.io": (
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    ),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "certificates.k8s.io": ("CertificateSigningRequest", "ClusterTrustBundle"),
    "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
    "networking.k8s.io": ("IPAddress", "IngressClass", "ServiceCIDR"),
    "node.k8s.io": ("RuntimeClass",),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding"),
    "resource.k8s.io": ("DeviceClass", "DeviceTaintRule", "ResourceSlice"),
    "scheduling.k8s.io": ("PriorityClass",),
    "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
}
_NAMESPACED: Mapping[str, tuple[str, ...]] = {
    "": (
        "ConfigMap",
        "Endpoints",
        "Event",
        "LimitRange",
        "PersistentVolumeClaim",
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
    ),
    "apps": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("CronJob", "Job"),
    "coordination.k8s.io": ("Lease",),
    "discovery.k8s.io": ("EndpointSlice",),
    "networking.k8s.io": ("Ingress", "NetworkPolicy"),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
    "resource.k8s.io": ("ResourceClaim", "ResourceClaimTemplate"),
    "storage.k8s.io": ("CSIStorageCapacity",),
}
_SCOPES: Mapping[tuple[str, str], bool] = {
    (group, kind): namespaced
    for table, namespaced in ((_CLUSTER_SCOPED, False), (_NAMESPACED, True))
    for group, kinds in table.items()
    for kind in kinds
}
_GROUPS: Mapping[str, str] = {kind: group for group, kind in reversed(list(_SCOPES))}


def is_cluster_scoped(group: str, kind: str) -> bool:
    """Return whether it is a kind of Kubernetes' own that lives in no namespace."""
    return _SCOPES.get((group, kind)) is False


def group_of(kind: str) -> str:
    """Return the group of a kind of Kubernetes' own; empty for core kinds and for all others."""
    return _GROUPS.get(kind, "")


def guessed_scopes(manifests: Iterable[Manifest]) -> Mapping[tuple[str, str], bool]:
    """Return a scope for every kind, without a cluster: custom kinds are taken to live where they are written."""
    guessed: dict[tuple[str, str], bool] = {}
    for manifest in manifests:
        key, known = (manifest.api_version, manifest.ref.kind), (manifest.ref.group, manifest.ref.kind)
        has_namespace = bool(manifest.ref.namespace) or guessed.get(key, False)
        guessed[key] = _SCOPES.get(known, has_namespace)
    return guessed

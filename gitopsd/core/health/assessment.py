"""How an object is: generic checks first, then its kind's rule, then general rules; and its pods, for workloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gitopsd.core.fields import text
from gitopsd.core.health.batch import assess_cron_job, assess_job
from gitopsd.core.health.below import can_look_below, look_below
from gitopsd.core.health.cluster import (
    assess_api_service,
    assess_autoscaler,
    assess_budget,
    assess_definition,
    assess_namespace,
    assess_volume,
    assess_volume_claim,
)
from gitopsd.core.health.custom import assess_custom
from gitopsd.core.health.generic import assess_generic
from gitopsd.core.health.network import assess_gateway, assess_route, assess_service
from gitopsd.core.health.pods import assess_pod
from gitopsd.core.health.reasons import current
from gitopsd.core.health.workloads import (
    assess_daemon_set,
    assess_deployment,
    assess_replica_set,
    assess_stateful_set,
)
from gitopsd.core.model import Body, Health, HealthStatus

_Rule = Callable[[Body], Health]

_WORKLOADS: Mapping[tuple[str, str], _Rule] = {
    ("apps", "Deployment"): assess_deployment,
    ("apps", "StatefulSet"): assess_stateful_set,
    ("apps", "DaemonSet"): assess_daemon_set,
    ("apps", "ReplicaSet"): assess_replica_set,
    ("", "ReplicationController"): assess_replica_set,
    ("batch", "Job"): assess_job,
}
_GATEWAY_API = "gateway.networking.k8s.io"
_RULES: Mapping[tuple[str, str], _Rule] = {
    **_WORKLOADS,
    ("", "Pod"): assess_pod,
    ("", "Service"): assess_service,
    ("", "Secret"): lambda _: current(),
    ("", "PersistentVolume"): assess_volume,
    ("", "PersistentVolumeClaim"): assess_volume_claim,
    ("", "Namespace"): assess_namespace,
    ("batch", "CronJob"): assess_cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): assess_autoscaler,
    ("policy", "PodDisruptionBudget"): assess_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): assess_definition,
    ("apiregistration.k8s.io", "APIService"): assess_api_service,
    (_GATEWAY_API, "Gateway"): assess_gateway,
    (_GATEWAY_API, "ListenerSet"): assess_gateway,
    (_GATEWAY_API, "HTTPRoute"): assess_route,
    (_GATEWAY_API, "GRPCRoute"): assess_route,
    (_GATEWAY_API, "TLSRoute"): assess_route,
    (_GATEWAY_API, "TCPRoute"): assess_route,
    (_GATEWAY_API, "UDPRoute"): assess_route,
}
_PUBLIC_WORDS: Mapping[HealthStatus, str] = {
    HealthStatus.CURRENT: "Healthy",
    HealthStatus.IN_PROGRESS: "Progressing",
    HealthStatus.TERMINATING: "Progressing",
    HealthStatus.FAILED: "Degraded",
    HealthStatus.PAUSED: "Suspended",
    HealthStatus.NOT_FOUND: "Missing",
    HealthStatus.UNKNOWN: "Unknown",
}


def assess(body: Body, below: Sequence[Body] = ()) -> Health:
    """Say how the live object is. ``below`` are its ReplicaSets and pods, in any order."""
    generic = assess_generic(body)
    if generic:
        return generic
    own = _own(body)
    looks = _key(body) in _WORKLOADS and can_look_below(own)
    return look_below(body, own, below) if looks else own


def assess_all(bodies: Iterable[Body]) -> tuple[Health, ...]:
    """Say how each of the objects is, in their order, without looking below any."""
    return tuple(assess(body) for body in bodies)


def needs_look_below(body: Body) -> bool:
    """Whether this is a workload whose pods could tell more than its own status does."""
    return _key(body) in _WORKLOADS and assess_generic(body) is None and can_look_below(_own(body))


def public_word(status: HealthStatus) -> str:
    """Return the word people see for it, Argo CD's."""
    return _PUBLIC_WORDS[status]


def _own(body: Body) -> Health:
    return _RULES.get(_key(body), assess_custom)(body)


def _key(body: Body) -> tuple[str, str]:
    group, slash, _ = text(body, "apiVersion").partition("/")
    return (group if slash else "", text(body, "kind"))

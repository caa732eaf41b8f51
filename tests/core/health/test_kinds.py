"""The built-in kinds, one row a rule."""

import json

import pytest

from gitopsd.core.health import Reason, assess, is_good, public_word
from gitopsd.core.health.reasons import in_progress
from gitopsd.core.model import Health, HealthStatus

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
TERMINATING, PAUSED, UNKNOWN = HealthStatus.TERMINATING, HealthStatus.PAUSED, HealthStatus.UNKNOWN


def of(api_version, kind, spec=None, status=None, **metadata):
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **metadata}}
    return body | {key: value for key, value in (("spec", spec), ("status", status)) if value is not None}


def condition(kind, status, reason="", message=""):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def with_conditions(api_version, kind, *conditions, spec=None, **metadata):
    return of(api_version, kind, spec, {"conditions": list(conditions)}, **metadata)


def claim(status, spec=None, **metadata):
    return of("v1", "PersistentVolumeClaim", spec or {"storageClassName": "fast"}, status, **metadata)


PROVISIONED = {"annotations": {"volume.kubernetes.io/storage-provisioner": "csi.example.com"}}
HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
API = ("apiregistration.k8s.io/v1", "APIService")
GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway")
ABLE = condition("AbleToScale", "True", "ReadyForNewScale")
OLD_HPA = json.dumps([condition("AbleToScale", "False", "FailedGetScale", "no such Deployment")])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            of("v1", "ConfigMap", deletionTimestamp="2024-01-01T00:00:00Z"), TERMINATING, id="what is being deleted"
        ),
        pytest.param(of("v1", "ConfigMap"), CURRENT, id="what has nothing to report"),
        pytest.param(of("v1", "Secret", status={"phase": "Failed"}), CURRENT, id="a Secret, whatever is in it"),
        pytest.param(
            of("a.io/v1", "A", status={"observedGeneration": 1}, generation=2), IN_PROGRESS, id="not observed yet"
        ),
        pytest.param(with_conditions("a.io/v1", "A", condition("Reconciling", "True")), IN_PROGRESS, id="reconciling"),
        pytest.param(with_conditions("a.io/v1", "A", condition("Stalled", "True")), FAILED, id="stalled"),
        pytest.param(of("apps/v1", "Deployment", {"paused": True}), PAUSED, id="a paused Deployment"),
        pytest.param(of("batch/v1", "Job", {"suspend": True}), PAUSED, id="a suspended Job"),
        pytest.param(of("batch/v1", "Job", status={"active": 1}), IN_PROGRESS, id="a running Job"),
        pytest.param(of("batch/v1", "CronJob", {"suspend": True}), PAUSED, id="a suspended CronJob"),
        pytest.param(of("batch/v1", "CronJob", {}), CURRENT, id="a CronJob"),
        pytest.param(
            of("apps/v1", "StatefulSet", {"updateStrategy": {"type": "OnDelete"}}),
            CURRENT,
            id="a StatefulSet updated by hand",
        ),
        pytest.param(
            of("apps/v1", "DaemonSet", {"updateStrategy": {"type": "OnDelete"}}),
            CURRENT,
            id="a DaemonSet updated by hand",
        ),
        pytest.param(
            of("apps/v1", "StatefulSet", {"replicas": 1}, {"replicas": 1, "readyReplicas": 1, "currentReplicas": 1}),
            IN_PROGRESS,
            id="a StatefulSet nobody has observed",
        ),
        pytest.param(of("v1", "Service", {"type": "ExternalName"}), CURRENT, id="a Service that is a name"),
        pytest.param(
            of("v1", "Service", {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), IN_PROGRESS, id="no address yet"
        ),
        pytest.param(
            of("v1", "Service", {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "externalIPs": ["192.0.2.1"]}),
            CURRENT,
            id="a Service with an external address",
        ),
        pytest.param(claim({"phase": "Bound"}), CURRENT, id="a bound claim"),
        pytest.param(claim({"phase": "Lost"}), FAILED, id="a claim whose volume is lost"),
        pytest.param(claim({"phase": "Pending"}), CURRENT, id="a claim that waits for its first consumer"),
        pytest.param(claim({"phase": "Pending"}, **PROVISIONED), IN_PROGRESS, id="a claim being provisioned"),
        pytest.param(claim({"phase": "Pending"}, {"volumeName": "pv1"}), IN_PROGRESS, id="a claim on one volume"),
        pytest.param(
            of(
                "policy/v1",
                "PodDisruptionBudget",
                status={"disruptionsAllowed": 0, "observedGeneration": 1},
                generation=1,
            ),
            CURRENT,
            id="a budget that allows nothing now",
        ),
        pytest.param(with_conditions(*CRD, condition("NamesAccepted", "False", "Taken")), FAILED, id="names taken"),
        pytest.param(
            with_conditions(*CRD, condition("Established", "False", "Installing")), IN_PROGRESS, id="installing"
        ),
        pytest.param(with_conditions(*CRD, condition("Established", "False", "Broken")), FAILED, id="not established"),
        pytest.param(of(*API), IN_PROGRESS, id="an APIService nobody has looked at"),
        pytest.param(with_conditions(*API, condition("Available", "True")), CURRENT, id="an APIService that answers"),
        pytest.param(
            with_conditions(*API, condition("Available", "False", "MissingEndpoints")), IN_PROGRESS, id="no backend"
        ),
        pytest.param(with_conditions(*HPA, ABLE), CURRENT, id="an autoscaler at work"),
        pytest.param(
            with_conditions(*HPA, condition("AbleToScale", "False", "FailedGetScale")), FAILED, id="nothing to scale"
        ),
        pytest.param(
            with_conditions(*HPA, ABLE, condition("ScalingActive", "False", "InvalidSelector")),
            FAILED,
            id="a bad selector",
        ),
        pytest.param(
            with_conditions(*HPA, ABLE, condition("ScalingActive", "False", "FailedGetResourceMetric")),
            IN_PROGRESS,
            id="no metrics yet",
        ),
        pytest.param(
            with_conditions(*HPA, ABLE, condition("ScalingActive", "False", "ScalingDisabled")),
            CURRENT,
            id="scaled to zero",
        ),
        pytest.param(
            of(
                "autoscaling/v1",
                "HorizontalPodAutoscaler",
                annotations={"autoscaling.alpha.kubernetes.io/conditions": OLD_HPA},
            ),
            FAILED,
            id="an old autoscaler with nothing to scale",
        ),
        pytest.param(of("v1", "Namespace", status={"phase": "Active"}), CURRENT, id="a namespace"),
        pytest.param(with_conditions(*GATEWAY, condition("Programmed", "True")), CURRENT, id="a gateway that serves"),
        pytest.param(
            with_conditions(*GATEWAY, condition("Accepted", "True")), IN_PROGRESS, id="a gateway being set up"
        ),
        pytest.param(
            with_conditions(*GATEWAY, condition("Accepted", "False", "InvalidParameters")), FAILED, id="invalid"
        ),
    ],
)
def test_a_built_in_kind_is(body, expected):
    assert assess(body).status is expected


def pod(phase, reason="", containers=(), policy="Always"):
    status = {"phase": phase, "reason": reason, "containerStatuses": list(containers)}
    return of("v1", "Pod", {"restartPolicy": policy}, status)


ENDED = {"name": "app", "state": {"terminated": {"exitCode": 3, "message": "password=hunter2"}}}
CRASHING = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 5}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(pod("Failed", containers=[ENDED]), FAILED, id="that ended in failure has failed"),
        pytest.param(pod("Failed", "Evicted"), IN_PROGRESS, id="that was evicted did nothing wrong"),
        pytest.param(pod("Succeeded"), CURRENT, id="that ran to its end is as wanted"),
        pytest.param(pod("Running", containers=[CRASHING]), FAILED, id="that keeps crashing has failed"),
        pytest.param(
            pod("Running", containers=[CRASHING], policy="OnFailure"), IN_PROGRESS, id="that may try again tries"
        ),
    ],
)
def test_a_pod_of_its_own(body, expected):
    health = assess(body)
    assert health.status is expected
    assert "hunter2" not in health.message


def parent(*conditions, name="edge"):
    return {"parentRef": {"name": name}, "conditions": list(conditions)}


ACCEPTED, RESOLVED = condition("Accepted", "True"), condition("ResolvedRefs", "True")
STALE = {**condition("Accepted", "False", "InvalidKind"), "observedGeneration": 1}


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        pytest.param([parent(ACCEPTED, RESOLVED)], CURRENT, id="that is accepted serves"),
        pytest.param(
            [parent(ACCEPTED, condition("ResolvedRefs", "False", "RefNotPermitted"))], FAILED, id="not permitted"
        ),
        pytest.param(
            [parent(condition("Accepted", "False", "NoMatchingParent"))], IN_PROGRESS, id="whose gateway may come"
        ),
        pytest.param([parent(STALE)], IN_PROGRESS, id="judged at an older generation is not judged"),
        pytest.param([parent(STALE), parent(ACCEPTED, RESOLVED)], CURRENT, id="is not held back by a parent it had"),
        pytest.param([], IN_PROGRESS, id="nobody has looked at"),
    ],
)
def test_a_route(parents, expected):
    route = of("gateway.networking.k8s.io/v1", "HTTPRoute", {"parentRefs": [{"name": "edge"}]}, {"parents": parents})
    route["metadata"]["generation"] = 2
    assert assess(route).status is expected


def test_a_namespace_that_does_not_go_says_what_is_left():
    left = condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", "pods. has 1 resource instances")
    going = with_conditions("v1", "Namespace", left, deletionTimestamp="2024-01-01T00:00:00Z")
    assert assess(going).message == "being deleted; pods. has 1 resource instances"


def test_numbers_are_told():
    status = {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 1}
    assert assess(of("apps/v1", "DaemonSet", status=status)).message == "1/3 ready; 0/3 updated"


def test_a_deployment_without_a_deadline_needs_no_word_of_progress():
    status = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    status["conditions"] = [condition("Available", "True")]
    assert assess(of("apps/v1", "Deployment", {"progressDeadlineSeconds": 2147483647}, status)).status is CURRENT


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (CURRENT, "Healthy"),
        (IN_PROGRESS, "Progressing"),
        (TERMINATING, "Progressing"),
        (FAILED, "Degraded"),
        (PAUSED, "Suspended"),
        (HealthStatus.NOT_FOUND, "Missing"),
        (UNKNOWN, "Unknown"),
    ],
)
def test_people_see_a_word_they_know(status, word):
    assert public_word(status) == word


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        pytest.param(Health(CURRENT), True, id="current"),
        pytest.param(Health(PAUSED), True, id="at rest"),
        pytest.param(in_progress(Reason.NO_STATUS, "silent"), True, id="silent"),
        pytest.param(in_progress(Reason.ROLLING_OUT, "1/3 ready"), False, id="rolling out"),
        pytest.param(Health(FAILED, Reason.NO_STATUS), False, id="failed"),
        pytest.param(Health(UNKNOWN), False, id="unknown"),
    ],
)
def test_a_rollout_may_be_kept_with_what_is_good(health, expected):
    assert is_good(health) is expected

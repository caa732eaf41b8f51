"""Facts that hold for every body there could be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.core.health import assess, assess_all, needs_look_below, public_word
from gitopsd.core.health.reasons import MESSAGE_MAX
from gitopsd.core.model import HealthStatus

KINDS = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("example.com/v1", "Widget"),
]
KEYS = st.sampled_from(
    tuple(
        part
        for part in """
        status spec metadata conditions type reason message phase state health statuses replicas
        readyReplicas updatedReplicas observedGeneration generation labels annotations
        containerStatuses initContainerStatuses waiting terminated lastState restartCount exitCode
        parents ingress parentRefs template deletionTimestamp name uid ready ownerReferences
        controller autoscaling.alpha.kubernetes.io/conditions
        """.split()  # noqa: SIM905
    )
)
WORDS = st.sampled_from(["True", "False", "Ready", "Failed", "Progressing", "NotFound", "1", "[{", "", "Réady", "²"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=12)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=6)


def _of_kind(kind, body):
    return {**body, "apiVersion": kind[0], "kind": kind[1]}


BODIES = st.builds(_of_kind, st.sampled_from(KINDS), OBJECTS)


@settings(max_examples=300, deadline=None)
@given(body=BODIES | OBJECTS, below=st.lists(BODIES, max_size=3))
def test_no_body_is_too_strange_to_be_assessed(body, below):
    health = assess(body, below)
    assert public_word(health.status)
    assert len(health.message) <= MESSAGE_MAX
    assert needs_look_below(body) in {True, False}


@settings(max_examples=200, deadline=None)
@given(body=BODIES)
def test_an_object_without_a_status_is_never_failed(body):
    silent = {key: value for key, value in body.items() if key != "status"}
    silent["metadata"] = {"name": "x"}
    assert assess(silent).status is not HealthStatus.FAILED


@settings(max_examples=100, deadline=None)
@given(body=BODIES, secret=st.text(alphabet="abcdef0123456789", min_size=12, max_size=20))
def test_what_a_secret_holds_is_in_no_message(body, secret):
    telling = {**body, "apiVersion": "v1", "kind": "Secret", "data": {"password": secret}, "stringData": {"p": secret}}
    assert secret not in repr(assess(telling))


def test_many_are_assessed_in_their_order():
    healths = assess_all([{"apiVersion": "v1", "kind": kind} for kind in ("ConfigMap", "Pod", "Secret")])
    assert [public_word(health.status) for health in healths] == ["Healthy", "Progressing", "Healthy"]

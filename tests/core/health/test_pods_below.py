"""What the pods below a workload make of it."""

from datetime import UTC, datetime

import pytest

from gitopsd.core.health import Reason, assess, down_since, may_come_up, needs_look_below, stuck_pod, unready_since
from gitopsd.core.model import HealthStatus

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
IMAGE = "registry.example/shop:2.1"
NOT_FOUND = f'rpc error: code = NotFound desc = failed to pull image "{IMAGE}": manifest not found'


def deployment(ready=1, wanted=3, **status):
    counts = {"replicas": wanted + 1, "updatedReplicas": 1, "availableReplicas": ready, "readyReplicas": ready}
    conditions = [
        {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "is progressing"},
        {"type": "Available", "status": "True"},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "uid": "d1",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": wanted, "progressDeadlineSeconds": 600},
        "status": {"observedGeneration": 2, "conditions": conditions, **counts, **status},
    }


def replica_set(revision, template, owner="d1"):
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"web-{template}",
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "labels": {"pod-template-hash": template},
            "ownerReferences": [{"kind": "Deployment", "uid": owner, "controller": True}],
        },
    }


SETS = (replica_set("1", "old"), replica_set("2", "new"))


def pod(name, *, labels=None, owner="", phase="Pending", containers=(), inits=(), conditions=(), **metadata):
    owners = [{"uid": owner, "controller": True}] if owner else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}, "ownerReferences": owners, **metadata},
        "spec": {"containers": [{"name": "app", "image": IMAGE}]},
        "status": {
            "phase": phase,
            "containerStatuses": list(containers),
            "initContainerStatuses": list(inits),
            "conditions": list(conditions),
        },
    }


def waiting(reason, message="", **more):
    return {"name": "app", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}, **more}


def new(name, container=None, **more):
    return pod(name, labels={"pod-template-hash": "new"}, containers=[container] if container else [], **more)


def old(name, container):
    return pod(name, labels={"pod-template-hash": "old"}, containers=[container])


RUNNING = {
    "name": "app",
    "ready": False,
    "restartCount": 0,
    "state": {"running": {"startedAt": "2024-01-01T00:00:00Z"}},
}
BETWEEN = {
    "name": "app",
    "ready": False,
    "restartCount": 3,
    "state": {"running": {}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "password=hunter2"}},
}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient cpu.",
}


def test_an_image_not_found_is_told_with_the_numbers_and_the_culprit():
    health = assess(deployment(), [*SETS, new("web-new-x2", waiting("ErrImagePull", NOT_FOUND))])
    assert (health.status, health.reason) == (FAILED, Reason.IMAGE_PULL)
    assert health.message == f"1/3 ready; 3 old still to go; web-new-x2: image not found: {IMAGE}"


def test_the_reason_does_not_flap_while_the_kubelet_backs_off():
    reasons = {
        assess(deployment(), [*SETS, new("x", waiting(reason, NOT_FOUND))]).reason
        for reason in ("ErrImagePull", "ImagePullBackOff")
    }
    assert reasons == {"ImagePullBackOff"}


def test_old_crash_looping_pods_do_not_fail_the_fix():
    below = [*SETS, old("web-old-1", waiting("CrashLoopBackOff")), new("web-new-1", waiting("ContainerCreating"))]
    health = assess(deployment(), below)
    assert health.status is IN_PROGRESS
    assert "web-old-1" not in health.message


def test_old_crash_looping_pods_do_not_fail_the_fix_before_its_first_pod_is_there():
    assert assess(deployment(), [*SETS, old("web-old-1", waiting("CrashLoopBackOff"))]).status is IN_PROGRESS


def test_without_its_replica_sets_no_pod_speaks_for_a_deployment():
    assert assess(deployment(), [new("x", waiting("CrashLoopBackOff"))]).status is IN_PROGRESS


def test_another_deployments_replica_set_does_not_speak():
    below = [replica_set("2", "new", owner="other"), new("x", waiting("CrashLoopBackOff"))]
    assert assess(deployment(), below).status is IN_PROGRESS


def test_one_doomed_pod_of_two_does_not_fail_a_deployment_but_is_told():
    below = [*SETS, new("a", waiting("CrashLoopBackOff", restartCount=4)), new("b", RUNNING)]
    health = assess(deployment(), below)
    assert health.status is IN_PROGRESS
    assert "a: container app keeps crashing after 4 restarts" in health.message


def test_where_all_must_be_doomed_the_one_with_the_most_hope_gives_the_reason():
    below = [*SETS, new("a", waiting("CrashLoopBackOff")), new("b", conditions=[UNSCHEDULABLE])]
    assert assess(deployment(), below).reason == Reason.UNSCHEDULABLE


def test_a_pod_that_is_running_but_not_ready_is_named():
    message = assess(deployment(), [*SETS, new("web-new-1", RUNNING, phase="Running")]).message
    assert message.endswith("web-new-1: container app is running but not ready")


def test_pods_that_are_going_or_have_ended_do_not_count():
    below = [
        *SETS,
        new("going", waiting("CrashLoopBackOff"), deletionTimestamp="2024-01-01T00:00:00Z"),
        new("ended", waiting("CrashLoopBackOff"), phase="Failed"),
    ]
    assert assess(deployment(), below).status is IN_PROGRESS


def test_a_missed_deadline_is_told_with_its_pod():
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    health = assess(deployment(conditions=[late]), [*SETS, new("web-new-1", RUNNING)])
    assert (health.status, health.reason) == (FAILED, Reason.DEADLINE)
    assert health.message == "1/3 ready; timed out; web-new-1: container app is running but not ready"


def test_a_quota_that_lets_no_pod_in_is_told_with_its_message():
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": 'pods "web-7d9f-x2" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3',
    }
    health = assess(deployment(conditions=[refused]))
    assert (health.status, health.reason) == (FAILED, Reason.FAILED_CREATE)
    assert "exceeded quota: small" in health.message


def test_a_refusal_that_is_over_does_not_count_once_all_are_ready():
    ready = deployment(ready=3, replicas=3, updatedReplicas=3)
    ready["status"]["conditions"] = [
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        {"type": "Available", "status": "True"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"},
    ]
    assert assess(ready).status is CURRENT
    assert not needs_look_below(ready)


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        pytest.param(
            BETWEEN, "CrashLoopBackOff", "after 3 restarts, last exit code 1 (Error)", id="between two back-offs"
        ),
        pytest.param(
            waiting("InvalidImageName"),
            "InvalidImageName",
            f"no image can have this name: {IMAGE}",
            id="an image name that is none",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "db" not found'),
            "CreateContainerConfigError",
            'secret "db" not found',
            id="a Secret that is not there",
        ),
        pytest.param(waiting("CreateContainerError", "bad"), "CreateContainerError", "bad", id="no container"),
        pytest.param(waiting("RunContainerError", "bad"), "RunContainerError", "bad", id="no start"),
        pytest.param(
            {"name": "app", "state": {"terminated": {"reason": "ContainerCannotRun", "exitCode": 127}}},
            "ContainerCannotRun",
            "exit code 127",
            id="a command that is not there",
        ),
        pytest.param(
            waiting("ImagePullBackOff", "unauthorized: authentication required"),
            "ImagePullBackOff",
            f"no right to pull: {IMAGE}",
            id="no right to the image",
        ),
        pytest.param(
            waiting("ErrImagePull", "Get https://cdn.example/blob?X-Signature=abc: no such host"),
            "ImagePullBackOff",
            "https://cdn.example/blob?…",
            id="a registry's signed address loses its signature",
        ),
    ],
)
def test_a_container_is_doomed(container, reason, words):
    health = assess(deployment(), [*SETS, new("x", container)])
    assert (health.status, health.reason) == (FAILED, reason)
    assert words in health.message
    assert "hunter2" not in health.message
    assert "abc" not in health.message


@pytest.mark.parametrize(
    "container",
    [
        pytest.param(waiting("ContainerCreating"), id="being created"),
        pytest.param(
            waiting("CreateContainerConfigError", "failed to sync secret cache: timed out"),
            id="the kubelet's cache is cold",
        ),
        pytest.param(
            {"name": "app", "state": {"terminated": {"reason": "ContainerCannotRun", "exitCode": 128}}}, id="a race"
        ),
        pytest.param({**BETWEEN, "restartCount": 1}, id="one crash"),
        pytest.param({**BETWEEN, "ready": True}, id="crashed in the past, ready now"),
        pytest.param({**BETWEEN, "lastState": {"terminated": {"exitCode": 0}}}, id="ended well and was started again"),
    ],
)
def test_a_container_may_still_come_up(container):
    assert assess(deployment(), [*SETS, new("x", container)]).status is IN_PROGRESS


def test_init_containers_count_as_well():
    labels = {"pod-template-hash": "new"}
    health = assess(
        deployment(), [*SETS, pod("x", labels=labels, inits=[{**waiting("CrashLoopBackOff"), "name": "init"}])]
    )
    assert health.status is FAILED
    assert "container init keeps crashing" in health.message


def test_an_evicted_pod_is_nobodys_fault():
    evicted = new("x", waiting("CrashLoopBackOff"))
    evicted["status"]["reason"] = "Evicted"
    assert assess(deployment(), [*SETS, evicted]).status is IN_PROGRESS


def stateful_set():
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "uid": "s1", "generation": 1},
        "spec": {"replicas": 3},
        "status": {
            "observedGeneration": 1,
            "replicas": 3,
            "readyReplicas": 2,
            "currentReplicas": 2,
            "currentRevision": "db-1",
            "updateRevision": "db-2",
        },
    }


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        pytest.param("db-2", FAILED, id="one doomed pod of the update revision fails it"),
        pytest.param("db-1", IN_PROGRESS, id="a doomed pod of the old revision does not"),
    ],
)
def test_a_stateful_set_fails_by_any_new_pod(revision, expected):
    doomed = pod("db-2", labels={"controller-revision-hash": revision}, containers=[waiting("CrashLoopBackOff")])
    fine = pod("db-1", labels={"controller-revision-hash": "db-2"}, containers=[RUNNING])
    assert assess(stateful_set(), [fine, doomed]).status is expected


READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T12:00:00Z"}
MISSING, STARTING = waiting("ImagePullBackOff"), waiting("ContainerCreating")
NEXT = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}


def up(name, revision="db-1"):
    ready = [{"type": "Ready", "status": "True"}]
    return pod(name, labels={"controller-revision-hash": revision}, owner="s1", phase="Running", conditions=ready)


def down(name, revision="db-2-bad", container=MISSING, **said):
    return pod(
        name, **{"labels": {"controller-revision-hash": revision}, "owner": "s1", "containers": [container], **said}
    )


def held_up_by(revision="db-2-bad", container=MISSING, spec=None, generation=1, **said):
    """What is stuck of a StatefulSet that goes from revision db-1 to db-2 and waits for this pod of another."""
    return among(up("db-0"), up("db-1"), down("db-2", revision, container, **said), spec=spec, generation=generation)


def among(*pods, spec=None, generation=1):
    one = stateful_set()
    one["metadata"]["generation"] = generation
    return stuck_pod(one | {"spec": {"replicas": 3} | (spec or {})}, pods)


@pytest.mark.parametrize(
    "stuck",
    [
        pytest.param(held_up_by(), id="doomed, of a revision that was left"),
        pytest.param(held_up_by(container=STARTING), id="not ready, of a revision that was left"),
        pytest.param(held_up_by("db-1"), id="doomed, of the revision before"),
        pytest.param(held_up_by("db-1", STARTING), id="not ready, of the revision before"),
        pytest.param(held_up_by(spec=NEXT), id="with the server's defaults written out"),
        pytest.param(among(up("db-1"), down("db-2"), spec={"ordinals": {"start": 1}}), id="its first pod is not zero"),
        pytest.param(among(up("db-0"), up("db-1"), down("db-2"), down("db-10")), id="before one that is to go anyway"),
        pytest.param(
            among(up("db-0"), up("db-1"), down("db-2", "db-1", STARTING), down("db-3"), spec={"replicas": 2}),
            id="it is to go, and so is the last, which waits for it",
        ),
    ],
)
def test_an_ordered_stateful_set_waits_for_a_pod(stuck):
    """Kubernetes' own advice is to delete it by hand, after the template was put back."""
    assert stuck["metadata"]["name"] == "db-2"


@pytest.mark.parametrize(
    "stuck",
    [
        pytest.param(held_up_by("db-2"), id="it is of the newest revision"),
        pytest.param(
            held_up_by(phase="Running", conditions=[{"type": "Ready", "status": "True"}], container=RUNNING),
            id="it is ready",
        ),
        pytest.param(held_up_by(deletionTimestamp="2026-01-01T00:00:00Z"), id="it is going"),
        pytest.param(held_up_by(phase="Failed"), id="it has ended"),
        pytest.param(held_up_by(labels={}), id="its revision is not known"),
        pytest.param(held_up_by(owner="s2"), id="it is another's"),
        pytest.param(held_up_by(owner=""), id="it is nobody's"),
        pytest.param(held_up_by(spec={"podManagementPolicy": "Parallel"}), id="pods go side by side"),
        pytest.param(held_up_by(spec={"updateStrategy": {"type": "OnDelete"}}), id="a person deletes the pods"),
        pytest.param(
            held_up_by(spec={"updateStrategy": {"rollingUpdate": {"partition": 1}}}), id="some pods are to stay old"
        ),
        pytest.param(held_up_by(generation=2), id="its controller has not looked yet"),
        pytest.param(held_up_by(spec={"replicas": 2}), id="it is one too many: it goes anyway"),
        pytest.param(
            among(up("db-0"), down("db-1", "db-2", STARTING), down("db-2")), id="one before it is new, and comes up"
        ),
        pytest.param(
            among(up("db-0"), down("db-1", deletionTimestamp="2026-01-01T00:00:00Z"), down("db-2")),
            id="one before it is going",
        ),
        pytest.param(among(up("db-0"), down("db-2")), id="one before it is yet to be made"),
        pytest.param(
            among(up("db-0"), down("db-1"), down("db-2"), up("db-3"), spec={"replicas": 1}),
            id="the last goes before it",
        ),
        pytest.param(
            among(
                up("db-0"), down("db-2"), down("db-3", deletionTimestamp="2026-01-01T00:00:00Z"), spec={"replicas": 1}
            ),
            id="the last is going",
        ),
        pytest.param(
            among(up("db-0"), down("db-1", "db-1", STARTING), down("db-2", "db-2", STARTING)),
            id="it may come up, and one after it is being replaced",
        ),
    ],
)
def test_no_pod_is_stuck_where(stuck):
    assert stuck is None


def test_of_several_pods_only_the_one_that_is_waited_for_is_stuck():
    """Two at once is what an ordered StatefulSet never does: members of a quorum would go together."""
    assert among(up("db-0"), down("db-1"), down("db-2"))["metadata"]["name"] == "db-1"


@pytest.mark.parametrize(
    ("revision", "container", "expected"),
    [
        pytest.param("db-1", STARTING, True, id="of the revision before"),
        pytest.param("db-1", MISSING, False, id="of the revision before, and doomed"),
        pytest.param("db-2-bad", STARTING, False, id="of a revision that was left for good"),
    ],
)
def test_what_is_waited_for_may_come_up(revision, container, expected):
    assert may_come_up(stateful_set(), down("db-2", revision, container)) is expected


def test_one_that_never_comes_up_is_stuck_also_while_one_after_it_is_being_replaced():
    doomed = down("db-1", "db-1", MISSING)
    assert among(up("db-0"), doomed, down("db-2", "db-2", STARTING)) is doomed


@pytest.mark.parametrize(
    ("conditions", "since"),
    [
        pytest.param([READY | {"status": "False"}], datetime(2026, 1, 1, 12, tzinfo=UTC), id="not ready"),
        pytest.param([READY], None, id="ready"),
        pytest.param([], None, id="not said"),
        pytest.param([{"type": "Ready", "status": "False"}], None, id="no time"),
        pytest.param([READY | {"status": "False", "lastTransitionTime": "noon"}], None, id="no such time"),
    ],
)
def test_since_when_a_pod_is_not_ready(conditions, since):
    assert unready_since(down("db-1", conditions=conditions)) == since


EARLY, LATE = (READY | {"status": "False", "lastTransitionTime": f"2026-01-01T{hour}:00:00Z"} for hour in (12, 13))


@pytest.mark.parametrize(
    ("body", "pods", "hour"),
    [
        pytest.param(stateful_set(), [down("db-0", conditions=[EARLY])], 12, id="its only pod is not ready"),
        pytest.param(
            stateful_set(), [down("db-0", conditions=[EARLY]), down("db-1", conditions=[LATE])], 13, id="the last to go"
        ),
        pytest.param(
            stateful_set(),
            [down("db-0", conditions=[EARLY]), down("db-1", conditions=[LATE], phase="Failed")],
            12,
            id="one that has ended says nothing",
        ),
        pytest.param(stateful_set(), [up("db-0"), down("db-1", conditions=[EARLY])], None, id="another is ready"),
        pytest.param(stateful_set(), [down("db-0"), down("db-1", conditions=[EARLY])], None, id="one does not say"),
        pytest.param(stateful_set(), [], None, id="no pods"),
        pytest.param({"kind": "Job"}, [down("db-0", conditions=[EARLY])], None, id="a Job is never ready for long"),
    ],
)
def test_since_when_no_pod_is_ready(body, pods, hour):
    assert down_since(body, pods) == (hour and datetime(2026, 1, 1, hour, tzinfo=UTC))


@pytest.mark.parametrize(
    ("container", "what_now"),
    [(waiting("ErrImagePull"), "it must be deleted to be replaced"), (STARTING, "its replacement waits for that")],
)
def test_a_stateful_set_says_which_pod_holds_up_its_update(container, what_now):
    health = assess(stateful_set(), [up("db-0"), up("db-1"), down("db-2", "db-1", container)])

    told = f"2/3 ready; db-2 is of an older revision and not ready; {what_now}"
    assert (health.status, health.message) == (IN_PROGRESS, told)


def daemon_set(generation="7", updated=1):
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "log", "annotations": {"deprecated.daemonset.template.generation": generation}},
        "status": {
            "observedGeneration": 1,
            "desiredNumberScheduled": 3,
            "currentNumberScheduled": 3,
            "updatedNumberScheduled": updated,
            "numberReady": 2,
            "numberAvailable": 2,
        },
    }


def daemon_pod(generation, revision, container=None):
    labels = {"pod-template-generation": generation, "controller-revision-hash": revision}
    return pod(f"log-{generation}-{revision}", labels=labels, containers=[container or waiting("CrashLoopBackOff")])


@pytest.mark.parametrize(
    ("body", "below", "expected"),
    [
        pytest.param(daemon_set(), [daemon_pod("7", "b")], FAILED, id="a new pod, by the template's generation"),
        pytest.param(daemon_set(), [daemon_pod("6", "a")], IN_PROGRESS, id="an old pod"),
        pytest.param(
            daemon_set(),
            [daemon_pod("5", "a"), daemon_pod("7", "a", RUNNING)],
            FAILED,
            id="an old pod that is new again",
        ),
        pytest.param(daemon_set(generation=""), [daemon_pod("7", "b")], IN_PROGRESS, id="generation not known"),
        pytest.param(daemon_set(generation="", updated=3), [daemon_pod("7", "b")], FAILED, id="all pods are new"),
    ],
)
def test_a_daemon_set_fails_by_any_new_pod(body, below, expected):
    assert assess(body, below).status is expected


JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "m", "uid": "j1"}, "status": {"active": 1}}


@pytest.mark.parametrize(
    ("doomed", "expected"),
    [
        pytest.param(pod("m-1", owner="j1", containers=[waiting("ErrImagePull", NOT_FOUND)]), FAILED, id="no image"),
        pytest.param(
            pod("m-1", owner="j1", containers=[waiting("CreateContainerConfigError")]), FAILED, id="no config"
        ),
        pytest.param(pod("m-1", owner="j1", containers=[waiting("CrashLoopBackOff")]), IN_PROGRESS, id="tries again"),
        pytest.param(pod("m-1", owner="j1", conditions=[UNSCHEDULABLE]), IN_PROGRESS, id="waits for room"),
        pytest.param(pod("m-1", owner="j2", containers=[waiting("ErrImagePull")]), IN_PROGRESS, id="another Job's pod"),
    ],
)
def test_a_job_fails_by_a_pod_that_cannot_start(doomed, expected):
    assert assess(JOB, [doomed]).status is expected


def test_a_replica_set_of_its_own_fails_when_all_its_pods_are_doomed():
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"uid": "r1"}, "spec": {"replicas": 2}}
    doomed = pod("a", owner="r1", containers=[waiting("CrashLoopBackOff")])
    assert assess(body, [doomed]).status is FAILED
    assert assess(body, [doomed, pod("b", owner="r1", containers=[RUNNING])]).status is IN_PROGRESS


def test_the_pods_order_does_not_matter():
    below = [*SETS, new("b", waiting("CrashLoopBackOff")), new("a", waiting("InvalidImageName"))]
    assert assess(deployment(), below) == assess(deployment(), below[::-1])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(deployment(), True, id="a Deployment that is rolling out"),
        pytest.param({**deployment(), "spec": {"paused": True}}, False, id="a Deployment that is paused"),
        pytest.param(
            {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}, False, id="no workload"
        ),
        pytest.param(
            {**deployment(), "metadata": {"generation": 3}},
            False,
            id="a Deployment whose controller has not seen it yet",
        ),
    ],
)
def test_only_workloads_that_are_not_well_need_a_look_below(body, expected):
    assert needs_look_below(body) is expected

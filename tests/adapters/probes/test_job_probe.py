"""A developer's Job: in the environment's bounds, once per rollout, and its end in the evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gitopsd.core.probes import JobProbe, Pace, ProbeState
from gitopsd.core.record import Trigger
from rig.accounts import Account, create_account
from tests.adapters.probes.shop import Shop

pytestmark = pytest.mark.cluster

PENDING, PASS, FAIL, UNKNOWN = ProbeState.PENDING, ProbeState.PASS, ProbeState.FAIL, ProbeState.UNKNOWN
BATCH = "/apis/batch/v1"
SPEC = {"restartPolicy": "Never", "containers": [{"name": "smoke", "image": "rig.test/web"}]}


def smoke(*, timeout_s: float = 60.0, metadata: dict[str, Any] | None = None, **spec: Any) -> JobProbe:
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "smoke", **(metadata or {})},
        "spec": {"template": {"spec": SPEC}, **spec},
    }
    pace = Pace(interval_s=1.0, timeout_s=timeout_s)
    return JobProbe(name="job smoke/job.yaml", file="smoke/job.yaml", job=json.dumps(body).encode(), pace=pace)


def with_container(**more: Any) -> JobProbe:
    """A smoke test whose container has this besides."""
    container = {"name": "smoke", "image": "rig.test/web", **more}
    return smoke(template={"spec": {"restartPolicy": "Never", "containers": [container]}})


def condition(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    now = "2026-01-01T12:00:00Z"
    # The API server wants to hear of both before it believes either.
    before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
    told = [{"type": one, "status": "True", "reason": reason, "message": message} for one in (before, kind)]
    ended = {"completionTime": now, "succeeded": 1} if kind == "Complete" else {"failed": 1}
    return {"conditions": [{**one, "lastTransitionTime": now} for one in told], "startTime": now, **ended}


def test_it_is_run_as_the_environments_own_and_bounded(at_shop: Shop):
    found = at_shop.find(smoke(metadata={"labels": {"team": "shop"}, "annotations": {"note": "x"}}))

    assert (found.state, found.message) == (PENDING, f"Job {at_shop.namespace}/{at_shop.job_name()} was started")
    (job,) = at_shop.jobs()
    labels, spec = job["metadata"]["labels"], job["spec"]
    assert labels["gitopsd.dev/environment"] == at_shop.environment.name
    assert labels["gitopsd.dev/probe"].startswith("job-smoke-job-yaml")
    assert labels["team"] == "shop"
    assert "applyset.kubernetes.io/part-of" not in labels
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (0, 60, 86_400)


@pytest.mark.parametrize(("own", "deadline"), [(10, 10), (600, 60)])
def test_its_own_bounds_may_be_narrower_and_not_wider(at_shop: Shop, own, deadline):
    at_shop.find(smoke(activeDeadlineSeconds=own, backoffLimit=2))
    (job,) = at_shop.jobs()

    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (deadline, 2)


def test_complete_passes_and_failed_fails_at_once(at_shop: Shop):
    probe, rollout = smoke(), at_shop.rollout()
    at_shop.find(probe, rollout)
    at_shop.set_status(BATCH, "jobs", at_shop.job_name(), condition("Complete"))
    passed = at_shop.await_state(probe, rollout, PASS)

    assert passed.message == f"Job {at_shop.job_name()} is complete"


def test_failed_fails_at_once_with_its_reason(at_shop: Shop):
    probe, rollout = smoke(), at_shop.rollout()
    at_shop.find(probe, rollout)
    at_shop.set_status(
        BATCH, "jobs", at_shop.job_name(), condition("Failed", "BackoffLimitExceeded", "it has reached its limit")
    )
    failed = at_shop.await_state(probe, rollout, FAIL)

    assert failed.failed
    assert failed.message == f"Job {at_shop.job_name()} failed: BackoffLimitExceeded: it has reached its limit"


def test_a_restart_finds_it_again(at_shop: Shop):
    probe, rollout = smoke(), at_shop.rollout()
    at_shop.find(probe, rollout)
    before = at_shop.jobs()
    again = at_shop.find(probe, rollout)

    assert [job["metadata"]["uid"] for job in at_shop.jobs()] == [before[0]["metadata"]["uid"]]
    assert "was started" not in again.message


def test_nothing_runs_while_objects_come_up_or_outside_a_rollout_or_on_the_way_back(at_shop: Shop):
    probe = smoke()
    for rollout in (at_shop.rollout(well_since=None), None, at_shop.rollout(Trigger.REVERT)):
        at_shop.prober.forget(at_shop.environment.name)
        for _ in range(3):
            at_shop.prober.ask(at_shop.environment, at_shop.desired(probe), rollout)
    assert at_shop.prober._in_flight == set()
    assert at_shop.jobs() == []


@pytest.mark.parametrize(
    ("bounds", "metadata", "said"),
    [
        pytest.param({"deny": ("Job",)}, {}, "Job.batch is denied here", id="the kind is denied"),
        pytest.param({"deny": ("job.batch",)}, {}, "Job.batch is denied here", id="with its group"),
        pytest.param({}, {"namespace": "kube-system"}, "none of this environment's", id="the namespace is not ours"),
    ],
)
def test_it_keeps_the_operators_bounds(at_shop: Shop, bounds, metadata, said):
    at_shop.bound(**bounds)
    found = at_shop.find(smoke(metadata=metadata))

    assert found.state is UNKNOWN
    assert said in found.message
    assert at_shop.jobs() == []


def test_it_runs_with_the_rights_of_the_environments_account(at_shop: Shop):
    create_account(at_shop.api, Account(at_shop.namespace, "poor"))
    at_shop.bound(service_account="poor", service_account_namespace=at_shop.namespace)
    found = at_shop.find(smoke())

    assert found.state is UNKNOWN
    assert f'User "system:serviceaccount:{at_shop.namespace}:poor" cannot patch resource "jobs"' in found.message
    assert at_shop.jobs() == []


def test_a_job_of_somebody_elses_is_left_alone(at_shop: Shop):
    probe, rollout = smoke(), at_shop.rollout()
    at_shop.find(probe, rollout)
    path = f"{BATCH}/namespaces/{at_shop.namespace}/jobs"
    name = at_shop.job_name()
    at_shop.api.delete(f"{path}/{name}", {"propagationPolicy": "Background"})
    at_shop.api.create(path, {**json.loads(probe.job), "metadata": {"name": name}})
    found = at_shop.find(probe, rollout)

    assert (found.state, "that is not this one" in found.message) == (UNKNOWN, True)


@pytest.mark.parametrize(
    ("again", "is_anew"),
    [
        pytest.param(smoke(backoffLimit=3), False, id="a test that was mended"),
        pytest.param(smoke(), True, id="a digest that is tried anew"),
    ],
)
def test_what_another_run_said_is_not_taken_for_this_one(at_shop: Shop, again, is_anew):
    rollout = at_shop.rollout()
    at_shop.find(smoke(), rollout)
    at_shop.set_status(BATCH, "jobs", at_shop.job_name(), condition("Failed", "BackoffLimitExceeded"))
    at_shop.await_state(smoke(), rollout, FAIL)
    found = at_shop.find(again, at_shop.rollout() if is_anew else rollout)

    assert (found.state, len(at_shop.jobs())) == (PENDING, 2)


def test_two_tests_whose_jobs_have_one_name_run_both(at_shop: Shop):
    rollout = at_shop.rollout()
    for name in ("one", "two"):
        assert at_shop.find(replace(smoke(), name=name), rollout).state is PENDING

    assert len(at_shop.jobs()) == 2


def test_a_job_that_the_server_refuses_says_nothing_of_health(at_shop: Shop):
    found = at_shop.find(smoke(parallelism=-1))

    assert found.state is UNKNOWN
    assert "spec.parallelism" in found.message


@pytest.mark.parametrize("sensitive", [True, False])
def test_a_refusal_quotes_no_value_of_a_job_that_holds_what_was_encrypted(at_shop: Shop, sensitive):
    found = at_shop.find(replace(with_container(imagePullPolicy="hunter2-canary"), sensitive=sensitive))

    assert found.state is UNKNOWN
    assert "spec.template.spec.containers[" in found.message
    assert ("hunter2-canary" in found.message) is not sensitive


@pytest.mark.parametrize("sensitive", [True, False])
def test_what_is_said_of_a_job_that_holds_what_was_encrypted_is_masked(at_shop: Shop, sensitive):
    probe = replace(with_container(command=["/bin/hunter2-canary"]), sensitive=sensitive)
    rollout = at_shop.rollout()
    at_shop.find(probe, rollout)
    why = "exec /bin/hunter2-canary: no such file"
    at_shop.set_status(BATCH, "jobs", at_shop.job_name(), condition("Failed", "PodFailurePolicy", why))
    failed = at_shop.await_state(probe, rollout, FAIL)

    said = why.replace("/bin/hunter2-canary", "***") if sensitive else why
    assert failed.message == f"Job {at_shop.job_name()} failed: PodFailurePolicy: {said}"


@pytest.mark.parametrize("sensitive", [True, False])
def test_what_is_said_of_a_pod_that_cannot_start_is_masked_as_well(at_shop: Shop, sensitive):
    probe = replace(with_container(image="rig.test/hunter2-canary"), sensitive=sensitive)
    rollout = at_shop.rollout()
    at_shop.find(probe, rollout)
    name = at_shop.job_name()
    metadata = {"name": "stuck", "labels": {"job-name": name}}
    at_shop.api.create(f"/api/v1/namespaces/{at_shop.namespace}/pods", {"metadata": metadata, "spec": SPEC})
    waiting = {"reason": "ErrImagePull", "message": "rig.test/hunter2-canary: not found"}
    container = {"name": "smoke", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Pending", "containerStatuses": [{**container, "state": {"waiting": waiting}}]}
    at_shop.set_status("/api/v1", "pods", "stuck", status)
    found = at_shop.await_state(probe, rollout, UNKNOWN, deadline_s=60)

    image = "***" if sensitive else "rig.test/hunter2-canary"
    assert found.message == f"Job {name} cannot run: stuck: ErrImagePull: {image}: not found"


def test_h10_a_pod_that_finds_no_node_is_no_failure(at_shop: Shop):
    probe, rollout = smoke(), at_shop.rollout()
    found = at_shop.await_state(probe, rollout, UNKNOWN, deadline_s=60)

    assert "cannot run" in found.message or "has no pod yet" in found.message


def test_h10_time_over_for_a_job_that_never_ran_is_no_failure(at_shop: Shop):
    probe, rollout = smoke(), at_shop.rollout()
    at_shop.find(probe, rollout)
    at_shop.set_status(
        BATCH, "jobs", at_shop.job_name(), condition("Failed", "DeadlineExceeded", "Job was active too long")
    )
    found = at_shop.await_state(probe, rollout, UNKNOWN)

    assert (found.state, found.failed) == (UNKNOWN, False)
    assert "nobody saw it run" in found.message


LOST = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": "The container could not be located"}


@pytest.mark.parametrize(
    ("terminated", "state"),
    [
        pytest.param(LOST, UNKNOWN, id="the kubelet gave up a container that it had never started"),
        pytest.param({**LOST, "startedAt": "2026-01-01T12:00:00Z"}, FAIL, id="it ran"),
    ],
)
def test_h10_only_a_container_that_was_started_has_run(at_shop: Shop, terminated, state):
    probe, rollout = smoke(), at_shop.rollout()
    at_shop.find(probe, rollout)
    name = at_shop.job_name()
    metadata = {"name": "killed", "labels": {"job-name": name}}
    at_shop.api.create(f"/api/v1/namespaces/{at_shop.namespace}/pods", {"metadata": metadata, "spec": SPEC})
    container = {"name": "smoke", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Failed", "containerStatuses": [{**container, "state": {"terminated": terminated}}]}
    at_shop.set_status("/api/v1", "pods", "killed", status)
    at_shop.set_status(BATCH, "jobs", name, condition("Failed", "DeadlineExceeded", "Job was active too long"))
    found = at_shop.await_state(probe, rollout, UNKNOWN, FAIL)

    assert found.state is state

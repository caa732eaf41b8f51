"""The catalogue's rows about health, on a cluster whose pods are played: H1 to H5, H7 to H9, and H16."""

from __future__ import annotations

import re
import time

import pytest

from gitopsd.core.health import Reason, is_good, public_word
from gitopsd.core.model import HealthStatus
from gitopsd.core.record import Outcome
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, phase
from gitopsd.core.verdict import GRACE_S
from rig.api import MERGE
from rig.waiting import wait_for
from tests.cluster.adapter_world import desired, world
from tests.cluster.oracles import container, written
from tests.cluster.stage import deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: 0s, timeout: 40s}\n"
JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: registry.example/migrate:1}]
"""
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.health.example.com"},
    "spec": {
        "group": "health.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}

WIDGET = "apiVersion: health.example.com/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: %d}\n"
GOOD = {"type": "Ready", "status": "True"}
STALLED = {"type": "Stalled", "status": "True", "reason": "Refused", "message": "no such size"}
# 20 of the stage's seconds.
FLAP_S = 2.0


@pytest.fixture
def on_kwok(cluster, namespace):
    cluster.powers()
    with world(cluster.kubeconfig, namespace) as made:
        yield made


@pytest.fixture
def widgets(cluster):
    """A kind of our own, with a status that only the test writes."""
    api, path = cluster.api(), "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = WIDGETS["metadata"]["name"]
    api.create(path, WIDGETS)
    wait_for("the kind to be served", lambda: api.find("/apis/health.example.com/v1"))
    yield
    api.delete(f"{path}/{name}")
    wait_for("the kind to be gone", lambda: not api.find(f"{path}/{name}"))


def test_h1_what_is_never_ready_is_put_back_once_at_the_deadline(hasty_stage):
    hasty_stage.commit({"gitopsd.yaml": SETTINGS, "web.yaml": deployment("web")})
    assert phase(hasty_stage.once()) is Phase.READY
    begin = hasty_stage.audit.position()
    hasty_stage.commit({"web.yaml": deployment("web", image="rig.test/web:never-ready")})

    view = hasty_stage.once()

    assert phase(view) is Phase.REVERTED
    failed = next(entry for entry in view.known.history if entry.outcome is Outcome.FAILED)
    assert failed.why.startswith("not healthy after 40 s")
    assert "running but not ready" in failed.why
    assert container(hasty_stage.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert written(hasty_stage, begin) == {"patch deployments/web": 2}


def test_h2_what_flaps_each_20_seconds_is_never_kept_and_is_put_back_once(hasty_stage, widgets):
    """It is well for less than the soak, and fails for less than its grace, which the moments between do not end."""
    hasty_stage.commit({"gitopsd.yaml": SETTINGS, "one.yaml": WIDGET % 1})
    with hasty_stage.daemon() as daemon:
        until("it to be kept", lambda: _plays(hasty_stage, {1: GOOD}) and phase_is(daemon, Phase.READY)())
        begin, began = hasty_stage.audit.position(), time.monotonic()

        def is_flapping() -> bool:
            is_well = int((time.monotonic() - began) // FLAP_S) % 2 == 0
            return _plays(hasty_stage, {1: GOOD, 2: GOOD if is_well else STALLED})

        settings = SETTINGS.replace("soak: 0s", "soak: 30s")
        hasty_stage.commit({"gitopsd.yaml": settings, "one.yaml": WIDGET % 2})
        until("the verdict", lambda: is_flapping() and phase_is(daemon, Phase.REVERTED)(), 60)
        record = shown(daemon).known

    assert [entry.outcome for entry in record.history] == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT]
    assert record.history[1].why.endswith("/one: no such size")
    assert record.history[1].seconds > GRACE_S
    assert written(hasty_stage, begin) == {"patch widgets/one": 2}


def test_h16_what_had_failed_before_the_commit_is_told_and_not_put_back_to_something_no_better(hasty_stage, widgets):
    hasty_stage.commit({"gitopsd.yaml": SETTINGS, "one.yaml": WIDGET % 1})
    with hasty_stage.daemon() as daemon:
        until("it to be kept", lambda: _plays(hasty_stage, {1: GOOD}) and phase_is(daemon, Phase.READY)())
        until("it to fail", lambda: _plays(hasty_stage, {1: STALLED}) and "OBJECT_FAILED" in _codes(daemon))
        begin = hasty_stage.audit.position()
        hasty_stage.commit({"one.yaml": WIDGET % 2})
        until("the verdict", lambda: _plays(hasty_stage, {2: STALLED}) and phase_is(daemon, Phase.FAILED)())
        fetches = len(hasty_stage.server.requests)
        until("more fetches", lambda: len(hasty_stage.server.requests) > fetches + 4)
        view = shown(daemon)

    assert (phase(view), problems(view)[0].code) == (Phase.FAILED, "ROLLOUT_FAILED")
    assert "no such size" in why(view)
    assert [entry.outcome for entry in view.known.history] == [Outcome.FAILED, Outcome.KEPT]
    assert view.known.held == {}
    assert written(hasty_stage, begin) == {"patch widgets/one": 1}


@pytest.mark.parametrize(
    ("behaviour", "reason", "words"),
    [
        ("crash", Reason.CRASH_LOOP, "keeps crashing after"),
        ("oom", Reason.CRASH_LOOP, "keeps running out of memory after"),
        ("missing", Reason.IMAGE_PULL, "image not found: rig.test/web:missing"),
        ("misconfigured", Reason.CREATE_CONTAINER_CONFIG, "not found"),
    ],
)
def test_h3_a_pod_that_cannot_come_up_fails_its_deployment_long_before_the_deadline(on_kwok, behaviour, reason, words):
    body = on_kwok.deployment(image=f"rig.test/web:{behaviour}", replicas=1)
    on_kwok.run(body)

    health = wait_for("it to fail", lambda: _of_status(on_kwok, body, FAILED), deadline_s=60)

    assert (health.reason, health.message[:9]) == (reason, "0/1 ready")
    assert words in health.message


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"])
def test_h3_a_pod_that_cannot_come_up_fails_what_it_belongs_to(on_kwok, kind):
    body = _of_kind(on_kwok, kind, "rig.test/web:missing")
    on_kwok.run(body)

    health = wait_for("it to fail", lambda: _of_status(on_kwok, body, FAILED), deadline_s=60)

    assert health.reason == Reason.IMAGE_PULL
    assert re.fullmatch(r"0/1 .*; one-\S+: image not found: rig.test/web:missing", health.message)


def test_h4_a_deployment_that_missed_its_own_deadline_has_failed(on_kwok):
    body = on_kwok.deployment(image="rig.test/web:never-ready", replicas=1, progressDeadlineSeconds=2)
    on_kwok.run(body)

    health = wait_for("it to fail", lambda: _of_status(on_kwok, body, FAILED), deadline_s=60)

    assert health.reason == Reason.DEADLINE
    assert "running but not ready" in health.message


def test_h5_a_job_that_may_not_try_again_has_failed(on_kwok):
    spec = {"restartPolicy": "Never", "containers": [{"name": "work", "image": "rig.test/web:crash"}]}
    body = on_kwok.named("batch/v1", "Job", "work") | {"spec": {"backoffLimit": 0, "template": {"spec": spec}}}
    on_kwok.run(body)

    health = wait_for("it to fail", lambda: _of_status(on_kwok, body, FAILED), deadline_s=60)

    assert health.reason == "BackoffLimitExceeded"
    assert health.message.startswith("0/1 done; ")


def test_h5_a_job_that_went_by_its_own_time_to_live_has_succeeded_and_is_not_made_again(hasty_stage):
    hasty_stage.commit({"gitopsd.yaml": SETTINGS, "migrate.yaml": JOB})
    begin = hasty_stage.audit.position()
    assert phase(hasty_stage.once()) is Phase.READY
    wait_for("the Job to go by itself", lambda: hasty_stage.get("jobs", "migrate") is None, deadline_s=60)

    view = hasty_stage.once()

    assert phase(view) is Phase.READY, why(view)
    assert hasty_stage.get("jobs", "migrate") is None
    assert written(hasty_stage, begin) == {"patch jobs/migrate": 1}


def test_h7_what_its_controller_has_not_observed_is_not_ready(on_kwok, widgets):
    body = _widget(on_kwok, {"size": 1})
    on_kwok.run(body)
    ready = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    _report(on_kwok, ready)
    assert _health(on_kwok, body).status is CURRENT

    changed = _widget(on_kwok, {"size": 2})
    on_kwok.run(changed)
    health = _health(on_kwok, changed)

    assert (health.status, health.reason) == (IN_PROGRESS, Reason.OBSERVING)
    _report(on_kwok, {**ready, "observedGeneration": 2})
    assert _health(on_kwok, changed).status is CURRENT


def test_h8_what_has_no_status_is_not_called_healthy_and_holds_nothing_back(on_kwok, widgets):
    """Most kinds that stay silent will do so for ever: to wait for them would put back every commit that has one."""
    body = _widget(on_kwok, {"size": 1})
    on_kwok.run(body)

    health = _health(on_kwok, body)

    assert (public_word(health.status), health.reason) == ("Progressing", Reason.NO_STATUS)
    assert is_good(health)
    _report(on_kwok, {"conditions": [{"type": "Ready", "status": "False", "reason": "Creating"}]})
    assert not is_good(_health(on_kwok, body))


def test_h9_no_replicas_are_as_wanted(on_kwok):
    body = on_kwok.deployment(image="rig.test/web:crash", replicas=0)
    on_kwok.run(body)

    health = wait_for("it to be current", lambda: _of_status(on_kwok, body, CURRENT))

    assert health.message == "0/0 ready"


def test_h9_a_paused_deployment_stands_still_and_holds_nothing_back(on_kwok):
    body = on_kwok.deployment(replicas=1, paused=True)
    on_kwok.run(body)

    health = wait_for("it to be paused", lambda: _of_status(on_kwok, body, HealthStatus.PAUSED))

    assert is_good(health)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_h9_a_set_that_is_updated_by_hand_is_not_waited_for(on_kwok, kind):
    body = _updated_by_hand(on_kwok, kind, "registry.example/app:1")
    on_kwok.run(body)
    wait_for("it to be current", lambda: _of_status(on_kwok, body, CURRENT))

    changed = _updated_by_hand(on_kwok, kind, "rig.test/web:crash")
    on_kwok.run(changed)

    health = wait_for("it to be observed", lambda: _of_status(on_kwok, changed, CURRENT))
    assert health.message.endswith("pods are updated when somebody deletes them")


def _health(world, body):
    return world.sight(body).live.health


def _of_status(world, body, status):
    found = world.observe(desired(body)).sights
    health = next(iter(found.values())).live.health
    return health if health.status is status else None


def _widget(world, spec):
    return world.named("health.example.com/v1", "Widget", "one") | {"spec": spec}


def _report(world, status):
    path = f"/apis/health.example.com/v1/namespaces/{world.namespace}/widgets/one/status"
    world.api.request("PATCH", path, {"status": status}, MERGE)


def _plays(stage, by_size) -> bool:
    """The widget's controller reports this condition, by the size that it is to have."""
    path = f"/apis/health.example.com/v1/namespaces/{stage.namespace}/widgets/one"
    live = stage.api.find(path)
    condition = live and by_size.get(live["spec"]["size"])
    if condition:
        status = {"observedGeneration": live["metadata"]["generation"], "conditions": [condition]}
        if live.get("status") != status:
            stage.api.request("PATCH", f"{path}/status", {"status": status}, MERGE)
    return True


def _codes(daemon) -> list[str]:
    view = shown(daemon)
    return [problem.code for problem in problems(view)] if view else []


def _updated_by_hand(world, kind, image):
    body = _of_kind(world, kind, image)
    return body | {"spec": body["spec"] | {"updateStrategy": {"type": "OnDelete"}}}


def _of_kind(world, kind, image):
    """The kind with one pod, however it wants that to be said."""
    labels, pod = {"app": "one"}, {"containers": [{"name": "app", "image": image}]}
    if kind == "Job":
        return world.named("batch/v1", kind, "one") | {
            "spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}
        }
    is_old = kind == "ReplicationController"
    selector = labels if is_old else {"matchLabels": labels}
    spec = {"selector": selector, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return world.named("v1" if is_old else "apps/v1", kind, "one") | {"spec": spec}

"""How workloads are, with their pods in view, on a cluster whose pods are played."""

from __future__ import annotations

import pytest

from gitopsd.core.model import HealthStatus
from rig.waiting import wait_for
from tests.cluster.adapter_world import desired, manifest, world

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


@pytest.fixture
def on_kwok(cluster, namespace):
    cluster.powers()
    with world(cluster.kubeconfig, namespace) as made:
        yield made


def start(world, body):
    wanted = desired(body)
    world.cluster.apply(world.environment, world.plan(wanted).changes)


def health(world, body):
    return world.sight(body).live.health


def test_a_workload_whose_pods_run_becomes_current(on_kwok):
    body = on_kwok.deployment(replicas=2)
    start(on_kwok, body)

    wait_for("it to be current", lambda: health(on_kwok, body).status is HealthStatus.CURRENT)


def test_a_workload_whose_pods_have_no_image_fails_and_says_so(on_kwok):
    body = on_kwok.deployment(image="rig.test/web:missing", replicas=1)
    start(on_kwok, body)
    failed = wait_for(
        "it to fail", lambda: found if (found := health(on_kwok, body)).status is HealthStatus.FAILED else None
    )

    assert failed.reason in ("ImagePullBackOff", "ErrImagePull")
    assert "0/1" in failed.message


def test_pods_are_read_only_for_workloads_that_are_not_well(on_kwok):
    body = on_kwok.deployment(replicas=1)
    start(on_kwok, body)
    on_kwok.run(body)
    wait_for("it to be current", lambda: health(on_kwok, body).status is HealthStatus.CURRENT)
    before = on_kwok.tally()
    on_kwok.observe(desired(body))

    reads_of_autoscalers_and_of_itself = 2
    assert (on_kwok.tally() - before).requests == reads_of_autoscalers_and_of_itself


def test_a_crash_of_the_pods_wakes_and_is_seen(on_kwok):
    on_kwok.cluster.start_watches(lambda name: on_kwok.woken.update([name]))
    body = on_kwok.deployment(image="rig.test/web:crash", replicas=1)
    start(on_kwok, body)

    def is_seen():
        found = health(on_kwok, body)
        on_kwok.woken.clear()
        wait_for("a wake", lambda: on_kwok.woken[on_kwok.environment.name] > 0)
        return found if found.status is HealthStatus.FAILED else None

    assert wait_for("it to fail", is_seen, deadline_s=60).reason == "CrashLoopBackOff"


def test_a_rollout_that_ends_costs_nothing_any_more(on_kwok):
    on_kwok.cluster.start_watches(lambda name: on_kwok.woken.update([name]))
    body = on_kwok.deployment(replicas=2)
    on_kwok.run(body)

    def is_free():
        before = on_kwok.tally()
        on_kwok.observe(desired(body))
        return (on_kwok.tally() - before).requests == 0

    wait_for("a look to be free", is_free)
    assert on_kwok.sight(body).live.health.status is HealthStatus.CURRENT
    assert manifest(body).ref in on_kwok.record.inventory

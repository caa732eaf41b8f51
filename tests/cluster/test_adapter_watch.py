"""With watches, what did not change costs nothing, and what changed wakes at once."""

from __future__ import annotations

import threading

import pytest

from gitopsd.core.model import Accepted
from rig.waiting import wait_for
from tests.cluster.adapter_world import desired

pytestmark = pytest.mark.cluster


@pytest.fixture(params=[False, True], ids=["in the whole cluster", "by namespace"])
def following(on_api, request):
    on_api.cluster.start_watches(lambda name: on_api.woken.update([name]), by_namespace=request.param)
    return on_api


def requests(world, *bodies):
    before = world.tally()
    world.observe(desired(*bodies))
    return (world.tally() - before).requests


def settle(world, *bodies):
    """Run until a look is free: then all watches are live and all is remembered."""
    world.run(*bodies)
    for body in bodies:
        if body["kind"] == "Deployment":
            well(world, body)
    wait_for("a look to be free", lambda: requests(world, *bodies) == 0)
    world.woken.clear()


def well(world, body, **status):
    """Say what the controller that is not there would say of a Deployment without replicas."""
    generation = world.live(body)["metadata"]["generation"]
    conditions = [{"type": "Available", "status": "True"}]
    conditions.append({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"})
    change = {"status": {"observedGeneration": generation, "conditions": conditions, **status}}
    path = f"{world.path(body)}/status?fieldManager=kube-controller-manager"
    world.api.request("PATCH", path, change, "application/merge-patch+json")


def woken(world):
    wait_for("a wake", lambda: world.woken[world.environment.name] > 0)
    world.woken.clear()


def test_a_quiet_pass_costs_no_request(following):
    bodies = [following.config_map(f"c{n}") for n in range(20)]
    settle(following, *bodies, following.deployment(replicas=0))

    assert requests(following, *bodies, following.deployment(replicas=0)) == 0


def test_what_no_controller_has_looked_at_yet_is_read_each_time_for_the_server_may_hang(following):
    body = following.deployment(replicas=0)
    settle(following, body)
    following.edit(body, {"spec": {"paused": True}})
    following.edit(body, {"spec": {"paused": None}})
    woken(following)
    requests(following, body)

    assert requests(following, body) > 0


def test_an_edit_wakes_and_is_seen(following):
    body = following.config_map(a="1")
    settle(following, body)
    following.edit(body, {"data": {"a": "9"}})
    woken(following)

    assert isinstance(following.sight(body).preview, Accepted)


def test_lines_that_begin_again_are_not_trusted_until_they_are_open_and_then_miss_nothing(following):
    body = following.config_map(a="1")
    settle(following, body)
    following.cluster.begin_again()
    assert requests(following, body) == 1
    following.edit(body, {"data": {"a": "9"}})
    woken(following)

    assert isinstance(following.sight(body).preview, Accepted)


def test_a_deletion_wakes_and_is_seen(following):
    body = following.config_map()
    settle(following, body)
    following.api.delete(following.path(body))
    woken(following)

    assert following.sight(body).live is None


def test_a_label_taken_away_wakes_and_is_seen(following):
    body = following.config_map()
    settle(following, body)
    following.edit(body, {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}})
    woken(following)

    assert following.sight(body).live.owner.startswith("nobody")


def test_a_repair_is_followed_by_quiet(following):
    body = following.config_map(a="1")
    settle(following, body)
    following.edit(body, {"data": {"a": "9"}})
    woken(following)
    settle(following, body)

    assert following.live(body)["data"] == {"a": "1"}


def test_a_status_that_changes_costs_one_read(following):
    body = following.deployment(replicas=0)
    settle(following, body)
    well(following, body, collisionCount=1)
    woken(following)

    assert requests(following, body) == 1


def test_an_autoscaler_that_appears_wakes(following):
    body = following.deployment(replicas=0)
    settle(following, body)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = following.named("autoscaling/v2", "HorizontalPodAutoscaler", "web") | {
        "spec": {"scaleTargetRef": target, "maxReplicas": 3}
    }
    following.api.create(following.path(autoscaler).rpartition("/")[0], autoscaler)
    woken(following)

    assert following.sight(body).omit == ("/spec/replicas",)


def test_a_pod_below_a_workload_that_is_not_well_wakes(following):
    body = following.deployment(replicas=1)
    following.run(body)
    pod = following.named("v1", "Pod", "one") | {"spec": {"containers": [{"name": "a", "image": "a"}]}}

    def stirred():
        following.api.delete(f"/api/v1/namespaces/{following.namespace}/pods/one")
        following.woken.clear()
        following.api.create(f"/api/v1/namespaces/{following.namespace}/pods", pod)
        return following.woken[following.environment.name] > 0

    wait_for("a pod to wake us", stirred)


@pytest.mark.rig_power  # elsewhere somebody may make its pods
def test_a_workload_that_is_not_well_is_read_each_time(following):
    body = following.deployment(replicas=1)
    following.run(body)
    settle(following, following.config_map())

    assert all(requests(following, body) > 0 for _ in range(20))


def test_a_leftover_that_stays_costs_no_request(following):
    body = following.config_map(metadata={"annotations": {"gitopsd.dev/prune": "never"}})
    settle(following, body)
    wait_for("the leftover to be free", lambda: requests(following) == 0)
    following.edit(body, {"metadata": {"annotations": {"gitopsd.dev/prune": None}}})
    woken(following)

    (left,) = following.observe(desired()).leftovers.values()
    assert left.protection == ""


def test_an_object_of_nobody_is_read_each_time(following):
    body = following.config_map()
    following.api.create(following.path(body).rpartition("/")[0], body)
    following.observe(desired(body))

    assert requests(following, body) > 0


def test_an_environment_that_is_forgotten_is_not_woken(following):
    body = following.config_map(a="1")
    settle(following, body)
    following.cluster.forget(following.environment.name)
    other = following.beside("other")
    extra = other.config_map("extra")
    other.run(extra)
    following.edit(body, {"data": {"a": "9"}})
    following.edit(extra, {"data": {"a": "9"}})
    wait_for("the other to wake", lambda: following.woken["other"] > 0)

    assert following.woken[following.environment.name] == 0


def test_the_end_leaves_no_thread(following):
    settle(following, following.config_map())
    following.cluster.stop()

    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("watch ")]
    assert names == []

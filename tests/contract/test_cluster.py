"""One contract, two clusters: the fake in memory, and the adapter on a real API server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import pytest

from gitopsd.adapters.cluster import KubernetesCluster, Transport, credentials
from gitopsd.core.errors import ClusterError
from gitopsd.core.model import (
    Accepted,
    Applied,
    Deferred,
    Environment,
    Inventory,
    Item,
    Live,
    ObjectRef,
    Refused,
    Stuck,
)
from gitopsd.core.plan import Action, Cause, Change, Prune
from gitopsd.ports import Cluster
from rig.api import Api
from tests.cluster.adapter_world import StillClock, desired, manifest
from tests.fakes.cluster import FakeCluster


class World(Protocol):
    cluster: Cluster
    namespace: str

    def edit(self, ref: ObjectRef) -> None: ...
    def make_by_hand(self, ref: ObjectRef) -> None: ...
    def delete(self, ref: ObjectRef) -> None: ...
    def lose(self) -> None: ...
    def make_stuck(self, name: str) -> Stuck: ...
    def bring_up(self, pod: Stuck) -> None: ...
    def change_owner(self, pod: Stuck) -> None: ...
    def make_newest(self, pod: Stuck) -> None: ...
    def delete_pod(self, pod: Stuck) -> None: ...
    def delete_owner(self, pod: Stuck) -> None: ...
    def has_pod(self, pod: Stuck) -> bool: ...


class FakeWorld:
    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.namespace = "shop"

    def edit(self, ref):
        self.cluster.edit(ref, by="hand")

    def make_by_hand(self, ref):
        self.cluster.put(ref, {"data": {"by": "hand"}})

    def delete(self, ref):
        del self.cluster.objects[ref]

    def lose(self):
        self.cluster.down = True

    def make_stuck(self, name):
        owner, pod = stuck_refs(self.namespace, name)
        self.cluster.put(owner, {})
        self.cluster.put(pod, {})
        self.cluster.held_up_by[owner] = pod
        return stuck(owner, self.cluster.objects[owner].uid, pod, self.cluster.objects[pod].uid)

    def bring_up(self, pod):
        del self.cluster.held_up_by[pod.owner]

    change_owner = make_newest = bring_up

    def delete_pod(self, pod):
        self.delete(pod.ref)

    def delete_owner(self, pod):
        self.delete(pod.owner)

    def has_pod(self, pod):
        return pod.ref in self.cluster.objects


class RealWorld:
    def __init__(self, kubeconfig, namespace) -> None:
        self.cluster = KubernetesCluster(Transport(credentials(str(kubeconfig))), StillClock())
        self.namespace = namespace
        self.api = Api.from_kubeconfig(kubeconfig)

    def path(self, ref):
        return f"/api/v1/namespaces/{ref.namespace}/configmaps/{ref.name}"

    def edit(self, ref):
        change = {"data": {"a": "by hand"}}
        self.api.request("PATCH", f"{self.path(ref)}?fieldManager=k9s", change, "application/merge-patch+json")

    def make_by_hand(self, ref):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ref.name}, "data": {"by": "hand"}}
        self.api.create(f"{self.path(ref).rpartition('/')[0]}?fieldManager=kubectl-create", body)

    def delete(self, ref):
        self.api.delete(self.path(ref))

    def lose(self):
        self.cluster.stop()

    def make_stuck(self, name):
        """A StatefulSet as its controller leaves it while it waits for its only pod, of a revision that was left."""
        owner, pod = stuck_refs(self.namespace, name)
        made = self.api.create(self._path_of(owner).rpartition("/")[0], stateful_set(name))["metadata"]
        self._say(owner, observedGeneration=1, replicas=1, currentRevision="first", updateRevision="first")
        below = self.api.create(self._path_of(pod).rpartition("/")[0], pod_of(made, "bad"))["metadata"]
        return stuck(owner, made["uid"], pod, below["uid"])

    def bring_up(self, pod):
        self._say(pod.ref, phase="Running", conditions=[{"type": "Ready", "status": "True"}])

    def change_owner(self, pod):
        self._merge(self._path_of(pod.owner), {"spec": {"template": {"metadata": {"annotations": {"by": "hand"}}}}})

    def make_newest(self, pod):
        self.change_owner(pod)
        self._say(pod.owner, observedGeneration=2, updateRevision="bad")

    def delete_pod(self, pod):
        self.api.delete(self._path_of(pod.ref), {"gracePeriodSeconds": 0})

    def delete_owner(self, pod):
        self.api.delete(self._path_of(pod.owner), {"propagationPolicy": "Orphan"})

    def has_pod(self, pod):
        return bool(self.api.find(self._path_of(pod.ref)))

    def _say(self, ref, **status):
        self._merge(f"{self._path_of(ref)}/status", {"status": status})

    def _merge(self, path, change):
        self.api.request("PATCH", path, change, "application/merge-patch+json")

    def _path_of(self, ref):
        root = f"/apis/{ref.group}/v1" if ref.group else "/api/v1"
        return f"{root}/namespaces/{ref.namespace}/{ref.kind.lower()}s/{ref.name}"


def stuck_refs(namespace, name):
    return ObjectRef("apps", "StatefulSet", namespace, name), ObjectRef("", "Pod", namespace, f"{name}-0")


def stuck(owner, owner_uid, pod, uid):
    """As it was seen some time ago."""
    return Stuck(ref=pod, uid=uid, resource_version="1", owner=owner, owner_uid=owner_uid)


def stateful_set(name):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "rig.test/none"}]}}
    spec = {"replicas": 1, "serviceName": name, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}


def pod_of(owner, revision):
    claim = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": owner["name"], "uid": owner["uid"]}
    labels = {"app": owner["name"], "controller-revision-hash": revision}
    spec = {"containers": [{"name": "app", "image": "rig.test/none"}], "automountServiceAccountToken": False}
    metadata = {"name": f"{owner['name']}-0", "labels": labels, "ownerReferences": [{**claim, "controller": True}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    kubeconfig = request.getfixturevalue("api_cluster").kubeconfig
    made = RealWorld(kubeconfig, request.getfixturevalue("api_namespace"))
    yield made
    made.cluster.stop()


@pytest.fixture
def staging() -> Environment:
    return Environment(name="staging", source="git", path="p", apply_set=f"applyset-{uuid.uuid4().hex}-v1")


def config_map(world, name="web", value="1"):
    metadata = {"name": name, "namespace": world.namespace}
    return manifest({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}})


def look(world, environment, *manifests, inventory: Inventory | None = None) -> Live:
    wanted = replace(desired(), manifests=manifests)
    return world.cluster.observe(environment, wanted, inventory or {}, None)


def change(one, sight, uid="") -> Change:
    action = Action.UPDATE if sight.live else Action.CREATE
    known = uid or (sight.live.uid if sight.live else "")
    return Change(action=action, cause=Cause.NEW, manifest=one, sight=sight, uid=known)


def write(world, environment, *manifests, inventory: Inventory | None = None) -> dict[ObjectRef, Item]:
    sights = look(world, environment, *manifests, inventory=inventory).sights
    answers = world.cluster.apply(environment, [change(one, sights[one.ref]) for one in manifests])
    assert not [answer.problem for answer in answers if answer.problem]
    digests = {one.ref: one.digest for one in manifests}
    return {
        answer.ref: Item(uid=answer.uid, digest=digests[answer.ref], fingerprint=answer.fingerprint)
        for answer in answers
    }


def test_served_kinds_have_a_scope_and_others_are_left_out(world):
    asked = [("v1", "ConfigMap"), ("v1", "Namespace"), ("nowhere.example.com/v1", "Gadget")]

    assert world.cluster.scopes(asked) == {("v1", "ConfigMap"): True, ("v1", "Namespace"): False}


def test_an_absent_object_would_be_created(world, staging):
    one = config_map(world)
    sight = look(world, staging, one).sights[one.ref]

    assert sight.live is None
    assert isinstance(sight.preview, Accepted)


def test_what_was_applied_needs_no_preview_and_is_ours(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    sight = look(world, staging, one, inventory=inventory).sights[one.ref]

    assert sight.preview is None
    assert (sight.live.uid, sight.live.owner) == (inventory[one.ref].uid, "")
    assert sight.live.fingerprint == inventory[one.ref].fingerprint


def test_a_changed_manifest_keeps_the_object(world, staging):
    inventory = write(world, staging, config_map(world))
    changed = config_map(world, value="2")
    sight = look(world, staging, changed, inventory=inventory).sights[changed.ref]

    assert isinstance(sight.preview, Accepted)
    assert write(world, staging, changed, inventory=inventory)[changed.ref].uid == inventory[changed.ref].uid


def test_a_hand_edit_is_seen_and_put_back(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    world.edit(one.ref)

    assert look(world, staging, one, inventory=inventory).sights[one.ref].preview
    inventory = write(world, staging, one, inventory=inventory)
    assert look(world, staging, one, inventory=inventory).sights[one.ref].preview is None


def test_an_update_never_recreates(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    sight = look(world, staging, one, inventory=inventory).sights[one.ref]
    world.delete(one.ref)
    (answer,) = world.cluster.apply(staging, [change(one, sight)])

    assert answer.problem
    assert answer.retry
    assert look(world, staging, one).sights[one.ref].live is None


def test_an_object_of_nobody_is_not_ours(world, staging):
    one = config_map(world)
    world.make_by_hand(one.ref)

    assert look(world, staging, one).sights[one.ref].live.owner == "nobody (made by kubectl-create)"


def test_an_object_of_another_environment_is_its(world, staging):
    one = config_map(world)
    production = replace(staging, name="production", apply_set="applyset-production-v1")
    write(world, production, one)

    assert look(world, staging, one).sights[one.ref].live.owner.startswith("environment ")


def test_a_kind_that_is_not_served_cannot_be_asked_for(world, staging):
    metadata = {"name": "one", "namespace": world.namespace}
    gadget = manifest({"apiVersion": "nowhere.example.com/v1", "kind": "Gadget", "metadata": metadata})
    sight = look(world, staging, gadget).sights[gadget.ref]

    assert sight.live is None
    assert isinstance(sight.preview, Deferred | Refused)


def test_what_git_has_no_more_is_a_leftover(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    leftovers = look(world, staging, inventory=inventory).leftovers

    assert leftovers[one.ref].uid == inventory[one.ref].uid
    assert (leftovers[one.ref].owner, leftovers[one.ref].protection) == ("", "")


@pytest.mark.parametrize("ours", [False, True], ids=["never ours", "ours before"])
def test_what_is_left_alone_is_not_looked_at_and_is_no_leftover(world, staging, ours):
    one = config_map(world)
    inventory = write(world, staging, one) if ours else {}
    metadata = {**one.body["metadata"], "annotations": {"gitopsd.dev/reconcile": "disabled"}}
    seen = look(world, staging, manifest({**one.body, "metadata": metadata}), inventory=inventory)

    assert (seen.sights, seen.leftovers) == ({}, {})


def test_a_leftover_that_is_gone_is_none(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    world.delete(one.ref)

    assert look(world, staging, inventory=inventory).leftovers == {one.ref: None}


def test_answers_come_in_the_order_of_the_changes(world, staging):
    ones = [config_map(world, f"c{n}") for n in (2, 0, 1)]
    sights = look(world, staging, *ones).sights
    answers = world.cluster.apply(staging, [change(one, sights[one.ref]) for one in ones])

    assert [answer.ref.name for answer in answers] == ["c2", "c0", "c1"]
    assert all(answer.uid and answer.fingerprint for answer in answers)


def test_a_pruned_object_is_gone(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    (answer,) = world.cluster.prune(staging, [Prune(one.ref, inventory[one.ref].uid)])

    assert answer == Applied(ref=one.ref, gone=True)
    assert look(world, staging, one).sights[one.ref].live is None


def test_a_pruned_object_that_was_gone_is_gone(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    world.delete(one.ref)
    (answer,) = world.cluster.prune(staging, [Prune(one.ref, inventory[one.ref].uid)])

    assert answer.gone


@pytest.mark.parametrize("uid", ["", "another"])
def test_another_object_of_the_name_is_not_pruned(world, staging, uid):
    one = config_map(world)
    write(world, staging, one)
    (answer,) = world.cluster.prune(staging, [Prune(one.ref, uid)])

    assert answer.problem
    assert not answer.gone
    assert look(world, staging, one).sights[one.ref].live


def test_an_object_of_another_environment_is_not_pruned(world, staging):
    one = config_map(world)
    production = replace(staging, name="production", apply_set="applyset-production-v1")
    inventory = write(world, production, one)
    (answer,) = world.cluster.prune(staging, [Prune(one.ref, inventory[one.ref].uid)])

    assert answer.problem
    assert look(world, production, one).sights[one.ref].live


def test_a_stuck_pod_goes_whatever_version_of_it_was_seen(world, staging):
    pod = world.make_stuck("db")
    (answer,) = world.cluster.unstick(staging, [pod])

    assert answer == Applied(ref=pod.ref)
    assert not world.has_pod(pod)


@pytest.mark.parametrize("seen", [{"uid": "another"}, {"owner_uid": "another"}])
def test_a_stuck_pod_that_is_not_the_one_that_was_seen_stays(world, staging, seen):
    pod = world.make_stuck("db")
    (answer,) = world.cluster.unstick(staging, [replace(pod, **seen)])

    assert answer == Applied(ref=pod.ref)
    assert world.has_pod(pod)


@pytest.mark.parametrize(
    "happen",
    [
        pytest.param(lambda world, pod: world.bring_up(pod), id="it is ready"),
        pytest.param(lambda world, pod: world.change_owner(pod), id="its owner was changed, and not yet looked at"),
        pytest.param(lambda world, pod: world.make_newest(pod), id="it is of the newest revision"),
        pytest.param(lambda world, pod: world.delete_owner(pod), id="its owner is gone"),
    ],
)
def test_a_pod_stays_that_is_no_longer_stuck(world, staging, happen):
    pod = world.make_stuck("db")
    happen(world, pod)
    (answer,) = world.cluster.unstick(staging, [pod])

    assert answer == Applied(ref=pod.ref)
    assert world.has_pod(pod)


def test_a_stuck_pod_that_is_gone_is_no_problem(world, staging):
    pod = world.make_stuck("db")
    world.delete_pod(pod)

    assert world.cluster.unstick(staging, [pod]) == (Applied(ref=pod.ref),)


def test_of_a_cluster_that_does_not_answer_no_pod_is_taken_for_well(world, staging):
    pod = world.make_stuck("db")
    world.lose()

    with pytest.raises(ClusterError):
        world.cluster.unstick(staging, [pod])


def test_a_cluster_that_does_not_answer_is_an_error(world, staging):
    one = config_map(world)
    inventory = write(world, staging, one)
    sight = look(world, staging, one, inventory=inventory).sights[one.ref]
    world.lose()

    with pytest.raises(ClusterError):
        look(world, staging, one, inventory=inventory)
    with pytest.raises(ClusterError):
        world.cluster.apply(staging, [change(one, sight)])
    with pytest.raises(ClusterError):
        world.cluster.prune(staging, [Prune(one.ref, inventory[one.ref].uid)])

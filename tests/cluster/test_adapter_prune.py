"""What is deleted on a real API server, and above all what is not."""

from __future__ import annotations

import pytest

from gitopsd.adapters.cluster import Transport, credentials
from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.adapters.cluster.discovery import Discovery, Resource
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.transport import Line
from gitopsd.core.answers import Meaning, meaning_of
from gitopsd.core.model import Item
from gitopsd.core.plan import Prune
from tests.cluster.adapter_world import manifest

pytestmark = pytest.mark.cluster


def code(answers):
    (answer,) = answers
    return answer.problem.code if answer.problem else ""


def test_an_object_of_ours_goes(on_api):
    body = on_api.config_map()
    on_api.run(body)
    (answer,) = on_api.prune(body)

    assert answer.gone
    assert on_api.api.find(on_api.path(body)) is None


def test_an_object_that_is_gone_already_is_gone(on_api):
    body = on_api.config_map()
    on_api.run(body)
    on_api.api.delete(on_api.path(body))
    (answer,) = on_api.prune(body)

    assert answer.gone


def test_an_object_whose_kind_is_gone_is_gone(on_api):
    ref = manifest(on_api.named("gone.example.com/v1", "Gadget", "one")).ref
    (answer,) = on_api.cluster.prune(on_api.environment, [Prune(ref, "u")])

    assert answer.gone


def test_an_object_that_was_made_anew_stays(on_api):
    body = on_api.config_map()
    on_api.run(body)
    on_api.api.delete(on_api.path(body))
    on_api.api.create(on_api.path(body).rpartition("/")[0], on_api.live_like(body))

    assert code(on_api.prune(body)) == "PRUNE_PROTECTED"
    assert on_api.live(body)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"applyset.kubernetes.io/part-of": None}},
        {"labels": {"applyset.kubernetes.io/part-of": "other"}},
        {"annotations": {"gitopsd.dev/prune": "never"}},
        {"annotations": {"helm.sh/resource-policy": "keep"}},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "1-1", "controller": True}]},
    ],
    ids=["without our label", "of another set", "prune: never", "Helm's keep", "of a controller"],
)
def test_an_object_stays(on_api, change):
    body = on_api.config_map()
    on_api.run(body)
    on_api.edit(body, {"metadata": change})

    assert code(on_api.prune(body)) == "PRUNE_PROTECTED"
    assert on_api.live(body)


def test_a_claim_without_an_opt_in_stays(on_api):
    claim = on_api.named("v1", "PersistentVolumeClaim", "db") | {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    }
    on_api.run(claim)

    assert code(on_api.prune(claim)) == "PRUNE_PROTECTED"


def test_an_object_held_by_a_finalizer_is_named_and_stays_in_the_inventory(on_api):
    body = on_api.config_map(metadata={"finalizers": ["example.com/stay"]})
    on_api.run(body)
    (answer,) = on_api.prune(body)
    on_api.edit(body, {"metadata": {"finalizers": None}})

    assert (answer.problem.code, answer.retry, answer.gone) == ("PRUNE_BLOCKED", True, False)
    assert "example.com/stay" in answer.problem.message
    assert manifest(body).ref in on_api.record.inventory


def test_one_that_stays_does_not_stop_the_others(on_api):
    first, second = on_api.config_map("a"), on_api.config_map("b")
    on_api.run(first, second)
    on_api.edit(first, {"metadata": {"annotations": {"gitopsd.dev/prune": "never"}}})
    answers = on_api.prune(first, second)

    assert [answer.gone for answer in answers] == [False, True]


def test_an_inventory_without_a_uid_deletes_nothing(on_api):
    body = on_api.config_map()
    on_api.run(body)
    on_api.record = on_api.record.learn({manifest(body).ref: Item()})

    assert code(on_api.prune(body)) == "PRUNE_PROTECTED"


def delete_as_read(world, body, read):
    """Delete what was read before."""
    transport = Transport(credentials(str(world.kubeconfig)))
    deleter = Deleter(Reader(Line(transport, world.environment), Discovery(transport)), lambda _: False)
    resource = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
    version = {"uid": read["metadata"]["uid"], "version": read["metadata"]["resourceVersion"]}
    answer = deleter.delete(resource, manifest(body).ref, **version)
    transport.close()
    return meaning_of(answer.status, answer.body)


def test_an_object_that_changed_after_it_was_read_is_not_deleted(on_api):
    body = on_api.config_map()
    on_api.run(body)
    read = on_api.live(body)
    on_api.edit(body, {"data": {"b": "2"}})

    assert delete_as_read(on_api, body, read) is Meaning.OBJECT_CHANGED
    assert on_api.live(body)


def test_an_object_that_was_made_anew_after_it_was_read_is_not_deleted(on_api):
    body = on_api.config_map()
    on_api.run(body)
    read = on_api.live(body)
    on_api.api.delete(on_api.path(body))
    on_api.api.create(on_api.path(body).rpartition("/")[0], body)

    assert delete_as_read(on_api, body, read).is_stale_look
    assert on_api.live(body)


@pytest.mark.rig_power
def test_each_delete_is_sent_once_with_preconditions_and_never_for_a_collection(on_api, api_audit):
    bodies = [on_api.config_map(f"c{n}") for n in range(12)]
    on_api.run(*bodies)
    begin = api_audit.position()
    on_api.prune(*bodies)

    writes = api_audit.writes(begin)
    assert {write.verb for write in writes} == {"delete"}
    assert set(writes.values()) == {1}
    assert len(writes) == 12

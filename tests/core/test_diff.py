"""What is sent, when an object is settled, and how a difference is shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gitopsd.core import diff
from gitopsd.core.model import Environment, Manifest
from tests import make

ENVIRONMENT = Environment(name="production/web", source="s", path="p", apply_set="applyset-x-v1")
LABELS = {"applyset.kubernetes.io/part-of": "applyset-x-v1", "gitopsd.dev/environment": "production--web"}

CONTAINERS = [{"name": "web", "image": "a:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]


def deployment(**spec: Any) -> Manifest:
    return make.manifest("Deployment", "web", spec)


def pod_body(image: str = "a:1", **metadata: Any) -> dict[str, Any]:
    containers = [{"name": "log", "image": "l"}, {"name": "web", "image": image}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **metadata},
        "spec": {"containers": containers},
    }


def secret_body(**values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": values}


class TestPayload:
    def test_it_carries_our_labels(self):
        assert diff.payload(deployment(), ENVIRONMENT)["metadata"]["labels"] == LABELS

    def test_it_keeps_the_manifests_labels(self):
        manifest = deployment()
        manifest.body["metadata"]["labels"] = {"app": "web"}

        assert diff.payload(manifest, ENVIRONMENT)["metadata"]["labels"] == {"app": "web", **LABELS}

    def test_it_has_the_uid_only_when_asked(self):
        assert "uid" not in diff.payload(deployment(), ENVIRONMENT)["metadata"]
        assert diff.payload(deployment(), ENVIRONMENT, uid="u1")["metadata"]["uid"] == "u1"

    def test_it_has_no_status_and_nothing_that_the_server_writes(self):
        manifest = deployment()
        manifest.body["status"] = {"replicas": 1}
        manifest.body["metadata"]["creationTimestamp"] = None
        sent = diff.payload(manifest, ENVIRONMENT)

        assert "status" not in sent
        assert "creationTimestamp" not in sent["metadata"]

    def test_omitted_fields_are_left_out(self):
        manifest = deployment(replicas=3, template={"containers": copy.deepcopy(CONTAINERS)})
        sent = diff.payload(manifest, ENVIRONMENT, ("/spec/replicas", "/spec/template/containers/0/image"))

        assert "replicas" not in sent["spec"]
        assert "image" not in sent["spec"]["template"]["containers"][0]

    def test_omitting_what_is_not_there_changes_nothing(self):
        sent = diff.payload(deployment(replicas=3), ENVIRONMENT, ("/spec/other/deeper", "/spec/replicas/0", "/x/9"))

        assert sent["spec"] == {"replicas": 3}

    def test_the_manifest_itself_is_never_changed(self):
        manifest = deployment(replicas=3, strategy={"type": "Recreate"})
        before = copy.deepcopy(manifest.body)
        diff.payload(manifest, ENVIRONMENT, ("/spec/replicas",), "u1")

        assert manifest.body == before


class TestBorrow:
    def test_a_field_to_be_given_up_is_sent_as_it_is(self):
        sent = diff.borrow({"spec": {"paused": True}}, {"spec": {"replicas": 5}}, ("/spec/replicas",))

        assert sent == {"spec": {"paused": True, "replicas": 5}}

    def test_a_field_of_a_list_entry_is_sent_as_it_is(self):
        sent = diff.borrow({"list": [{"name": "a"}]}, {"list": [{"name": "a", "x": 1}]}, ("/list/0/x",))

        assert sent == {"list": [{"name": "a", "x": 1}]}

    def test_a_field_that_is_not_there_is_not_sent(self):
        assert diff.borrow({"spec": {"replicas": 3}}, {"spec": {}}, ("/spec/replicas",)) == {"spec": {}}


class TestFingerprint:
    @pytest.mark.parametrize(
        "change",
        [
            {"resourceVersion": "9"},
            {"generation": 9},
            {"uid": "other"},
            {"managedFields": [{"manager": "x"}]},
            {"annotations": {"deployment.kubernetes.io/revision": "9"}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_the_server_alone_writes_does_not_count(self, change):
        assert diff.fingerprint(pod_body()) == diff.fingerprint(pod_body(**change))

    def test_status_does_not_count(self):
        assert diff.fingerprint(pod_body()) == diff.fingerprint({**pod_body(), "status": {"phase": "Running"}})

    def test_an_item_of_a_list_has_no_kind_and_the_same_fingerprint(self):
        item = {name: value for name, value in pod_body().items() if name not in ("apiVersion", "kind")}

        assert diff.fingerprint(item) == diff.fingerprint(pod_body())

    def test_the_order_of_keys_does_not_count(self):
        assert diff.fingerprint({"data": {"a": "1", "b": "2"}}) == diff.fingerprint({"data": {"b": "2", "a": "1"}})

    @pytest.mark.parametrize(
        "other",
        [pod_body("a:2"), pod_body(labels={"a": "b"}), pod_body(deletionTimestamp="now"), pod_body(finalizers=["a"])],
        ids=["a field", "a label", "a deletion", "a finalizer"],
    )
    def test_all_else_counts(self, other):
        assert diff.fingerprint(other) != diff.fingerprint(pod_body())


COVERED = {
    "the same": ({"a": 1}, {"a": 1}, True),
    "more than we send": ({"a": 1, "b": 2}, {"a": 1}, True),
    "less than we send": ({}, {"a": 1}, False),
    "another value": ({"a": 2}, {"a": 1}, False),
    "a list with entries filled in": ({"l": [{"n": 1, "d": 2}]}, {"l": [{"n": 1}]}, True),
    "a longer list": ({"l": [1, 2]}, {"l": [1]}, False),
    "another order": ({"l": [2, 1]}, {"l": [1, 2]}, False),
    "a null that stands for nothing": ({}, {"a": None}, True),
    "a null over something": ({"a": 1}, {"a": None}, False),
    "true is not one": ({"a": 1}, {"a": True}, False),
    "text is not a list": ({"a": "x"}, {"a": ["x"]}, False),
    "a quantity written otherwise has to be asked": ({"cpu": "500m"}, {"cpu": "0.5"}, False),
}


@pytest.mark.parametrize(("live", "sent", "covered"), COVERED.values(), ids=COVERED)
def test_live_covers_what_is_sent(live, sent, covered):
    assert diff.covers(live, sent) is covered


class TestExplain:
    def test_an_equal_object_has_no_difference(self):
        after = pod_body(resourceVersion="2", managedFields=[{}], generation=2)

        assert diff.explain(pod_body(resourceVersion="1"), after) == ()

    def test_a_list_entry_is_named_by_its_key(self):
        assert diff.explain(pod_body("a:1"), pod_body("a:2")) == (
            {"op": "replace", "path": "/spec/containers/web/image", "value": "a:2"},
        )

    def test_entries_that_only_changed_places_are_a_difference_too(self):
        after = pod_body()
        after["spec"]["containers"].reverse()

        assert diff.explain(pod_body(), after)

    def test_status_and_last_applied_are_noise(self):
        after = pod_body(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})

        assert diff.explain(pod_body(annotations={}), {**after, "status": {"a": 1}}) == ()

    def test_a_difference_is_bounded(self):
        before = {"kind": "ConfigMap", "data": {}}
        after = {"kind": "ConfigMap", "data": {f"k{n}": "v" for n in range(1_000)}}

        assert len(diff.explain(before, after)) == diff.PATCH_COUNT_MAX

    def test_of_a_secret_only_key_names_are_shown(self):
        before = secret_body(same="c2FtZQ", old="b2xk", changed="YQ")
        after = secret_body(same="c2FtZQ", new="bmV3", changed="Yg")
        shown = diff.explain(before, after)

        assert shown == (
            {"op": "replace", "path": "/data/changed", "value": "***"},
            {"op": "add", "path": "/data/new", "value": "***"},
            {"op": "remove", "path": "/data/old"},
        )
        assert not any(value in repr(shown) for value in ("YQ", "Yg", "bmV3", "b2xk"))

    def test_of_a_secret_no_annotation_is_shown_either(self):
        before, after = secret_body(), secret_body()
        after["metadata"] = {"name": "db", "annotations": {"a": "hunter2"}, "labels": {"b": "hunter2"}}

        assert "hunter2" not in repr(diff.explain(before, after))
        assert {entry["path"] for entry in diff.explain(before, after)} == {
            "/metadata/annotations/a",
            "/metadata/labels/b",
        }

    def test_the_servers_kind_decides_what_is_a_secret(self):
        after = {**secret_body(a="hunter2"), "kind": ""}

        assert "hunter2" not in repr(diff.explain(secret_body(), after))


def test_the_overlay_keeps_what_we_do_not_send():
    assert diff.overlay({"a": {"b": 1, "c": 2}, "l": [1, 2]}, {"a": {"b": 3}, "l": [4]}) == {
        "a": {"b": 3, "c": 2},
        "l": [4],
    }


class TestLastWriter:
    def test_the_newest_of_the_others_is_named(self):
        body = pod_body(
            managedFields=[
                {"manager": "kubectl-edit", "time": "2026-01-01T00:00:00Z"},
                {"manager": "gitopsd", "time": "2026-01-03T00:00:00Z"},
                {"manager": "operator", "time": "2026-01-02T00:00:00Z"},
                {"manager": "kubelet", "time": "2026-01-04T00:00:00Z", "subresource": "status"},
            ]
        )

        assert diff.last_writer(body) == "operator"

    def test_without_others_it_is_somebody(self):
        assert diff.last_writer(pod_body()) == "somebody"

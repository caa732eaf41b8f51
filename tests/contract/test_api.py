"""What the rooms with objects of their own rely on: the API server in memory answers as the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gitopsd.adapters.cluster import Transport, credentials
from gitopsd.ports import Answer, Api, Call
from tests.fakes.api import FakeApi

APPLYSET = {"applyset.kubernetes.io/id": "x"}


@dataclass
class Server:
    api: Api
    namespace: str

    def ask(self, method: str, kind: str, name: str = "", body: dict[str, Any] | None = None, **query: str) -> Answer:
        group = "/apis/coordination.k8s.io/v1" if kind == "leases" else "/api/v1"
        path = f"{group}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")
        sent = json.dumps(body).encode() if body is not None else None
        return self.api.call(Call(method=method, path=path, query=query, body=sent))

    def merge(self, name: str, patch: dict[str, Any]) -> Answer:
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"
        body, content_type = json.dumps(patch).encode(), "application/merge-patch+json"
        return self.api.call(Call(method="PATCH", path=path, body=body, content_type=content_type))

    def body(self, name: str, **more: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": APPLYSET}, **more}


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
def server(request) -> Iterator[Server]:
    if request.param == "fake":
        yield Server(FakeApi(), "gitopsd")
        return
    cluster = request.getfixturevalue("api_cluster")
    transport = Transport(credentials(str(cluster.kubeconfig)))
    yield Server(transport, request.getfixturevalue("api_namespace"))
    transport.close()


def _said(answer: Answer) -> tuple[int, str, str, str]:
    details = answer.body.get("details") or {}
    return answer.status, answer.body["reason"], details.get("kind", ""), details.get("name", "")


@pytest.mark.parametrize(
    ("method", "kind", "said"),
    [
        pytest.param("GET", "configmaps", (404, "NotFound", "configmaps", "a"), id="an absent object"),
        pytest.param("GET", "leases", (404, "NotFound", "leases", "a"), id="an absent lease"),
        pytest.param("DELETE", "secrets", (404, "NotFound", "secrets", "a"), id="deleting an absent object"),
        pytest.param("GET", "widgets", (404, "NotFound", "", ""), id="a kind that is not served"),
    ],
)
def test_what_is_not_there_is_named(server, method, kind, said):
    assert _said(server.ask(method, kind, "a")) == said


def test_replacing_an_absent_object_creates_none(server):
    body = server.body("a")
    body["metadata"]["resourceVersion"] = "12"

    assert _said(server.ask("PUT", "configmaps", "a", body)) == (404, "NotFound", "configmaps", "a")


def test_nothing_is_created_in_an_absent_namespace(server):
    server.namespace = "nowhere-at-all"

    assert _said(server.ask("POST", "configmaps", body=server.body("a"))) == (
        404,
        "NotFound",
        "namespaces",
        "nowhere-at-all",
    )
    assert _said(server.ask("GET", "configmaps", "a")) == (404, "NotFound", "configmaps", "a")


def test_an_object_is_created_once(server):
    created = server.ask("POST", "configmaps", body=server.body("a", data={"k": "v"}))
    again = server.ask("POST", "configmaps", body=server.body("a"))
    read = server.ask("GET", "configmaps", "a")

    assert (created.status, created.body["data"]) == (201, {"k": "v"})
    assert _said(again) == (409, "AlreadyExists", "configmaps", "a")
    assert read.body["metadata"]["resourceVersion"] == created.body["metadata"]["resourceVersion"]


def test_only_the_version_that_is_there_is_replaced(server):
    first = server.ask("POST", "configmaps", body=server.body("a")).body
    second = server.ask("PUT", "configmaps", "a", {**first, "data": {"k": "v"}})
    stale = server.ask("PUT", "configmaps", "a", {**first, "data": {"k": "w"}})

    assert second.status == 200
    assert second.body["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert _said(stale) == (409, "Conflict", "configmaps", "a")
    assert server.ask("GET", "configmaps", "a").body["data"] == {"k": "v"}


def test_replacing_with_the_same_changes_no_version(server):
    first = server.ask("POST", "configmaps", body=server.body("a", data={"k": "v"})).body

    assert server.ask("PUT", "configmaps", "a", first).body["metadata"] == first["metadata"]


def test_a_merge_changes_what_it_names_in_the_version_that_is_there(server):
    first = server.ask("POST", "configmaps", body=server.body("a", data={"k": "v"}, binaryData={"b": "AQI="})).body
    version = first["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version, "annotations": {"n": "x"}}, "data": {"k": "w"}}
    second = server.merge("a", patch)
    stale = server.merge("a", patch)

    assert second.status == 200
    assert (second.body["data"], second.body["binaryData"]) == ({"k": "w"}, {"b": "AQI="})
    assert (second.body["metadata"]["labels"], second.body["metadata"]["annotations"]) == (APPLYSET, {"n": "x"})
    assert _said(stale) == (409, "Conflict", "configmaps", "a")
    assert server.merge("b", patch).status == 404


def test_only_what_was_read_is_deleted(server):
    live = server.ask("POST", "configmaps", body=server.body("a")).body["metadata"]
    other_uid = {"uid": "00000000-0000-0000-0000-000000000000"}

    assert _said(server.ask("DELETE", "configmaps", "a", {"preconditions": other_uid}))[:2] == (409, "Conflict")
    old = {"uid": live["uid"], "resourceVersion": "1"}
    assert _said(server.ask("DELETE", "configmaps", "a", {"preconditions": old}))[:2] == (409, "Conflict")
    same = {"uid": live["uid"], "resourceVersion": live["resourceVersion"]}
    assert server.ask("DELETE", "configmaps", "a", {"preconditions": same}).status == 200
    assert server.ask("GET", "configmaps", "a").status == 404


def test_a_list_has_what_carries_all_labels(server):
    server.ask("POST", "secrets", body={**server.body("a"), "kind": "Secret", "type": "gitopsd.dev/snapshot"})
    server.ask("POST", "secrets", body={**server.body("b"), "kind": "Secret", "metadata": {"name": "b"}})

    listed = server.ask("GET", "secrets", labelSelector="applyset.kubernetes.io/id=x").body
    none = server.ask("GET", "secrets", labelSelector="applyset.kubernetes.io/id=x,other=y").body

    assert (listed["kind"], [item["metadata"]["name"] for item in listed["items"]]) == ("SecretList", ["a"])
    assert none["items"] == []


def test_the_type_of_a_secret_never_changes(server):
    live = server.ask("POST", "secrets", body={**server.body("a"), "kind": "Secret", "type": "Opaque"}).body

    assert server.ask("PUT", "secrets", "a", {**live, "type": "gitopsd.dev/snapshot"}).status == 422


def _lease(holder: str, **metadata: str) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-01-01T12:00:00.000000Z"}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a", **metadata},
        "spec": spec,
    }


def test_a_lease_is_taken_by_one(server):
    first = server.ask("POST", "leases", body=_lease("one")).body
    version = first["metadata"]["resourceVersion"]
    second = server.ask("PUT", "leases", "a", _lease("two", resourceVersion=version))
    third = server.ask("PUT", "leases", "a", _lease("three", resourceVersion=version))

    assert second.body["spec"] == _lease("two")["spec"]
    assert _said(third)[:2] == (409, "Conflict")


def test_a_lease_that_was_deleted_is_not_renewed_into_being(server):
    first = server.ask("POST", "leases", body=_lease("one")).body["metadata"]
    server.ask("DELETE", "leases", "a", {})
    again = server.ask("PUT", "leases", "a", _lease("one", resourceVersion=first["resourceVersion"], uid=first["uid"]))

    assert again.status in (404, 409)
    assert server.ask("GET", "leases", "a").status == 404

"""What is served: complete, or unsure by group; never "not served" because nobody answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from gitopsd.adapters.cluster.discovery import Discovery, Resource
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.model import Json, ObjectRef
from gitopsd.ports import Answer, Call


@dataclass
class FakeRoad:
    """Answers by path; a path that is missing is unreachable."""

    bodies: dict[str, Json]
    asked: list[str] = field(default_factory=list)

    def send(self, call: Call, *, accept: str = "", **_: object) -> Answer:
        self.asked.append(call.path)
        if call.path not in self.bodies:
            raise ClusterError(Problem(code="CLUSTER_UNREACHABLE", stage=Stage.PLAN, message="no answer"))
        return Answer(200, json.loads(json.dumps(self.bodies[call.path])))


def served(kind: str, plural: str, scope: str = "Namespaced") -> Mapping[str, Json]:
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["get", "list", "watch"]}


def group(name: str, *versions: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"metadata": {"name": name} if name else {}, "versions": list(versions)}


def version(name: str, *resources: Mapping[str, Json], freshness: str = "Current") -> Mapping[str, Json]:
    return {"version": name, "freshness": freshness, "resources": list(resources)}


def aggregated(*groups: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"kind": "APIGroupDiscoveryList", "items": list(groups)}


CORE = aggregated(group("", version("v1", served("ConfigMap", "configmaps"), served("Node", "nodes", "Cluster"))))
OTHERS = aggregated(
    group("apps", version("v1", served("Deployment", "deployments"))),
    group("autoscaling", version("v2", served("Scaler", "scalers")), version("v1", served("Scaler", "scalers"))),
    group("metrics.k8s.io", version("v1", freshness="Stale")),
)
PLAIN = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {
        "resources": [
            {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["list", "watch"]},
            {"name": "configmaps/status", "kind": "ConfigMap", "namespaced": True, "verbs": ["get"]},
        ]
    },
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            },
            {"name": "down", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}},
        ],
    },
    "/apis/apps/v1": {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": []}]},
    "/apis/apps/v1beta1": {
        "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": []}]
    },
}


@pytest.fixture
def road():
    return FakeRoad({"/api": CORE, "/apis": OTHERS})


def test_a_core_kind_is_found(road):
    found = Discovery(road).find("v1", "ConfigMap")

    assert found.path(ObjectRef("", "ConfigMap", "shop", "a:b")) == "/api/v1/namespaces/shop/configmaps/a%3Ab"


def test_a_cluster_scoped_kind_is_found(road):
    found = Discovery(road).find("v1", "Node")

    assert (found.namespaced, found.path(ObjectRef("", "Node", "", "n"))) == (False, "/api/v1/nodes/n")


def test_everything_is_asked_once(road):
    discovery = Discovery(road)
    for _ in range(5):
        discovery.find("v1", "ConfigMap")
        discovery.find("apps/v1", "Deployment")

    assert road.asked == ["/api", "/apis"]


def test_a_kind_that_is_not_served_is_not_asked_for_again_and_again(road):
    discovery = Discovery(road)
    for _ in range(5):
        assert discovery.find("nowhere/v1", "Gadget") is None

    assert road.asked == ["/api", "/apis"]


def test_a_kind_that_may_appear_at_any_moment_is(road):
    discovery = Discovery(road)
    assert discovery.find("example.com/v1", "Widget", expected=True) is None
    road.bodies["/apis"] = aggregated(group("example.com", version("v1", served("Widget", "widgets"))))

    assert discovery.find("example.com/v1", "Widget", expected=True)


def test_after_it_expired_it_is_asked_again(road):
    discovery = Discovery(road)
    assert discovery.find("example.com/v1", "Widget") is None
    road.bodies["/apis"] = aggregated(group("example.com", version("v1", served("Widget", "widgets"))))
    discovery.expire()

    assert discovery.find("example.com/v1", "Widget")


def test_a_version_that_is_not_served_is_none_and_the_served_ones_are_known(road):
    discovery = Discovery(road)

    assert discovery.find("autoscaling/v2beta1", "Scaler") is None
    assert discovery.versions("autoscaling", "Scaler") == ("autoscaling/v2", "autoscaling/v1")


def test_the_servers_first_version_is_the_preferred_one(road):
    assert Discovery(road).serving("autoscaling", "Scaler").version == "v2"


def test_a_stale_group_is_unsure_and_only_it(road):
    discovery = Discovery(road)
    with pytest.raises(ClusterError) as unsure:
        discovery.serving("metrics.k8s.io", "PodMetrics")

    assert unsure.value.problem.code == "DISCOVERY_INCOMPLETE"
    assert discovery.serving("apps", "Deployment")
    assert discovery.serving("nowhere", "Gadget") is None


def test_a_server_that_does_not_answer_is_an_error(road):
    del road.bodies["/apis"]

    with pytest.raises(ClusterError):
        Discovery(road).find("apps/v1", "Deployment")


class TestPlainServers:
    @pytest.fixture
    def discovery(self):
        return Discovery(FakeRoad(dict(PLAIN)))

    def test_kinds_are_found(self, discovery):
        assert discovery.find("v1", "ConfigMap") == Resource(
            group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True
        )

    def test_the_preferred_version_comes_first(self, discovery):
        discovery.find("apps/v1", "Deployment")

        assert discovery.versions("apps", "Deployment") == ("apps/v1", "apps/v1beta1")

    def test_a_group_that_does_not_answer_is_unsure(self, discovery):
        with pytest.raises(ClusterError):
            discovery.serving("down", "Thing")

        assert discovery.serving("nowhere", "Thing") is None

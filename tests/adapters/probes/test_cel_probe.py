"""An expression is held against live objects of the environment's own set."""

from __future__ import annotations

from typing import Any

import pytest

from gitopsd.adapters.probes.cel_probe import CelAsker
from gitopsd.core.model import Desired, Manifest, ObjectRef, Origin
from gitopsd.core.probes import CelProbe, Pace, ProbeState
from gitopsd.core.settings import Settings
from tests.adapters.cluster.scripted_server import ScriptedServer, answer
from tests.adapters.probes.shop import REVISION, Shop

pytestmark = pytest.mark.cluster

PENDING, PASS, FAIL, UNKNOWN = ProbeState.PENDING, ProbeState.PASS, ProbeState.FAIL, ProbeState.UNKNOWN


def cel(expression: str, kind: str = "ConfigMap", **more: Any) -> CelProbe:
    return CelProbe(name="cel", kind=kind, expression=expression, pace=Pace(failures=1, interval_s=1.0), **more)


def config_map(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


@pytest.fixture
def stocked(at_shop: Shop) -> Shop:
    """A shop with two ConfigMaps in its set, both on the cluster, and one that is not the environment's."""
    collection = f"/api/v1/namespaces/{at_shop.namespace}/configmaps"
    for name, value in (("a", "1"), ("b", "2")):
        at_shop.has(config_map(name, v=value))
        at_shop.api.create(collection, config_map(name, v=value))
    at_shop.api.create(collection, config_map("strange", v="9"))
    return at_shop


@pytest.mark.parametrize(
    ("probe", "state", "message"),
    [
        pytest.param(cel("object.data.v in ['1', '2']"), PASS, "true of 2 objects", id="true of all"),
        pytest.param(cel("object.data.v == '1'"), FAIL, "{b}: object.data.v == '1' is false", id="false of one"),
        pytest.param(
            cel("object.data.v == '1'", object_name="a"), PASS, "{a}: object.data.v == '1' is true", id="of one"
        ),
        pytest.param(cel("object.data.v == '1'", api_version="v1", object_name="a"), PASS, "", id="and of its version"),
        pytest.param(cel("object.status.ready"), PENDING, "cannot be told yet", id="a field that is not there"),
        pytest.param(cel("object.data.v"), UNKNOWN, "must give true or false", id="it says neither"),
        pytest.param(cel("true", object_name="strange"), PENDING, "has no ConfigMap strange", id="one of others"),
        pytest.param(cel("true", kind="Certificate"), PENDING, "has no Certificate", id="a kind without objects"),
    ],
)
def test_what_is_found(stocked: Shop, probe, state, message):
    found = stocked.find(probe)
    told = {name: f"ConfigMap {stocked.namespace}/{name}" for name in "ab"}

    assert found.state is state
    assert message.format(**told) in found.message


def test_an_object_that_is_still_to_come_is_pending(at_shop: Shop):
    at_shop.has(config_map("late"))
    found = at_shop.find(cel("true"))

    assert (found.state, "does not exist yet" in found.message) == (PENDING, True)


def test_a_kind_that_is_still_to_come_is_pending(at_shop: Shop):
    at_shop.has({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}})
    found = at_shop.find(cel("true", kind="Widget"))

    assert (found.state, found.message) == (PENDING, "example.org/v1 Widget is not served yet")


@pytest.mark.parametrize(("observed", "state"), [(1, PENDING), (2, PASS)])
def test_what_its_controller_has_not_looked_at_yet_is_pending(observed, state):
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 2}}
    kinds = {"kind": "APIResourceList", "resources": [{"name": "deployments", "kind": "Deployment"}]}
    live = {**body, "status": {"observedGeneration": observed}}
    ref = ObjectRef("apps", "Deployment", "shop", "web")
    manifest = Manifest(ref=ref, api_version="apps/v1", body=body, digest="d", origin=Origin("web.yaml"))
    wanted = Desired(revision=REVISION, digest="d", manifests=(manifest,), settings=Settings())
    with ScriptedServer([answer(200, kinds), answer(200, live)]) as server:
        asker = CelAsker(server.transport())
        found = asker.ask(wanted, cel("object.status.observedGeneration >= 1", kind="Deployment"))

    assert found.state is state
    assert server.lines()[1] == "GET /apis/apps/v1/namespaces/shop/deployments/web"

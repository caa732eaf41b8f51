"""Rows H10 to H14 of the catalogue: what is not the application's fault, and what a hostile one may try."""

from __future__ import annotations

import time

import pytest

from gitopsd.core.probes import ProbeState
from rig.api import ApiError
from tests.adapters.probes.servers import Endless, drip, free_port, hang_up, mute, nobody_home, server, status
from tests.adapters.probes.shop import Shop, web

pytestmark = pytest.mark.cluster

PENDING, PASS, FAIL, UNKNOWN = ProbeState.PENDING, ProbeState.PASS, ProbeState.FAIL, ProbeState.UNKNOWN
HTTP_200 = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b"x" * 400


def test_h10_no_ready_endpoint_is_no_failure_of_the_application(at_shop: Shop, address):
    missing = at_shop.find(web())
    at_shop.web_on((address, 8080), ready=False)
    unready = at_shop.find(web())

    assert (missing.state, unready.state) == (PENDING, PENDING)
    assert missing.message == f"there is no Service {at_shop.namespace}/web yet"
    assert unready.message == f"Service {at_shop.namespace}/web has no ready endpoint"


def test_h10_no_way_to_the_pod_is_no_failure_of_the_application(at_shop: Shop, address):
    with nobody_home(address) as port:
        at_shop.web_on((address, port))
        found = at_shop.find(web())

    assert found.state is UNKNOWN
    assert "no connection within 0.5 s; a NetworkPolicy may stand between" in found.message


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(mute, id="it never answers"),
        pytest.param(drip(HTTP_200), id="it drips"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 400, 0.01), id="its body drips"),
    ],
)
def test_h11_slow_is_failed_at_the_total_deadline(at_shop: Shop, address, answer):
    with server(answer, address) as there:
        at_shop.web_on((address, there.port))
        began = time.monotonic()
        found = at_shop.find(web())

    assert (found.state, found.failed) == (FAIL, True)
    assert found.message == "GET web:80/healthz on web-0: no whole answer within 0.5 s"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("code", "expect", "state"),
    [
        (200, (200,), PASS),
        (204, (200,), FAIL),
        (204, (200, 204), PASS),
        (301, (200,), FAIL),
        (301, (301,), PASS),
        (304, (200,), FAIL),
        (401, (200,), FAIL),
        (401, (401,), PASS),
        (503, (200,), FAIL),
    ],
)
def test_h12_a_status_is_what_it_says_and_is_expected_or_not(at_shop: Shop, address, code, expect, state):
    with server(status(code, body=b""), address) as there:
        at_shop.web_on((address, there.port))
        found = at_shop.find(web(expect=expect))

    assert found.state is state
    assert found.message.startswith(f"GET web:80/healthz on web-0: {code}")


def test_h12_a_redirect_leads_nowhere(at_shop: Shop, address):
    with server(status(200), "127.0.0.1") as inside, server(status(302, f"Location: {inside.url}/"), address) as there:
        at_shop.web_on((address, there.port))
        found = at_shop.find(web())

    assert (found.state, inside.asked) == (FAIL, [])
    assert found.message == "GET web:80/healthz on web-0: 302, expected 200"


def test_h13_no_more_than_64_kib_of_an_endless_body_are_read(at_shop: Shop, address):
    endless = Endless()
    with server(endless, address) as there:
        at_shop.web_on((address, there.port))
        found = at_shop.find(web())

    assert found.state is PASS
    assert endless.sent < 16 * 1024 * 1024


@pytest.mark.parametrize("where", ["169.254.169.254", "127.0.0.1"])
def test_h14_the_api_server_lets_no_service_lead_to_metadata_or_to_us(at_shop: Shop, where):
    """If it ever does, tests/adapters/probes/test_addresses.py shows that we do not."""
    at_shop.service()

    with pytest.raises(ApiError, match="may not be in the"):
        at_shop.slice([at_shop.endpoint("web-0", where)], 80)


def test_h14_no_service_leads_to_the_api_server(at_shop: Shop):
    kubernetes = at_shop.api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]["clusterIP"]
    at_shop.service()
    at_shop.slice([at_shop.endpoint("web-0", kubernetes)], 443)
    found = at_shop.find(web())

    assert found.state is UNKNOWN
    assert found.message == f"nobody was asked: web-0 has the address {kubernetes}, which is the API server's"


def test_h14_an_endpoint_that_is_no_pods_is_not_asked(at_shop: Shop, address):
    with server(status(200), address) as there:
        at_shop.service()
        uid = at_shop.pod("web-0", "203.0.113.9")
        at_shop.slice([at_shop.endpoint("web-0", address, uid=uid)], there.port)
        found = at_shop.find(web())

    assert (found.state, there.asked) == (UNKNOWN, [])
    assert (
        found.message
        == f"nobody was asked: the endpoint {address} is no running pod's of {at_shop.namespace}; only pods are asked"
    )


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_h14_a_pod_that_has_ended_is_not_asked_for_its_address_is_anybodys(at_shop: Shop, address, phase):
    with server(status(200), address) as there:
        at_shop.web_on((address, there.port))
        at_shop.set_status("/api/v1", "pods", "web-0", {"phase": phase})
        found = at_shop.find(web())

    assert (found.state, there.asked) == (UNKNOWN, [])
    assert "is no running pod's" in found.message


def test_h14_a_service_that_leads_out_of_the_cluster_is_not_followed(at_shop: Shop):
    at_shop.service(type="ExternalName", externalName="metadata.google.internal")
    found = at_shop.find(web())

    assert found.state is UNKNOWN
    assert "leads out of the cluster" in found.message


def test_h14_another_environments_namespace_is_not_asked(at_shop: Shop):
    found = at_shop.find(web(namespace="kube-system"))

    assert found.state is UNKNOWN
    assert "kube-system is none of this environment's" in found.message


def test_refused_and_cut_off_are_failures(at_shop: Shop, address):
    with server(hang_up, address) as there:
        at_shop.web_on((address, there.port))
        cut = at_shop.find(web())
    refused = at_shop.find(web())

    assert (cut.state, refused.state) == (FAIL, FAIL)
    assert "closed" in cut.message
    assert refused.message == "GET web:80/healthz on web-0: connection refused"


def test_every_ready_pod_is_asked_and_the_worst_is_told(at_shop: Shop, address):
    with server(status(200), address) as well, server(status(503), address) as ill:
        at_shop.web_on((address, well.port), (address, ill.port), (address, well.port))
        found = at_shop.find(web())

    assert found.message == "GET web:80/healthz on web-1: 503, expected 200"
    assert [len(well.asked), len(ill.asked)] == [2, 1]
    assert well.asked[0].headers["host"] == f"web.{at_shop.namespace}.svc"


def test_all_well_is_said_once(at_shop: Shop, address):
    with server(status(200), address) as there:
        at_shop.web_on(*[(address, there.port)] * 3)
        found = at_shop.find(web())

    assert (found.state, found.message) == (PASS, "GET web:80/healthz on 3 pods: 200")


def test_no_more_than_eight_pods_are_asked(at_shop: Shop, address):
    with server(status(200), address) as there:
        at_shop.web_on(*[(address, there.port)] * 10)
        found = at_shop.find(web())

    assert found.message == "GET web:80/healthz on 8 pods: 200"
    assert len(there.asked) == 8


def test_a_port_may_have_a_name(at_shop: Shop, address):
    with server(status(200), address) as there:
        at_shop.service(ports=[{"name": "admin", "port": 81}, {"name": "http", "port": 80, "targetPort": "web"}])
        uid = at_shop.pod("web-0", address)
        endpoint = at_shop.endpoint("web-0", address, uid=uid)
        at_shop.slice([endpoint], free_port(address), port_name="admin")
        at_shop.slice([endpoint], there.port, port_name="http")
        by_name, by_number = at_shop.find(web(port="http")), at_shop.find(web(port="80"))
        other, none = at_shop.find(web(port="admin")), at_shop.find(web(port="metrics"))

    assert [by_name.state, by_number.state, other.state, none.state] == [PASS, PASS, FAIL, PENDING]
    assert none.message == f"Service {at_shop.namespace}/web has no port metrics; it has admin, http"

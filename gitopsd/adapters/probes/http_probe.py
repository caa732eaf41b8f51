"""Asks every ready pod behind a Service, as the kubelet would, and tells the worst.

What a pod says, or refuses to say, is its health. That there is no way to it is not: something may stand between.
"""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gitopsd.adapters.probes.endpoints import Endpoint, Endpoints, NotAllowed, NotYet
from gitopsd.adapters.probes.exchange import Broken, Get, NoWay, Refused, get
from gitopsd.adapters.probes.finding import Finding, failed, passed, pending, unknown, worst
from gitopsd.core.model import Environment
from gitopsd.core.probes import HttpProbe, ProbeState

BODY_BYTES_MAX = 64 * 1024

_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class HttpAsker:
    """``lanes`` are the threads in which pods are asked side by side."""

    endpoints: Endpoints
    lanes: ThreadPoolExecutor

    def ask(self, environment: Environment, probe: HttpProbe, namespace: str) -> Finding:
        """Ask all, and return the worst.

        Raises:
            ClusterError: the API server could not say whom to ask.
        """
        if not namespace:
            return unknown("it says no namespace, and nothing else does; write it into the probe")
        if not environment.allows(namespace):
            return unknown(f"the namespace {namespace} is none of this environment's; nobody was asked")
        try:
            ready = self.endpoints.ready(probe, namespace)
        except NotYet as missing:
            return pending(str(missing))
        except NotAllowed as forbidden:
            return unknown(f"nobody was asked: {forbidden}")
        found = worst(self.lanes.map(lambda endpoint: _ask_one(probe, namespace, endpoint), ready))
        return found if len(ready) == 1 or found.state is not ProbeState.PASS else _all_passed(probe, len(ready), found)


def _ask_one(probe: HttpProbe, namespace: str, endpoint: Endpoint) -> Finding:
    question = f"GET {probe.service}:{probe.port}{probe.path} on {endpoint.pod}"
    try:
        got = get(_request(probe, namespace, endpoint))
    except NoWay as nothing:
        return unknown(f"{question}: {nothing}; a NetworkPolicy may stand between gitopsd and the pod")
    except (Refused, Broken) as broken:
        return failed(f"{question}: {broken}")
    told = f"{question}: {got.status}"
    return passed(told) if got.status in probe.expect else failed(f"{told}, expected {_expected(probe)}")


def _request(probe: HttpProbe, namespace: str, endpoint: Endpoint) -> Get:
    scheme = "https" if probe.tls else "http"
    port = "" if probe.port == _DEFAULT_PORTS[scheme] or not probe.port.isdecimal() else f":{probe.port}"
    return Get(
        host=endpoint.address,
        port=endpoint.port,
        target=probe.path,
        headers={"Host": f"{probe.service}.{namespace}.svc{port}"},
        tls=_unverified() if probe.tls else None,
        timeout_s=probe.pace.timeout_s,
        body_bytes_max=BODY_BYTES_MAX,
    )


def _unverified() -> ssl.SSLContext:
    """A pod's certificate is its Service's, if anybody's: the kubelet's probes do not check it either."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def _expected(probe: HttpProbe) -> str:
    return " or ".join(str(status) for status in probe.expect)


def _all_passed(probe: HttpProbe, count: int, one: Finding) -> Finding:
    status = one.message.rpartition(": ")[2]
    return passed(f"GET {probe.service}:{probe.port}{probe.path} on {count} pods: {status}")

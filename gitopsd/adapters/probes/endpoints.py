"""From a Service to the pods behind it that are ready, each with the address at which the kubelet says it lives.

An EndpointSlice can be written by hand, a pod's status cannot: an endpoint that is no pod's is not asked. A pod that
has ended has given its address away, to a pod of anybody's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gitopsd.adapters.probes import objects
from gitopsd.adapters.probes.addresses import refusal
from gitopsd.core.fields import parts, read, text, text_of, whole
from gitopsd.core.model import Body
from gitopsd.core.probes import HttpProbe
from gitopsd.ports import Api

ENDPOINTS_MAX = 8
API_SERVER_AGE_S_MAX = 60.0
KNOWN_PODS_MAX = 10_000
KNOWN_POD_AGE_S_MAX = 20.0

_SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One pod that is ready to be asked."""

    pod: str
    address: str
    port: int


class NotYet(Exception):
    """There is nobody to ask yet; the message says what is missing."""


class NotAllowed(Exception):
    """What the Service leads to must not be asked; the message says why."""


@dataclass(eq=False)
class Endpoints:
    """Looks Services up. What the kubelet said of a pod's address holds for a while, and not after the pod's end."""

    api: Api = field(repr=False)
    _known_pods: dict[tuple[str, str], float] = field(default_factory=dict)
    _api_server: tuple[str, ...] = ()
    _api_server_read_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ready(self, probe: HttpProbe, namespace: str) -> tuple[Endpoint, ...]:
        """Return the ready endpoints of the probe's Service and port, the first so many by name.

        Raises:
            NotYet, NotAllowed: there is none, or none that may be asked.
            ClusterError: the API server could not say.
        """
        service = objects.services(self.api).find(namespace, probe.service)
        if service is None:
            raise NotYet(f"there is no Service {namespace}/{probe.service} yet")
        if text(service, "spec.type") == "ExternalName":
            raise NotAllowed(f"Service {namespace}/{probe.service} leads out of the cluster, where nothing is asked")
        port_name = _port_name(service, probe, namespace)
        found = objects.slices(self.api).labelled(namespace, f"{_SERVICE_NAME}={probe.service}")
        ready = _in_order(found, port_name, next(iter(_texts(service, "spec.ipFamilies")), "IPv4"))
        if not ready:
            raise NotYet(f"Service {namespace}/{probe.service} has no ready endpoint")
        return tuple(self._allowed(namespace, uid, endpoint) for uid, endpoint in ready[:ENDPOINTS_MAX])

    def _allowed(self, namespace: str, uid: str, endpoint: Endpoint) -> Endpoint:
        if why := refusal(endpoint.address, self._api_server_addresses()):
            raise NotAllowed(f"{endpoint.pod or 'an endpoint'} has the address {endpoint.address}, which {why}")
        known_at = self._known_pods.get((uid, endpoint.address), float("-inf"))
        if time.monotonic() - known_at > KNOWN_POD_AGE_S_MAX:
            self._check_pod(namespace, uid, endpoint)
        return endpoint

    def _check_pod(self, namespace: str, uid: str, endpoint: Endpoint) -> None:
        pod = objects.pods(self.api).find(namespace, endpoint.pod) if endpoint.pod else None
        lives_at = (
            {text(pod, "status.podIP"), *(text_of(one, "ip") for one in parts(pod, "status.podIPs"))}
            if pod and text(pod, "status.phase") == "Running"
            else ()
        )
        if pod is None or text(pod, "metadata.uid") != uid or endpoint.address not in lives_at:
            raise NotAllowed(f"the endpoint {endpoint.address} is no running pod's of {namespace}; only pods are asked")
        if len(self._known_pods) >= KNOWN_PODS_MAX:
            self._known_pods.clear()
        self._known_pods[uid, endpoint.address] = time.monotonic()

    def _api_server_addresses(self) -> tuple[str, ...]:
        with self._lock:
            if time.monotonic() - self._api_server_read_at > API_SERVER_AGE_S_MAX:
                self._api_server = tuple(_of_api_server(self.api))
                self._api_server_read_at = time.monotonic()
            return self._api_server


def _of_api_server(api: Api) -> Iterator[str]:
    service = objects.services(api).find("default", "kubernetes")
    yield from (one for one in _texts(service or {}, "spec.clusterIPs") if one != "None")
    for each in objects.slices(api).labelled("default", f"{_SERVICE_NAME}=kubernetes"):
        for endpoint in parts(each, "endpoints"):
            yield from _texts(endpoint, "addresses")


def _port_name(service: Body, probe: HttpProbe, namespace: str) -> str:
    """Return the name under which the slices have the port: that of the Service's port, often empty."""
    ports = parts(service, "spec.ports")
    for port in ports:
        if probe.port in (str(whole(port, "port")), text_of(port, "name")):
            return text_of(port, "name")
    known = ", ".join(text_of(port, "name") or str(whole(port, "port")) for port in ports)
    raise NotYet(f"Service {namespace}/{probe.service} has no port {probe.port}; it has {known or 'none'}")


def _in_order(found: tuple[Body, ...], port_name: str, family: str) -> list[tuple[str, Endpoint]]:
    """Return each pod once, with its uid; by the Service's first family of addresses where it has several."""
    of_pods: dict[str, tuple[str, Endpoint]] = {}
    for each in sorted(found, key=lambda one: text(one, "addressType") != family):
        for uid, endpoint in _of_slice(each, port_name):
            of_pods.setdefault(endpoint.pod or endpoint.address, (uid, endpoint))
    return sorted(of_pods.values(), key=lambda one: one[1])


def _of_slice(each: Body, port_name: str) -> Iterator[tuple[str, Endpoint]]:
    number = next((whole(port, "port") for port in parts(each, "ports") if text_of(port, "name") == port_name), 0)
    if not number or text(each, "addressType") == "FQDN":
        return
    for endpoint in parts(each, "endpoints"):
        addresses = _texts(endpoint, "addresses")
        # "nil should be interpreted as true", says the API.
        if addresses and read(endpoint, "conditions.ready") is not False:
            pod = text(endpoint, "targetRef.name") if text(endpoint, "targetRef.kind") == "Pod" else ""
            yield text(endpoint, "targetRef.uid"), Endpoint(pod, addresses[0], number)


def _texts(body: Body, path: str) -> tuple[str, ...]:
    found = read(body, path)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return tuple(one for one in found if isinstance(one, str))

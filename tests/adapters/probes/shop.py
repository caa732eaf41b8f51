"""A Service with pods behind it on a real API server, each pod a server on this machine; and the Prober over both.

The pods' addresses are written as the kubelet would write them: into their status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitopsd.adapters.cluster import Limits, Transport, credentials
from gitopsd.adapters.probes import Prober
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.model import Desired, Environment, Manifest, ObjectRef, Origin, Revision
from gitopsd.core.probes import HttpProbe, Pace, Probe, Probed, ProbeState
from gitopsd.core.record import Rollout, Trigger
from gitopsd.core.settings import Settings
from gitopsd.ports import Clock
from rig.api import MERGE, Api
from rig.waiting import wait_for
from tests.fakes.clock import FakeClock

REVISION = Revision(ref="main", commit="c" * 40)
DIGEST = "0123456789abcdef" * 4
SHORT = Pace(failures=1, interval_s=1.0, timeout_s=0.5)


def web(**more: Any) -> HttpProbe:
    """Ask the Service ``web``."""
    return HttpProbe(**{"name": "web", "service": "web", "port": "80", "path": "/healthz", "pace": SHORT, **more})


@dataclass
class Shop:
    """One environment in one namespace."""

    api: Api
    namespace: str
    prober: Prober
    clock: Clock
    environment: Environment
    manifests: list[Manifest] = field(default_factory=list)

    def service(self, name: str = "web", *, ports: list[dict[str, Any]] | None = None, **spec: Any) -> None:
        """Make a Service that selects nothing: its slices are written by hand."""
        body = {"ports": ports or [{"port": 80, "targetPort": 8080}], **spec}
        self._create("/api/v1", "services", {"kind": "Service", "metadata": {"name": name}, "spec": body})

    def pod(self, name: str, address: str) -> str:
        """Make a pod that lives at the address; return its uid."""
        # Nobody schedules it: what it lives at is for the test to say.
        spec = {"containers": [{"name": "app", "image": "rig.test/web"}], "schedulerName": "nobody"}
        made = self._create("/api/v1", "pods", {"kind": "Pod", "metadata": {"name": name}, "spec": spec})
        ips = [{"ip": address}]
        self._status("/api/v1", "pods", name, {"phase": "Running", "podIP": address, "podIPs": ips})
        return str(made["metadata"]["uid"])

    def endpoint(self, pod: str, address: str, *, ready: bool = True, uid: str = "") -> dict[str, Any]:
        """An endpoint that says it is that pod's."""
        target = {"kind": "Pod", "name": pod, "namespace": self.namespace, "uid": uid}
        return {"addresses": [address], "conditions": {"ready": ready}, "targetRef": target}

    def slice(self, endpoints: list[dict[str, Any]], port: int, *, port_name: str = "", service: str = "web") -> None:
        """Make an EndpointSlice of the Service."""
        body = {
            "kind": "EndpointSlice",
            "metadata": {"generateName": f"{service}-", "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv6" if ":" in str(endpoints[0]["addresses"]) else "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": port_name, "port": port}],
        }
        self._create("/apis/discovery.k8s.io/v1", "endpointslices", body)

    def web_on(self, *places: tuple[str, int], ready: bool = True) -> None:
        """Make the Service with a pod and a slice for each address and port."""
        self.service()
        for number, (address, port) in enumerate(places):
            uid = self.pod(f"web-{number}", address)
            self.slice([self.endpoint(f"web-{number}", address, uid=uid, ready=ready)], port)

    def rollout(self, trigger: Trigger = Trigger.COMMIT, **more: Any) -> Rollout:
        """A rollout that has just begun, with all objects well."""
        now = self.clock.now()
        wanted = {"started_at": now, "well_since": now, **more}
        return Rollout(digest=DIGEST, revision=REVISION, trigger=trigger, **wanted)

    def bound(self, **bounds: Any) -> None:
        """Let the operator bound the environment."""
        self.environment = replace(self.environment, **bounds)

    def desired(self, *probes: Probe) -> Desired:
        settings = Settings(namespace=self.namespace, probes=probes)
        return Desired(revision=REVISION, digest=DIGEST, manifests=tuple(self.manifests), settings=settings)

    def has(self, body: Mapping[str, Any]) -> None:
        """Let the environment's set have this object."""
        version, metadata = str(body["apiVersion"]), body["metadata"]
        ref = ObjectRef(version.rpartition("/")[0], body["kind"], self.namespace, metadata["name"])
        made = Manifest(
            ref=ref, api_version=version, body=body, digest=digest_of(canonical(body)), origin=Origin("web.yaml")
        )
        self.manifests.append(made)

    def find(self, probe: Probe, rollout: Rollout | None = None, *, deadline_s: float = 20.0) -> Probed:
        """Ask until there is an answer, and return the first."""
        self.prober.forget(self.environment.name)
        return self.await_state(probe, rollout or self.rollout(), deadline_s=deadline_s)

    def await_state(
        self, probe: Probe, rollout: Rollout | None, *states: ProbeState, deadline_s: float = 20.0
    ) -> Probed:
        """Ask, with the clock running, until it stands like this."""
        seen: list[Probed] = []

        def stands() -> bool:
            (probed,) = self.prober.ask(self.environment, self.desired(probe), rollout)
            seen.append(probed)
            if probed.at and isinstance(self.clock, FakeClock):
                self.clock.advance(seconds=1)
            return probed.at is not None and (not states or probed.state in states)

        wait_for(f"the probe {probe.name} to be {states or 'answered'}", stands, deadline_s=deadline_s)
        return seen[-1]

    def jobs(self) -> list[dict[str, Any]]:
        """The Jobs of the namespace."""
        return list(self.api.get(f"/apis/batch/v1/namespaces/{self.namespace}/jobs")["items"])

    def job_name(self) -> str:
        """What the only Job of the namespace is called."""
        (job,) = self.jobs()
        return str(job["metadata"]["name"])

    def set_status(self, root: str, plural: str, name: str, status: Mapping[str, Any]) -> None:
        """Write a status as its controller would."""
        self._status(root, plural, name, status)

    def _create(self, root: str, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        version = root.removeprefix("/apis/").removeprefix("/api/")
        return self.api.create(f"{root}/namespaces/{self.namespace}/{plural}", {"apiVersion": version, **body})

    def _status(self, root: str, plural: str, name: str, status: Mapping[str, Any]) -> None:
        path = f"{root}/namespaces/{self.namespace}/{plural}/{name}/status"
        self.api.request("PATCH", path, {"status": dict(status)}, MERGE)


@contextmanager
def shop(kubeconfig: Path, namespace: str) -> Iterator[Shop]:
    """A shop of its own."""
    clock = FakeClock()
    transport = Transport(credentials(str(kubeconfig)), limits=Limits(connect_s=2.0, total_s=10.0))
    environment = Environment(name=namespace, source="git", path="environments/shop", namespaces=(namespace,))
    prober = Prober(transport, clock)
    prober.start(lambda _environment, _after_s: None)
    try:
        yield Shop(Api.from_kubeconfig(kubeconfig), namespace, prober, clock, environment)
    finally:
        prober.stop()
        transport.close()

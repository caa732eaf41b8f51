"""How long a bad commit hurts, on a real kubelet, with what gitopsd does by default: no time is made faster here.

Every Deployment replaces its pods all at once, so that each failure is an outage that a client sees. Beside gitopsd's
time stands the Deployment's own: twins that nobody puts back, with a progress deadline of a minute, tell how much later
than its deadline it says so. gitopsd runs in the node's network, so that its probes reach the pods.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitopsd.adapters.clock import SystemClock
from gitopsd.config import load_config
from gitopsd.core.probes import Pace
from gitopsd.core.settings import Settings
from gitopsd.core.verdict import GRACE_BY_REASON_S, GRACE_S
from gitopsd.daemon.wiring import House, wire
from rig.api import Api
from rig.cluster import Cluster
from rig.doors import let_pods_reach, open_door
from rig.images import WEB, load, web_image
from rig.network import inside
from rig.waiting import wait_for
from tests.bench.meters import show
from tests.bench.outage import Client, asking
from tests.bench.playing_field import make_namespaces
from tests.cluster.stage import SOAKLESS
from tests.git_server import BareRepository, GitServer

pytestmark = [
    pytest.mark.bench,
    pytest.mark.kubelet,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="a real kubelet needs root"),
]

DEFAULT_PROGRESS_S = 600.0
TWINS_PROGRESS_S = 60.0
LONG_S = 900.0
# Fetch, apply, the kubelet's own time until a pod shows what ails it, and a machine that has other work.
SLACK_S = 45.0
# The first question comes up to an interval after the pod is ready, each further one an interval later.
PROBE_S = Pace().failures * Pace().interval_s

HEALTH = "/cgi-bin/healthz"
PROBED = f"""apiVersion: gitopsd.dev/v1
kind: Environment
health:
  soak: 0s
  probes:
    - http: {{service: web, port: 80, path: {HEALTH}}}
"""
# `/` answers in every version, so the pod is ready; what it says of its health is in the environment.
SERVE = rf"""
/bin/busybox mkdir /www/cgi-bin
printf '%s\n' '#!/bin/busybox sh' 'printf "Status: $HEALTH\r\n\r\n"' >/www{HEALTH}
/bin/busybox chmod +x /www{HEALTH}
exec /bin/busybox httpd -f -p 8080 -h /www
"""


def _with_health(status: str) -> dict[str, Any]:
    return {"command": ["/bin/busybox", "sh", "-c", SERVE], "env": [{"name": "HEALTH", "value": status}]}


@dataclass(frozen=True)
class Failure:
    """A way to fail: what the bad commit changes in the container, and after how long it is certain at the latest.

    A client asks for ``path``. ``settings`` is ``gitopsd.yaml``. ``told`` = the Deployment itself knows of it.
    """

    what: str
    bad: dict[str, Any]
    within_s: float
    good: dict[str, Any] = field(default_factory=dict)
    path: str = "/"
    settings: str = SOAKLESS
    told: bool = True


FAILURES = (
    Failure("image not found", {"image": "rig.test/web:missing"}, GRACE_S),
    Failure("crash loop", {"command": ["/bin/busybox", "false"]}, GRACE_S),
    Failure("missing ConfigMap", {"envFrom": [{"configMapRef": {"name": "nowhere"}}]}, GRACE_S),
    Failure("quota exceeded", {"resources": {"requests": {"memory": "1Gi"}}}, GRACE_BY_REASON_S["FailedCreate"]),
    Failure(
        "failing readiness", {"readinessProbe": {"httpGet": {"path": "/nope", "port": 8080}}}, Settings().deadline_s
    ),
    Failure(
        "unschedulable",
        {"resources": {"requests": {"cpu": "999", "memory": "16Mi"}}},
        GRACE_BY_REASON_S["Unschedulable"],
    ),
    Failure(
        "failing HTTP probe",
        _with_health("500 Internal Server Error"),
        PROBE_S,
        good=_with_health("200 OK"),
        path=HEALTH,
        settings=PROBED,
        told=False,
    ),
)


@dataclass
class Shop:
    """One environment that fails in one way: its namespace, its client, and a twin that is left alone."""

    failure: Failure
    namespace: str
    client: Client

    @property
    def what(self) -> str:
        return self.failure.what

    @property
    def name(self) -> str:
        return self.what.lower().replace(" ", "-")

    @property
    def twin(self) -> str:
        return f"{self.namespace}-twin"


@dataclass
class Street:
    """All of them, before one Git server and one gitopsd."""

    api: Api
    repository: BareRepository
    house: House
    shops: list[Shop]

    def commit(self, *, bad: bool) -> float:
        """Commit to all; return when."""
        files = {f"environments/{one.name}/gitopsd.yaml": one.failure.settings for one in self.shops}
        for one in self.shops:
            changed = one.failure.bad if bad else one.failure.good
            files[f"environments/{one.name}/web.yaml"] = json.dumps(_deployment(changed))
        self.repository.commit(files, "A bad commit" if bad else "A good one")
        return time.time()

    def break_twins(self) -> None:
        """Do the same to the twins, by hand."""
        for one in self.shops:
            body = _deployment(one.failure.bad, progress_s=TWINS_PROGRESS_S)
            self.api.apply(f"{_deployments(one.twin)}/web", body)

    def is_kept(self, one: Shop) -> bool:
        record = self._record(one)
        return record.last_kept is not None and record.rollout is None

    def detected_at(self, one: Shop) -> float | None:
        """When it was refused, once it is, and what was kept is kept again."""
        record = self._record(one)
        held = next(iter(record.held.values()), None)
        return held.since.timestamp() if held and record.rollout is None else None

    def _record(self, one: Shop):
        self.house.store.invalidate()
        return self.house.store.load(self.house.environments_known()[one.name])


def test_how_long_a_bad_commit_hurts(node_cluster, tmp_path):
    with street(node_cluster, tmp_path) as here:
        here.commit(bad=False)
        for one in here.shops:
            wait_for(f"{one.what} to be kept", lambda one=one: here.is_kept(one), deadline_s=180, every_s=0.5)
        for one in here.shops:
            wait_for("a good answer", lambda one=one: one.client.asked > 8 and not _fails_now(one.client))
        here.break_twins()
        begin = here.commit(bad=True)
        detected = {
            one.what: wait_for(
                f"{one.what} to be put back",
                lambda one=one: here.detected_at(one),
                deadline_s=LONG_S,
                every_s=0.5,
            )
            - begin
            for one in sorted(here.shops, key=lambda one: one.failure.within_s)
        }
        for one in here.shops:
            wait_for("service to be restored", lambda one=one: not _fails_now(one.client), deadline_s=60)
        told = {one.what: _told_after(here.api, one.twin) for one in here.shops if one.failure.told}
        content = {one.what: _is_complete(here.api, one.twin) for one in here.shops if not one.failure.told}

    assert all(content.values()), f"no Deployment was to tell of these: {content}"
    later = {what: after - TWINS_PROGRESS_S for what, after in told.items()}
    for one in here.shops:
        restored = one.client.restored_after(begin)
        itself = f"{DEFAULT_PROGRESS_S + later[one.what]:.0f} s" if one.failure.told else "says it is complete"
        beside = (
            f"restored after {restored or 0:.1f} s, {one.client.failed_since(begin)} requests failed; "
            f"the Deployment itself: {itself}"
        )
        bound = one.failure.within_s + SLACK_S
        show(f"{one.what}: commit to detection", detected[one.what], "s", bound=bound, beside=beside)
        assert restored is not None, f"{one.what}: no client saw an outage"
        assert restored < DEFAULT_PROGRESS_S + later.get(one.what, 0.0)


@contextmanager
def street(node_cluster, folder: Path) -> Iterator[Street]:
    """Namespaces, Services with a client each, twins, and a gitopsd that follows them all."""
    load(node_cluster.powers(), web_image())
    api, mark = node_cluster.api(), uuid.uuid4().hex[:6]
    home = f"street-{mark}"
    shops = [Shop(failure, f"street-{mark}-{number}", Client(0)) for number, failure in enumerate(FAILURES)]
    make_namespaces(api, (home, *(one.namespace for one in shops), *(one.twin for one in shops)))
    with ExitStack() as stack:
        for one in shops:
            _furnish(api, one)
            port = open_door(node_cluster.powers(), f"{_service(api, one.namespace)}:80")
            one.client = stack.enter_context(asking(port, one.failure.path))
        server = stack.enter_context(GitServer(folder / "git"))
        repository = server.create("environments")
        git = f"http://{let_pods_reach(node_cluster.powers(), server.port)}/environments"
        config = _write_config(node_cluster.kubeconfig, folder, git, home, shops)
        here = Street(api, repository, wire(load_config(config), SystemClock()), shops)
        here.commit(bad=False)
        stack.enter_context(_gitopsd_on_node(node_cluster.powers(), config))
        stack.callback(here.house.cluster.stop)
        yield here


@contextmanager
def _gitopsd_on_node(cluster: Cluster, config: Path) -> Iterator[None]:
    """A daemon in a process of its own, in the node's network; its log lies beside its file, with ``.log``."""
    command = [*inside(cluster), sys.executable, "-m", "gitopsd", "run", "--config", str(config)]
    with config.with_suffix(".log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _furnish(api: Api, one: Shop) -> None:
    for namespace in (one.namespace, one.twin):
        if one.what == "quota exceeded":
            quota = {"metadata": {"name": "full"}, "spec": {"hard": {"requests.memory": "128Mi"}}}
            path = f"/api/v1/namespaces/{namespace}/resourcequotas"
            api.create(path, {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    api.create(_deployments(one.twin), _deployment(one.failure.good, progress_s=TWINS_PROGRESS_S))


def _service(api: Api, namespace: str) -> str:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    return str(api.create(f"/api/v1/namespaces/{namespace}/services", body)["spec"]["clusterIP"])


def _deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def _deployment(changed, *, progress_s: float = DEFAULT_PROGRESS_S):
    container = {
        "name": "web",
        "image": WEB,
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"memory": "16Mi"}},
        **changed,
    }
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "progressDeadlineSeconds": int(progress_s),
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }


def _told_after(api: Api, namespace: str) -> float:
    """How long after its change the twin's Deployment said that it does not progress."""

    def told() -> tuple[str, str] | None:
        live = api.get(f"{_deployments(namespace)}/web")
        found = [one for one in live["status"].get("conditions", ()) if one["type"] == "Progressing"]
        over = [one["lastTransitionTime"] for one in found if one.get("reason") == "ProgressDeadlineExceeded"]
        changed = [one["time"] for one in live["metadata"]["managedFields"] if one["manager"] == "rig"]
        return (changed[0], over[0]) if over and changed else None

    began, ended = wait_for("the twin to tell", told, deadline_s=LONG_S, every_s=1.0)
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def _is_complete(api: Api, namespace: str) -> bool:
    """Whether the twin's Deployment says of its change that all is well."""
    live = api.get(f"{_deployments(namespace)}/web")
    said = {one["type"]: (one["status"], one["reason"]) for one in live["status"]["conditions"]}
    is_new = live["status"]["observedGeneration"] == live["metadata"]["generation"] > 1
    return (
        is_new
        and live["status"].get("readyReplicas") == live["status"].get("updatedReplicas") == 1
        and said["Progressing"] == ("True", "NewReplicaSetAvailable")
        and said["Available"][0] == "True"
    )


def _fails_now(client: Client) -> bool:
    return bool(client.failed) and time.time() - client.failed[-1] < 2.0


def _write_config(kubeconfig: Path, folder: Path, git: str, home: str, shops: list[Shop]) -> Path:
    config = {
        "sources": [{"name": "environments", "url": git, "poll": "1s", "insecure": True}],
        "environments": [{"path": f"environments/{one.name}", "namespaces": [one.namespace]} for one in shops],
        "namespace": home,
        "kubeconfig": str(kubeconfig),
        "cacheDir": str(folder / "cache"),
        "server": {"port": 0},
        "leaderElection": {"enabled": False},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    return file

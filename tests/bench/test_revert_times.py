"""How long a bad commit hurts, on a real kubelet, with what gitopsd does by default: no time is made faster here.

Every Deployment replaces its pods all at once, so that each failure is an outage that a client sees. Beside gitopsd's
time stands the Deployment's own: twins that nobody puts back, with a progress deadline of a minute, tell how much later
than its deadline it says so.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from gitopsd.adapters.clock import SystemClock
from gitopsd.config import load_config
from gitopsd.core.settings import Settings
from gitopsd.core.verdict import GRACE_BY_REASON_S, GRACE_S
from gitopsd.daemon.wiring import House, wire
from rig.api import Api
from rig.doors import open_door
from rig.images import WEB, load, web_image
from rig.waiting import wait_for
from tests.bench.meters import show
from tests.bench.outage import Client, asking
from tests.bench.playing_field import make_namespaces
from tests.cluster.stage import SOAKLESS, Stage
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
UNSCHEDULABLE_S = GRACE_BY_REASON_S["Unschedulable"]

# What the bad commit changes in the container, and after how long it is certain at the latest.
FAILURES = {
    "image not found": ({"image": "rig.test/web:missing"}, GRACE_S),
    "crash loop": ({"command": ["/bin/busybox", "false"]}, GRACE_S),
    "missing ConfigMap": ({"envFrom": [{"configMapRef": {"name": "nowhere"}}]}, GRACE_S),
    "quota exceeded": ({"resources": {"requests": {"memory": "1Gi"}}}, GRACE_BY_REASON_S["FailedCreate"]),
    "failing readiness": ({"readinessProbe": {"httpGet": {"path": "/nope", "port": 8080}}}, Settings().deadline_s),
    "unschedulable": ({"resources": {"requests": {"cpu": "999", "memory": "16Mi"}}}, UNSCHEDULABLE_S),
}


@dataclass
class Shop:
    """One environment that fails in one way: its namespace, its client, and a twin that is left alone."""

    failure: str
    namespace: str
    client: Client

    @property
    def name(self) -> str:
        return self.failure.lower().replace(" ", "-")

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
        files = {f"environments/{one.name}/gitopsd.yaml": SOAKLESS for one in self.shops}
        for one in self.shops:
            changed = FAILURES[one.failure][0] if bad else {}
            files[f"environments/{one.name}/web.yaml"] = json.dumps(_deployment(changed))
        self.repository.commit(files, "A bad commit" if bad else "A good one")
        return time.time()

    def break_twins(self) -> None:
        """Do the same to the twins, by hand."""
        for one in self.shops:
            body = _deployment(FAILURES[one.failure][0], progress_s=TWINS_PROGRESS_S)
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
            wait_for(f"{one.failure} to be kept", lambda one=one: here.is_kept(one), deadline_s=180, every_s=0.5)
        for one in here.shops:
            wait_for("a good answer", lambda one=one: one.client.asked > 8 and not _fails_now(one.client))
        here.break_twins()
        begin = here.commit(bad=True)
        detected = {
            one.failure: wait_for(
                f"{one.failure} to be put back",
                lambda one=one: here.detected_at(one),
                deadline_s=LONG_S,
                every_s=0.5,
            )
            - begin
            for one in sorted(here.shops, key=lambda one: FAILURES[one.failure][1])
        }
        for one in here.shops:
            wait_for("service to be restored", lambda one=one: not _fails_now(one.client), deadline_s=60)
        later = {one.failure: _told_after(here.api, one.twin) - TWINS_PROGRESS_S for one in here.shops}

    for one in here.shops:
        restored = one.client.restored_after(begin)
        beside = (
            f"restored after {restored or 0:.1f} s, {one.client.failed_since(begin)} requests failed; "
            f"the Deployment itself: {DEFAULT_PROGRESS_S + later[one.failure]:.0f} s"
        )
        bound = FAILURES[one.failure][1] + SLACK_S
        show(f"{one.failure}: commit to detection", detected[one.failure], "s", bound=bound, beside=beside)
        assert restored is not None, f"{one.failure}: no client saw an outage"
        assert restored < DEFAULT_PROGRESS_S + later[one.failure]


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
            one.client = stack.enter_context(asking(port))
        server = stack.enter_context(GitServer(folder / "git"))
        repository = server.create("environments")
        config = _write_config(node_cluster.kubeconfig, folder, server, home, shops)
        here = Street(api, repository, wire(load_config(config), SystemClock()), shops)
        stage = Stage(node_cluster, home, folder, server, repository)
        stage.config = lambda: config  # type: ignore[method-assign]
        here.commit(bad=False)
        stack.enter_context(stage.process())
        stack.callback(here.house.cluster.stop)
        yield here


def _furnish(api: Api, one: Shop) -> None:
    for namespace in (one.namespace, one.twin):
        if one.failure == "quota exceeded":
            quota = {"metadata": {"name": "full"}, "spec": {"hard": {"requests.memory": "128Mi"}}}
            path = f"/api/v1/namespaces/{namespace}/resourcequotas"
            api.create(path, {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    api.create(_deployments(one.twin), _deployment({}, progress_s=TWINS_PROGRESS_S))


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


def _fails_now(client: Client) -> bool:
    return bool(client.failed) and time.time() - client.failed[-1] < 2.0


def _write_config(kubeconfig: Path, folder: Path, server: GitServer, home: str, shops: list[Shop]) -> Path:
    config = {
        "sources": [{"name": "environments", "url": server.url("environments"), "poll": "1s"}],
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

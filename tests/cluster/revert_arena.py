"""Many environments at once on a real API server, each in a namespace of its own, each with a bad commit.

All of them meet the same thing meanwhile, so they share one Git server and one gitopsd, whose time runs faster.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gitopsd.adapters.clock import SystemClock
from gitopsd.config import load_config
from gitopsd.core.record import Record
from gitopsd.daemon.wiring import House, wire
from rig.api import MERGE, Api
from rig.audit import AuditLog, Request
from rig.faults import crash_and_restart
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.cluster.revert_manifests import QUOTA, after, bad_files, good_files, kept_files
from tests.cluster.revert_scenarios import Fails, Meanwhile, Scenario
from tests.git_server import BareRepository, GitServer

FACTOR = 10.0
LONG_S = 90.0
QUIET_FETCHES = 4
ROOTS = {
    "ConfigMap": "/api/v1",
    "Service": "/api/v1",
    "PersistentVolumeClaim": "/api/v1",
    "Pod": "/api/v1",
    "Deployment": "/apis/apps/v1",
    "StatefulSet": "/apis/apps/v1",
    "DaemonSet": "/apis/apps/v1",
    "Job": "/apis/batch/v1",
    "Widget": "/apis/arena.example/v1",
}
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_KINDS = {f"{kind.lower()}s": kind for kind in ROOTS}
_CLUSTERS_OWN = "kube-root-ca.crt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario: what is there, what is remembered, and what gitopsd wrote of its objects."""

    there: Mapping[str, Mapping[str, Any]]
    record: Record
    wanted: Mapping[str, Mapping[str, Any]]
    writes: Counter[str]
    afterwards: Counter[str]


@dataclass
class Arena:
    """The scenarios of one kind of disturbance, on their way. Namespaces by scenario."""

    cluster: TestCluster
    folder: Path
    server: GitServer
    repository: BareRepository
    namespaces: Mapping[Scenario, str]
    home: str
    house: House
    began: float
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def play(self, meanwhile: Meanwhile) -> dict[Scenario, Outcome]:
        """Keep, break, disturb, wait for the end, and see that nothing more happens."""
        audit = AuditLog(self.cluster.powers())
        self._commit({one: kept_files(one) for one in self.namespaces}, "All is well")
        self._start()
        self._await("to be kept", lambda _, record: record.last_kept is not None and record.rollout is None)
        begin = audit.position()
        self._commit({one: bad_files(one, 1) for one in self.namespaces}, "A bad commit")
        self._await("to break", lambda _, record: record.current != record.kept[0].digest)
        _DISTURB[meanwhile](self)
        self._await("to be settled", self._is_settled)
        end = audit.position()
        if meanwhile is Meanwhile.GIT_DOWN:
            self.server.start()
        self._await_quiet()
        requests = audit.requests(begin)
        position_of_end = _count_until(audit, begin, end)
        return {one: self._outcome(one, requests, position_of_end) for one in self.namespaces}

    def disturb_not(self) -> None:
        """Leave it alone."""

    def fix(self) -> None:
        """Do the same change right."""
        self._commit({one: good_files(one) for one in self.namespaces}, "A good commit")

    def worsen(self) -> None:
        """Do it wrong once more, otherwise."""
        first = {one: self._record(one).current for one in self.namespaces}
        self._commit({one: bad_files(one, 2) for one in self.namespaces}, "Another bad commit")
        self._await("to take up the next", lambda one, record: record.current not in (first[one], ""))

    def commit_elsewhere(self) -> None:
        """Commit what is none of these environments."""
        for number in range(3):
            self.repository.commit({"environments/README.md": f"{number}\n"}, "An unrelated commit")
            fetches = len(self.server.requests)
            wait_for("the commit to be fetched", lambda fetches=fetches: len(self.server.requests) > fetches + 2)

    def edit(self) -> None:
        """Change by hand what Git has."""
        for namespace in self.namespaces.values():
            path = f"/api/v1/namespaces/{namespace}/configmaps/bystander"
            self.cluster.api().request("PATCH", path, {"data": {"a": "edited"}}, MERGE)

    def kill(self) -> None:
        """Kill gitopsd while the commits roll out, and once more as soon as one is refused."""
        self._kill()
        self._start()
        wait_for("the first to be refused", lambda: any(self._record(one).held for one in self.namespaces))
        self._kill()
        self._start()

    def restart_api_server(self) -> None:
        """Kill the API server; it comes back."""
        crash_and_restart(self.cluster.powers())

    def take_git_away(self) -> None:
        """Let nobody reach Git until all is settled."""
        self.server.stop()

    def end(self) -> None:
        """Stop gitopsd and leave nothing that is not in a namespace."""
        for child in self.children:
            child.terminate()
            child.wait(30)
        self.house.cluster.stop()
        for scenario in self.namespaces:
            self.cluster.api().delete(f"{_CRDS}/things.{scenario.name}.example")

    def _commit(self, files: Mapping[Scenario, Mapping[str, str | None]], message: str) -> None:
        changes = {
            f"environments/{one.name}/{path}": text for one, changed in files.items() for path, text in changed.items()
        }
        self.repository.commit(changes, message)

    def _start(self) -> None:
        log = self.folder / f"gitopsd-{len(self.children)}.log"
        clock = (str(FACTOR), str(self.began))
        command = [sys.executable, "-m", "tests.cluster.hasty", self.folder / "config.yaml", *clock]
        with log.open("wb") as file:
            self.children.append(subprocess.Popen(command, stdout=file, stderr=file))

    def _kill(self) -> None:
        self.children[-1].send_signal(signal.SIGKILL)
        self.children[-1].wait()

    def _await(self, what: str, holds: Callable[[Scenario, Record], bool]) -> None:
        waiting = dict.fromkeys(self.namespaces)

        def all_do() -> bool:
            for one in [one for one in waiting if holds(one, self._record(one))]:
                del waiting[one]
            return not waiting

        try:
            wait_for(f"all scenarios {what}", all_do, deadline_s=LONG_S, every_s=0.3)
        except Exception as error:
            raise AssertionError(f"not {what}: {[(str(one), self._record(one).rollout) for one in waiting]}") from error

    def _is_settled(self, one: Scenario, record: Record) -> bool:
        if record.rollout is not None or record.last_kept is None or record.current != record.last_kept.digest:
            return False
        expected = self._wanted(one).keys() | one.end.remains
        return {self._name(one, ref.kind, ref.name) for ref in record.inventory} == expected and bool(
            one.end.fixed or record.held
        )

    def _await_quiet(self) -> None:
        fetches = len(self.server.requests)
        wait_for("some more fetches", lambda: len(self.server.requests) >= fetches + QUIET_FETCHES, deadline_s=60)

    def _record(self, one: Scenario) -> Record:
        self.house.store.invalidate()
        return self.house.store.load(self.house.environments_known()[one.name])

    def _wanted(self, one: Scenario) -> dict[str, dict[str, Any]]:
        files = after(kept_files(one), good_files(one)) if one.end.fixed else after(kept_files(one))
        bodies = [yaml.safe_load(text) for text in files.values()]
        # A list leaves out what all of its items are.
        said = [{key: value for key, value in body.items() if key not in ("apiVersion", "kind")} for body in bodies]
        names = [self._name(one, body["kind"], body["metadata"]["name"]) for body in bodies]
        return dict(zip(names, said, strict=True))

    def _outcome(self, one: Scenario, requests: Sequence[Request], count: int) -> Outcome:
        return Outcome(
            there=self._inhabitants(one),
            record=self._record(one),
            wanted=self._wanted(one),
            writes=Counter(self._writes(one, requests[:count])),
            afterwards=Counter(self._writes(one, requests[count:])),
        )

    def _inhabitants(self, one: Scenario) -> dict[str, dict[str, Any]]:
        api, namespace = self.cluster.api(), self.namespaces[one]
        found = {}
        for collection, kind in _KINDS.items():
            for body in api.get(f"{ROOTS[kind]}/namespaces/{namespace}/{collection}")["items"]:
                if not body["metadata"].get("ownerReferences") and body["metadata"]["name"] != _CLUSTERS_OWN:
                    found[f"{kind}/{body['metadata']['name']}"] = body
        crd = api.find(f"{_CRDS}/things.{one.name}.example")
        return found | ({"CustomResourceDefinition/things": crd} if crd else {})

    def _writes(self, one: Scenario, requests: Sequence[Request]) -> Iterator[str]:
        for request in requests:
            is_ours = request.agent.startswith("gitopsd") and request.is_write and request.code < 400
            collection = request.resource.rpartition("/")[2]
            if is_ours and request.namespace == self.namespaces[one]:
                yield f"{_verb(request)} {_KINDS.get(collection, collection)}/{request.name}"
            elif is_ours and request.name == f"things.{one.name}.example":
                yield f"{_verb(request)} CustomResourceDefinition/things"
            elif is_ours and request.resource == "namespaces" and request.name == self.namespaces[one]:
                yield f"{_verb(request)} Namespace"

    def _name(self, one: Scenario, kind: str, name: str) -> str:
        return f"{kind}/{name.removesuffix(f'.{one.name}.example')}"


@contextmanager
def arena(cluster: TestCluster, folder: Path, scenarios: Sequence[Scenario]) -> Iterator[Arena]:
    """An arena for these scenarios, with its namespaces; none of them is left."""
    mark = uuid.uuid4().hex[:6]
    home = f"arena-{mark}"
    namespaces = {one: f"arena-{mark}-{number}" for number, one in enumerate(scenarios)}
    _make_namespaces(cluster.api(), home, namespaces)
    with GitServer(folder / "git") as server:
        repository = server.create("environments")
        _write_config(cluster, folder, server, home, namespaces)
        house = wire(load_config(folder / "config.yaml"), SystemClock())
        made = Arena(cluster, folder, server, repository, namespaces, home, house, time.monotonic())
        try:
            yield made
        finally:
            made.end()
            for namespace in (home, *namespaces.values()):
                cluster.api().delete(f"/api/v1/namespaces/{namespace}")


@contextmanager
def playing_widgets(api: Api) -> Iterator[None]:
    """A controller that gives every Widget the status that its mood asks for, as controllers do."""
    over = threading.Event()

    def play() -> None:
        while not over.wait(0.3):
            try:
                for widget in api.get(f"{ROOTS['Widget']}/widgets")["items"]:
                    _play(api, widget)
            except Exception:  # noqa: BLE001, S112 — the API server may be away
                continue

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def is_within(wanted: Any, live: Any) -> bool:
    """Whether the live object says all that was wanted of it; what the server adds is its own affair."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(is_within(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(is_within, wanted, live))
    return bool(wanted == live)


_DISTURB: Mapping[Meanwhile, Callable[[Arena], None]] = {
    Meanwhile.NOTHING: Arena.disturb_not,
    Meanwhile.FIXED: Arena.fix,
    Meanwhile.WORSE: Arena.worsen,
    Meanwhile.NEIGHBOURS: Arena.commit_elsewhere,
    Meanwhile.EDITED: Arena.edit,
    Meanwhile.KILLED: Arena.kill,
    Meanwhile.API_RESTARTED: Arena.restart_api_server,
    Meanwhile.GIT_DOWN: Arena.take_git_away,
}


def _make_namespaces(api: Api, home: str, namespaces: Mapping[Scenario, str]) -> None:
    for name in (home, *namespaces.values()):
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name in (home, *namespaces.values()):
        path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_for(f"namespace {name} to be furnished", lambda path=path: api.find(path), deadline_s=60)
    for scenario, name in namespaces.items():
        if scenario.fails is Fails.QUOTA:
            quota = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": str(QUOTA)}}}
            api.create(
                f"/api/v1/namespaces/{name}/resourcequotas", {"apiVersion": "v1", "kind": "ResourceQuota", **quota}
            )


def _write_config(
    cluster: TestCluster, folder: Path, server: GitServer, home: str, namespaces: Mapping[Scenario, str]
) -> None:
    entries = [{"path": f"environments/{one.name}", "namespaces": [namespace]} for one, namespace in namespaces.items()]
    config = {
        "sources": [{"name": "environments", "url": server.url("environments"), "poll": "1s"}],
        "environments": entries,
        "namespace": home,
        "kubeconfig": str(cluster.kubeconfig),
        "cacheDir": str(folder / "cache"),
        "server": {"port": 0},
        "leaderElection": {"enabled": False},
    }
    (folder / "config.yaml").write_text(json.dumps(config))


def _play(api: Api, widget: Mapping[str, Any]) -> None:
    metadata, mood = widget["metadata"], widget["spec"]["mood"]
    if widget.get("status", {}).get("observedGeneration") == metadata["generation"]:
        return
    ready = {"type": "Ready", "status": "True", "reason": "Made", "message": "as wanted"}
    if mood.startswith("stalled"):
        ready = {"type": "Stalled", "status": "True", "reason": "Refused", "message": "no such colour"}
    elif mood.startswith("never-ready"):
        ready = {"type": "Ready", "status": "False", "reason": "Progressing", "message": "in the making"}
    status = {"observedGeneration": metadata["generation"], "conditions": [ready]}
    path = f"{ROOTS['Widget']}/namespaces/{metadata['namespace']}/widgets/{metadata['name']}/status"
    api.request("PATCH", path, {"status": status}, MERGE)


def _verb(request: Request) -> str:
    return "patch" if request.verb in ("create", "update") else request.verb


def _count_until(audit: AuditLog, begin: int, end: int) -> int:
    """How many of the requests since ``begin`` were answered before ``end``."""
    return len(audit.requests(begin)) - len(audit.requests(end))

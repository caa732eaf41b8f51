"""A whole gitopsd on a real API server, for tests: a Git server, a config, and the daemon in this process or its own.

Time may run faster than the machine's, so that graces and deadlines are met in seconds; the API server's does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitopsd.adapters.cluster import Transport
from gitopsd.config import load_config
from gitopsd.core.record import Record
from gitopsd.core.status.view import EnvironmentView, View
from gitopsd.core.status.words import Phase, phase
from gitopsd.daemon import Daemon
from gitopsd.daemon.wiring import House, wire
from rig.api import Api
from rig.audit import AuditLog
from rig.binaries import build
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.git_server import BareRepository, Entry, GitServer

SOAKLESS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: 0s}\n"


class HastyClock:
    """``ports.Clock`` that runs ``factor`` times as fast, since ``began`` (of this machine's steady clock) or now."""

    def __init__(self, factor: float, began: float | None = None) -> None:
        self._factor = factor
        self._began = time.monotonic() if began is None else began
        passed = timedelta(seconds=time.monotonic() - self._began)
        self._start = datetime.now(UTC) - passed  # noqa: TID251 — the real one, made faster

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.steady())

    def steady(self) -> float:
        return (time.monotonic() - self._began) * self._factor


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """Let it run, in this process, for as long as the block lasts."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: daemon.run_until(stop), daemon=True)
    thread.start()
    try:
        yield daemon
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the daemon did not stop in time"


@dataclass
class Stage:
    """One environment, ``staging``, in one namespace of a real cluster. ``others`` are further ones, by name.

    ``bounds`` are the namespaces it may use, if not only that one. ``more_sources`` and ``more_environments`` are
    further entries of these lists in the operator's file.
    """

    cluster: TestCluster
    namespace: str
    folder: Path
    server: GitServer
    repository: BareRepository
    factor: float = 1.0
    others: tuple[str, ...] = ()
    extra_config: str = ""
    bounds: str | None = None
    more_sources: str = ""
    more_environments: str = ""
    road: Callable[..., Transport] = Transport

    @property
    def api(self) -> Api:
        """The API server, as the administrator."""
        return self.cluster.api()

    @property
    def audit(self) -> AuditLog:
        """Who wrote what; skips the test where there is no audit log to read."""
        return AuditLog(self.cluster.powers())

    def commit(self, files: Mapping[str, Entry], message: str = "Change", *, environment: str = "staging") -> str:
        """Commit files below the environment's directory; None deletes one."""
        return self.repository.commit(
            {f"environments/{environment}/{path}": body for path, body in files.items()}, message
        )

    def config(self, **overrides: str) -> Path:
        """Write the operator's file."""
        allowed = self.namespace if self.bounds is None else self.bounds
        paths = "\n".join(
            f"  - path: environments/{name}\n    source: environments\n    namespaces: [{allowed}]"
            for name in ("staging", *self.others)
        )
        values = {"kubeconfig": str(self.cluster.kubeconfig), **overrides}
        lines = [f"{key}: {value}" for key, value in values.items()]
        file = self.folder / "config.yaml"
        file.write_text(
            f"sources:\n  - name: environments\n    url: {self.server.url('environments')}\n    poll: 1s\n"
            f"{self.more_sources}environments:\n{paths}\n{self.more_environments}"
            f"namespace: {self.namespace}\ncacheDir: {self.folder / 'cache'}\n"
            "server: {port: 0}\nleaderElection: {enabled: false}\n" + "\n".join(lines) + f"\n{self.extra_config}"
        )
        return file

    def house(self) -> House:
        """The adapters, wired, with this stage's clock."""
        return wire(load_config(self.config()), HastyClock(self.factor), self.road)

    def once(self, timeout_s: float = 60.0) -> EnvironmentView:
        """Make passes until all is at rest; return how ``staging`` is."""
        return self.once_all(timeout_s)["staging"]

    def once_all(self, timeout_s: float = 60.0) -> dict[str, EnvironmentView]:
        """Make passes until all is at rest; return how every environment is."""
        view = Daemon(self.house()).once(timeout_s, lambda _: None)
        return {one.environment.name: one for one in view.environments}

    def record(self) -> Record:
        """What is remembered of ``staging``, read anew."""
        house = self.house()
        try:
            return house.store.load(house.environments_known()["staging"])
        finally:
            house.cluster.stop()

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """A daemon that runs for as long as the test needs it, in this process."""
        with running(Daemon(self.house())) as daemon:
            yield daemon

    @contextmanager
    def process(self, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """A daemon in a process of its own, which a test may kill; its log goes to ``gitopsd.log``."""
        with (self.folder / "gitopsd.log").open("ab") as log:
            command = [sys.executable, "-m", "gitopsd", "run", "--config", str(self.config())]
            child = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environ})
            try:
                yield child
            finally:
                child.terminate()
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def kubectl(self, *arguments: str, stdin: str = "", editor: str = "") -> str:
        """Do something by hand in the test's namespace, as a person would; return what was printed."""
        command = [build(("kubectl",))["kubectl"], "--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace]
        surroundings = {**os.environ, "KUBE_EDITOR": editor}
        done = subprocess.run(
            [*command, *arguments], input=stdin, capture_output=True, text=True, check=False, env=surroundings
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, collection: str, name: str) -> Mapping[str, object] | None:
        """Return an object of the test's namespace (``deployments``, ``configmaps``, …); None when it is not there."""
        return self.api.find(f"{self.path(collection)}/{name}")

    def path(self, collection: str) -> str:
        """Return where objects of the test's namespace are."""
        root = _ROOTS.get(collection, "/api/v1")
        return f"{root}/namespaces/{self.namespace}/{collection}"


_ROOTS = {
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "leases": "/apis/coordination.k8s.io/v1",
}


def until(what: str, holds: Callable[[], object], deadline_s: float = 30.0) -> None:
    """Wait for it, or fail saying what did not come."""
    wait_for(what, holds, deadline_s=deadline_s)


def shown(daemon: Daemon, name: str = "staging") -> EnvironmentView | None:
    """How a running daemon shows an environment."""
    view: View = daemon.view()
    return view.named(name)


def phase_is(daemon: Daemon, wanted: Phase, name: str = "staging") -> Callable[[], bool]:
    """Whether a running daemon shows this phase, as a condition to wait for."""

    def holds() -> bool:
        view = shown(daemon, name)
        return view is not None and phase(view) is wanted

    return holds


def deployment(name: str, image: str = "registry.example/app:1", replicas: int = 1, **more: str) -> str:
    """A Deployment as text; images under ``rig.test/`` behave as docs/rig.md says."""
    annotations = "".join(f"\n    {key}: {value!r}" for key, value in more.items()) or " {}"
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  annotations:{annotations}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: app
          image: {image}
"""


def configmap(name: str, **values: str) -> str:
    """A ConfigMap as text."""
    lines = "".join(f"\n  {key}: {value!r}" for key, value in values.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:{lines or ' {}'}\n"

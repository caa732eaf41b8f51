"""What the demo plays on: a cluster, a Git server, and the daemon as a child of its own. All of it ends with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.manifests import DIRECTORY
from rig.binaries import build
from rig.cluster import Nodes
from rig.lifecycle import Wish, down, up
from rig.programs import myself
from rig.waiting import wait_for
from tests.git_server import BareRepository, GitServer, git

CLUSTER = "demo"
STOP_DEADLINE_S = 25.0


class NotShown(Exception):
    """A step did not show what it should."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it all happens. ``server`` is the daemon's address, ``kubectl`` the program."""

    repository: BareRepository
    repository_url: str
    kubeconfig: Path
    config: Path
    log: Path
    server: str
    kubectl: Path

    def status(self) -> dict[str, Any]:
        """Ask the daemon's ``/status`` about the environment; empty while there is none to ask about."""
        try:
            with urllib.request.urlopen(f"{self.server}/status/staging", timeout=5) as answer:  # noqa: S310 — loopback
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, TimeoutError):
            return {}

    def run_kubectl(self, *arguments: str) -> str:
        """Run kubectl against the demo's cluster and return what it printed."""
        command = [self.kubectl, "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode:
            raise NotShown(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def wait(self, what: str, is_so: Callable[[dict[str, Any]], object], deadline_s: float) -> dict[str, Any]:
        """Wait until ``/status`` shows it; return the status that did."""
        until, found = time.monotonic() + deadline_s, self.status()
        while not (found and is_so(found)):
            if time.monotonic() > until:
                raise NotShown(f"{what}: not within {deadline_s:.0f} s. /status says: {found.get('message', found)}")
            _pause()
            found = self.status()
        return found


@contextmanager
def set_up(say: Callable[[str], None]) -> Iterator[Stage]:
    """Bring everything up, and everything down again, whatever happens in between."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitopsd-demo-")))
        say("a real Kubernetes API server, controllers and one played node")
        cluster = up(Wish(name=CLUSTER, nodes=Nodes.KWOK, owner=myself()))
        stack.callback(down, CLUSTER)
        say("a Git server, over HTTP")
        server = stack.enter_context(GitServer(folder / "git"))
        repository = server.create("environments")
        git(repository.folder, "config", "http.receivepack", "true")  # the visitor may push
        repository.commit({f"{DIRECTORY}/README.md": "The staging environment."}, "An environment to be")
        port = _free_port()
        config = _write_config(folder, server.url("environments"), cluster.kubeconfig, port)
        stage = Stage(
            repository=repository,
            repository_url=server.url("environments"),
            kubeconfig=cluster.kubeconfig,
            config=config,
            log=folder / "gitopsd.log",
            server=f"http://127.0.0.1:{port}",
            kubectl=build(("kubectl",))["kubectl"],
        )
        say(f"gitopsd run --config {config.name}")
        stack.enter_context(_daemon(stage))
        yield stage


@contextmanager
def _daemon(stage: Stage) -> Iterator[None]:
    with stage.log.open("w") as log:
        command = [sys.executable, "-m", "gitopsd", "run", "--config", str(stage.config)]
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for("the daemon to answer", lambda: _answers(stage, daemon), deadline_s=30)
            yield
        finally:
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _answers(stage: Stage, daemon: subprocess.Popen[bytes]) -> bool:
    if daemon.poll() is not None:
        raise NotShown(f"the daemon ended with {daemon.returncode}: {stage.log.read_text()[-2000:]}")
    try:
        with urllib.request.urlopen(f"{stage.server}/livez", timeout=2):  # noqa: S310 — loopback
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


def _write_config(folder: Path, url: str, kubeconfig: Path, port: int) -> Path:
    config = folder / "config.yaml"
    config.write_text(
        "\n".join(
            (
                "sources:",
                "  - name: environments",
                f"    url: {url}",
                "    branch: main",
                "    poll: 1s",
                "environments:",
                "  - path: environments/staging",
                "    namespaces: [shop]",
                f"kubeconfig: {kubeconfig}",
                f"cacheDir: {folder / 'cache'}",
                "server:",
                f"  port: {port}",
                "",
            )
        )
    )
    return config


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pause() -> None:
    # Between two questions to /status; the condition is the answer, not the time.
    os.sched_yield()
    time.sleep(0.1)  # noqa: TID251 — the demo polls from outside, as a visitor would

"""gitopsd as a user has it: its image on a real node, its chart in a namespace of its own, a repository over HTTPS."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

from rig.accounts import Account, create_account, token
from rig.api import Api
from rig.audit import AuditLog
from rig.binaries import build
from rig.doors import close_door, let_pods_reach, open_door
from rig.images import load, web_image
from rig.network import NODE_ADDRESS
from rig.product import PRODUCT, product_image
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.git_server import BareRepository, Entry, GitServer

CHART = Path(__file__).parents[2] / "charts" / "gitopsd"
HOME, SHOP, RELEASE = "gitopsd", "shop", "gitopsd"
PASSWORD = "correct horse"
READY_S = 120.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Installation:
    """What a person has in hand: kubectl's and helm's rights, a repository to commit to, and `/status`."""

    cluster: TestCluster
    api: Api
    git: GitServer
    repository: BareRepository
    folder: Path
    audited_from: int
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def values(self) -> Path:
        """What the operator gives the chart."""
        return self.folder / "values.yaml"

    def commit(self, files: Mapping[str, Entry], message: str) -> str:
        """Commit; return the commit."""
        return self.repository.commit(files, message)

    def helm(self, *arguments: str | Path) -> str:
        """Run helm as the administrator."""
        command = [build(["helm"])["helm"], "--kubeconfig", self.cluster.kubeconfig, "--namespace", HOME, *arguments]
        home = {"HOME": str(self.folder), "PATH": ""}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=home)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, *settings: str) -> str:
        """Install the chart, or upgrade it."""
        chosen = [part for setting in settings for part in ("--set-json", setting)]
        self.values.write_text(yaml.safe_dump(self._values()))
        wanted = ("--values", self.values, *chosen, "--wait", "--timeout", f"{READY_S:.0f}s")
        return self.helm("upgrade", "--install", RELEASE, CHART, *wanted)

    def prepare(self) -> None:
        """Make what has to be there before the chart."""
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        for name, labels in ((HOME, restricted), (SHOP, {})):
            metadata = {"name": name, "labels": labels}
            self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for name in ("oncall", "stranger"):
            create_account(self.api, Account(HOME, name))
        give_credentials(self, self.git.password or "")

    def remove(self) -> None:
        """Take away everything of gitopsd, and what it applied."""
        self.helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
        for port in self.asked.values():
            close_door(self.cluster.powers(), port)
        self.asked.clear()
        paths = [f"/api/v1/namespaces/{name}" for name in (HOME, SHOP)]
        for path in paths:
            self.api.delete(path)
        wait_for("the namespaces to be gone", lambda: not any(map(self.api.find, paths)), deadline_s=READY_S)

    def kill(self, pod: str) -> None:
        """End a pod of gitopsd without a warning."""
        now = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        self.api.delete(f"/api/v1/namespaces/{HOME}/pods/{pod}", now)

    def pods(self, namespace: str = HOME, label: str = "app.kubernetes.io/name=gitopsd") -> list[Json]:
        """Return the pods."""
        found: list[Json] = self.api.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={label}")["items"]
        return found

    def ask(self, path: str, shown: str = "") -> tuple[int, Json]:
        """Ask through the Service; `shown` is a token."""
        address = self.api.get(f"/api/v1/namespaces/{HOME}/services/{RELEASE}")["spec"]["clusterIP"]
        if address not in self.asked:
            self.asked[address] = open_door(self.cluster.powers(), f"{address}:8080")
        request = Request(f"http://127.0.0.1:{self.asked[address]}{path}")
        if shown:
            request.add_header("Authorization", f"Bearer {shown}")
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310 — our own server
                return answer.status, _read(answer.read())
        except HTTPError as refused:
            return refused.code, _read(refused.read())

    def person(self, name: str = "oncall") -> str:
        """Return the token of somebody whom `viewers` names."""
        return token(self.api, Account(HOME, name), lifetime_s=3600)

    def await_phase(self, environment: str, phase: str, commit: str, *, deadline_s: float = READY_S) -> Json:
        """Return the status in which the environment has that phase and wants that commit."""
        shown, last = self.person(), {}

        def there() -> Json | None:
            nonlocal last
            try:
                code, last = self.ask(f"/status/{environment}", shown)
            except OSError:
                # No pod serves yet, or the one that did has just ended.
                return None
            # A standby does not know what Git wants.
            is_there = (
                code == 200 and last["phase"] == phase and last["revision"].get("desired", {}).get("sha") == commit
            )
            return last if is_there else None

        try:
            return wait_for(f"{environment} to be {phase} at {commit[:7]}", there, deadline_s=deadline_s, every_s=0.2)
        except Exception as late:
            late.add_note(json.dumps({key: last.get(key) for key in ("phase", "message", "lastError")}, indent=1))
            late.add_note(self.log())
            raise

    def log(self) -> str:
        """Return the last lines of every gitopsd."""
        pods = [pod["metadata"]["name"] for pod in self.pods()]
        logs = [self.api.exchange("GET", f"/api/v1/namespaces/{HOME}/pods/{pod}/log?tailLines=40")[1] for pod in pods]
        return "\n".join(logs)

    def running(self, namespace: str = SHOP, name: str = "web") -> Json:
        """Return a Deployment."""
        return self.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def _values(self) -> Json:
        url = f"https://{NODE_ADDRESS}:{self.git.port}/environments.git"
        auth = {"tokenFile": "/var/run/secrets/gitopsd/git/token", "caFile": "/var/run/secrets/gitopsd/git/ca.crt"}
        environment = {"path": "environments/staging", "namespaces": [SHOP], "serviceAccount": "gitopsd-staging"}
        repository, _, tag = PRODUCT.rpartition(":")
        return {
            "config": {
                "sources": [{"name": "environments", "url": url, "poll": "1s", "auth": auth}],
                "environments": [environment],
            },
            "accounts": [{"name": "gitopsd-staging", "namespaces": [SHOP]}],
            "credentials": [{"name": "git", "secret": "gitopsd-git"}],
            "viewers": [{"kind": "ServiceAccount", "name": "oncall", "namespace": HOME}],
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "replicas": 1,
        }


@contextmanager
def installation(cluster: TestCluster, folder: Path, first: Mapping[str, Entry]) -> Iterator[Installation]:
    """Install gitopsd with a first commit; at the end everything of it is gone."""
    rig, api = cluster.powers(), cluster.api()
    load(rig, product_image())
    load(rig, web_image())
    with GitServer(folder / "git", password=PASSWORD, tls=_tls(cluster)) as git:
        repository = git.create("environments.git")
        repository.commit(first, "Start")
        let_pods_reach(rig, git.port)
        made = Installation(cluster, api, git, repository, folder, AuditLog(rig).position())
        made.prepare()
        try:
            made.install()
            yield made
        finally:
            made.remove()


def give_credentials(made: Installation, password: str) -> None:
    """Put the token and the authority of the Git server where the chart mounts them from."""
    authority = made.cluster.powers().authority.pair("ca").certificate.read_bytes()
    content = {"token": password.encode(), "ca.crt": authority}
    encoded = {key: base64.b64encode(value).decode() for key, value in content.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gitopsd-git"}, "data": encoded}
    made.api.apply(f"/api/v1/namespaces/{HOME}/secrets/gitopsd-git", body)


def _tls(cluster: TestCluster) -> ssl.SSLContext:
    pair = cluster.powers().authority.sign_server("git", (NODE_ADDRESS, "127.0.0.1"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    return tls


def _read(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except ValueError:
        return {"text": body.decode()}
    return found if isinstance(found, dict) else {"value": found}

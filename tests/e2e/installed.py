"""gitopsd as a user has it: its image on a real node, its chart in a namespace of its own, a forge to push to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

from rig.accounts import Account, create_account, token
from rig.api import Api
from rig.audit import AuditLog
from rig.binaries import build
from rig.doors import close_door, open_door
from rig.images import load, web_image
from rig.product import product_image
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.e2e.followed import STAGING, Followed, Json, values
from tests.e2e.forge import Clone, Forge, forge, pinned
from tests.e2e.mounted import Content, put_secret
from tests.git_server import Entry

CHART = Path(__file__).parents[2] / "charts" / "gitopsd"
HOME, SHOP, RELEASE = "gitopsd", STAGING.namespace, "gitopsd"
READY_S = 120.0


@dataclass(frozen=True, slots=True)
class Installation:
    """What a person has in hand: kubectl's and helm's rights, a repository to commit to, and `/status`."""

    cluster: TestCluster
    api: Api
    forge: Forge
    repository: Clone
    folder: Path
    followed: Sequence[Followed]
    secrets: dict[str, Content] = field(repr=False)
    audited_from: int
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def values(self) -> Path:
        """What the operator gives the chart."""
        return self.folder / "values.yaml"

    def commit(self, files: Mapping[str, Entry], message: str = "Change") -> str:
        """Commit and push; return the commit."""
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
        viewer = {"kind": "ServiceAccount", "name": "oncall", "namespace": HOME}
        self.values.write_text(yaml.safe_dump(values(self.followed, [viewer])))
        wanted = ("--values", self.values, *chosen, "--wait", "--timeout", f"{READY_S:.0f}s")
        return self.helm("upgrade", "--install", RELEASE, CHART, *wanted)

    def prepare(self) -> None:
        """Make what has to be there before the chart."""
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        for name in self._namespaces():
            metadata = {"name": name, "labels": restricted if name == HOME else {}}
            self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for name in ("oncall", "stranger"):
            create_account(self.api, Account(HOME, name))
        for name, content in self.secrets.items():
            put_secret(self.api, HOME, f"gitopsd-{name}", content)

    def give(self, name: str, content: Content) -> None:
        """Change what is in the Secret of these credentials; the pods that have it mounted see that at once."""
        self.secrets[name] = content
        put_secret(self.api, HOME, f"gitopsd-{name}", content)

    def remove(self) -> None:
        """Take away everything of gitopsd, and what it applied."""
        self.helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
        for port in self.asked.values():
            close_door(self.cluster.powers(), port)
        self.asked.clear()
        paths = [f"/api/v1/namespaces/{name}" for name in self._namespaces()]
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

        def there(status: Json) -> bool:
            # A standby does not know what Git wants.
            return bool(status["phase"] == phase and status["revision"].get("desired", {}).get("sha") == commit)

        return self.await_status(environment, f"{phase} at {commit[:7]}", there, deadline_s=deadline_s)

    def await_error(self, environment: str, code: str, *, deadline_s: float = READY_S) -> Json:
        """Return the status in which that is the environment's last error."""

        def there(status: Json) -> bool:
            return bool((status.get("lastError") or {}).get("code") == code)

        return self.await_status(environment, f"told of {code}", there, deadline_s=deadline_s)

    def await_status(
        self, environment: str, what: str, there: Callable[[Json], bool], *, deadline_s: float = READY_S
    ) -> Json:
        """Return the first status of the environment that is as wanted."""
        shown, last = self.person(), {}

        def found() -> Json | None:
            nonlocal last
            try:
                code, last = self.ask(f"/status/{environment}", shown)
            except OSError:
                # No pod serves yet, or the one that did has just ended.
                return None
            return last if code == 200 and there(last) else None

        try:
            return wait_for(f"{environment} to be {what}", found, deadline_s=deadline_s, every_s=0.2)
        except Exception as late:
            late.add_note(json.dumps({key: last.get(key) for key in ("phase", "message", "lastError")}, indent=1))
            late.add_note(self.log())
            raise

    def log(self) -> str:
        """Return the last lines of every gitopsd."""
        return "\n".join(line for pod in self.pods() for line in self.log_of(pod["metadata"]["name"])[-40:])

    def log_of(self, pod: str) -> list[str]:
        """Return the lines that a pod of gitopsd wrote."""
        return self.api.exchange("GET", f"/api/v1/namespaces/{HOME}/pods/{pod}/log")[1].splitlines()

    def running(self, namespace: str = SHOP, name: str = "web") -> Json:
        """Return a Deployment."""
        return self.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def _namespaces(self) -> list[str]:
        return [HOME, *(one.namespace for one in self.followed)]


@contextmanager
def installation(
    cluster: TestCluster,
    folder: Path,
    first: Mapping[str, Entry],
    *,
    beside: Sequence[Followed] = (),
    keys: Mapping[str, Content] | None = None,
) -> Iterator[Installation]:
    """Install gitopsd with a first commit; at the end everything of it is gone.

    It follows staging, and what is named ``beside`` it; ``keys`` are the Secrets that open what is encrypted there.
    """
    load(cluster.powers(), product_image())
    load(cluster.powers(), web_image())
    with forge(cluster, folder / "forge") as git:
        clone = git.clone_over_https("environments")
        clone.commit(first, "Start")
        credentials = {**read_with(git), **(keys or {})}
        since = AuditLog(cluster.powers()).position()
        made = Installation(cluster, cluster.api(), git, clone, folder, (STAGING, *beside), credentials, since)
        made.prepare()
        try:
            made.install()
            yield made
        finally:
            made.remove()


def read_with(git: Forge) -> dict[str, Content]:
    """Return the credentials with which gitopsd reads: what the Secret of each source holds."""
    return {
        "environments": {"token": git.token, "ca.crt": git.authority},
        "wiki": {"id": git.deploy_key.private, "known_hosts": pinned(git.host_key)},
    }


def _read(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except ValueError:
        return {"text": body.decode()}
    return found if isinstance(found, dict) else {"value": found}

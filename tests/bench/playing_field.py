"""One environment of a thousand objects on a real cluster, and gitopsd beside it: a process and an account of its own.

The account is no ``system:masters``, which the API server's fairness would let pass first.
"""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitopsd.core.applyset import parent_name
from rig.accounts import Account, account_kubeconfig, allow_everywhere, create_account
from rig.api import Api
from rig.audit import Request
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.bench.meters import Arrivals
from tests.bench.thousand import NAMESPACE_COUNT, Made, thousand
from tests.cluster.stage import SOAKLESS, Stage, configmap
from tests.git_server import GitServer

EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
ENVIRONMENT = "staging"
LONG_S = 240.0
_SERVING = re.compile(r'"serving /status", "url": "([^"]+)"')
_LOOKED = re.compile(r"^gitopsd_last_reconcile_timestamp_seconds\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass
class Field:
    """A stage, its namespaces and objects, and the account that gitopsd is."""

    stage: Stage
    account: Account
    kubeconfig: Path
    made: Sequence[Made]
    arrivals: Arrivals
    pid: int = 0
    url: str = ""

    @contextmanager
    def daemon(self) -> Iterator[int]:
        """``gitopsd run`` in a process of its own, leading, until the end."""
        surroundings = {"GITOPSD_KUBECONFIG": str(self.kubeconfig), "GITOPSD_LEADERELECTION__ENABLED": "true"}
        with self.stage.process(**surroundings) as child:
            self.pid = child.pid
            self.url = wait_for("the daemon to serve", self._served_at, deadline_s=60)
            yield child.pid

    def commit(self, changes: Mapping[str, str | None], message: str) -> int:
        """Commit; return where in the arrivals what follows begins."""
        begin = len(self.arrivals)
        self.stage.commit(changes, message)
        return begin

    def status(self) -> dict[str, Any]:
        """How the environment is."""
        found: list[dict[str, Any]] = json.loads(self._shown("/status"))["environments"]
        return found[0]

    def await_kept(self, commit: str = "") -> None:
        """Wait until the newest commit is kept."""
        newest = commit or self.stage.repository.head()

        def is_kept() -> bool:
            status = self.status()
            kept = status.get("revision", {}).get("lastHealthy", {}).get("sha")
            return kept == newest and status["phase"] == "Ready"

        wait_for(f"{newest[:7]} to be kept", is_kept, deadline_s=LONG_S, every_s=0.25)

    def await_passes(self, count: int) -> None:
        """Wait until the environment was looked at so many times more."""
        seen: set[str] = set()

        def enough() -> bool:
            seen.update(_LOOKED.findall(self._shown("/metrics")))
            return len(seen) > count

        wait_for(f"{count} passes", enough, deadline_s=LONG_S, every_s=0.1)

    def requests(self, begin: int) -> list[Request]:
        """What gitopsd asked since then, but for watches and the lease."""
        return [one for one in self._asked(begin) if one.verb != "watch" and not _is_lease(one)]

    def lease_renewals(self, begin: int) -> list[Request]:
        """How often it said that it still leads."""
        return [one for one in self._asked(begin) if one.is_write and _is_lease(one)]

    def writes(self, begin: int) -> list[Request]:
        """What it wrote of the environment's objects: all but its own record and snapshots."""
        own = parent_name(ENVIRONMENT)
        written = [one for one in self.requests(begin) if one.is_write and one.code < 400]
        return [one for one in written if not one.name.startswith(own) and one.namespace != self.stage.namespace]

    def _asked(self, begin: int) -> list[Request]:
        return [one for one in self.stage.audit.requests(begin) if one.user == self.account.user]

    def _shown(self, path: str) -> str:
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)) as line:
            line.request("GET", path)
            answer = line.getresponse()
            assert answer.status == http.client.OK, answer.status
            return answer.read().decode()

    def _served_at(self) -> str | None:
        log = (self.stage.folder / "gitopsd.log").read_text()
        found = _SERVING.findall(log)
        return found[-1] if found else None


@contextmanager
def playing_field(cluster: TestCluster, folder: Path) -> Iterator[Field]:
    """Namespaces, an account and a repository; the environment has one object as yet."""
    mark = uuid.uuid4().hex[:6]
    home, namespaces = f"bench-{mark}", [f"bench-{mark}-{number}" for number in range(NAMESPACE_COUNT)]
    api = cluster.api()
    make_namespaces(api, (home, *namespaces))
    account = create_account(api, Account(home, "gitopsd"))
    allow_everywhere(api, account, EVERYTHING)
    folder.mkdir(parents=True, exist_ok=True)
    kubeconfig = account_kubeconfig(cluster.kubeconfig, account, folder / "gitopsd.kubeconfig")
    arrivals = Arrivals()
    with ExitStack() as stack:
        server = stack.enter_context(GitServer(folder / "git", requests=arrivals))
        stage = Stage(
            cluster=cluster,
            namespace=home,
            folder=folder,
            server=server,
            repository=server.create("environments"),
            bounds=", ".join((home, *namespaces)),
        )
        first = configmap("first", a="1").replace("metadata:\n", f"metadata:\n  namespace: {namespaces[0]}\n")
        stage.commit({"gitopsd.yaml": SOAKLESS, "first.yaml": first}, "An environment to be")
        yield Field(stage, account, kubeconfig, thousand(namespaces), arrivals)


def make_namespaces(api: Api, names: Sequence[str]) -> None:
    """Make them, and wait until the cluster has furnished them."""
    for name in names:
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name in names:
        for furnished in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            path = f"/api/v1/namespaces/{name}/{furnished}"
            wait_for(f"namespace {name} to be furnished", _finder(api, path), deadline_s=60)


def _is_lease(request: Request) -> bool:
    return request.resource == "coordination.k8s.io/leases"


def _finder(api: Api, path: str) -> Callable[[], object]:
    return lambda: api.find(path)

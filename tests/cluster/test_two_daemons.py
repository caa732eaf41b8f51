"""Two daemons and one Lease: one writes, whatever happens to it; the API server's audit log tells them apart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rig.accounts import Account, account_kubeconfig, allow_everywhere, create_account
from rig.audit import Request
from rig.faults import paused
from tests.cluster.asking import address, status
from tests.cluster.crashing import BEFORE, UNHARMED, Fate, running
from tests.cluster.stage import Stage, configmap, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
# A lease lasts 15 s, and is looked at every 2.
TAKEOVER_S = 25.0


@dataclass
class Pair:
    """Two accounts, each with its kubeconfig, that may run a daemon on the same stage."""

    stage: Stage
    kubeconfigs: dict[str, Path]

    @contextmanager
    def daemon(self, name: str, fate: Fate = UNHARMED) -> Iterator[int]:
        surroundings = {
            "GITOPSD_KUBECONFIG": str(self.kubeconfigs[name]),
            "GITOPSD_CACHEDIR": str(self.stage.folder / f"cache-{name}"),
            "GITOPSD_LEADERELECTION__ENABLED": "true",
        }
        with running(self.stage.config(), self.trace(name), fate, **surroundings) as child:
            yield child.pid

    def trace(self, name: str) -> Path:
        return self.stage.folder / f"{name}.trace"

    def log(self, name: str) -> str:
        return self.trace(name).with_suffix(".log").read_text()

    def status(self, name: str) -> dict[str, Any]:
        return status(address(self.trace(name).with_suffix(".log")))

    @property
    def holder(self) -> str:
        lease = self.stage.get("leases", "gitopsd")
        return str(lease["spec"]["holderIdentity"]) if lease else ""

    def leads(self, pid: int) -> bool:
        return f"-{pid}_" in self.holder

    def writes(self, begin: int, *, by: str) -> list[str]:
        """What that one wrote, but for the lease."""
        written = [one for one in self._requests(begin, by) if one.is_write and one.code < 400]
        return [f"{one.verb} {one.name}" for one in sorted(written, key=lambda one: (one.at[:21], one.name))]

    def _requests(self, begin: int, by: str) -> list[Request]:
        user = Account(self.stage.namespace, by).user
        asked = self.stage.audit.requests(begin)
        return [one for one in asked if one.user == user and "leases" not in one.resource]

    def value(self) -> str | None:
        found = self.stage.get("configmaps", "one")
        return found["data"]["a"] if found else None


@pytest.fixture
def pair(stage):
    accounts = {name: create_account(stage.api, Account(stage.namespace, name)) for name in ("first", "second")}
    for account in accounts.values():
        allow_everywhere(stage.api, account, EVERYTHING)
    yield Pair(
        stage,
        {
            name: account_kubeconfig(stage.cluster.kubeconfig, account, stage.folder / f"{name}.kubeconfig")
            for name, account in accounts.items()
        },
    )
    for name in accounts:
        stage.api.delete(f"{_RBAC}/clusterrolebindings/{stage.namespace}-{name}")
        stage.api.delete(f"{_RBAC}/clusterroles/{stage.namespace}-{name}")


def _files(value: str) -> dict[str, str]:
    return {"one.yaml": configmap("one", a=value), "two.yaml": configmap("two", a=value)}


def test_whoever_leads_writes_alone_and_what_it_leaves_the_other_finishes(pair):
    stage, begin = pair.stage, pair.stage.audit.position()
    stage.commit(_files("1"))
    stopped_here = Fate("SIGSTOP", BEFORE, "PATCH configmaps/one 2")
    with pair.daemon("first", stopped_here) as first:
        until("the first to lead", lambda: pair.leads(first))
        with pair.daemon("second") as second:
            until("the first commit", lambda: pair.value() == "1")

            # Whoever stands by says how far the leader is, and claims nothing that it has not seen.
            until("the second to know of it", lambda: pair.status("second").get("phase") == "Ready")
            shown = pair.status("second")
            assert (shown["sync"]["status"], shown["health"]["status"]) == ("Unknown", "Unknown")
            assert shown["revision"]["applied"]["sha"] == stage.repository.head()

            # The leader stops in the middle of an apply for longer than its lease, and wakes up again.
            stage.commit(_files("2"))
            until("the second to lead", lambda: pair.leads(second), TAKEOVER_S)
            until("the second to finish it", lambda: pair.value() == "2")
            woken = stage.audit.position()
            os.kill(first, signal.SIGCONT)
            until("its next write to be refused", lambda: "NOT_LEADER" in pair.log("first"))
            stage.commit(_files("3"))
            until("the next commit", lambda: pair.value() == "3")
            assert pair.writes(woken, by="first") == []

            # The leader is killed; who was stopped before takes over.
            os.kill(second, signal.SIGKILL)
            killed = stage.audit.position()
            stage.commit(_files("4"))
            until("the first to lead again", lambda: pair.leads(first), TAKEOVER_S)
            until("the last commit", lambda: pair.value() == "4")
            assert pair.writes(killed, by="second") == []
    objects = ["patch one", "patch two"]
    assert [write for write in pair.writes(begin, by="first") if write in objects] == [*objects, *objects]
    assert [write for write in pair.writes(begin, by="second") if write in objects] == [*objects, *objects]


def test_while_nobody_can_say_who_leads_the_status_says_so_and_since_when(pair):
    stage = pair.stage
    stage.commit(_files("1"))
    with pair.daemon("first"):
        until("the first commit", lambda: pair.status("first").get("phase") == "Ready")
        with paused(stage.cluster.powers()):
            until("it to say so", lambda: pair.status("first")["phase"] == "Failed", TAKEOVER_S)
            silent = pair.status("first")
            until("another try", lambda: pair.status("first")["lastError"]["count"] > silent["lastError"]["count"])
            later = pair.status("first")
        until("it to be well again", lambda: pair.status("first")["phase"] == "Ready")
    assert silent["lastError"]["code"] == "CLUSTER_UNREACHABLE"
    assert silent["lastError"]["at"] == later["lastError"]["at"]
    assert (silent["sync"]["status"], silent["health"]["status"]) == ("Unknown", "Unknown")

"""Leading by a Lease of a real API server, which crashes and hangs meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from gitopsd.adapters.clock import SystemClock
from gitopsd.adapters.cluster import Limits, Transport, credentials
from gitopsd.adapters.leader import Candidate, Elector, Timing
from rig.faults import crash_and_restart, paused

pytestmark = pytest.mark.cluster

TIMING = Timing(lease_s=3.0, renew_deadline_s=2.0, retry_s=0.2)
CALLS = Limits(connect_s=0.4, total_s=0.8)
PATIENCE_S = 30.0
LOOK_S = 0.02


@dataclass
class Replica:
    """A process that would like to lead. ``told`` is what it was told, in order."""

    name: str
    elector: Elector | None = None
    told: list[bool] = field(default_factory=list)


@dataclass
class Contest:
    kubeconfig: str
    namespace: str
    replicas: list[Replica] = field(default_factory=list)
    clashes: int = 0

    def join(self, name: str) -> Replica:
        replica = Replica(name)
        candidate = Candidate(namespace=self.namespace, name="gitopsd", identity=name, timing=TIMING)
        api = Transport(credentials(self.kubeconfig), limits=CALLS)
        replica.elector = Elector(api, candidate, SystemClock(), replica.told.append)
        replica.elector.start()
        self.replicas.append(replica)
        return replica

    @property
    def leaders(self) -> list[str]:
        return [replica.name for replica in self.replicas if replica.elector and replica.elector.is_leading]

    def until(self, is_so: Callable[[list[str]], bool]) -> list[str]:
        """Watch the leaders until it is so; never more than one."""
        pause, clock = threading.Event(), SystemClock()
        began = clock.steady()
        while clock.steady() - began < PATIENCE_S:
            leaders = self.leaders
            assert len(leaders) <= 1
            if is_so(leaders):
                return leaders
            pause.wait(LOOK_S)
        raise AssertionError(f"it never came to that; leading now: {self.leaders}")


@pytest.fixture
def contest(api_cluster, api_namespace) -> Iterator[Contest]:
    made = Contest(str(api_cluster.kubeconfig), api_namespace)
    yield made
    for replica in made.replicas:
        replica.elector.stop()


def _lease(api_cluster, namespace: str):
    return api_cluster.api().get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/gitopsd")["spec"]


def test_leadership_is_handed_over_when_the_leader_stops(contest, api_cluster):
    first = contest.join("first")
    contest.until(lambda leaders: leaders == ["first"])
    contest.join("second")
    clock = SystemClock()
    began = clock.steady()
    first.elector.stop()
    contest.until(lambda leaders: leaders == ["second"])

    assert clock.steady() - began < TIMING.lease_s
    lease = _lease(api_cluster, contest.namespace)
    assert lease["holderIdentity"].startswith("second_")
    assert lease["leaseTransitions"] == 1


def test_the_last_one_to_stop_leaves_the_lease_to_nobody(contest, api_cluster):
    only = contest.join("only")
    contest.until(lambda leaders: leaders == ["only"])
    only.elector.stop()

    assert _lease(api_cluster, contest.namespace).get("holderIdentity", "") == ""


@pytest.mark.rig_power
def test_while_the_api_server_hangs_nobody_leads_for_longer_than_the_deadline(contest, api_cluster):
    for name in ("first", "second", "third"):
        contest.join(name)
    contest.until(lambda leaders: len(leaders) == 1)
    clock = SystemClock()
    with paused(api_cluster.powers()):
        began = clock.steady()
        contest.until(lambda leaders: leaders == [])
        took = clock.steady() - began
    contest.until(lambda leaders: len(leaders) == 1)

    assert took < TIMING.renew_deadline_s + TIMING.retry_s


@pytest.mark.rig_power
def test_a_crash_of_the_api_server_leaves_one_leader_again(contest, api_cluster):
    for name in ("first", "second"):
        contest.join(name)
    contest.until(lambda leaders: len(leaders) == 1)
    crash_and_restart(api_cluster.powers())

    contest.until(lambda leaders: len(leaders) == 1)


def test_the_first_one_brings_the_namespace(contest, api_cluster):
    contest.namespace = f"{contest.namespace}-ops"
    contest.join("first")
    try:
        contest.until(lambda leaders: leaders == ["first"])
    finally:
        contest.replicas.pop().elector.stop()
        api_cluster.api().delete(f"/api/v1/namespaces/{contest.namespace}")


def test_two_who_are_told_apart_only_by_chance_do_not_both_lead(contest):
    contest.join("same")
    contest.join("same")

    assert contest.until(lambda leaders: len(leaders) == 1) == ["same"]

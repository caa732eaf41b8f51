"""What goes wrong around gitopsd in a cluster: pods end, networks part, charts change. Git comes about all the same.

Two oracles each time: what the cluster has at the end, and what the API server's audit log says was written for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.request import Request, urlopen

import pytest

from rig.api import MERGE
from rig.audit import AuditLog
from rig.doors import close_door, open_door
from rig.faults import cut
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.e2e.followed import Json
from tests.e2e.gate import Gate, gate
from tests.e2e.installed import CHART, HOME, READY_S, RELEASE, SHOP, Installation, installation
from tests.e2e.lives import LEASE, PODS, await_leader, by_pod, each, holders, leader, strike, tell_to_end, writes
from tests.e2e.wares import ITEMS, all_at, items, settings, tell_ready, versions, web

pytestmark = [pytest.mark.kubelet, pytest.mark.timeout(600)]

LEASE_S = 15.0
FETCH_S = 60.0
# Where the forge's pod listens.
FORGE_PORT = 8443
ALL = {f"patch item-{number:02}": 1 for number in range(ITEMS)} | {"patch web": 1}


@pytest.fixture(scope="module")
def made(node_cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    first = settings() | items("1") | web("1")
    with installation(node_cluster, tmp_path_factory.mktemp("faults"), first) as one:
        become_ready(one, "1", one.repository.head())
        yield one


@pytest.fixture
def begin(made: Installation) -> int:
    return AuditLog(made.cluster.powers()).position()


def test_killed_in_the_middle_of_an_apply_the_next_pod_writes_the_rest_and_nothing_twice(
    made: Installation, begin: int
) -> None:
    first = await_leader(made)
    with gate(made, lets=10) as middle:
        commit = made.commit(items("2") | web("2"), "Everything anew")
        reach_the_middle(made, middle, first, begin)
        strike(made, first)
        made.kill(first)
        second = await_leader(made, other_than=first)
        wrote_first = by_pod(writes(made, begin))
        middle.open()
        become_ready(made, "2", commit)
    assert wrote_first == {first: 10}
    assert versions(made) == all_at("2", web="2")
    assert each(writes(made, begin)) == ALL
    assert by_pod(writes(made, begin)) == {first: 10, second: ITEMS + 1 - 10}


def test_killed_during_a_rollout_the_next_pod_keeps_what_becomes_healthy(made: Installation, begin: int) -> None:
    first, before = await_leader(made), versions(made)
    commit = made.commit(web("3"), "A rollout")
    made.await_phase("staging", "Verifying", commit)
    strike(made, first)
    made.kill(first)
    await_leader(made, other_than=first)
    status = become_ready(made, "3", commit)
    assert status["revision"]["lastHealthy"]["sha"] == commit
    assert versions(made) == before | {"web": "3"}
    assert by_pod(writes(made, begin)) == {first: 1}


def test_killed_during_a_rollout_the_next_pod_puts_back_once_what_does_not(made: Installation, begin: int) -> None:
    first, before = await_leader(made), versions(made)
    bad = made.commit(web("never ready") | settings("8s"), "A bad rollout")
    made.await_phase("staging", "Verifying", bad)
    strike(made, first)
    made.kill(first)
    second = await_leader(made, other_than=first)
    status = made.await_phase("staging", "Reverted", bad)
    assert [entry["result"] for entry in status["history"]][:2] == ["Reverted", "Failed"]
    assert versions(made) == before
    made.await_phase("staging", "Ready", made.commit(web(before["web"]) | settings(), "Take it back"))
    assert each(writes(made, begin)) == {"patch web": 2}
    assert by_pod(writes(made, begin)) == {first: 1, second: 1}


def test_told_to_end_in_the_middle_of_an_apply_it_finishes_gives_its_lease_back_and_says_why(
    made: Installation, begin: int
) -> None:
    first = await_leader(made)
    lease = made.api.get(f"{LEASE}/gitopsd")
    with gate(made, lets=10) as middle:
        commit = made.commit(items("4") | web("4"), "Everything anew")
        middle.await_middle()
        ending = tell_to_end(made, first)
        wait_for("it to be told", lambda: told_to_end(made, first))
        middle.open()
        ended = ending.result(timeout=READY_S)
    second = await_leader(made, other_than=first)
    assert (ended.code, ended.took_s < LEASE_S) == (0, True), ended
    said = [line["message"] for line in ended.log]
    assert said[-2:] == ["not leading", "stopped"]
    assert ("stopping: calls in flight are finished", "SIGTERM") in [
        (line["message"], line.get("because")) for line in ended.log
    ]
    _, released, taken = holders(made, lease)
    assert (released, taken.startswith(second)) == ("", True)
    assert last_write_of(made, first, begin) == "update coordination.k8s.io/leases gitopsd/gitopsd"
    assert by_pod(writes(made, begin)) == {first: ITEMS + 1}
    # Its rollout goes on under the next one, and under the one after that.
    tell_to_end(made, second).result(timeout=READY_S)
    await_leader(made, other_than=second)
    become_ready(made, "4", commit)
    assert versions(made) == all_at("4", web="4")
    assert each(writes(made, begin)) == ALL


def test_cut_off_from_the_api_server_it_leads_no_more_says_so_and_puts_nothing_back_for_it(
    made: Installation, begin: int
) -> None:
    rig, pod, before = made.cluster.powers(), await_leader(made), versions(made)
    commit = made.commit(web("5") | settings("20s"), "A rollout")
    made.await_phase("staging", "Verifying", commit)
    with asking(made, pod) as ask:
        assert ask("/status")["daemon"]["leader"]["isSelf"]
        with cut(rig, rig.ports.api):
            said = wait_for("it to say so", lambda: error_in(ask("/status")), deadline_s=LEASE_S, every_s=0.5)
            assert not ask("/status")["daemon"]["leader"]["isSelf"]
            made.api.delete(f"/api/v1/namespaces/{SHOP}/configmaps/item-00")
            wait_for("the deadline to pass", lambda: is_overdue(ask("/status")), every_s=0.5)
            still = error_in(ask("/status"))
            assert ask("/livez") == {"text": "ok"}
            assert each(writes(made, begin)) == {"patch web": 1}
        assert said["code"] == "CLUSTER_UNREACHABLE"
        assert still
        assert still["at"] == said["at"]
    now = before | {"web": "5"}
    wait_for("what was deleted by hand to be back", lambda: versions(made) == now, deadline_s=LEASE_S)
    status = become_ready(made, "5", commit)
    assert status["history"][0]["result"] == "Kept"
    assert each(writes(made, begin)) == {"patch web": 1, "patch item-00": 1}
    (after,) = made.pods()
    assert (leader(made), after["status"]["containerStatuses"][0]["restartCount"]) == (pod, 0)


def test_cut_off_from_git_it_says_that_what_it_knows_is_old_and_keeps_that_true(made: Installation, begin: int) -> None:
    head, before = made.repository.head(), versions(made)
    with cut(made.cluster.powers(), FORGE_PORT, "refused"):
        # A fetch that was under way hears nothing any more, and has a minute.
        ask = partial(made.ask, "/status", made.person())
        stale = wait_for("it to say so", lambda: error_in(ask()[1]), deadline_s=FETCH_S + LEASE_S, every_s=0.5)
        assert stale["code"] in ("GIT_UNREACHABLE", "GIT_TIMEOUT")
        made.api.delete(f"/api/v1/namespaces/{SHOP}/configmaps/item-01")
        wait_for("what was deleted by hand to be back", lambda: versions(made) == before)
        newer = made.commit(items("6"), "Nobody hears of this")
        assert made.ask("/status/staging", made.person())[1]["revision"]["desired"]["sha"] == head
    made.await_phase("staging", "Ready", newer)
    assert versions(made) == all_at("6", web=before["web"])
    wrote = each(writes(made, begin))
    assert wrote.pop("patch item-01") == 2
    assert wrote == {one: 1 for one in ALL if one not in ("patch item-01", "patch web")}


def test_the_chart_is_upgraded_and_rolled_back_and_the_environment_is_not_touched(
    made: Installation, begin: int
) -> None:
    made.helm("package", CHART, "--version", "0.0.1", "--app-version", "0.0.1", "--destination", made.folder)
    upgrade = ("upgrade", RELEASE, "--values", made.values, "--wait", "--timeout", f"{READY_S:.0f}s")
    made.helm(*upgrade, made.folder / "gitopsd-0.0.1.tgz")
    assert charts(made) == {"gitopsd-0.0.1"}
    made.helm(*upgrade, CHART, "--set-json", 'podAnnotations={"example.com/new":"yes"}')
    made.await_phase("staging", "Ready", made.repository.head())
    assert charts(made) != {"gitopsd-0.0.1"}
    made.helm("rollback", RELEASE, "--wait", "--timeout", f"{READY_S:.0f}s")
    made.await_phase("staging", "Ready", made.repository.head())
    assert charts(made) == {"gitopsd-0.0.1"}
    assert writes(made, begin) == []
    made.await_phase("staging", "Ready", made.commit(items("7"), "Under the older one"))
    assert each(writes(made, begin)) == {one: 1 for one in ALL if one != "patch web"}


def test_of_two_replicas_the_other_finishes_what_the_leader_was_killed_at(made: Installation, begin: int) -> None:
    two_replicas(made)
    first = await_leader(made)
    with gate(made, lets=10) as middle:
        commit = made.commit(items("8") | web("8"), "Everything anew")
        reach_the_middle(made, middle, first, begin)
        strike(made, first)
        # The kubelet would start it again in the same pod, and that one may be the first to take the Lease.
        made.kill(first)
        second = await_leader(made, other_than=first)
        middle.open()
        become_ready(made, "8", commit)
    assert versions(made) == all_at("8", web="8")
    assert each(writes(made, begin)) == ALL
    assert by_pod(writes(made, begin)) == {first: 10, second: ITEMS + 1 - 10}


def reach_the_middle(made: Installation, middle: Gate, pod: str, begin: int) -> None:
    """What has passed the gate is not stored yet, and would not be if its sender went now."""
    middle.await_middle()
    wait_for("what passed to be stored", lambda: by_pod(writes(made, begin)) == {pod: middle.lets})


def become_ready(made: Installation, version: str, commit: str) -> Json:
    made.await_phase("staging", "Verifying", commit)
    wait_for(f"pods of version {version}", lambda: tell_ready(made, version), every_s=0.2)
    return made.await_phase("staging", "Ready", commit)


def two_replicas(made: Installation) -> None:
    path = f"/apis/apps/v1/namespaces/{HOME}/deployments/{RELEASE}"
    made.api.request("PATCH", f"{path}/scale", {"spec": {"replicas": 2}}, MERGE)
    wait_for("both to be ready", lambda: made.api.get(path)["status"].get("readyReplicas") == 2, deadline_s=READY_S)


def told_to_end(made: Installation, pod: str) -> bool:
    return any("stopping" in line for line in made.api.exchange("GET", f"{PODS}/{pod}/log?tailLines=5")[1].splitlines())


def last_write_of(made: Installation, pod: str, since: int) -> str:
    asked = [one for one in AuditLog(made.cluster.powers()).requests(since) if one.is_write and one.pod == pod]
    last = max(asked, key=lambda one: one.at)
    return f"{last.verb} {last.object}"


@contextmanager
def asking(made: Installation, pod: str) -> Iterator[Callable[[str], Json]]:
    """Ask the pod itself, which no Service leads to any more while it is not ready."""
    address = made.api.get(f"{PODS}/{pod}")["status"]["podIP"]
    door, shown = open_door(made.cluster.powers(), f"{address}:8080"), made.person()

    def ask(path: str) -> Json:
        request = Request(f"http://127.0.0.1:{door}{path}", headers={"Authorization": f"Bearer {shown}"})
        with urlopen(request, timeout=10) as answer:  # noqa: S310 — our own server
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else {"text": text}

    try:
        yield ask
    finally:
        close_door(made.cluster.powers(), door)


def error_in(status: Json) -> Json | None:
    return status["environments"][0].get("lastError")


def is_overdue(status: Json) -> bool:
    deadline: str = status["environments"][0]["rollout"]["deadlineAt"]
    generated: str = status["metadata"]["generatedAt"]
    return generated > deadline


def charts(made: Installation) -> set[str]:
    return {
        pod["metadata"]["labels"]["helm.sh/chart"] for pod in made.pods() if "deletionTimestamp" not in pod["metadata"]
    }

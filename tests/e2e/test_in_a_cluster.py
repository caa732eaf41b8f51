"""As a user has it: installed by the chart on a real node, asked, put back, killed, removed, and brought back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig.api import MERGE
from rig.audit import AuditLog
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.chart.charting import rendered
from tests.e2e.granted import compare
from tests.e2e.installed import HOME, RELEASE, SHOP, Installation, Json, give_credentials, installation
from tests.e2e.repository import settings, web

pytestmark = [pytest.mark.kubelet, pytest.mark.timeout(600)]

MISSING = "rig.test/web:missing"


@pytest.fixture(scope="module")
def made(node_cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(node_cluster, tmp_path_factory.mktemp("e2e"), settings() | web("1")) as one:
        yield one


def test_it_becomes_ready_where_the_restricted_standard_is_enforced(made: Installation) -> None:
    (pod,) = made.pods()
    assert pod["status"]["containerStatuses"][0]["ready"]
    made.await_phase("staging", "Ready", made.repository.head())
    assert made.running()["status"]["readyReplicas"] == 1


def test_helm_test_passes(made: Installation) -> None:
    assert "Succeeded" in made.helm("test", RELEASE)


def test_only_who_is_named_may_ask(made: Installation) -> None:
    codes = {who: made.ask("/status", made.person(who) if who else "")[0] for who in ("oncall", "stranger", "")}
    assert codes == {"oncall": 200, "stranger": 403, "": 401}


def test_a_bad_commit_is_put_back_and_a_fix_goes_through(made: Installation) -> None:
    before = made.running()["spec"]
    bad = made.commit(web("2", image=MISSING), "A missing image")
    status = made.await_phase("staging", "Reverted", bad)
    assert made.running()["spec"] == before
    assert "was put back" in status["message"]
    good = made.commit(web("3"), "The fix")
    made.await_phase("staging", "Ready", good)
    assert made.running()["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "3"


def test_new_credentials_are_used_without_a_restart(made: Installation) -> None:
    (before,) = made.pods()
    made.git.password = "battery staple"
    give_credentials(made, made.git.password)
    # The kubelet looks at Secrets once a minute, and at once when the pod changes.
    path = f"/api/v1/namespaces/{HOME}/pods/{before['metadata']['name']}"
    made.api.request("PATCH", path, {"metadata": {"annotations": {"example.com/touched": "yes"}}}, MERGE)
    made.await_phase("staging", "Ready", made.commit(web("4"), "With the new token"))
    (after,) = made.pods()
    assert restarts(after) == restarts(before)


def test_a_killed_pod_is_replaced_and_the_next_one_writes_nothing_anew(made: Installation) -> None:
    (pod,) = made.pods()
    audit = AuditLog(made.cluster.powers())
    begin = audit.position()
    made.kill(pod["metadata"]["name"])
    wait_for("another pod to be ready", lambda: other_ready(made, pod["metadata"]["uid"]), deadline_s=60)
    made.await_phase("staging", "Ready", made.repository.head())
    assert written_in_the_shop(audit, begin) == []


def test_upgraded_to_two_replicas_the_second_takes_over_from_a_killed_first(made: Installation) -> None:
    audit = AuditLog(made.cluster.powers())
    begin = audit.position()
    made.install("replicas=2")
    leader = wait_for("a leader", lambda: leading(made), deadline_s=60)
    made.kill(leader)
    wait_for("the other to lead", lambda: leading(made) not in (None, leader), deadline_s=60)
    made.await_phase("staging", "Ready", made.commit(web("5"), "Under another leader"))
    assert written_in_the_shop(audit, begin) == ["patch apps/deployments shop/web"]


def test_everything_it_asked_for_is_granted_and_nothing_else_that_writes(made: Installation) -> None:
    asked = [one for one in AuditLog(made.cluster.powers()).requests(made.audited_from) if one.user == ours("gitopsd")]
    compared = compare(asked, rendered(made.values))
    assert compared.impersonated == {ours("gitopsd-staging")}
    assert compared.refused == {("list", "secrets", "")}
    assert compared.unexplained == set()
    # A piece of a snapshot that is there already, after a crash, is read and merged.
    assert compared.unused == {("get", "secrets", HOME), ("patch", "secrets", HOME)}


def test_uninstalled_it_leaves_what_runs_and_installed_again_it_takes_it_up_unchanged(made: Installation) -> None:
    before, audit = made.running(), AuditLog(made.cluster.powers())
    begin = audit.position()
    made.helm("uninstall", RELEASE, "--wait")
    wait_for("gitopsd to be gone", lambda: not made.pods(), deadline_s=60)
    assert made.running()["metadata"]["uid"] == before["metadata"]["uid"]
    made.install()
    made.await_phase("staging", "Ready", made.repository.head())
    assert made.running()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert written_in_the_shop(audit, begin) == []


def test_an_empty_cluster_becomes_the_same_from_the_repository_and_one_install(made: Installation) -> None:
    before = made.running()
    made.remove()
    made.prepare()
    made.install()
    made.await_phase("staging", "Ready", made.repository.head())
    after = made.running()
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"] == before["spec"]


def other_ready(made: Installation, uid: str) -> bool:
    others = [pod for pod in made.pods() if pod["metadata"]["uid"] != uid]
    return any(one["ready"] for pod in others for one in pod["status"].get("containerStatuses", ()))


def restarts(pod: Json) -> tuple[str, int]:
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


def leading(made: Installation) -> str | None:
    """Return the name of the pod that holds the Lease; None when none of those that run does."""
    lease = made.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases/gitopsd")
    holder = lease["spec"].get("holderIdentity") or ""
    names = [pod["metadata"]["name"] for pod in made.pods() if "deletionTimestamp" not in pod["metadata"]]
    return next((name for name in names if holder.startswith(name)), None)


def written_in_the_shop(audit: AuditLog, since: int) -> list[str]:
    wrote = [
        one for one in audit.requests(since) if one.is_write and one.namespace == SHOP and one.user.startswith(ours(""))
    ]
    return [f"{one.verb} {one.object}" for one in wrote]


def ours(account: str) -> str:
    return f"system:serviceaccount:{HOME}:{account}"

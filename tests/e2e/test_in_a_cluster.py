"""As a user has it: installed by the chart on a real node, asked, put back, killed, removed, and brought back."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyrage
import pytest

from rig.audit import AuditLog, Request
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.chart.charting import rendered
from tests.e2e.forge import Clone, new_ssh_key, pinned
from tests.e2e.granted import compare
from tests.e2e.installed import HOME, RELEASE, SHOP, Installation, Json, installation
from tests.e2e.repository import PAYMENTS, WIKI, chart, encrypted, settings, web

pytestmark = [pytest.mark.kubelet, pytest.mark.timeout(600)]

MISSING = "rig.test/web:missing"
ANSWERS = {"http": {"service": "web", "port": 80, "path": "/", "interval": "1s"}}
NO_ANSWER = "echo the wiki did not answer; exit 1"


@pytest.fixture(scope="module")
def made(node_cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    key = pyrage.x25519.Identity.generate()
    first = settings(probes=[ANSWERS]) | web("1") | encrypted(str(key.to_public()), "4111")
    held, folder = {"age": {"keys.txt": str(key)}}, tmp_path_factory.mktemp("e2e")
    with installation(node_cluster, folder, first, beside=(PAYMENTS, WIKI), keys=held) as one:
        yield one


@pytest.fixture(scope="module")
def wiki(made: Installation) -> Clone:
    return made.forge.clone_over_ssh("wiki")


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


def test_what_is_encrypted_is_opened_in_the_pod_and_given_to_kustomize(made: Installation) -> None:
    made.await_phase("payments", "Ready", made.repository.head())
    assert secrets_of_payments(made) == ["4111", "4111"]


def test_the_first_commit_over_ssh_is_a_chart_and_becomes_ready(made: Installation, wiki: Clone) -> None:
    made.await_phase("wiki", "Ready", wiki.commit(chart("1")))
    assert made.running(WIKI.namespace)["status"]["readyReplicas"] == 1


def test_bad_commits_by_either_road_are_put_back_and_fixes_go_through(made: Installation, wiki: Clone) -> None:
    places = {"staging": SHOP, "wiki": WIKI.namespace}
    before = {name: made.running(place)["spec"] for name, place in places.items()}
    bad = {"staging": made.commit(web("2", image=MISSING)), "wiki": wiki.commit(chart("2", smoke_test=NO_ANSWER))}
    told = {name: made.await_phase(name, "Reverted", commit) for name, commit in bad.items()}
    assert {name: made.running(place)["spec"] for name, place in places.items()} == before
    assert all("was put back" in status["message"] for status in told.values())
    assert "the wiki did not answer" in str(told["wiki"])
    good = {"staging": made.commit(web("3"), "The fix"), "wiki": wiki.commit(chart("3"), "The fix")}
    for name, commit in good.items():
        made.await_phase(name, "Ready", commit)
        assert version_in(made, places[name]) == "3"


def test_no_wall_of_the_jail_is_missing_in_the_pod(made: Installation) -> None:
    (pod,) = made.pods()
    log = made.log_of(pod["metadata"]["name"])
    assert [line for line in log if "serving /status" in line] != []
    assert [line for line in log if "jail" in line] == []


def test_a_new_token_is_used_without_a_restart(made: Installation) -> None:
    with no_restart(made):
        token = made.forge.change_token()
        made.await_error("staging", "GIT_AUTH")
        made.give("environments", {**made.secrets["environments"], "token": token})
        made.await_phase("staging", "Ready", made.commit(web("4"), "With the new token"))


def test_a_new_ssh_key_is_used_without_a_restart(made: Installation, wiki: Clone) -> None:
    with no_restart(made):
        key = made.forge.change_deploy_key()
        made.await_error("wiki", "GIT_AUTH")
        made.give("wiki", {**made.secrets["wiki"], "id": key.private})
        made.await_phase("wiki", "Ready", wiki.commit(chart("4"), "With the new key"))


def test_a_forge_with_another_host_key_is_not_believed_until_that_key_is_pinned(
    made: Installation, wiki: Clone
) -> None:
    right, known = made.secrets["wiki"], wiki.head()
    made.give("wiki", {**right, "known_hosts": pinned(new_ssh_key())})
    made.await_error("wiki", "GIT_HOST_KEY")
    unseen = wiki.commit(chart("5"), "Not to be read")
    assert made.await_error("wiki", "GIT_HOST_KEY")["revision"]["desired"]["sha"] == known
    made.give("wiki", right)
    made.await_phase("wiki", "Ready", unseen)


def test_a_new_age_key_opens_what_was_encrypted_anew_without_a_restart(made: Installation) -> None:
    key = pyrage.x25519.Identity.generate()
    with no_restart(made):
        commit = made.commit(encrypted(str(key.to_public()), "5555"), "To the new key")
        made.await_error("payments", "DECRYPT_FAILED")
        assert secrets_of_payments(made) == ["4111", "4111"]
        made.give("age", {"keys.txt": str(key)})
        made.await_phase("payments", "Ready", commit)
    assert secrets_of_payments(made) == ["5555", "5555"]


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


def test_everything_it_asked_for_is_granted_and_nothing_else_that_writes(
    made: Installation, record_property: Callable[[str, object], None]
) -> None:
    asked = [one for one in AuditLog(made.cluster.powers()).requests(made.audited_from) if one.user == ours("gitopsd")]
    compared = compare(asked, rendered(made.values))
    record_property("rights", compared.told())
    record_property("asked", counted(asked))
    assert compared.impersonated == {ours(one.account) for one in made.followed}
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


def test_an_empty_cluster_becomes_the_same_from_the_repositories_and_one_install(
    made: Installation, wiki: Clone
) -> None:
    before = applied(made)
    uid = made.running()["metadata"]["uid"]
    made.remove()
    made.prepare()
    made.install()
    for name, commit in (
        ("staging", made.repository.head()),
        ("payments", made.repository.head()),
        ("wiki", wiki.head()),
    ):
        made.await_phase(name, "Ready", commit)
    assert made.running()["metadata"]["uid"] != uid
    assert applied(made) == before


def counted(asked: Sequence[Request]) -> str:
    kinds = Counter(one.resource for one in asked)
    lease, callers = kinds["coordination.k8s.io/leases"], kinds["authentication.k8s.io/tokenreviews"]
    written = sum(one.is_write and bool(one.impersonated_user) for one in asked)
    return (
        f"{len(asked)} requests of gitopsd; {lease} for its Lease, {callers} who asks, {written} writes of environments"
    )


def applied(made: Installation) -> Json:
    """What the three environments want, as the cluster has it."""
    webs = {place: made.running(place)["spec"] for place in (SHOP, WIKI.namespace)}
    return {**webs, PAYMENTS.namespace: secrets_of_payments(made)}


def secrets_of_payments(made: Installation) -> list[str]:
    """The card's number as it was written, and as kustomize generated it."""
    path = f"/api/v1/namespaces/{PAYMENTS.namespace}/secrets"
    found = [made.api.get(f"{path}/{name}")["data"]["number"] for name in ("card", "ledger-0")]
    return [base64.b64decode(one).decode() for one in found]


def version_in(made: Installation, namespace: str) -> str:
    return str(made.running(namespace)["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])


@contextmanager
def no_restart(made: Installation) -> Iterator[None]:
    (before,) = made.pods()
    yield
    (after,) = made.pods()
    assert restarts(after) == restarts(before)


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

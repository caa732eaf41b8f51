"""The oracles count what happened: every write of an object, by whom and how, and nothing else."""

import subprocess
from pathlib import Path

import pytest

from rig.accounts import Account, account_kubeconfig, allow, create_account
from rig.api import Api, ApiError
from rig.audit import AuditLog, Write
from rig.binaries import binary_path
from rig.metrics import request_counts
from rig.pytest_plugin import TestCluster
from tests.rig.worlds import create_configmap

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {a: b}\n"


def kubectl(cluster: TestCluster, *arguments: str, manifest: str = "") -> None:
    command = [binary_path("kubectl"), "--kubeconfig", cluster.kubeconfig, *arguments]
    subprocess.run(command, input=manifest, text=True, check=True, capture_output=True)


def test_each_write_of_an_object_is_counted_with_its_manager(
    api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog
) -> None:
    begin = api_audit.position()
    apply = ["apply", "--server-side", "--field-manager=shop", "-n", api_namespace, "-f", "-"]
    kubectl(api_cluster, *apply, manifest=MANIFEST)
    kubectl(api_cluster, *apply, manifest=MANIFEST.replace("b}", "c}"))
    kubectl(api_cluster, "delete", "configmap", "shop", "-n", api_namespace)
    counted = api_audit.writes(begin)
    found = {(write.object, write.verb, write.manager): count for write, count in counted.items()}
    about = f"configmaps {api_namespace}/shop"
    assert found == {(about, "patch", "shop"): 2, (about, "delete", "kubectl"): 1}
    assert all(write.agent.startswith("kubectl/v1.35") for write in counted)


def test_dry_runs_are_counted_apart(api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog) -> None:
    begin = api_audit.position()
    apply = ["apply", "--server-side", "--dry-run=server", "-n", api_namespace, "-f", "-"]
    kubectl(api_cluster, *apply, manifest=MANIFEST)
    kubectl(api_cluster, "create", "configmap", "keep", "-n", api_namespace)
    kubectl(api_cluster, "delete", "configmap", "keep", "--dry-run=server", "-n", api_namespace)
    assert sum(api_audit.dry_runs(begin).values()) == 2
    assert {(w.verb, w.object) for w in api_audit.writes(begin)} == {("create", f"configmaps {api_namespace}/keep")}


def test_a_position_divides_before_from_after(
    api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog
) -> None:
    kubectl(api_cluster, "create", "configmap", "before", "-n", api_namespace)
    begin = api_audit.position()
    kubectl(api_cluster, "create", "configmap", "after", "-n", api_namespace)
    assert [w.object for w in api_audit.writes(begin)] == [f"configmaps {api_namespace}/after"]


def test_the_rig_and_the_cluster_are_left_out_unless_asked_for(
    api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog
) -> None:
    begin = api_audit.position()
    create_configmap(api_cluster.api(), api_namespace, "mine")
    assert not api_audit.writes(begin)
    everyone = api_audit.writes(begin, everyone=True)
    assert any(w.object == f"configmaps {api_namespace}/mine" and w.agent == "gitopsd-rig" for w in everyone)


def test_an_account_is_seen_by_name_and_refusals_by_code(
    api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog, tmp_path: Path
) -> None:
    admin = api_cluster.api()
    account = create_account(admin, Account(api_namespace, "deployer"))
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}
    allow(admin, account, [rule], namespace=api_namespace)
    client = Api.from_kubeconfig(account_kubeconfig(api_cluster.kubeconfig, account, tmp_path / "kubeconfig"))
    begin = api_audit.position()
    create_configmap(client, api_namespace, "allowed")
    with pytest.raises(ApiError, match="403"):
        client.get(f"/api/v1/namespaces/{api_namespace}/secrets")
    asked = [r for r in api_audit.requests(begin, everyone=True) if r.user == account.user]
    assert [(r.verb, r.resource, r.code) for r in asked] == [("create", "configmaps", 201), ("list", "secrets", 403)]


def test_impersonation_names_both(api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog) -> None:
    begin = api_audit.position()
    as_someone = ["--as=someone", "--as-group=system:masters"]
    kubectl(api_cluster, "create", "configmap", "theirs", "-n", api_namespace, *as_someone)
    (request,) = [r for r in api_audit.requests(begin) if r.is_write]
    assert (request.user, request.impersonated_user) == ("rig-admin", "someone")


def test_a_refused_write_is_no_write(api_cluster: TestCluster, api_namespace: str, api_audit: AuditLog) -> None:
    kubectl(api_cluster, "create", "configmap", "once", "-n", api_namespace)
    begin = api_audit.position()
    with pytest.raises(subprocess.CalledProcessError):
        kubectl(api_cluster, "create", "configmap", "once", "-n", api_namespace)
    assert not api_audit.writes(begin)
    assert [r.code for r in api_audit.requests(begin) if r.is_write] == [409]


def test_metrics_count_requests_by_kind(api_cluster: TestCluster, api_namespace: str) -> None:
    api = api_cluster.api()
    before = request_counts(api)
    for name in ("one", "two"):
        create_configmap(api, api_namespace, name)
    more = request_counts(api) - before
    created = [count for kind, count in more.items() if (kind.verb, kind.resource) == ("POST", "configmaps")]
    assert sum(created) == 2


def test_a_write_is_a_value_that_can_be_compared() -> None:
    one = Write(object="configmaps shop/web", verb="patch", agent="gitopsd/1", manager="gitopsd")
    assert one == Write(object="configmaps shop/web", verb="patch", agent="gitopsd/1", manager="gitopsd")

"""gitopsd with the rights that the chart renders for namespaces only: it does all that it does elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitopsd.adapters.authority import KubernetesAuthority
from gitopsd.adapters.cluster import Transport, credentials
from gitopsd.config import load_config
from gitopsd.core.access import Asked
from gitopsd.core.errors import ClusterError
from gitopsd.core.status.words import Phase
from gitopsd.daemon import Daemon
from gitopsd.daemon.wiring import wire
from rig.accounts import Account, account_kubeconfig, allow, create_account, token
from rig.api import Api
from rig.audit import Request
from tests.chart.charting import CHART, NAMESPACES, named, of_kind, rendered
from tests.chart.test_on_an_api_server import Asked as Right
from tests.chart.test_on_an_api_server import applied, may
from tests.cluster.oracles import container
from tests.cluster.stage import SOAKLESS, HastyClock, Stage, configmap, deployment, phase_is, running, shown, until
from tests.fakes.clock import FakeClock

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
WRITER = "gitopsd-staging"
PASSES = 5
LABELS_IT = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["patch"]}
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {a: b}\n"
ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: wide}\nrules: []\n"


@dataclass
class Tenant:
    """A stage whose gitopsd lives in ``home``, and may use the stage's namespace and one more, ``beside``."""

    stage: Stage
    home: str
    beside: str

    @property
    def account(self) -> Account:
        return Account(self.home, "gitopsd")

    @property
    def installer(self) -> Account:
        return Account(self.home, "ada")

    @property
    def kubeconfig(self) -> Path:
        return self.stage.folder / "gitopsd.kubeconfig"

    def chart(self, poll: str = "1s") -> list[dict[str, Any]]:
        """What the chart renders for rights in these two namespaces."""
        where = [self.stage.namespace, self.beside]
        source = {"name": "environments", "url": self.stage.server.url("environments"), "poll": poll}
        staging = {"path": "environments/staging", "namespaces": where, "serviceAccount": WRITER}
        values = yaml.safe_load(NAMESPACES.read_text()) | {
            "config": {"sources": [source], "environments": [staging]},
            "accounts": [{"name": WRITER, "namespaces": where}],
            "extraReads": [],
            "accountRules": [*yaml.safe_load((CHART / "values.yaml").read_text())["accountRules"], LABELS_IT],
        }
        file = self.stage.folder / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        return rendered(file, namespace=self.home)

    def rights(self) -> Iterator[Right]:
        """One from each role and binding."""
        yield Right("gitopsd", "watch", "configmaps", "home")
        for namespace in (self.stage.namespace, self.beside):
            yield Right("gitopsd", "watch", "configmaps", namespace)
            yield Right(WRITER, "patch", "configmaps", namespace)

    @contextmanager
    def daemon(self, factor: float = 10.0, poll: str = "1s", *, almighty: bool = False) -> Iterator[Daemon]:
        """gitopsd with the file that the chart writes, but for what only a pod has; alone where time runs faster."""
        written = named(self.chart(poll), "ConfigMap", "gitopsd-config")["data"]["config.yaml"]
        config = yaml.safe_load(written) | {
            "kubeconfig": str(self.kubeconfig),
            "cacheDir": str(self.stage.folder / "cache"),
            "leaderElection": {"enabled": factor == 1.0},
        }
        if almighty:
            config |= {"kubeconfig": str(self.stage.cluster.kubeconfig), "scope": "cluster"}
            del config["environments"][0]["serviceAccount"]
        config["server"] |= {"host": "127.0.0.1", "port": 0}
        file = self.stage.folder / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        with running(Daemon(wire(load_config(file), HastyClock(factor)))) as daemon:
            yield daemon

    def requests(self, begin: int) -> list[Request]:
        """What gitopsd asked, as itself or as another."""
        return [one for one in self.stage.audit.requests(begin) if one.user == self.account.user]

    def find(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self.stage.api.find(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def edit(self, namespace: str, name: str) -> None:
        """Change it by hand."""
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}?fieldManager=kubectl-edit"
        self.stage.api.request("PATCH", path, {"data": {"a": "9"}}, "application/merge-patch+json")

    def is_repaired(self, namespace: str, name: str) -> bool:
        found = self.find(namespace, name)
        return found is not None and found["data"] == {"a": "1"}


@pytest.fixture
def tenant(stage):
    made = Tenant(stage, f"{stage.namespace}-home", f"{stage.namespace}-beside")
    for name in (made.home, made.beside):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        stage.api.create("/api/v1/namespaces", body)
        stage.cluster.namespaces.append(name)
    _appoint(made.installer, stage.api, (stage.namespace, made.beside, made.home))
    rights = of_kind(made.chart(), *RIGHTS)
    assert of_kind(rights, "ClusterRole", "ClusterRoleBinding") == []
    applied(stage.cluster, made.home, rights, f"--as={made.installer.user}")
    for right in made.rights():
        # Roles are effective a moment after they are written.
        until(f"{right} to be granted", lambda right=right: may(stage.cluster, made.home, right))
    account_kubeconfig(stage.cluster.kubeconfig, made.account, made.kubeconfig)
    yield made
    for name in (made.home, made.beside):
        stage.api.delete(f"/api/v1/namespaces/{name}")


def _appoint(installer: Account, api: Api, namespaces: Iterable[str]) -> None:
    """Make whoever installs gitopsd an admin of these namespaces, as the cluster calls it, and of nothing else."""
    create_account(api, installer)
    subject = {"kind": "ServiceAccount", "name": installer.name, "namespace": installer.namespace}
    body = {"apiVersion": ADMIN["apiGroup"] + "/v1", "kind": "RoleBinding", "metadata": {"name": "admins"}}
    for namespace in namespaces:
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
        api.create(path, body | {"roleRef": ADMIN, "subjects": [subject]})
        allow(api, installer, [LABELS_IT], namespace=namespace)


def test_an_admin_of_the_namespaces_can_install_all_of_it(tenant):
    objects = tenant.chart()
    assert of_kind(objects, "Deployment")
    as_one = f"--as={tenant.installer.user}"
    assert len(applied(tenant.stage.cluster, tenant.home, objects, as_one, "--dry-run=server")) == len(objects)


def test_it_syncs_repairs_prunes_and_puts_back_and_is_refused_nothing(tenant):
    stage, begin = tenant.stage, tenant.stage.audit.position()
    settings = f"{SOAKLESS}namespace: {stage.namespace}\n"
    beside = configmap("two", a="1").replace("name: two", f"name: two\n  namespace: {tenant.beside}")
    good = {"gitopsd.yaml": settings, "web.yaml": deployment("web", image="rig.test/web:1"), "key.yaml": SECRET}
    stage.commit({**good, "one.yaml": configmap("one", a="1"), "two.yaml": beside, "old.yaml": configmap("old")})
    with tenant.daemon() as daemon:
        until("the first commit to be kept", phase_is(daemon, Phase.READY))
        until("passes that ask nothing", lambda: _are_free(tenant))

        stage.commit({"old.yaml": None})
        until("the old one to be pruned", lambda: tenant.find(stage.namespace, "old") is None)

        stage.commit({"web.yaml": deployment("web", image="rig.test/web:missing"), "new.yaml": configmap("new")})
        until("the bad commit", lambda: tenant.find(stage.namespace, "new") is not None)
        until("it to be put back", phase_is(daemon, Phase.REVERTED), 60)
        assert container(stage.get("deployments", "web"))["image"] == "rig.test/web:1"
        assert tenant.find(stage.namespace, "new") is None

    # Nothing but a watch can tell of the second ones before the next poll.
    with tenant.daemon(factor=1.0, poll="24h"):
        for namespace, name in 2 * ((stage.namespace, "one"), (tenant.beside, "two")):
            tenant.edit(namespace, name)
            until(f"{name} to be repaired", lambda at=(namespace, name): tenant.is_repaired(*at))
    asked = tenant.requests(begin)

    assert asked
    assert [one for one in asked if one.code >= 400 and one.code != 404] == []
    assert [one.uri for one in asked if one.verb in ("list", "watch") and not one.namespace] == []
    assert {one.uri.partition("?")[0] for one in asked if not one.namespace} == {"/api", "/apis"}
    assert {one.impersonated_user for one in asked if one.is_write and one.namespace != tenant.home} == {
        Account(tenant.home, WRITER).user
    }


def test_what_lives_in_no_namespace_is_refused_and_the_rest_stays_in_good_repair(tenant):
    stage, begin = tenant.stage, tenant.stage.audit.position()
    settings = f"{SOAKLESS}namespace: {stage.namespace}\n"
    stage.commit({"gitopsd.yaml": settings, "one.yaml": configmap("one", a="1")})
    with tenant.daemon() as daemon:
        until("the first commit to be kept", phase_is(daemon, Phase.READY))
        stage.commit({"wide.yaml": ROLE, "two.yaml": configmap("two")})
        until("it to be refused", lambda: _codes(daemon) == ["KIND_DENIED"])
        tenant.edit(stage.namespace, "one")
        until("the drift to be repaired", lambda: tenant.is_repaired(stage.namespace, "one"))
        assert tenant.find(stage.namespace, "two") is None

    assert "clusterroles" not in {one.resource.rpartition("/")[2] for one in tenant.requests(begin)}


def test_what_came_with_more_rights_is_neither_deleted_nor_taken_for_gone(tenant):
    stage = tenant.stage
    settings, name = f"{SOAKLESS}namespace: {stage.namespace}\n", f"wide-{stage.namespace}"
    wide = ROLE.replace("wide", name)
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}"
    stage.commit({"gitopsd.yaml": settings, "wide.yaml": wide, "one.yaml": configmap("one", a="0")})
    with tenant.daemon(almighty=True) as daemon:
        until("all of it to be kept", phase_is(daemon, Phase.READY))
    stage.commit({"wide.yaml": None, "one.yaml": configmap("one", a="1")})
    with tenant.daemon() as daemon:
        until("the rest to follow", lambda: tenant.is_repaired(stage.namespace, "one"))
        until("it to be kept", phase_is(daemon, Phase.READY))
        inventory = daemon.store.load(daemon.environments["staging"]).inventory

    assert name in {ref.name for ref in inventory}
    assert stage.api.find(path) is not None
    stage.api.delete(path)


def test_the_namespace_itself_may_be_among_the_manifests_where_the_account_has_that_right_in_it(tenant):
    stage = tenant.stage
    named_so = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {stage.namespace}, labels: {{team: shop}}}}\n"
    stage.commit({"gitopsd.yaml": f"{SOAKLESS}namespace: {stage.namespace}\n", "namespace.yaml": named_so})
    with tenant.daemon() as daemon:
        until("it to be kept", phase_is(daemon, Phase.READY))

    assert stage.api.get(f"/api/v1/namespaces/{stage.namespace}")["metadata"]["labels"]["team"] == "shop"


def test_who_a_caller_is_cannot_be_asked_and_so_nobody_is_let_in(tenant):
    door = KubernetesAuthority(Transport(credentials(str(tenant.kubeconfig))), FakeClock(), tenant.home)
    shown_token = token(tenant.stage.api, Account(tenant.home, WRITER), lifetime_s=600)

    with pytest.raises(ClusterError) as refused:
        door.decide(shown_token, Asked(verb="list"))
    assert (refused.value.problem.code, 'cannot create resource "tokenreviews"' in refused.value.problem.cause) == (
        "FORBIDDEN",
        True,
    )


def _codes(daemon: Daemon) -> list[str]:
    view = shown(daemon)
    return [problem.code for problem in view.problems] if view else []


def _are_free(tenant: Tenant) -> bool:
    begin, fetched = tenant.stage.audit.position(), len(tenant.stage.server.requests)
    until(f"{PASSES} passes", lambda: len(tenant.stage.server.requests) >= fetched + PASSES)
    return tenant.requests(begin) == []

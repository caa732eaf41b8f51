"""What the chart renders is what a real API server takes, admits under the restricted standard, and authorises."""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitopsd.adapters.authority import KubernetesAuthority
from gitopsd.adapters.cluster import Limits, Transport, credentials
from gitopsd.core.access import Asked as Access
from gitopsd.core.access import Permission
from rig import gateway
from rig.accounts import Account, create_account
from rig.api import ApiError
from rig.binaries import build
from rig.waiting import wait_for
from tests.chart.charting import CI, FULL, INGRESS, SMALL, named, of_kind, pods, rendered
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.cluster

EVERY = pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
OPERATOR = Path(__file__).parents[3] / "shared" / "fixtures" / "real" / "kube-prometheus" / "manifests" / "setup"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GATEWAYS, MONITORING = gateway.GROUP, "monitoring.coreos.com"
OF_NO_NAMESPACE = {"ClusterRole", "ClusterRoleBinding"}
GITOPSD, STAGING, PROMETHEUS = "gitopsd", "gitopsd-staging", "prometheus"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A kind that a plain API server does not know, and values with which the chart makes one object of it."""

    kind: str
    plural: str
    group: str
    values: Path

    def __str__(self) -> str:
        return self.kind

    @property
    def name(self) -> str:
        """What its definition is called."""
        return f"{self.plural}.{self.group}"

    def definition(self) -> dict[str, Any]:
        """As those define it whose kind it is."""
        if self.group == GATEWAYS:
            return gateway.definition(self.plural)
        found: dict[str, Any] = yaml.safe_load(
            (OPERATOR / f"0{self.kind.lower()}CustomResourceDefinition.yaml").read_text()
        )
        return found


FOREIGN = (
    Foreign("ServiceMonitor", "servicemonitors", MONITORING, FULL),
    Foreign("PrometheusRule", "prometheusrules", MONITORING, FULL),
    Foreign("HTTPRoute", "httproutes", GATEWAYS, INGRESS),
)
FOREIGN_KINDS = {one.kind for one in FOREIGN}


@dataclass(frozen=True, slots=True)
class Asked:
    """`home` stands for gitopsd's own namespace."""

    account: str
    verb: str
    resource: str
    namespace: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.account} {self.verb} {self.resource} in {self.namespace or 'all'} {self.name}".rstrip()


# One right from each role and binding.
LAST = (
    Asked(GITOPSD, "patch", "configmaps", "home"),
    Asked(GITOPSD, "watch", "apps/deployments", ""),
    Asked(GITOPSD, "get", "secrets", "default"),
    Asked(STAGING, "patch", "apps/deployments", "default"),
)


@pytest.fixture(scope="module")
def home(api_cluster):
    """A namespace that enforces the restricted standard."""
    api, name = api_cluster.api(), f"gitopsd-chart-{uuid.uuid4().hex[:8]}"
    api_cluster.namespaces.append(name)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    api.create("/api/v1/namespaces", body)
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@EVERY
def test_the_api_server_takes_every_object(api_cluster, home, values):
    objects = [one for one in rendered(values, namespace=home) if one["kind"] not in FOREIGN_KINDS]
    assert len(applied(api_cluster, home, objects, "--dry-run=server")) == len(objects)


@pytest.fixture(scope="module", params=FOREIGN, ids=str)
def foreign(request, api_cluster):
    """A kind that the API server knows as its owners define it."""
    kind: Foreign = request.param
    if kind.group == MONITORING and not OPERATOR.is_dir():
        pytest.skip("../shared/fixtures is not there")
    api, path = api_cluster.api(), f"{DEFINITIONS}/{kind.name}"
    api.create(DEFINITIONS, kind.definition())
    wait_for(f"{kind} to be served", lambda: is_served(api, kind))
    yield kind
    api.delete(path)
    wait_for(f"{kind} to be gone", lambda: not api.find(path))


def is_served(api, kind):
    """Whether it is listed and answers."""
    group = f"/apis/{kind.group}/v1"
    listed = {one["name"] for one in (api.find(group) or {}).get("resources") or ()}
    return kind.plural in listed and api.exchange("GET", f"{group}/{kind.plural}")[0] == HTTPStatus.OK


def test_a_kind_of_others_is_taken_by_their_own_definition(api_cluster, home, foreign):
    (one,) = of_kind(rendered(foreign.values, namespace=home), foreign.kind)
    assert len(applied(api_cluster, home, [one], "--dry-run=server")) == 1


def test_what_their_definition_does_not_know_is_refused(api_cluster, home, foreign):
    (one,) = of_kind(rendered(foreign.values, namespace=home), foreign.kind)
    one["spec"]["unknown"] = True
    # In kubectl's words, or in those of the API server.
    with pytest.raises(AssertionError, match=r'unknown field "unknown"|spec\.unknown: field not declared'):
        applied(api_cluster, home, [one], "--dry-run=server")


@EVERY
def test_every_pod_is_admitted_under_the_restricted_standard(api_cluster, home, values):
    found = list(pods(rendered(values, namespace=home)))
    assert len(found) == 2
    for pod in found:
        pod["spec"].pop("serviceAccountName", None)
        api_cluster.api().create(f"/api/v1/namespaces/{home}/pods?dryRun=All", pod)


def test_a_pod_with_one_measure_less_is_not_admitted(api_cluster, home):
    pod = next(pods(rendered(SMALL, namespace=home)))
    pod["spec"].pop("serviceAccountName", None)
    del pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    with pytest.raises(ApiError, match="restricted"):
        api_cluster.api().create(f"/api/v1/namespaces/{home}/pods?dryRun=All", pod)


@pytest.fixture(scope="module")
def granted(api_cluster, home):
    """The chart's accounts and roles, really there."""
    kinds = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    roles = of_kind(rendered(SMALL, namespace=home), *kinds)
    applied(api_cluster, home, roles)
    # Roles are effective a moment after they are written.
    for asked in LAST:
        wait_for(f"{asked} to be granted", lambda asked=asked: may(api_cluster, home, asked))
    yield home
    kubectl(api_cluster, home, roles, "delete", "--ignore-not-found")


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Asked(GITOPSD, "patch", "configmaps", "home"), True),
        (Asked(GITOPSD, "delete", "configmaps", "home"), False),
        (Asked(GITOPSD, "create", "secrets", "home"), True),
        (Asked(GITOPSD, "watch", "secrets", "home"), False),
        (Asked(GITOPSD, "get", "secrets", "default"), True),
        (Asked(GITOPSD, "get", "secrets", "kube-system"), False),
        (Asked(GITOPSD, "list", "secrets", ""), False),
        (Asked(GITOPSD, "update", "coordination.k8s.io/leases", "home", "gitopsd"), True),
        (Asked(GITOPSD, "update", "coordination.k8s.io/leases", "home", "another"), False),
        (Asked(GITOPSD, "impersonate", "serviceaccounts", "home", STAGING), True),
        (Asked(GITOPSD, "impersonate", "serviceaccounts", "home", "default"), False),
        (Asked(GITOPSD, "impersonate", "serviceaccounts", "kube-system", STAGING), False),
        (Asked(GITOPSD, "impersonate", "users", "", "admin"), False),
        (Asked(GITOPSD, "impersonate", "groups", "", "system:masters"), False),
        (Asked(GITOPSD, "watch", "apps/deployments", ""), True),
        (Asked(GITOPSD, "patch", "apps/deployments", "default"), False),
        (Asked(GITOPSD, "create", "pods", "home"), False),
        (Asked(GITOPSD, "create", "authentication.k8s.io/tokenreviews", ""), True),
        (Asked(GITOPSD, "create", "authorization.k8s.io/subjectaccessreviews", ""), True),
        (Asked(STAGING, "patch", "apps/deployments", "default"), True),
        (Asked(STAGING, "delete", "secrets", "default"), True),
        (Asked(STAGING, "get", "secrets", "default"), False),
        (Asked(STAGING, "patch", "apps/deployments", "kube-system"), False),
        (Asked(STAGING, "patch", "configmaps", "home"), False),
        (Asked(STAGING, "create", "rbac.authorization.k8s.io/rolebindings", "default"), False),
        (Asked(STAGING, "create", "namespaces", ""), False),
    ],
    ids=str,
)
def test_who_may_do_what(api_cluster, granted, asked, allowed):
    assert may(api_cluster, granted, asked) is allowed


@pytest.fixture
def scraped(api_cluster, home):
    """The chart's rights for Prometheus, really there, and the audiences that gitopsd then takes tokens for."""
    scraper = {"kind": "ServiceAccount", "name": PROMETHEUS, "namespace": home}
    objects = rendered(FULL, f"scrapers={json.dumps([scraper])}", namespace=home)
    rights = [one for one in of_kind(objects, *OF_NO_NAMESPACE) if one["metadata"]["name"].endswith(":metrics")]
    assert len(rights) == 2
    create_account(api_cluster.api(), Account(home, PROMETHEUS))
    applied(api_cluster, home, rights)
    written = yaml.safe_load(named(objects, "ConfigMap", "gitopsd-config")["data"]["config.yaml"])
    yield written["server"]["audiences"]
    kubectl(api_cluster, home, rights, "delete", "--ignore-not-found")


def test_prometheus_is_answered_for_a_token_of_the_audience_and_for_its_own_is_not(api_cluster, home, scraped):
    transport = Transport(credentials(str(api_cluster.kubeconfig)), limits=Limits())
    door = KubernetesAuthority(transport, FakeClock(), home, scraped)
    metrics = Access(verb="get", path="/metrics")
    own, written = (scrapers_token(api_cluster, home, audiences) for audiences in ([], scraped))

    # Until the rights are effective the answer is FORBIDDEN: each time another token, or it would be believed.
    def answer():
        return door.decide(scrapers_token(api_cluster, home, scraped), metrics) is Permission.ALLOWED

    wait_for("Prometheus to be let in", answer)
    assert door.decide(written, metrics) is Permission.ALLOWED
    assert door.decide(own, metrics) is Permission.UNKNOWN_CALLER


def scrapers_token(cluster, home, audiences):
    """As the kubelet writes it into a pod."""
    wanted = {"expirationSeconds": 600, **({"audiences": audiences} if audiences else {})}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
    path = f"/api/v1/namespaces/{home}/serviceaccounts/{PROMETHEUS}/token"
    return cluster.api().create(path, body)["status"]["token"]


def may(cluster, home, asked):
    group, _, plural = asked.resource.rpartition("/")
    about = {"group": group, "resource": plural, "verb": asked.verb, "name": asked.name}
    about["namespace"] = home if asked.namespace == "home" else asked.namespace
    spec = {"user": f"system:serviceaccount:{home}:{asked.account}", "resourceAttributes": about}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = cluster.api().create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return answer["status"]["allowed"]


def applied(cluster, home, objects, *options):
    return kubectl(cluster, home, objects, "apply", "--server-side", "--validate=strict", *options)


def kubectl(cluster, home, objects, *command):
    program = build(["kubectl"])["kubectl"]
    for one in objects:
        if one["kind"] not in OF_NO_NAMESPACE:
            one["metadata"].setdefault("namespace", home)
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    full = [program, "--kubeconfig", cluster.kubeconfig, *command, "-f", "-"]
    done = subprocess.run(full, input=listed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()

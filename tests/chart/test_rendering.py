"""The chart renders what it promises, refuses what would be wrong, and bounds everything it grants."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import PurePath

import pytest
import yaml

from gitopsd.config import load_config
from gitopsd.core.status.view import DaemonView, View
from gitopsd.web.metrics import exposition
from tests.chart.charting import (
    CHART,
    CI,
    FULL,
    INGRESS,
    KEY_SERVICES,
    NAMESPACE,
    NAMESPACES,
    OPENSHIFT,
    SMALL,
    helm,
    named,
    of_kind,
    pods,
    rendered,
    rules_of,
    template,
)
from tests.docs import pages as written
from tests.make import NOON

# What OpenShift's restricted-v2 gives each namespace itself, and what volumes it lets pods have.
ASSIGNED = {"runAsUser", "fsGroup", "seLinuxOptions"}
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
READS, ASKS = {"get", "list", "watch"}, {"tokenreviews", "subjectaccessreviews"}
OF_NO_NAMESPACE = {
    *("apiservices", "clusterrolebindings", "clusterroles", "customresourcedefinitions", "ingressclasses"),
    *("mutatingwebhookconfigurations", "persistentvolumes", "priorityclasses", "storageclasses"),
    *("validatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingwebhookconfigurations"),
}
VALUES = yaml.safe_load((CHART / "values.yaml").read_text()).keys()
SHOWN = [
    block
    for page in written.pages()
    for block in written.blocks(page)
    if block.language == "yaml" and VALUES & yaml.safe_load(block.body).keys()
]
EVERY = pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)


@EVERY
def test_the_chart_has_no_fault_that_helm_knows(values):
    done = helm("lint", CHART, "--strict", "--values", values)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("config={}", "config"),
        ("config.environments=[]", "minItems"),
        ('config.environments=[{"path": "staging"}]', "serviceAccount"),
        (
            'config.environments=[{"path": "staging", "serviceAccount": "admin"}]',
            "staging has serviceAccount admin, which is none of accounts: gitopsd-staging",
        ),
        ('config.server={"auth": "none"}', "auth"),
        ('config.namespace="other"', "namespace"),
        # Even one replica overlaps with the next one's at an upgrade.
        ('config.leaderElection={"enabled": false}', "leaderElection"),
        ('accounts=[{"name": "gitopsd-staging"}]', "namespaces"),
        ('accountRules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]', "verbs"),
        ('extraReads=[{"apiGroups": [""], "resources": ["secrets"]}]', "extraReads"),
        ('extraReads=[{"apiGroups": [""], "resources": ["*"]}]', "extraReads"),
        ("replica=1", "replica"),
        ('extraEnv=[{"value": "8"}]', "name"),
        ('image.digest="latest"', "digest"),
        ('serviceAccount={"annotation": {}}', "annotation"),
        ('initContainers=[{"name": "sops"}]', "image"),
        ('extraVolumes=[{"emptyDir": {}}]', "name"),
        ('extraVolumeMounts=[{"name": "tools", "mountPath": "opt/tools"}]', "mountPath"),
        ("podSecurityContext.runAsNonRoot=null", "runAsNonRoot"),
        ("podSecurityContext.runAsUser=0", "runAsUser"),
        ('podSecurityContext.seccompProfile.type="Unconfined"', "seccompProfile"),
        ("securityContext.allowPrivilegeEscalation=true", "allowPrivilegeEscalation"),
        ("securityContext.privileged=true", "privileged"),
        ("securityContext.capabilities.drop=[]", "capabilities/drop"),
        ('securityContext.capabilities.add=["NET_ADMIN"]', "add"),
        ("ingress.enabled=true", "ingress: it is enabled and has no host"),
        ('ingress.hosts=[{"host": "gitopsd.example.com"}]', "ingress/hosts/0"),
        ('ingress.hosts=["*.example.com"]', "ingress/hosts/0"),
        ('ingress.tls=[{"secret": "gitopsd-tls"}]', "ingress/tls/0"),
        ('httpRoute={"enabled": true, "hostnames": ["gitopsd.example.com"]}', "belongs to no Gateway"),
        ('httpRoute={"enabled": true, "parentRefs": [{"name": "public"}]}', "httpRoute: it is enabled and has no host"),
        ('httpRoute.hostnames=["Gitopsd.example.com"]', "httpRoute/hostnames/0"),
        ('httpRoute.parentRefs=[{"gateway": "public"}]', "httpRoute/parentRefs/0"),
    ],
)
def test_what_would_be_wrong_is_refused_before_anything_is_installed(setting, said):
    done = template(SMALL, setting)
    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "GITOPSD_SERVER__AUTH",
        "GITOPSD_SERVER__HOST",
        "GITOPSD_SERVER__PORT",
        "GITOPSD_NAMESPACE",
        "GITOPSD_KUBECONFIG",
        "GITOPSD_CONTEXT",
        # As the daemon reads them, large and small letters are one.
        "gitopsd_leaderElection__enabled",
    ],
)
def test_no_variable_takes_the_place_of_what_the_chart_sets(name):
    done = template(SMALL, f'extraEnv=[{{"name": "{name}", "value": "none"}}]')
    assert done.returncode != 0
    assert f"{name} is the chart's own to set" in done.stderr


def test_a_file_of_a_secret_that_is_not_mounted_is_refused():
    settings = 'config.sources=[{"name": "git", "url": "https://git.example.com/a.git", "auth": {"tokenFile": "%s"}}]'
    done = template(
        SMALL, settings % "/var/run/secrets/gitopsd/git/token", 'credentials=[{"name":"gti","secret":"git"}]'
    )
    said = "git is named there, and no entry of credentials or extraVolumeMounts is mounted at it: gti"
    assert f"/var/run/secrets/gitopsd/{said}" in done.stderr
    assert rendered(
        SMALL, settings % "/var/run/secrets/gitopsd/git/token", 'credentials=[{"name":"git","secret":"git"}]'
    )


def test_a_file_that_an_extra_volume_brings_is_taken():
    mounts = json.dumps([{"name": "aws", "mountPath": "/var/run/secrets/gitopsd/aws", "readOnly": True}])
    key = 'config.sources=[{"name": "git", "auth": {"tokenFile": "/var/run/secrets/gitopsd/aws/token"}}]'
    assert template(SMALL, key).returncode != 0
    assert template(SMALL, key, f"extraVolumeMounts={mounts}").returncode == 0
    elsewhere = mounts.replace("/var/run/secrets/gitopsd", "/opt")
    assert template(SMALL, key, f"extraVolumeMounts={elsewhere}").returncode != 0


def test_whatever_a_key_service_asks_for_is_in_the_pod():
    objects = rendered(KEY_SERVICES)
    config = yaml.safe_load(named(objects, "ConfigMap", "gitopsd-config")["data"]["config.yaml"])
    (services,) = [one["decryption"]["keyServices"] for one in config["environments"]]
    pod = next(pods(objects))["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    (token,) = services["files"].values()
    (source,) = volumes[mounts[str(PurePath(token).parent)]]["projected"]["sources"]
    assert source["serviceAccountToken"] == {"audience": "sts.amazonaws.com", "path": PurePath(token).name}
    (brings,) = pod["initContainers"]
    assert brings["command"][-1] == config["render"]["sops"]
    assert brings["volumeMounts"][0]["name"] == mounts[str(PurePath(config["render"]["sops"]).parent)]
    own, *others = (one["metadata"] for one in of_kind(objects, "ServiceAccount"))
    assert own["annotations"] == {"eks.amazonaws.com/role-arn": services["variables"]["AWS_ROLE_ARN"]}
    assert not any("annotations" in one for one in others)


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.where)
def test_values_that_a_page_shows_are_taken(block, tmp_path):
    (tmp_path / "values.yaml").write_text(block.body)
    done = helm("template", "gitopsd", CHART, "--values", SMALL, "--values", tmp_path / "values.yaml")
    assert done.returncode == 0, done.stderr


def test_each_value_says_what_it_is():
    silent, section_says = [], False
    for above, line in itertools.pairwise((CHART / "values.yaml").read_text().splitlines()):
        if key := re.match(r"( {2})?\w+:", line):
            says = above.lstrip().startswith("#") or (bool(key[1]) and section_says)
            section_says = says if not key[1] else section_says
            silent += [] if says or line.endswith(":") else [line]
    assert silent == []


@EVERY
def test_the_daemon_takes_the_file_as_the_chart_writes_it(values, tmp_path):
    written = named(rendered(values), "ConfigMap", "gitopsd-config")["data"]["config.yaml"]
    (tmp_path / "config.yaml").write_text(written)
    config = load_config(tmp_path / "config.yaml")
    assert (config.namespace, config.server.host, config.server.auth) == (NAMESPACE, "0.0.0.0", "kubernetes")  # noqa: S104


def test_another_file_makes_other_pods():
    def checksum(*settings: str) -> str:
        (deployment,) = of_kind(rendered(SMALL, *settings), "Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum()
    assert checksum() != checksum("config.workers=2")


@EVERY
def test_gitopsd_itself_writes_nothing_but_its_records_and_its_lease(values):
    beyond = [
        (where, rule)
        for where, rule in rules_of(rendered(values), "gitopsd")
        if not set(rule["verbs"]) <= READS and where != NAMESPACE and not set(rule["resources"]) <= ASKS
    ]
    assert beyond == []


@EVERY
def test_gitopsd_reads_secrets_only_where_its_environments_live(values):
    objects = rendered(values)
    accounts = yaml.safe_load(values.read_text())["accounts"]
    where = {where for where, rule in rules_of(objects, "gitopsd") if "secrets" in rule["resources"]}
    assert where == {NAMESPACE} | {namespace for account in accounts for namespace in account["namespaces"]}


@EVERY
def test_gitopsd_may_be_the_accounts_that_are_listed_and_no_others(values):
    rules = [(where, rule) for where, rule in rules_of(rendered(values), "gitopsd") if "impersonate" in rule["verbs"]]
    names = [account["name"] for account in yaml.safe_load(values.read_text())["accounts"]]
    only = {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": names, "verbs": ["impersonate"]}
    assert rules == [(NAMESPACE, only)]


@EVERY
def test_nothing_that_is_granted_is_a_wildcard(values):
    words = [
        word
        for role in of_kind(rendered(values), "Role", "ClusterRole")
        for rule in role["rules"]
        for words in rule.values()
        for word in words
    ]
    assert words
    assert "*" not in words
    assert "cluster-admin" not in json.dumps(rendered(values))


@pytest.mark.parametrize("values", [FULL, NAMESPACES], ids=["one role for all", "a role in each"])
def test_an_account_writes_only_in_its_namespaces(values):
    where = {where for where, _ in rules_of(rendered(values), "gitopsd-production")}
    assert where == {"default", "kube-public"}


IN_THE_WHOLE_CLUSTER = "ClusterRole", "ClusterRoleBinding"


def test_with_rights_in_namespaces_nothing_is_granted_in_the_whole_cluster():
    assert of_kind(rendered(NAMESPACES), *IN_THE_WHOLE_CLUSTER) == []


def test_with_rights_in_namespaces_asking_who_a_caller_is_needs_the_whole_cluster_and_nothing_else_does():
    objects = rendered(NAMESPACES, "rbac.reviews=true")
    everywhere = [rule for where, rule in rules_of(objects, "gitopsd") if where == ""]
    assert [(rule["resources"], rule["verbs"]) for rule in everywhere] == [
        (["tokenreviews"], ["create"]),
        (["subjectaccessreviews"], ["create"]),
    ]
    assert len(of_kind(objects, *IN_THE_WHOLE_CLUSTER)) == 2


def test_with_rights_in_namespaces_gitopsd_reads_there_whatever_it_reads_otherwise():
    def reads(setting: str, where: str) -> set[tuple[str, str, str]]:
        rules = [rule for found, rule in rules_of(rendered(NAMESPACES, setting), "gitopsd") if found in ("", where)]
        return {
            (group, plural, verb)
            for rule in rules
            for group, plural, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
        }

    wide = reads('rbac.scope="cluster"', "default") - reads('rbac.scope="namespaces"', "default")
    assert {plural for _, plural, _ in wide} == OF_NO_NAMESPACE
    more = reads('rbac.scope="namespaces"', "default") - reads('rbac.scope="cluster"', "default")
    assert more == {("", "secrets", "watch")}
    assert ("cert-manager.io", "certificates", "watch") in reads('rbac.scope="namespaces"', "kube-public")


def test_no_binding_would_have_to_change_what_it_binds_when_the_scope_is_changed():
    before, after = (
        {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one["roleRef"]
            for one in of_kind(
                rendered(NAMESPACES, f'rbac={{"scope": "{scope}"}}'), "RoleBinding", "ClusterRoleBinding"
            )
        }
        for scope in ("cluster", "namespaces")
    )
    both = before.keys() & after.keys()
    assert both
    assert [key for key in both if before[key] != after[key]] == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            'config.environments=[{"path": "staging", "serviceAccount": "gitopsd-staging"}]',
            "staging needs namespaces, for with rbac.scope namespaces gitopsd has no rights elsewhere",
        ),
        (
            'config.environments=[{"path": "a", "serviceAccount": "gitopsd-staging", "namespaces": ["shop-*"]}]',
            "a may use shop-*, which is none of the namespaces of its account gitopsd-staging: default.",
        ),
        ('viewers=[{"kind": "Group", "name": "developers"}]', "gitopsd cannot ask who a caller is"),
        ('scrapers=[{"kind": "User", "name": "prometheus"}]', "Set it to true, or ask by kubectl exec"),
        (
            'ingress={"enabled": true, "hosts": ["gitopsd.example.com"]}',
            "ingress and httpRoute: with rbac.reviews false",
        ),
        ('extraEnv=[{"name": "GITOPSD_SCOPE", "value": "cluster"}]', "GITOPSD_SCOPE is the chart's own to set"),
        ('rbac.scope="namespace"', "scope"),
        ('config.scope="cluster"', "scope"),
    ],
)
def test_with_rights_in_namespaces_what_cannot_work_is_refused(setting, said):
    done = template(NAMESPACES, setting)
    assert done.returncode != 0
    assert said in done.stderr


def test_nobody_may_read_the_status_until_they_are_named():
    assert "gitopsd-viewer" not in [one["roleRef"]["name"] for one in of_kind(rendered(SMALL), "RoleBinding")]
    assert "gitopsd-viewer" in [one["roleRef"]["name"] for one in of_kind(rendered(FULL), "RoleBinding")]


def test_credentials_are_mounted_whole_so_that_they_change_without_a_restart():
    (pod,) = [pod for pod in pods(rendered(FULL)) if len(pod["spec"].get("volumes", ())) > 1]
    mounts = {mount["name"]: mount for mount in pod["spec"]["containers"][0]["volumeMounts"]}
    mount = mounts["credentials-git"]
    assert (mount["mountPath"], mount["readOnly"], "subPath" in mount) == ("/var/run/secrets/gitopsd/git", True, False)


def test_the_chart_tests_itself_where_only_some_may_connect():
    objects = rendered(FULL)
    (policy,) = of_kind(objects, "NetworkPolicy")
    (tester,) = of_kind(objects, "Pod")
    chosen = [peer["podSelector"]["matchLabels"].items() for peer in policy["spec"]["ingress"][0]["from"]]
    assert [labels <= tester["metadata"]["labels"].items() for labels in chosen] == [False, True]


def test_openshift_may_give_every_pod_the_user_and_group_of_its_namespace():
    assert {one for pod in pods(rendered(SMALL)) for one in _chosen(pod)} == {"runAsUser", "fsGroup"}
    found = list(pods(rendered(OPENSHIFT)))
    assert len(found) == 2
    assert [_chosen(pod) for pod in found] == [set(), set()]
    volumes = {kind for pod in found for volume in pod["spec"].get("volumes", ()) for kind in volume.keys() - {"name"}}
    assert volumes
    assert volumes <= VOLUMES


def _chosen(pod) -> set[str]:
    """What the pod asks for of that which is assigned."""
    contexts = [pod["spec"], *pod["spec"]["containers"]]
    return {name for one in contexts for name in one["securityContext"] if name in ASSIGNED}


OWN_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@pytest.mark.parametrize(
    ("audiences", "file", "shown"),
    [
        ([], "", OWN_TOKEN),
        ([], "/tokens/gitopsd", "/tokens/gitopsd"),
        (["gitopsd"], "/tokens/gitopsd", "/tokens/gitopsd"),
        # Where the API server's own audience is one of them.
        (["gitopsd", "https://kubernetes.default.svc"], OWN_TOKEN, OWN_TOKEN),
    ],
)
def test_prometheus_shows_the_token_of_the_file_that_is_named(audiences, file, shown):
    settings = [f"config.server.audiences={json.dumps(audiences)}", f'serviceMonitor.bearerTokenFile="{file}"']
    (monitor,) = of_kind(rendered(FULL, *settings), "ServiceMonitor")
    assert [one["bearerTokenFile"] for one in monitor["spec"]["endpoints"]] == [shown]


def test_a_token_that_is_meant_for_others_is_refused_before_prometheus_shows_it():
    done = template(FULL, 'config.server.audiences=["gitopsd", "ours"]', 'serviceMonitor.bearerTokenFile=""')
    assert done.returncode != 0
    assert "config.server.audiences takes tokens for gitopsd, ours: name the file of one" in done.stderr
    assert template(FULL, 'serviceMonitor={"enabled": false, "bearerTokenFile": ""}').returncode == 0


def test_nothing_leads_to_gitopsd_from_outside_unless_it_is_asked_for():
    assert of_kind(rendered(SMALL), "Ingress", "HTTPRoute") == []


def test_each_name_of_the_ingress_leads_to_the_port():
    objects, wanted = rendered(INGRESS), yaml.safe_load(INGRESS.read_text())["ingress"]
    (ingress,) = of_kind(objects, "Ingress")
    assert ingress["metadata"]["annotations"] == wanted["annotations"]
    spec = ingress["spec"]
    assert (spec["ingressClassName"], spec["tls"]) == (wanted["className"], wanted["tls"])
    assert [rule["host"] for rule in spec["rules"]] == wanted["hosts"]
    for rule in spec["rules"]:
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/", "Prefix")
        to = path["backend"]["service"]
        (port,) = named(objects, "Service", to["name"])["spec"]["ports"]
        assert to["port"] == {"name": port["name"]}


def test_the_route_leads_from_its_gateways_to_the_port():
    objects, wanted = rendered(INGRESS), yaml.safe_load(INGRESS.read_text())["httpRoute"]
    (route,) = of_kind(objects, "HTTPRoute")
    assert route["metadata"]["annotations"] == wanted["annotations"]
    assert (route["spec"]["parentRefs"], route["spec"]["hostnames"]) == (wanted["parentRefs"], wanted["hostnames"])
    ((to,),) = [rule["backendRefs"] for rule in route["spec"]["rules"]]
    (port,) = named(objects, "Service", to["name"])["spec"]["ports"]
    assert to["port"] == port["port"]


@pytest.mark.parametrize("peers", [[], [{"ipBlock": {"cidr": "10.0.0.0/24"}}, {"namespaceSelector": {}}]])
def test_whoever_is_named_may_connect_and_without_a_name_every_pod_of_the_cluster(peers):
    (policy,) = of_kind(rendered(INGRESS, f"networkPolicy.from={json.dumps(peers)}"), "NetworkPolicy")
    (way,) = policy["spec"]["ingress"]
    *let_in, _ = way["from"]
    assert let_in == (peers or [{"namespaceSelector": {}}])


@pytest.mark.parametrize(("values", "token"), [(SMALL, "create token ACCOUNT)"), (FULL, "ACCOUNT --audience=gitopsd)")])
def test_the_notes_ask_for_a_token_that_gitopsd_takes(values, token):
    assert token in _notes(values)


HOST = "gitopsd.example.com"
BY_INGRESS = f'ingress={{"enabled": true, "hosts": ["{HOST}"], "tls": [{{"secretName": "gitopsd-tls"}}]}}'
BY_ROUTE = f'httpRoute={{"enabled": true, "hostnames": ["{HOST}"], "parentRefs": [{{"name": "public"}}]}}'
NARROW = 'networkPolicy.from=[{"podSelector": {}}]'


@pytest.mark.parametrize(
    ("settings", "addresses", "without_tls", "narrow"),
    [
        ([], 0, False, False),
        ([f'ingress.hosts=["{HOST}"]', f'httpRoute.hostnames=["{HOST}"]', NARROW], 0, False, False),
        ([BY_INGRESS], 1, False, False),
        ([BY_INGRESS, BY_ROUTE], 1, False, False),
        ([BY_ROUTE], 1, False, False),
        ([BY_INGRESS, "ingress.tls=[]"], 1, True, False),
        ([BY_ROUTE, NARROW], 1, False, True),
        ([BY_ROUTE, NARROW, "networkPolicy.enabled=false"], 1, False, False),
    ],
)
def test_the_notes_say_where_it_is_asked_from_outside_and_what_that_needs(settings, addresses, without_tls, narrow):
    notes = _notes(SMALL, *settings)
    assert notes.count(f"https://{HOST}/status") == addresses
    assert ("no `ingress.tls`" in notes, "`networkPolicy.from` lets in" in notes) == (without_tls, narrow)


def _notes(values, *settings: str) -> str:
    chosen = [part for setting in settings for part in ("--set-json", setting)]
    done = helm("install", "gitopsd", CHART, "--dry-run=client", "--namespace", NAMESPACE, "--values", values, *chosen)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


def test_the_notes_name_another_way_to_ask_where_nobody_is_answered():
    done = helm("install", "gitopsd", CHART, "--dry-run=client", "--namespace", NAMESPACE, "--values", NAMESPACES)
    said = done.stdout.partition("NOTES:")[2]
    assert "exec deploy/gitopsd -- gitopsd status" in said
    assert ("create token" in said, "viewers" in said) == (False, False)


def test_one_replica_has_no_budget_that_would_hold_up_a_drain():
    assert of_kind(rendered(SMALL), "PodDisruptionBudget") == []
    assert len(of_kind(rendered(FULL), "PodDisruptionBudget")) == 1


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json"])
def test_alerts_and_dashboard_ask_for_metrics_that_exist(file):
    view = View(daemon=DaemonView(leading=True), at=NOON)
    said = exposition(lambda: view, "text/plain")[0].decode()
    exist = set(re.findall(r"^# HELP (gitopsd_[a-z_]+)", said, re.MULTILINE))
    asked = set(re.findall(r"gitopsd_[a-z_]+", (CHART / file).read_text()))
    assert asked
    assert asked <= exist

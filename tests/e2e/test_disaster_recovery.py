"""A cluster is lost: its repository, its keys and its values make the same on a new one, by the documented commands."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
import yaml

from rig.accounts import Account, create_account
from rig.api import Api
from rig.audit import AuditLog
from rig.binaries import build
from rig.cluster import Nodes
from rig.doors import let_pods_reach, let_pods_reach_no_more
from rig.images import load, web_image
from rig.lifecycle import Wish, down, up
from rig.network import NODE_ADDRESS
from rig.product import PRODUCT, product_image
from rig.programs import myself
from rig.pytest_plugin import TestCluster
from tests.docs.pages import blocks
from tests.e2e.followed import STAGING, Json
from tests.e2e.installed import CHART, HOME, SHOP, Installation
from tests.e2e.repository import settings, web
from tests.git_server import BareRepository, GitServer
from tests.sops_file import encrypted_object

pytestmark = [pytest.mark.kubelet, pytest.mark.timeout(600)]

DOCUMENT = CHART.parents[1] / "docs" / "disaster-recovery.md"
PASSWORD = "correct horse"
KEYS = "/var/run/secrets/gitopsd/keys"
OF_THE_SERVER = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"}
OF_THE_CLUSTER = {"clusterIP", "clusterIPs"}
COLLECTIONS = ("api/v1:services", "api/v1:secrets", "apis/apps/v1:deployments")


@pytest.fixture(scope="module")
def new_cluster() -> Iterator[TestCluster]:
    """Another cluster with a kubelet, on which nothing ever was."""
    made = up(Wish(name=f"test-new-{os.getpid()}", nodes=Nodes.KUBELET, owner=myself()))
    try:
        yield TestCluster(made.kubeconfig, made)
    finally:
        down(made.name)


@pytest.fixture(scope="module")
def kept(node_cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a careful operator has in a safe place: the chart, the values, and the keys."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "charts").symlink_to(CHART.parent)
    (folder / "keys").mkdir()
    (folder / "keys" / "token").write_text(PASSWORD)
    authority = node_cluster.powers().authority.pair("ca").certificate
    (folder / "keys" / "ca.crt").write_bytes(authority.read_bytes())
    (folder / "keys" / "age.txt").write_text(str(pyrage.x25519.Identity.generate()))
    return folder


@pytest.fixture(scope="module")
def git(node_cluster: TestCluster, kept: Path) -> Iterator[GitServer]:
    pair = node_cluster.powers().authority.sign_server("git", (NODE_ADDRESS, "127.0.0.1"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    with GitServer(kept / "git", password=PASSWORD, tls=tls) as server:
        (kept / "values.yaml").write_text(yaml.safe_dump(values(server)))
        yield server


@pytest.fixture(scope="module")
def repository(kept: Path, git: GitServer) -> BareRepository:
    made = git.create("environments.git")
    made.commit(settings() | web("1") | secret(kept), "Start")
    return made


@pytest.fixture
def lost(node_cluster: TestCluster, kept: Path, git: GitServer, repository: BareRepository) -> Iterator[Installation]:
    """What will be lost; to be found again, nothing of it is used."""
    made = installed_by_the_page(node_cluster, kept, git)
    try:
        yield made
    finally:
        made.remove()
        let_pods_reach_no_more(node_cluster.powers(), git.port)


def test_a_new_cluster_becomes_what_the_lost_one_was(
    lost: Installation, new_cluster: TestCluster, kept: Path, git: GitServer, repository: BareRepository
) -> None:
    lost.await_phase("staging", "Ready", repository.head())
    then = lost.await_phase("staging", "Ready", repository.commit(web("2") | secret(kept), "Second"))
    was = world(lost.api)

    found = installed_by_the_page(new_cluster, kept, git)
    now = found.await_phase("staging", "Ready", repository.head())

    assert world(found.api) == was
    assert set(was) == {"services/web", "secrets/web", "secrets/sealed", "deployments/web"}
    assert was["secrets/sealed"]["data"] == {"password": "aHVudGVyMg=="}
    assert now["revision"]["applied"]["digest"] == then["revision"]["applied"]["digest"]
    # What the documentation says does not come back.
    assert (len(then["history"]), len(now["history"])) == (2, 1)
    writes = [one for one in AuditLog(new_cluster.powers()).requests() if one.is_write and one.namespace == SHOP]
    assert sorted(f"{one.verb} {one.name}" for one in writes if one.impersonated_user) == sorted(
        f"patch {name.rpartition('/')[2]}" for name in was
    )


def installed_by_the_page(cluster: TestCluster, kept: Path, git: GitServer) -> Installation:
    """Do what the document says; the Git server is on this machine, as it has to outlive a cluster."""
    rig, api = cluster.powers(), cluster.api()
    load(rig, product_image())
    load(rig, web_image())
    let_pods_reach(rig, git.port)
    programs = {str(path.parent) for path in build(["helm", "kubectl"]).values()}
    surroundings = {"PATH": ":".join(programs), "HOME": str(kept), "KUBECONFIG": str(cluster.kubeconfig)}
    typed = ["/bin/sh", "-eu", "-c", written("sh")]
    done = subprocess.run(typed, cwd=kept, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    create_account(api, Account(HOME, "oncall"))
    return Installation(cluster, api, git, git, kept, (STAGING,), {}, 0)


def written(language: str) -> str:
    (found,) = (block.body for block in blocks(DOCUMENT) if block.language == language)
    return found


def values(server: GitServer) -> Json:
    """The document's values, with this test's Git server, image and reader."""
    documented: Json = yaml.safe_load(written("yaml"))
    (source,) = documented["config"]["sources"]
    source |= {"url": f"https://{NODE_ADDRESS}:{server.port}/environments.git", "poll": "1s"}
    source["auth"]["caFile"] = f"{KEYS}/ca.crt"
    repository, _, tag = PRODUCT.rpartition(":")
    return documented | {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "viewers": [{"kind": "ServiceAccount", "name": "oncall", "namespace": HOME}],
    }


def secret(kept: Path) -> dict[str, str | bytes]:
    """A Secret that only the kept key opens, beside the web server."""
    recipient = str(pyrage.x25519.Identity.from_str((kept / "keys" / "age.txt").read_text()).to_public())
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sealed"}, "stringData": {"password": "hunter2"}}
    return {
        f"{STAGING.directory}/kustomization.yaml": json.dumps({"resources": ["web.yaml", "sealed.yaml"]}),
        f"{STAGING.directory}/sealed.yaml": encrypted_object(recipient, body),
    }


def world(api: Api) -> dict[str, Json]:
    """What gitopsd made in the shop, without what every cluster says in its own way."""
    found: dict[str, Json] = {}
    for root, _, collection in (one.partition(":") for one in COLLECTIONS):
        label = "gitopsd.dev/environment=staging"
        for one in api.get(f"/{root}/namespaces/{SHOP}/{collection}?labelSelector={label}")["items"]:
            found[f"{collection}/{one['metadata']['name']}"] = canonical(one)
    return found


def canonical(one: Json) -> Json:
    metadata = {key: value for key, value in one["metadata"].items() if key not in OF_THE_SERVER}
    metadata.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    spec = {key: value for key, value in one.get("spec", {}).items() if key not in OF_THE_CLUSTER}
    return {**one, "metadata": metadata, "spec": spec, "status": None}

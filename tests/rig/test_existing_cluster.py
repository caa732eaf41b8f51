"""A cluster one has serves instead of the rig's: nothing is left there, and what cannot be tested there says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rig.api import Api
from rig.pytest_plugin import EXISTING
from rig.waiting import wait_for
from tests.rig.commandline import TREE, Rig

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]
SESSION = """
import pytest

def test_works_anywhere(cluster, namespace):
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.api().create(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}})

def test_reads_the_audit_log(audit):
    audit.position()

@pytest.mark.rig_power
def test_is_marked(cluster):
    raise AssertionError

@pytest.mark.kubelet
def test_needs_a_kubelet(node_cluster):
    raise AssertionError
"""
OWNED = """
from rig.cluster import Nodes
from rig.lifecycle import Wish, up
from rig.programs import myself
print(up(Wish(name="owned", nodes=Nodes.NONE, owner=myself())).kubeconfig)
"""


@pytest.fixture
def rig(tmp_path: Path):
    rig = Rig(tmp_path / "state")
    yield rig
    rig("down", "--all")


def test_an_existing_cluster_serves_and_nothing_is_left_there(rig: Rig, tmp_path: Path) -> None:
    kubeconfig = rig.up()
    (tmp_path / "test_session.py").write_text(SESSION)
    command = [sys.executable, "-m", "pytest", "-p", "rig.pytest_plugin", "-rs", "-q", "--rootdir", tmp_path, tmp_path]
    environment = {**rig.environment, EXISTING: str(kubeconfig)}
    done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed, 3 skipped" in done.stdout
    assert "needs what only the rig can do (audit log, kill, pause, played nodes)" in done.stdout
    namespaces = Api.from_kubeconfig(kubeconfig).get("/api/v1/namespaces")["items"]
    assert not [one for one in namespaces if one["metadata"]["name"].startswith("gitopsd-test-")]


def test_an_existing_cluster_that_is_not_there_is_said_once(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "test_session.py").write_text(SESSION)
    command = [sys.executable, "-m", "pytest", "-p", "rig.pytest_plugin", "-q", "--rootdir", tmp_path, tmp_path]
    environment = {**rig.environment, EXISTING: "/nowhere"}
    done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True, check=False)
    assert "GITOPSD_TEST_KUBECONFIG names /nowhere, which is no file" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_cluster_whose_owner_died_is_cleaned_by_the_next_up(rig: Rig) -> None:
    owner = subprocess.run([sys.executable, "-c", OWNED], cwd=TREE, env=rig.environment, check=True)
    assert owner.returncode == 0
    assert "owned: abandoned" in rig("status").stdout
    rig.up("--name", "next")
    wait_for("the next cluster to be alone", lambda: "owned" not in rig("status").stdout)
    assert os.listdir(rig.state / "gitopsd" / "clusters") == ["next"]  # noqa: PTH208 - names are what is compared

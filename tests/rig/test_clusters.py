"""Clusters come up whole or not at all, live side by side, and leave nothing: no program, no file."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig.api import Api
from rig.waiting import wait_for
from tests.rig.commandline import TREE, Rig

COMING_AND_GOING = """
from rig import lifecycle
from rig.paths import cluster_folder
for _ in range(300):
    with lifecycle._held(cluster_folder("one")) as folder:
        lifecycle._remove(folder)
"""
pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


@pytest.fixture
def rig(tmp_path: Path):
    rig = Rig(tmp_path)
    yield rig
    rig("down", "--all")


def test_the_last_line_of_up_is_the_kubeconfig(rig: Rig) -> None:
    done = rig("up", "--nodes", "none")
    assert Api.from_kubeconfig(Path(done.stdout.splitlines()[-1])).answers()
    assert "starting cluster" in done.stderr


def test_two_clusters_live_side_by_side(rig: Rig) -> None:
    one, two = rig.up("--name", "one"), rig.up("--name", "two")
    for kubeconfig, name in ((one, "first"), (two, "second")):
        api = Api.from_kubeconfig(kubeconfig)
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert Api.from_kubeconfig(one).find("/api/v1/namespaces/second") is None
    rig("down", "--name", "one")
    assert Api.from_kubeconfig(two).answers()


def test_down_leaves_nothing(rig: Rig) -> None:
    rig.up()
    assert rig.programs()
    assert rig("down").stdout == "default: down\n"
    assert rig.programs() == []
    assert rig.files() == []


def test_down_twice_is_fine(rig: Rig) -> None:
    assert rig("down").stdout == "default: there was none\n"


def test_up_twice_is_the_same_cluster(rig: Rig) -> None:
    first = rig.up()
    Api.from_kubeconfig(first).get("/api/v1/namespaces/default")
    before = rig("status").stdout
    assert rig.up() == first
    assert rig("status").stdout == before


def test_another_kind_of_nodes_under_the_same_name_is_refused(rig: Rig) -> None:
    rig.up()
    refused = rig("up", "--nodes", "kwok")
    assert refused.returncode == 1
    assert "is up already, with nodes none" in refused.stderr
    assert "down --name default" in refused.stderr


def test_a_crashed_cluster_is_replaced_by_the_next_up(rig: Rig) -> None:
    rig.up()
    rig.kill("etcd")
    assert "broken" in rig("status").stdout
    assert Api.from_kubeconfig(rig.up()).answers()


def test_after_a_crash_down_leaves_nothing(rig: Rig) -> None:
    rig.up()
    rig.kill("kube-apiserver")
    rig("down")
    assert (rig.programs(), rig.files()) == ([], [])


def test_a_killed_up_is_cleaned_by_the_next_of_any_name(rig: Rig) -> None:
    running = rig.begin("up", "--nodes", "none", "--name", "left")
    wait_for("the API server to be started", lambda: rig.has("kube-apiserver"))
    running.child.send_signal(signal.SIGKILL)
    running.finish()
    assert "abandoned" in rig("status").stdout
    rig.up("--name", "next")
    assert "left" not in rig("status").stdout
    rig("down", "--name", "next")
    assert (rig.programs(), rig.files()) == ([], [])


@pytest.mark.parametrize("begun", ["etcd", "kube-apiserver", "kube-controller-manager"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(rig: Rig, how: signal.Signals, begun: str) -> None:
    running = rig.begin("up", "--nodes", "none")
    wait_for(f"{begun} to be started", lambda: rig.has(begun), every_s=0.001)
    running.child.send_signal(how)
    assert running.finish().returncode == 130
    assert rig.programs() == []
    assert rig.files() == []


def test_ups_and_downs_at_once_do_not_take_the_folder_from_each_other(rig: Rig) -> None:
    """The last `down` removes the folder above, at the very moment at which the next `up` wants it."""
    told = {"cwd": TREE, "env": rig.environment}
    assert [
        child.wait() for child in [subprocess.Popen([sys.executable, "-c", COMING_AND_GOING], **told) for _ in range(3)]
    ] == [0, 0, 0]
    assert rig.files() == []


def test_a_recycled_pid_is_never_killed(rig: Rig) -> None:
    rig.up()
    bystander = subprocess.Popen(["sleep", "60"])
    record = next(rig.state.rglob("etcd.pid"))
    rig.kill("etcd")
    record.write_text(record.read_text().replace(record.read_text().split()[0], str(bystander.pid), 1))
    rig("down")
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()

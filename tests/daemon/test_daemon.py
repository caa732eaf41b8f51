"""What the daemon is to the machine it runs on: a process without core files, and a server by known names."""

from __future__ import annotations

import subprocess
import sys
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest

from gitopsd.config import Config
from gitopsd.daemon.claims import LocalClaims
from gitopsd.daemon.daemon import Daemon
from gitopsd.daemon.meter import StageTimes
from rig.ports import free_ports
from tests.fakes.clock import FakeClock

FILE = """
sources: [{name: environments, url: "https://git.example.com/environments.git"}]
environments: [{path: web}]
cacheDir: CACHE
"""
# The limits that the machine allows, and those after the daemon is built.
LIMITS = """
import resource, sys
from contextlib import suppress
from pathlib import Path
from gitopsd.daemon import build
with suppress(ValueError):
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
try:
    build(Path(sys.argv[1]))
finally:
    print(hard, *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_process_that_may_hold_keys_leaves_no_core_file(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(FILE.replace("CACHE", str(tmp_path / "cache")))
    ran = subprocess.run([sys.executable, "-c", LIMITS, config], capture_output=True, text=True, check=False)
    allowed, *limits = ran.stdout.split()

    if allowed == "0":
        pytest.skip("nothing may leave a core file here, and only root may allow it")
    assert limits == ["0", "0"]


def test_the_names_of_the_operators_file_are_answered_to():
    config = Config(
        sources=[{"name": "environments", "url": "https://git.example.com/environments.git"}],
        environments=[{"path": "web"}],
        server={"port": free_ports(1)[0], "allowedHosts": ["gitopsd.example"]},
    )
    house = SimpleNamespace(
        config=config,
        sources={},
        claims=LocalClaims(),
        clock=FakeClock(),
        times=StageTimes(),
        authority=lambda: None,
    )
    with Daemon(house)._serving():
        assert [_code(config.server.port, host) for host in ("gitopsd.example", "other.example")] == [200, 421]


def _code(port: int, host: str) -> int:
    asked = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        asked.request("GET", "/version", headers={"Host": host})
        return asked.getresponse().status
    finally:
        asked.close()

"""The real kustomize and helm say the same in the jail as outside of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitopsd.adapters.render.jail import Jail, Ran
from rig.binaries import build
from tests.adapters.render.jailed import needs_linux

SHOP = Path(__file__).parents[4] / "shared" / "fixtures" / "real" / "online-boutique"

pytestmark = [
    needs_linux,
    pytest.mark.skipif(not SHOP.exists(), reason="the real manifests are not beside the repository"),
]


@pytest.fixture(scope="module")
def jail(tmp_path_factory) -> Jail:
    return Jail(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def files() -> list[tuple[str, bytes]]:
    return [(str(path.relative_to(SHOP)), path.read_bytes()) for path in SHOP.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("tool", "arguments", "directory"),
    [
        ("kustomize", ["build", "."], "kustomize"),
        ("kustomize", ["build", "."], "kustomize/base"),
        ("helm", ["template", "shop", "."], "helm-chart"),
    ],
    ids=["kustomize, with components", "kustomize, base", "helm"],
)
def test_the_output_is_the_one_that_the_tool_has_outside(jail, files, tool, arguments, directory):
    argv = [str(build((tool,))[tool]), *arguments]
    free = subprocess.run(argv, cwd=SHOP / directory, capture_output=True, check=True)

    on_disk, in_memory = (jail.run(argv, files, directory=directory, secret=secret) for secret in (False, True))

    assert on_disk == in_memory == Ran(0, free.stdout, "")
    assert len(free.stdout) > 10_000


def test_an_error_of_the_tool_reads_the_same_each_time(jail):
    argv = [str(build(("kustomize",))["kustomize"]), "build", "."]
    files = [("a/kustomization.yaml", b"resources: [missing.yaml]\n")]

    first, second = (jail.run(argv, files, directory="a") for _ in range(2))

    assert first == second
    assert first.code == 1
    assert "a/missing.yaml" in first.stderr

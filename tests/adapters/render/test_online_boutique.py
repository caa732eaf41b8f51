"""A real repository of Kustomize bases, components and overlays: gitopsd prints what kustomize builds, to the byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitopsd.cli.app import run_command
from rig.binaries import build
from tests.adapters.render.jailed import needs_linux
from tests.adapters.render.repository import built

SHOP = Path(__file__).parents[4] / "shared" / "fixtures" / "real" / "online-boutique"

pytestmark = [
    needs_linux,
    pytest.mark.skipif(not SHOP.is_dir(), reason="../shared/fixtures is not there"),
]


def overlays() -> list[str]:
    """Every directory that kustomize can build by itself: the overlays, and the components below an overlay."""
    found = sorted(file.parent.relative_to(SHOP).as_posix() for file in SHOP.rglob("kustomization.yaml"))
    return [path for path in found if "/components/" not in path]


def components() -> list[str]:
    return sorted(path.name for path in (SHOP / "kustomize" / "components").glob("*") if path.is_dir())


@pytest.fixture
def rendered(capsys, monkeypatch):
    monkeypatch.setenv("GITOPSD_RENDER__KUSTOMIZE", str(build(("kustomize",))["kustomize"]))

    def rendered(directory: Path) -> bytes:
        code = run_command(["render", str(directory), "-o", "json"])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out.encode().rstrip(b"\n")

    return rendered


@pytest.mark.parametrize("path", overlays())
def test_an_overlay_is_rendered_as_kustomize_builds_it(path, rendered):
    assert rendered(SHOP / path) == built(SHOP / path)


@pytest.mark.parametrize("component", components())
def test_a_component_is_rendered_as_kustomize_builds_it(component, rendered, tmp_path):
    """On the base, as a team would use it: its directory is a sibling of the shop's."""
    shutil.copytree(SHOP / "kustomize", tmp_path / "shop", copy_function=shutil.copyfile)
    overlay = tmp_path / "environments" / "staging"
    overlay.mkdir(parents=True)
    more = "- ../../shop/components/memorystore\n" if component == "network-policies" else ""
    (overlay / "kustomization.yaml").write_text(
        f"resources:\n- ../../shop/base\ncomponents:\n{more}- ../../shop/components/{component}\n"
    )

    assert rendered(overlay) == built(overlay)

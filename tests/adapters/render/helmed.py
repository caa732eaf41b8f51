"""Charts rendered by the real helm in the real jail, and by helm alone, to be compared."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gitopsd.adapters.render.helm import HelmTool
from gitopsd.adapters.render.programs import HELM, Program
from gitopsd.adapters.render.tool import Product, Task
from gitopsd.core.manifests.objects import read_output
from gitopsd.core.manifests.paths import is_below
from gitopsd.core.manifests.recipe_section import recipe_written
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import Decrypted, Environment, File, Origin
from gitopsd.core.recipes import Helm
from gitopsd.core.settings import Settings
from rig.binaries import build
from tests.adapters.render.jailed import make_jail

HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
STAGING = Environment(name="staging", source="s", path="env", namespaces=("shop",))


def a_map(name: str, value: str = "x") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  value: {value}\n"


def a_tool(base: Path, **bounds: float) -> HelmTool:
    jail = make_jail(base, **bounds)
    return HelmTool(jail, Program(jail, replace(HELM, path=build(("helm",))["helm"])))


def render(tool: HelmTool, files: Mapping[str, str | bytes], opened: frozenset[str] = frozenset()) -> Product:
    """Render the environment ``env`` of a repository with these files, as the renderer does."""
    known = tuple(
        File(path, "", content if isinstance(content, bytes) else content.encode()) for path, content in files.items()
    )
    written = next((file for file in known if file.path == "env/gitopsd.yaml"), None)
    recipe = recipe_written(written) if written else None
    settings = parse_settings(written) if written else Settings()
    task = Task(environment=STAGING, recipe=recipe or Helm(), settings=settings, written=written)
    below = lambda directory: tuple(file for file in known if is_below(file.path, directory)) or None  # noqa: E731
    directories = tool.directories(task, below)
    needed = tuple(file for file in known if any(is_below(file.path, directory) for directory in directories))
    return tool.make(task, Decrypted(files=needed, opened=opened))


def objects(product: Product) -> list[dict]:
    assert product.content.problems == ()
    return _sorted([json.loads(written.canonical) for written in product.content.objects])


def helm_alone(folder: Path, files: Mapping[str, str | bytes], *arguments: str) -> list[dict]:
    """Return what helm prints for the chart ``env`` of these files, outside of any jail."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    command = [
        build(("helm",))["helm"],
        "template",
        "staging",
        "env",
        "--namespace",
        "shop",
        "--include-crds",
        *arguments,
    ]
    printed = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60).stdout
    content = read_output(printed, lambda _, line: Origin("", line))
    assert content.problems == ()
    return _sorted([json.loads(written.canonical) for written in content.objects])


def _sorted(found: list[dict]) -> list[dict]:
    return sorted(found, key=lambda body: json.dumps(body, sort_keys=True))

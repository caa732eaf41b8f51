"""The image has what the daemon uses and nothing else, and runs as nobody in particular."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from rig.product import PRODUCT, product_image

pytestmark = pytest.mark.kubelet

MIB = 1024 * 1024
SITE = "opt/gitopsd/lib/python3.13/site-packages"


@dataclass(frozen=True, slots=True)
class Image:
    """Its name, its configuration, its files, and when those that its Dockerfile laid over the base were changed."""

    digest: str
    config: dict[str, Any]
    files: dict[str, tarfile.TarInfo]
    changed: set[float]


@pytest.fixture(scope="module")
def image() -> Image:
    with tarfile.open(product_image()) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        written = archive.extractfile(manifest["Config"]).read()
        base, *layers = [_content(archive, layer) for layer in manifest["Layers"]]
    files: dict[str, tarfile.TarInfo] = {}
    for layer in (base, *layers):
        files = _laid_over(files, layer)
    changed = {one.mtime for layer in layers for one in layer}
    return Image(f"sha256:{sha256(written).hexdigest()}", json.loads(written)["config"], files, changed)


def _content(archive: tarfile.TarFile, layer: str) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=archive.extractfile(layer)) as content:
        return list(content)


def _laid_over(files: dict[str, tarfile.TarInfo], layer: list[tarfile.TarInfo]) -> dict[str, tarfile.TarInfo]:
    """A layer takes away what its `.wh.` files name, and a whole folder where one of them is opaque."""
    content = {one.name.removeprefix("./"): one for one in layer}
    marks = [name for name in content if "/.wh." in f"/{name}"]
    gone = tuple(name.replace(".wh..wh..opq", "").replace(".wh.", "") for name in marks)
    kept = {name: one for name, one in files.items() if not f"{name}/".startswith(_as_folders(gone))}
    return kept | {name: one for name, one in content.items() if name not in marks}


def _as_folders(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name.rstrip('/')}/" for name in names)


def test_it_runs_as_a_user_without_a_name_on_any_node(image: Image) -> None:
    assert image.config["User"] == "65532:65532"


def test_signals_reach_the_daemon(image: Image) -> None:
    assert image.config["Entrypoint"] == ["/usr/bin/tini", "--", "gitopsd"]


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/git",
        "usr/bin/ssh",
        "usr/bin/tini",
        "usr/local/bin/helm",
        "usr/local/bin/kustomize",
        "opt/gitopsd/bin/gitopsd",
        "opt/gitopsd/sbom.cdx.json",
        f"{SITE}/cel_expr_python",
        "etc/ssl/certs/ca-certificates.crt",
    ],
)
def test_it_has_what_the_daemon_starts(image: Image, path: str) -> None:
    assert path in image.files


@pytest.mark.parametrize(
    "pattern",
    [
        r"(^|/)pip[0-9.]*$",
        r"^usr/share/(doc|man)/.",
        r"/site-packages/.*/tests?/",
        r"^usr/share/perl/",
        r"^var/(log|cache)/(?!gitopsd$).",
        r"^var/lib/apt/lists/.",
        r"^root/\.(cache|config|local)",
        r"^run/secrets/.",
        r"^opt/gitopsd/bin/(uvicorn|fastapi)$",
    ],
)
def test_it_has_nothing_else(image: Image, pattern: str) -> None:
    assert [path for path in image.files if re.search(pattern, path)] == []


def test_no_program_lends_the_rights_of_its_owner(image: Image) -> None:
    assert [path for path, one in image.files.items() if one.isreg() and one.mode & 0o6000] == []


def test_no_file_says_when_it_was_built(image: Image) -> None:
    assert image.changed == {0}


def test_it_is_no_larger_than_it_was(image: Image, record_property: Callable[[str, object], None]) -> None:
    size = sum(one.size for one in image.files.values())
    record_property("image", f"{PRODUCT}, {size / MIB:.0f} MiB, {image.digest}")
    assert size < 560 * MIB

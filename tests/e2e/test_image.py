"""The image has what the daemon uses and nothing else, and runs as nobody in particular."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gitopsd import __version__
from rig.archives import digest
from rig.golang import find_go
from rig.product import PRODUCT, product_image

pytestmark = pytest.mark.kubelet

Billed = Callable[[str], set[tuple[str, str]]]

MIB = 1024 * 1024
SITE = "opt/gitopsd/lib/python3.13/site-packages"


@dataclass(frozen=True, slots=True)
class Image:
    """Its archive, its configuration, its files, and when those that its Dockerfile laid over the base were changed."""

    archive: Path
    config: dict[str, Any]
    files: dict[str, tarfile.TarInfo]
    changed: set[float]

    def read(self, pattern: str) -> dict[str, bytes]:
        """Return the content of the files that the pattern fits, as the topmost layer that has them has it."""
        found: dict[str, bytes] = {}
        with tarfile.open(self.archive) as archive:
            (manifest,) = json.load(archive.extractfile("manifest.json"))
            for name in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                    wanted = [one for one in layer if one.isreg() and re.search(pattern, one.name)]
                    found |= {one.name: layer.extractfile(one).read() for one in wanted}
        return {path: content for path, content in found.items() if path in self.files}


@pytest.fixture(scope="module")
def image() -> Image:
    made = product_image()
    with tarfile.open(made) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        config = json.load(archive.extractfile(manifest["Config"]))["config"]
        base, *layers = [_content(archive, layer) for layer in manifest["Layers"]]
    files: dict[str, tarfile.TarInfo] = {}
    for layer in (base, *layers):
        files = _laid_over(files, layer)
    return Image(made, config, files, {one.mtime for layer in layers for one in layer})


@pytest.fixture(scope="module")
def billed(image: Image) -> Billed:
    """Name and version of all that the bill of materials lists of one type of package."""
    listed = json.loads(*image.read("^opt/gitopsd/sbom.cdx.json$").values())["components"]

    def of_type(kind: str) -> set[tuple[str, str]]:
        return {(one["name"], one["version"]) for one in listed if one.get("purl", "").startswith(f"pkg:{kind}/")}

    return of_type


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
        r"/site-packages/(aiohttp|kubernetes/aio|yarl|multidict)/",
        r"/git-core/(scalar|git-(daemon|http-backend|http-push|imap-send|shell))$",
    ],
)
def test_it_has_nothing_else(image: Image, pattern: str) -> None:
    assert [path for path in image.files if re.search(pattern, path)] == []


def test_no_program_lends_the_rights_of_its_owner(image: Image) -> None:
    assert [path for path, one in image.files.items() if one.isreg() and one.mode & 0o6000] == []


def test_no_file_says_when_it_was_built(image: Image) -> None:
    assert image.changed == {0}


def test_no_compiled_file_is_held_against_the_time_of_its_source(image: Image) -> None:
    """Else each start would compile all of it again: the root is read-only, and its files have no times."""
    compiled = image.read("[.]pyc$")
    assert [path for path, content in compiled.items() if content[4:8] != b"\1\0\0\0"] == []
    assert f"{SITE}/gitopsd/__pycache__/__init__.cpython-313.pyc" in compiled


def test_it_is_no_larger_than_it_was(image: Image, record_property: Callable[[str, object], None]) -> None:
    size = sum(one.size for one in image.files.values())
    record_property("image", f"{PRODUCT}, {size / MIB:.0f} MiB, {digest(image.archive)}")
    assert size < 420 * MIB


def test_its_bill_of_materials_names_each_package_of_debian(image: Image, billed: Billed) -> None:
    (status,) = image.read("^var/lib/dpkg/status$").values()
    paragraphs = status.decode().strip().split("\n\n")
    fields = [dict(re.findall(r"^(Package|Version): (.*)$", one, re.MULTILINE)) for one in paragraphs]
    assert billed("deb") == {(one["Package"], one["Version"]) for one in fields}


def test_its_bill_of_materials_names_each_package_of_python(image: Image, billed: Billed) -> None:
    found = re.findall(r"^opt/\S+/([^/\s]+)-([^-/\s]+)[.]dist-info/METADATA$", "\n".join(image.files), re.MULTILINE)
    assert normal(billed("pypi")) | {("gitopsd", __version__)} == normal(found)


def test_its_bill_of_materials_names_each_go_module(image: Image, billed: Billed, tmp_path: Path) -> None:
    found = set()
    for name, content in image.read("^usr/local/bin/.").items():
        program = tmp_path / Path(name).name
        program.write_bytes(content)
        command = [find_go(tmp_path), "version", "-m", program]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found |= set(re.findall(r"^\t(?:mod|dep)\t(\S+)\t(\S+)", said, re.MULTILINE))
        found |= {("stdlib", version) for version in re.findall(r": go(\S+)$", said, re.MULTILINE)}
    assert billed("golang") == found


def normal(packages: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in packages}

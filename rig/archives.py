"""What the archive of an image holds: its digest, its layers and their files, to be compared and to be shown."""

import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_MIB = 1024 * 1024
_NOT_SAID = re.compile(r"^/bin/sh -c (#\(nop\) +)?|\b(dir|file|multi):[0-9a-f]{64} in ")
_WIDTH = 88


@dataclass(frozen=True, slots=True)
class Layer:
    """What made it, its size in the node, and the size that the node has to pull."""

    made_by: str
    size: int
    packed: int


def table(archive: Path) -> str:
    """The image for a person: what it is called by, and what weighs how much."""
    layers = [*_layers(archive)]
    together = Layer("together", sum(one.size for one in layers), sum(one.packed for one in layers))
    rows = [f"{one.size / _MIB:7.1f}  {one.packed / _MIB:7.1f}  {one.made_by:.{_WIDTH}}" for one in (*layers, together)]
    return "\n".join([digest(archive), "", "    MiB   packed  made by", *rows])


def digest(archive: Path) -> str:
    """The image's own: of its configuration, which names its layers by theirs."""
    with tarfile.open(archive) as image:
        return f"sha256:{hashlib.sha256(_read(image, _manifest(image)['Config'])).hexdigest()}"


def files(archive: Path) -> dict[str, str]:
    """Of each file of each layer all that another build could make otherwise."""
    with tarfile.open(archive) as image:
        return {
            f"/{one.name} of layer {number}": f"{_about(one)} {_content(layer, one)}"
            for number, name in enumerate(_manifest(image)["Layers"], start=1)
            for layer in [tarfile.open(fileobj=image.extractfile(name))]
            for one in layer
        }


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The files that two builds do not have in common."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _layers(archive: Path) -> Iterator[Layer]:
    with tarfile.open(archive) as image:
        manifest = _manifest(image)
        told = json.loads(_read(image, manifest["Config"]))["history"]
        made_by = [_NOT_SAID.sub("", one["created_by"]).strip() for one in told if not one.get("empty_layer")]
        for words, name in zip(made_by, manifest["Layers"], strict=True):
            yield Layer(" ".join(words.split()), image.getmember(name).size, _packed(_opened(image, name)))


def _manifest(image: tarfile.TarFile) -> dict[str, Any]:
    (only,) = json.loads(_read(image, "manifest.json"))
    return dict(only)


def _read(image: tarfile.TarFile, name: str) -> bytes:
    return _opened(image, name).read()


def _opened(image: tarfile.TarFile, name: str) -> IO[bytes]:
    opened = image.extractfile(name)
    if opened is None:
        raise IsADirectoryError(name)
    return opened


def _packed(layer: IO[bytes]) -> int:
    """As registries pack it."""
    packer, size = zlib.compressobj(wbits=31), 0
    while part := layer.read(_MIB):
        size += len(packer.compress(part))
    return size + len(packer.flush())


def _about(one: tarfile.TarInfo) -> str:
    return f"{one.type!r} {one.mode:o} {one.uid}:{one.gid} {one.mtime} {one.linkname}"


def _content(layer: tarfile.TarFile, one: tarfile.TarInfo) -> str:
    return hashlib.sha256(_opened(layer, one.name).read()).hexdigest() if one.isreg() else ""

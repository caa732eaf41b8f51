"""Files that sops itself encrypted, what sops itself made of them again, and keys that open nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gitopsd.adapters.render import Workshop
from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.model import Decrypted, Environment, File
from rig.binaries import build
from tests.fakes.decryptor import no_sops

VECTORS = Path(__file__).parent / "vectors"
PGP = VECTORS / "pgp"
AGE_KEYS, PGP_KEYS = (VECTORS / "ours.key",), (PGP / "shop.asc",)
PASSWORD = "correct-horse-battery-staple"
SHOP = Environment(name="shop", source="environments", path="shop")


def with_keys(*files: Path) -> Environment:
    """The shop, with these key files."""
    return keyed(files)


class Opening:
    """Opens vectors, as they are or changed, with the keys named."""

    def __call__(self, name: str, *keys: str, content: bytes | None = None) -> Decrypted:
        shop = with_keys(*(VECTORS / f"{key}.key" for key in keys or ("ours",)))
        return SopsDecryptor(no_sops).decrypt(shop, [File(name, "oid", content or self.bytes_of(name))])

    def bytes_of(self, name: str) -> bytes:
        return (VECTORS / name).read_bytes()

    def refusal(self, name: str, *keys: str, content: bytes | None = None) -> Problem:
        with pytest.raises(RenderError) as refused:
            self(name, *keys, content=content)
        return refused.value.problem


@pytest.fixture
def opening() -> Opening:
    return Opening()


def keyed(age: tuple[Path, ...] = (), pgp: tuple[Path, ...] = ()) -> Environment:
    return replace(SHOP, age_key_files=tuple(map(str, age)), pgp_key_files=tuple(map(str, pgp)))


class ByProgram:
    """Opens files by the real sops, each PGP vector by its name or with other content."""

    def __init__(self, workshop: Workshop) -> None:
        self.decryptor = SopsDecryptor(workshop.sops)

    def __call__(self, environment: Environment, *names: str, content: bytes = b"") -> Decrypted:
        files = [File(name, "oid", content or (PGP / name).read_bytes()) for name in names]
        return self.decryptor.decrypt(environment, files)

    def refusal(self, environment: Environment, *names: str, content: bytes = b"") -> Problem:
        with pytest.raises(RenderError) as refused:
            self(environment, *names, content=content)
        return refused.value.problem


@pytest.fixture(scope="module")
def by_program(tmp_path_factory) -> ByProgram:
    return ByProgram(Workshop(tmp_path_factory.mktemp("jail"), build(["sops"])))

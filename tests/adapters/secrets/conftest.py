"""Files that sops itself encrypted, what sops itself made of them again, and keys that open nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.model import Decrypted, Environment, File

VECTORS = Path(__file__).parent / "vectors"
SHOP = Environment(name="shop", source="environments", path="shop")


def with_keys(*files: Path) -> Environment:
    """The shop, with these key files."""
    return replace(SHOP, age_key_files=tuple(str(file) for file in files))


class Opening:
    """Opens vectors, as they are or changed, with the keys named."""

    def __call__(self, name: str, *keys: str, content: bytes | None = None) -> Decrypted:
        shop = with_keys(*(VECTORS / f"{key}.key" for key in keys or ("ours",)))
        return SopsDecryptor().decrypt(shop, [File(name, "oid", content or self.bytes_of(name))])

    def bytes_of(self, name: str) -> bytes:
        return (VECTORS / name).read_bytes()

    def refusal(self, name: str, *keys: str, content: bytes | None = None) -> Problem:
        with pytest.raises(RenderError) as refused:
            self(name, *keys, content=content)
        return refused.value.problem


@pytest.fixture
def opening() -> Opening:
    return Opening()

"""What is sealed can be opened again with the same keys under the same name, and by nobody else."""

from __future__ import annotations

import pytest

from gitopsd.adapters.secrets import Seal, SopsDecryptor, read_keys
from gitopsd.core.errors import RenderError
from tests.adapters.secrets.conftest import SHOP, VECTORS, with_keys
from tests.fakes.decryptor import no_sops


def seal(*names: str) -> Seal:
    keys = read_keys([VECTORS / f"{name}.key" for name in names])
    assert keys
    return Seal.of(keys)


def test_it_opens_what_it_sealed():
    sealed = seal("ours").seal(b"password", b"shop")

    assert b"password" not in sealed
    assert seal("ours").open(sealed, b"shop") == b"password"


@pytest.mark.parametrize("other", [("second",), ("ours", "second")])
def test_other_keys_open_nothing(other):
    assert seal(*other).open(seal("ours").seal(b"password")) is None


def test_another_name_opens_nothing():
    assert seal("ours").open(seal("ours").seal(b"password", b"shop"), b"bank") is None


def test_a_damaged_byte_anywhere_is_seen():
    sealed = seal("ours").seal(b"password")

    for at in range(len(sealed)):
        assert seal("ours").open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) is None
        assert seal("ours").open(sealed[:at]) is None


def test_the_order_of_the_key_files_does_not_matter():
    assert seal("second", "ours").open(seal("ours", "second").seal(b"x")) == b"x"


def test_an_environment_without_keys_has_no_seal():
    assert SopsDecryptor(no_sops).seal(SHOP) is None


def test_a_key_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(RenderError) as refused:
        SopsDecryptor(no_sops).seal(with_keys(tmp_path / "absent"))
    assert refused.value.problem.code == "DECRYPT_KEY_FILE"


def test_no_key_is_in_a_repr():
    assert "key=" not in repr(seal("ours"))
    assert "secret" not in repr(read_keys([VECTORS / "ours.key"]))

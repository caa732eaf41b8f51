"""Who may open a file is read as sops reads it, whatever form the file has: nobody is hidden, and nobody is another."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.model import File
from gitopsd.core.sops.detection import layout_of
from gitopsd.core.sops.dotenv_layout import LINES_MAX
from gitopsd.core.sops.envelope import read_envelope

SEALED = "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]"
END = f"sops_mac={SEALED}\nsops_lastmodified=2026-01-01T00:00:00Z\n"


def dotenv(*lines: str) -> bytes:
    return "\n".join([f"A={SEALED}", *(f"sops_{line}" for line in lines), END]).encode()


def vault(key: str, place: str = "hc_vault__list_0") -> list[str]:
    told = {"vault_address": "https://vault.example", "engine_path": "transit", "key_name": key, "enc": "c"}
    return [f"{place}__map_{name}={value}" for name, value in told.items()]


def yaml(field: str) -> bytes:
    beside = "vault_address: 'https://vault.example', engine_path: transit, enc: c"
    metadata = f"sops: {{hc_vault: [{{{beside}, {field}}}], mac: '{SEALED}', lastmodified: '2026-01-01T00:00:00Z'}}"
    return f"a: {SEALED}\n{metadata}\n".encode()


def names(file: str, content: bytes) -> list[str]:
    layout = layout_of(File(file, "", content))
    assert layout is not None
    return [one.name for one in read_envelope(layout.envelope or "").recipients]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.env", dotenv(*vault("shop"), *vault("till", "hc_vault__list_1"))),
        (
            "a.yaml",
            yaml("key_name: shop}, {vault_address: 'https://vault.example', engine_path: t, enc: c, key_name: x"),
        ),
    ],
    ids=["dotenv", "yaml"],
)
def test_everybody_is_named_in_order(file: str, content: bytes):
    assert names(file, content)[0] == "https://vault.example/v1/transit/keys/shop"
    assert len(names(file, content)) == 2


def test_a_key_that_begins_as_ours_do_hides_nobody():
    assert names("a.env", dotenv(*vault("evil"), *vault("shop", "map:hc_vault__list_0"))) == [
        "https://vault.example/v1/transit/keys/evil"
    ]


REFUSED = {
    "dotenv: two numbers that SOPS takes for one": ("a.env", dotenv(*vault("shop"), "hc_vault__list_00__map_role=x")),
    "dotenv: a number left out": ("a.env", dotenv(*vault("shop", "hc_vault__list_1"))),
    "dotenv: a value above others": ("a.env", dotenv("hc_vault=x", *vault("shop"))),
    "dotenv: a value above others, afterwards": ("a.env", dotenv(*vault("shop"), "hc_vault=x")),
    "dotenv: a list that is a mapping too": ("a.env", dotenv(*vault("shop"), "hc_vault__map_x=y")),
    "dotenv: more lines than are read": ("a.env", dotenv(*vault("shop")) + b"\n" * LINES_MAX + b"sops_pgp=x\n"),
    "yaml: what is written in another alphabet": ("a.yaml", yaml("key_name: !!binary Li4vLi4vc3lzL3NlYWwv")),
    "yaml: a number that SOPS writes out": ("a.yaml", yaml("key_name: 0x10")),
    "yaml: a number that SOPS writes out, with the tag of nothing": ("a.yaml", yaml("key_name: ! 0x10")),
    "yaml: a word that SOPS writes as a number": ("a.yaml", yaml("key_name: true")),
    "yaml: a number that is too large": ("a.yaml", yaml("key_name: 18446744073709551615")),
    "yaml: a key in another alphabet": ("a.yaml", yaml("!!binary role: x, key_name: shop")),
    "yaml: a key that is a number, and too large": ("a.yaml", b"18446744073709551615: x\n" + yaml("key_name: shop")),
}


@pytest.mark.parametrize(("file", "content"), REFUSED.values(), ids=REFUSED)
def test_r20_what_sops_would_read_otherwise_is_refused(file: str, content: bytes):
    with pytest.raises(RenderError) as refused:
        names(file, content)
    assert refused.value.problem.code == "DECRYPT_FORMAT"

"""Ciphertext never gets into a set, wherever in an object it stands; a text that speaks of it does."""

from __future__ import annotations

from base64 import b64encode

import pytest

from gitopsd.core.manifests.canonical import canonical
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.model import File
from gitopsd.core.sops.gate import place_of_ciphertext

SEALED = "ENC[AES256_GCM,data:Tbo=,iv:MSB/UoEcdBVmod++oK5i,tag:hrOXqRpfokybhe0XJKpiVw==,type:str]"

HOLDS = {
    "a value": ({"data": {"a": SEALED}}, ("data", "a")),
    "a value in a text": ({"data": {"a": f"x={SEALED}\n"}}, ("data", "a")),
    "a key": ({"data": {SEALED: "a"}}, ("data", SEALED)),
    "an item": ({"spec": [{"env": ["a", SEALED]}]}, ("spec", 0, "env", 1)),
    **{
        f"base64, {shift} bytes in": (
            {"data": {"a": b64encode(b"x" * shift + SEALED.encode() + b"yz"[: shift % 3]).decode()}},
            ("data", "a"),
        )
        for shift in range(7)
    },
}
SPEAKS = [
    "ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]",
    "ENC[AES256_GCM,",
    "ENC[abc]",
    b64encode(b"ENC[AES256_GCM,").decode(),
]


@pytest.mark.parametrize(("body", "place"), HOLDS.values(), ids=HOLDS)
def test_ciphertext_is_found(body, place):
    assert place_of_ciphertext(canonical(body), body) == place


@pytest.mark.parametrize("text", SPEAKS)
def test_a_text_about_it_is_none(text):
    assert place_of_ciphertext(canonical({"data": {"a": text}}), {"data": {"a": text}}) is None


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
@pytest.mark.parametrize("field", ["stringData", "binaryData", "data"])
def test_an_object_that_holds_it_is_refused_with_its_line(kind, field):
    value = b64encode(SEALED.encode()).decode() if kind == "Secret" and field == "data" else SEALED
    value = b64encode(SEALED.encode()).decode() if field == "binaryData" else value
    text = f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: a\n{field}:\n  key: {value}\n"

    content = read_file(File("a.yaml", "", text.encode()))

    assert [(one.code, one.line) for one in content.problems] == [("ENCRYPTED", 6)]
    assert content.objects == ()
    assert "AES256" not in str(content.problems)

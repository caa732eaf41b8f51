"""What sops encrypted is opened as sops opens it: the same values, in every form and by every rule it has."""

from __future__ import annotations

import json

import pytest

from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import strict_json, yaml
from gitopsd.core.manifests.text import read_text
from gitopsd.core.model import File
from tests.adapters.secrets.conftest import VECTORS, Opening, with_keys
from tests.fakes.decryptor import no_sops

OURS = sorted(path.name.removesuffix(".plain") for path in VECTORS.glob("*.plain"))


def meaning(name: str, content: bytes) -> object:
    if name.endswith(".yaml"):
        return [document.value for document in yaml.parse(read_text(name, content))]
    if name.endswith(".json"):
        return [document.value for document in strict_json.parse(read_text(name, content))]
    if name.endswith(".env"):
        return [line for line in content.splitlines() if line and not line.startswith(b"#")]
    return content


def test_there_is_a_vector_for_every_form_and_every_rule():
    assert {name.rpartition(".")[2] for name in OURS} == {"yaml", "json", "env", "bin", "txt"}
    assert len(OURS) >= 15


@pytest.mark.parametrize("name", OURS)
def test_a_file_is_opened_as_sops_opens_it(opening: Opening, name: str):
    opened = opening(name)

    assert opened.opened == {name}
    assert meaning(name, opened.files[0].content) == meaning(name, opening.bytes_of(f"{name}.plain"))


@pytest.mark.parametrize("name", [name for name in OURS if name.endswith(("yaml", "json", "env"))])
def test_every_line_keeps_its_number(opening: Opening, name: str):
    before = opening.bytes_of(name).decode().split("\n")
    after = opening(name).files[0].content.decode().split("\n")

    assert len(after) == len(before)
    for was, now in zip(before, after, strict=True):
        begins = was.partition("ENC[")[0].rstrip('",')
        assert now.startswith(begins) or now.strip() in ("", "}", "#")


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_the_encryption_is_left(opening: Opening, name: str):
    content = opening(name).files[0].content

    assert b"ENC[" not in content
    assert b"lastmodified" not in content


def test_every_value_that_was_encrypted_is_told_and_no_other(opening: Opening):
    values = opening("regex.yaml").values

    assert {"postgres", "correct-horse-battery-staple", "0042"} < values
    assert any("BEGIN KEY" in value for value in values)
    assert "db" not in values
    assert "Secret" not in values


def test_several_recipients_are_tried_until_one_fits(opening: Opening):
    assert opening("recipients.yaml", "second").opened
    assert opening("recipients.yaml", "stranger", "ours").opened


def test_an_ssh_key_opens_what_is_encrypted_to_it(opening: Opening):
    assert "postgres" in opening("ssh.yaml", "ssh").values


def test_what_is_not_encrypted_is_returned_as_it_is(opening: Opening):
    plain = b"kind: ConfigMap\ndata:\n  about: sops writes ENC[AES256_GCM,data:...]\n  sops: a word\n"

    opened = opening("plain.yaml", content=plain)

    assert opened.files[0].content is plain
    assert (opened.files[0].oid, opened.opened, opened.keys) == ("oid", frozenset(), "")


def test_the_keys_are_not_read_when_nothing_is_encrypted(tmp_path):
    assert (
        SopsDecryptor(no_sops).decrypt(with_keys(tmp_path / "absent"), [File("a.yaml", "1", b"a: 1")]).files[0].content
        == b"a: 1"
    )


def test_the_keys_are_read_anew_each_time(tmp_path, opening: Opening):
    key = tmp_path / "key"
    shop = with_keys(key)
    file = File("regex.yaml", "1", opening.bytes_of("regex.yaml"))

    key.write_bytes(opening.bytes_of("stranger.key"))
    with pytest.raises(RenderError):
        SopsDecryptor(no_sops).decrypt(shop, [file])
    key.write_bytes(opening.bytes_of("ours.key"))
    assert SopsDecryptor(no_sops).decrypt(shop, [file]).opened


def test_what_was_opened_has_another_id_for_each_set_of_keys(opening: Opening):
    one, two = opening("recipients.yaml", "ours"), opening("recipients.yaml", "ours", "second")

    assert len({"oid", one.files[0].oid, two.files[0].oid}) == 3
    assert one.keys != two.keys
    assert not any(key.decode().split()[-1] in one.keys for key in [opening.bytes_of("ours.key")])


def test_neither_a_key_nor_a_value_is_in_a_repr(opening: Opening):
    opened = opening("regex.yaml")

    assert "battery" not in repr(opened)
    assert "AGE-SECRET" not in repr(opened)


def test_a_number_stays_one_and_a_text_of_digits_stays_text(opening: Opening):
    (value,) = json.loads(b"[" + opening("whole.json").files[0].content + b"]")

    assert value["n"] == [1, 9007199254740993, 1.5, True, None, "<&>"]
    assert 'pin: "0042"' in opening("regex.yaml").files[0].content.decode()

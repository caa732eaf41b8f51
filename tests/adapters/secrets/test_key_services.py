"""A key service is asked where the operator allows it, for each of the keys that a file names; else nobody is.

The server is a stand-in for Vault and AWS KMS; the sops that asks it is the real one.
"""

from __future__ import annotations

import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gitopsd.core.decryption import KeyServices
from gitopsd.core.model import Environment
from rig.binaries import build
from rig.certificates import Authority
from tests.adapters.render.jailed import needs_linux
from tests.adapters.secrets.conftest import PASSWORD, PGP, PGP_KEYS, VECTORS, ByProgram, keyed
from tests.adapters.secrets.key_server import ACCESS_KEY, TOKEN, KeyServer, serving

pytestmark = needs_linux

ARN = "arn:aws:kms:eu-west-1:111122223333:key/0d1e2f"
DAY = "2026-01-01T00:00:00Z"


@pytest.fixture
def vault() -> Iterator[KeyServer]:
    with serving() as server:
        yield server


@pytest.fixture
def token(tmp_path) -> Path:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path / "token"


def sealed_by(vault: KeyServer, *more: str, **variables: str) -> bytes:
    """The file, encrypted for a key of Vault, or for more of them."""
    content = sealed(["--hc-vault-transit", ",".join([vault.key, *more])], VAULT_TOKEN=TOKEN, **variables)
    vault.asked.clear()
    return content


def sealed(keys: Sequence[str], form: str = "yaml", plain: bytes = b"", **variables: str) -> bytes:
    """The file, a line of dotenv, or something else, as sops encrypts it for these keys."""
    plain = plain or ((VECTORS / "regex.yaml.plain").read_bytes() if form == "yaml" else b"stringData=x\n")
    named = ["--filename-override", "db", "--input-type", form, "--output-type", form]
    command = [build(["sops"])["sops"], "encrypt", *keys, "--encrypted-regex", "^(data|stringData)$", *named]
    return subprocess.run(command, input=plain, env={"PATH": "", **variables}, capture_output=True, check=True).stdout


def serviced(token: Path, *allowed: str, pgp: tuple[Path, ...] = ()) -> Environment:
    services = KeyServices(allowed=tuple(("hc_vault", key) for key in allowed), vault_token_file=str(token))
    return replace(keyed(pgp=pgp), key_services=services)


@pytest.mark.parametrize("pattern", ["{key}", "{address}/v1/transit/keys/*", "{address}/*"])
def test_a_service_that_the_operator_allows_is_asked(
    by_program: ByProgram, vault: KeyServer, token: Path, pattern: str
):
    allowed = pattern.format(key=vault.key, address=vault.address)

    opened = by_program(serviced(token, allowed), "db.yaml", content=sealed_by(vault))

    assert PASSWORD in opened.values
    assert vault.asked == ["/v1/transit/decrypt/shop"]


def test_a_service_is_found_by_its_name_and_known_by_its_certificate(by_program: ByProgram, token: Path, tmp_path):
    authority = Authority(tmp_path / "authority")
    authority.create()
    ca = authority.pair("ca").certificate
    with serving(authority.sign_server("vault", ["localhost"])) as vault:
        content = sealed_by(vault, VAULT_CACERT=str(ca))
        known = replace(
            serviced(token, vault.key).key_services,
            files=(("VAULT_CACERT", str(ca)),),
            variables=(("VAULT_NAMESPACE", "shops"),),
        )

        opened = by_program(replace(keyed(), key_services=known), "db.yaml", content=content)
        problem = by_program.refusal(serviced(token, vault.key), "db.yaml", content=content)

    assert PASSWORD in opened.values
    assert "shops" in vault.namespaces
    assert problem.code == "DECRYPT_SERVICE_FAILED"
    assert "certificate" in problem.cause


def test_a_key_of_aws_is_asked_for_with_a_copy_of_the_credentials(by_program: ByProgram, vault: KeyServer, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = x\n")
    shown = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    variables = {"AWS_ENDPOINT_URL_KMS": vault.address}
    content = sealed(["--kms", ARN], **shown, **variables)
    vault.asked.clear()
    services = KeyServices(allowed=(("kms", ARN),), variables=tuple(variables.items()), files=tuple(shown.items()))

    opened = by_program(replace(keyed(), key_services=services), "db.yaml", content=content)

    assert PASSWORD in opened.values
    assert vault.asked == ["TrentService.Decrypt"]


def test_a_value_that_takes_six_times_its_room_in_print_is_no_larger(by_program: ByProgram, vault: KeyServer, token):
    value = "<" * 400_000
    content = sealed(["--hc-vault-transit", vault.key], plain=f"data: {value}\n".encode(), VAULT_TOKEN=TOKEN)

    assert by_program(serviced(token, vault.key), "db.yaml", content=content).values == {value}


def test_r18_a_service_that_refuses_is_told_and_asked_once(by_program: ByProgram, vault: KeyServer, tmp_path):
    (tmp_path / "old").write_text("hvs.expired")
    content = sealed_by(vault)

    problem = by_program.refusal(serviced(tmp_path / "old", vault.key), "a.yaml", "b.yaml", content=content)

    assert (problem.code, problem.file) == ("DECRYPT_SERVICE_FAILED", "a.yaml")
    assert vault.key in problem.message
    assert "permission denied?[2J to ***" in problem.cause
    assert vault.asked == ["/v1/transit/decrypt/shop"]


def test_r18_a_token_that_is_gone(by_program: ByProgram, vault: KeyServer, tmp_path):
    problem = by_program.refusal(serviced(tmp_path / "gone", vault.key), "db.yaml", content=sealed_by(vault))

    assert problem.code == "DECRYPT_KEY_FILE"
    assert "keyServices" in problem.hint
    assert vault.asked == []


DENIED = {
    "not on the list": lambda key: ("http://127.0.0.1:1/v1/transit/keys/shop",),
    "another key": lambda key: (f"{key}2",),
    "the beginning of another name": lambda key: (f"{key}/*",),
}


@pytest.mark.parametrize("allowed", DENIED.values(), ids=DENIED)
def test_r20_a_service_that_is_not_on_the_list_is_not_asked(by_program, vault: KeyServer, token: Path, allowed):
    problem = by_program.refusal(serviced(token, *allowed(vault.key)), "db.yaml", content=sealed_by(vault))

    assert problem.code == "DECRYPT_SERVICE_DENIED"
    assert vault.key in problem.message
    assert "decryption.keyServices.hc_vault" in problem.hint
    assert vault.asked == []


def test_r20_one_service_that_is_not_on_the_list_keeps_all_others_from_being_asked(by_program, vault, token):
    with serving() as other:
        content = sealed_by(vault, other.key)
        problem = by_program.refusal(serviced(token, vault.key), "db.yaml", content=content)

        assert problem.code == "DECRYPT_SERVICE_DENIED"
        assert other.key in problem.message
        assert vault.key not in problem.message
        assert vault.asked == []
        assert other.asked == ["/v1/transit/encrypt/shop"]


def test_r20_a_server_that_is_on_the_list_cannot_name_another(by_program, vault: KeyServer, token: Path):
    content = sealed_by(vault)
    with serving() as other:
        vault.moved_to = other.address
        problem = by_program.refusal(serviced(token, vault.key), "db.yaml", content=content)

        assert problem.code == "DECRYPT_SERVICE_FAILED"
        assert vault.asked == ["/v1/transit/decrypt/shop"]
        assert other.asked == []


def test_r20_a_file_that_pgp_keys_open_reaches_no_service_that_is_not_on_the_list(by_program, vault: KeyServer):
    entry = f"\n    hc_vault:\n        - {{vault_address: '{vault.address}', engine_path: transit, key_name: shop, "
    beside = (PGP / "only.yaml").read_text().replace("\nsops:", f"\nsops:{entry}enc: x, created_at: '{DAY}'}}")

    assert by_program(keyed(pgp=PGP_KEYS), "only.yaml", content=beside.encode()).opened
    assert by_program.refusal(keyed(pgp=(PGP / "stranger.asc",)), "only.yaml", content=beside.encode())
    assert vault.asked == []


def test_r20_a_key_that_is_hidden_behind_another_is_not_asked_for(by_program, vault: KeyServer, token: Path):
    theirs = sealed(["--hc-vault-transit", vault.key], form="dotenv", VAULT_TOKEN=TOKEN)
    vault.asked.clear()
    entry = b"".join(re.findall(rb"sops_hc_vault.*\n", theirs)).replace(b"key_name=shop", b"key_name=listed")
    hidden = theirs + entry.replace(b"sops_", b"sops_map:")
    listed = f"{vault.address}/v1/transit/keys/listed"

    assert by_program.refusal(serviced(token, listed), "db.env", content=hidden)
    assert vault.asked == []


def test_r20_a_name_in_another_alphabet_leads_nowhere_else(by_program, vault: KeyServer, token: Path):
    upwards = b64encode(b"../../../sys/xxxx/").decode()
    content = sealed_by(vault).replace(b"key_name: shop", f"key_name: !!binary {upwards}".encode())

    assert by_program.refusal(serviced(token, f"{vault.address}/v1/transit/keys/*"), "db.yaml", content=content)
    assert vault.asked == []

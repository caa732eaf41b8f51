"""Which way a file may be opened depends on what the environment has and on every service that the file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gitopsd.core.decryption import KeyServices
from gitopsd.core.sops.envelope import Envelope, NotAnEnvelope, read_envelope
from gitopsd.core.sops.ways import Way, named, strangers, way_of, why_shut

MAC = "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]"
BESIDE = {"mac": MAC, "lastmodified": "2026-01-01T00:00:00Z", "version": "3.13.3"}
AGE = {"age": [{"recipient": "age1x", "enc": "c"}]}
PGP = {"pgp": [{"fp": "F", "created_at": "", "enc": "c"}]}
ARN, ROLE = "arn:aws:kms:eu-west-1:111122223333:key/k", "arn:aws:iam::111122223333:role/r"
KMS = {"kms": [{"arn": ARN, "created_at": "", "enc": "c", "aws_profile": ""}]}
KMS_IN_A_ROLE = {"kms": [{"arn": ARN, "role": ROLE, "context": {"app": "shop"}, "enc": "c"}]}
ALLOWED = (
    ("hc_vault", "https://vault.example:8200/v1/transit/keys/*"),
    ("hc_vault", "https://deep.example/*"),
    ("kms", "arn:aws:kms:*"),
    ("azure_kv", "https://acme.example/keys/shop/*"),
    ("gcp_kms", "projects/*"),
)


def vault(address: str = "https://vault.example:8200", engine: str = "transit", key: str = "shop") -> dict[str, Any]:
    return {"hc_vault": [{"vault_address": address, "engine_path": engine, "key_name": key, "enc": "c"}]}


def azure(name: str, version: str) -> dict[str, Any]:
    return {"azure_kv": [{"vault_url": "https://acme.example/", "name": name, "version": version, "enc": "c"}]}


def google(project: str) -> dict[str, Any]:
    resource = f"projects/{project}/locations/global/keyRings/shop/cryptoKeys/till"
    return {"gcp_kms": [{"resource_id": resource, "enc": "c"}]}


def groups(threshold: int, *found: Mapping[str, Any]) -> dict[str, Any]:
    return {"key_groups": list(found), "shamir_threshold": str(threshold)}


def envelope(told: Mapping[str, Any]) -> Envelope:
    return read_envelope({**BESIDE, **told})


WAYS: dict[str, tuple[dict[str, Any], set[str], Way | None]] = {
    "pgp, with such a key": (PGP, {"pgp"}, Way.OFFLINE),
    "pgp, without": (PGP, {"age"}, None),
    "pgp, beside a service that is allowed": ({**PGP, **vault()}, {"pgp"}, Way.ONLINE),
    "pgp, beside a service that is not": ({**PGP, **vault("https://evil.example")}, {"pgp"}, Way.OFFLINE),
    "a service that is allowed": (vault(), set(), Way.ONLINE),
    "a service of another type": ({"gcp_kms": [{"resource_id": ARN, "enc": "c"}]}, set(), None),
    "another server": (vault("https://vault.example:8201"), set(), None),
    "the same server, another engine": (vault(engine="other"), set(), None),
    "a server that begins alike": (vault("https://vault.example:8200.evil.example"), set(), None),
    "a server behind a user's name": (vault("https://vault.example:8200@evil.example"), set(), None),
    "a server with a path": (vault("https://vault.example:8200/v1/transit/keys/x?"), set(), None),
    "a key that leads upwards": (vault(key="../../sys/seal"), set(), None),
    "a key of AWS in a region that is a server": (
        {"kms": [{"arn": "arn:aws:kms:x@evil.example/:1:key/k", "enc": "c"}]},
        set(),
        None,
    ),
    "a key with a question": (vault(key="shop?x"), set(), None),
    "an engine that the name of another key begins with": (vault(engine="transit/keys/shop"), set(), None),
    "a key whose name is a path": (vault(key="shop/keys/till"), set(), None),
    "an engine deeper down": (vault("https://deep.example", engine="team/transit"), set(), Way.ONLINE),
    "a key of Azure, with its version": (azure("shop", "0d1e"), set(), Way.ONLINE),
    "a key of Azure whose name is a path": (azure("shop/0d1e", ""), set(), None),
    "a key of Azure without a name": (azure("", "shop"), set(), None),
    "a key of Google": (google("acme-1"), set(), Way.ONLINE),
    "a project of Google that leads upwards": (google(".."), set(), None),
    "one service allowed, one not": ({**vault(), "azure_kv": [{"vault_url": "https://a", "enc": "c"}]}, set(), None),
    "a key of AWS": (KMS, set(), Way.ONLINE),
    "a key of AWS in a role that is not allowed": (KMS_IN_A_ROLE, set(), None),
    "enough groups": (groups(2, AGE, PGP, vault("https://evil.example")), {"age", "pgp"}, Way.OFFLINE),
    "too few groups": (groups(2, AGE, PGP, PGP), {"age"}, None),
    "groups, and a service that is allowed": (groups(2, AGE, vault()), {"age"}, Way.ONLINE),
    "all groups, where no number is told": ({"key_groups": [AGE, PGP]}, {"age"}, None),
    "another case of a type": ({**PGP, "HC_Vault": [{}]}, {"pgp"}, None),
    "another case of a field": ({"pgp": [{"fp": "F", "enc": "c", "FP": "G"}]}, {"pgp"}, None),
    "a field that is no text": ({"pgp": [{"fp": "F", "enc": "c", "created_at": ["x"]}]}, {"pgp"}, None),
    "another case of a type in a group": (groups(1, {**PGP, "Hc_vault": [{}]}), {"pgp"}, None),
}


@pytest.mark.parametrize(("told", "held", "way"), WAYS.values(), ids=WAYS)
def test_a_file_has_the_way_that_everything_in_it_allows(told, held, way):
    assert way_of(envelope(told), held, KeyServices(allowed=ALLOWED)) == way


def test_a_role_may_be_allowed_as_well():
    services = KeyServices(allowed=(*ALLOWED, ("kms", ROLE)))

    assert way_of(envelope(KMS_IN_A_ROLE), set(), services) is Way.ONLINE


SHUT = {
    "no such keys": (PGP, (), "DECRYPT_KEY_TYPE", "decryption.pgpKeyFiles"),
    "no services at all": (vault(), (), "DECRYPT_KEY_TYPE", "decryption.keyServices.hc_vault"),
    "a service that is not on the list": (
        vault("https://b"),
        ALLOWED,
        "DECRYPT_SERVICE_DENIED",
        "keyServices.hc_vault",
    ),
    "more than is known": ({**PGP, "Pgp": []}, (), "DECRYPT_METADATA", "encrypt the file again"),
}


@pytest.mark.parametrize(("told", "allowed", "code", "hint"), SHUT.values(), ids=SHUT)
def test_why_there_is_no_way_is_told_with_the_operators_key(told, allowed, code, hint):
    shut = why_shut(envelope(told), KeyServices(allowed=allowed))

    assert shut.code == code
    assert hint in shut.hint


def test_a_stranger_is_named_as_sops_names_it_and_not_at_length():
    (found,) = strangers(envelope(vault("https://evil.example/")), KeyServices(allowed=ALLOWED))

    assert named([found]) == "hc_vault https://evil.example/v1/transit/keys/shop"
    assert named([found] * 12).endswith("and 2 more")
    assert len(named(strangers(envelope(vault(key="x" * 9999)), KeyServices()))) < 200
    assert "\x1b" not in named(strangers(envelope(vault(key="\x1b[2J")), KeyServices()))


BROKEN: dict[str, dict[str, Any]] = {
    "a mapping in place of a list": {"hc_vault": {"vault_address": "https://a", "enc": "c"}},
    "a text in place of a list": {"pgp": "F"},
    "a text in place of an entry": {"pgp": ["F"]},
    "no copy of the key": {"pgp": [{"fp": "F"}]},
    "nobody": {"pgp": [], "age": []},
    "groups that are a mapping": {"key_groups": {"pgp": []}},
    "a group that is a text": {"key_groups": ["pgp"]},
    "a number that is none": groups(2, AGE, PGP) | {"shamir_threshold": "-1"},
}


@pytest.mark.parametrize("told", BROKEN.values(), ids=BROKEN)
def test_metadata_that_sops_does_not_write_is_none(told):
    with pytest.raises(NotAnEnvelope):
        envelope(told)

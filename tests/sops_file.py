"""Encrypts as SOPS does, for tests that need a secret of their own in a file; held to the real sops by its vectors."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha512
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHANGED = "2026-01-01T00:00:00Z"
ENCRYPTED = "^(data|stringData|spec|password)$"


def encrypted_object(recipient: str, body: Mapping[str, Any]) -> bytes:
    """Return a YAML file (written as JSON) in which all below data, stringData, spec and password is encrypted."""
    key, mac = os.urandom(32), sha512()

    def walk(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Mapping):
            return {name: walk(below, (*path, name)) for name, below in value.items()}
        if isinstance(value, list):
            return [walk(item, path) for item in value]
        mac.update(str(value).encode())
        is_secret = bool({"data", "stringData", "spec", "password"} & set(path))
        kind = "int" if isinstance(value, int) else "str"
        return _sealed(key, str(value), "".join(f"{one}:" for one in path), kind) if is_secret else value

    walked = walk(body, ())
    return json.dumps(
        {**walked, "sops": _envelope(key, recipient, mac.hexdigest(), encrypted_regex=ENCRYPTED)}
    ).encode()


def encrypted_binary(recipient: str, content: str) -> bytes:
    """Return a file that holds the whole text as one value."""
    key = os.urandom(32)
    envelope = _envelope(key, recipient, sha512(content.encode()).hexdigest())
    return json.dumps({"data": _sealed(key, content, "data:"), "sops": envelope}).encode()


def encrypted_dotenv(recipient: str, values: Mapping[str, str]) -> bytes:
    """Return a dotenv file."""
    key = os.urandom(32)
    mac = sha512("".join(values.values()).encode()).hexdigest()
    lines = [f"{name}={_sealed(key, value, f'{name}:')}" for name, value in values.items()]
    lines += [f"sops_{name}={value}" for name, value in _flat(_envelope(key, recipient, mac))]
    return ("\n".join(lines) + "\n").encode()


def encrypted_for_pgp(sops: Path, ring: bytes, fingerprint: str, body: Mapping[str, Any]) -> bytes:
    """Return a YAML file that the real sops encrypted to a PGP key, which it finds in a keyring without gpg."""
    with TemporaryDirectory() as home:
        (Path(home) / "pubring.gpg").write_bytes(ring)
        done = subprocess.run(
            [sops, "encrypt", "--pgp", fingerprint, "--encrypted-regex", ENCRYPTED, "--filename-override", "a.yaml"],
            input=json.dumps(body).encode(),
            env={"GNUPGHOME": home, "HOME": home, "PATH": ""},
            capture_output=True,
            check=True,
        )
    return done.stdout


def _sealed(key: bytes, text: str, bound_to: str, kind: str = "str") -> str:
    nonce = os.urandom(32)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), bound_to.encode())
    parts = [b64encode(part).decode() for part in (sealed[:-16], nonce, sealed[-16:])]
    return f"ENC[AES256_GCM,data:{parts[0]},iv:{parts[1]},tag:{parts[2]},type:{kind}]"


def _envelope(key: bytes, recipient: str, mac: str, **rule: str) -> dict[str, Any]:
    copy = pyrage.encrypt(key, [pyrage.x25519.Recipient.from_str(recipient)], armored=True).decode()
    return {
        "age": [{"recipient": recipient, "enc": copy}],
        "lastmodified": CHANGED,
        "mac": _sealed(key, mac.upper(), CHANGED),
        "version": "3.13.3",
        **rule,
    }


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _flat(below, f"{above}__map_{name}" if above else name)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _flat(below, f"{above}__list_{index}")
    else:
        yield above, str(value).replace("\n", "\\n")

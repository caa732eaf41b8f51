"""The age keys of one environment. No message and no repr holds any of a key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import pyrage
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gitopsd.adapters.secrets.key_files import FILES_MAX, read_key_file, refused
from gitopsd.core.errors import RenderError

KEYS_MAX = 100
DATA_KEY_BYTES = 32

_AGE = "AGE-SECRET-KEY-1"
_SSH = "-----BEGIN "
_FINGERPRINT_CHARS = 32
_SETTING = "decryption.ageKeyFiles names files as age-keygen writes them"

Identity: TypeAlias = "pyrage.x25519.Identity | pyrage.ssh.Identity"


class NoKeyFits(Exception):
    """None of the keys opens any of the copies of the data key."""


@dataclass(frozen=True, slots=True)
class AgeKeys:
    """Some keys, at least one. ``secret`` is made of all of them."""

    identities: tuple[Identity, ...] = field(repr=False)
    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Tells one set of keys from another, and nothing of a key."""
        return self.derived(b"gitopsd: which keys").hex()[:_FINGERPRINT_CHARS]

    def derived(self, purpose: bytes) -> bytes:
        """Return 32 bytes that only who has the keys can make, others for each purpose."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(self.secret)

    @property
    def text(self) -> str:
        """The keys as age-keygen writes them; SSH keys are no such keys."""
        return "".join(f"{one}\n" for one in self.identities if isinstance(one, pyrage.x25519.Identity))

    def file_key(self, copies: Sequence[str]) -> bytes:
        """Return a file's data key, from the first of its encrypted copies that one of the keys opens.

        Raises:
            NoKeyFits: there is none.
        """
        for copy in copies:
            try:
                key: bytes = pyrage.decrypt(copy.encode(), list(self.identities))
            except pyrage.DecryptError:
                continue
            if len(key) == DATA_KEY_BYTES:
                return key
        raise NoKeyFits


def read_keys(files: Sequence[Path]) -> AgeKeys | None:
    """Return the keys in these files: age's own key files, or private SSH keys without a passphrase. None = no files.

    Raises:
        RenderError: a file cannot be read, or holds something else.
    """
    if not files:
        return None
    found = [key for file in files[:FILES_MAX] for key in _keys_in(file)]
    identities = tuple(identity for identity, _ in found[:KEYS_MAX])
    digests = sorted({sha256(text.encode()).digest() for _, text in found})
    return AgeKeys(identities, sha256(b"".join(digests)).digest())


def _keys_in(file: Path) -> Iterator[tuple[Identity, str]]:
    text = _read(file)
    if text.startswith(_SSH):
        yield _ssh_key(file, text), text
        return
    lines = [line.strip() for line in text.splitlines()]
    keys = [(number, line) for number, line in enumerate(lines, start=1) if line and not line.startswith("#")]
    if not keys:
        raise _refused(file, "holds no key")
    for number, line in keys:
        yield _age_key(file, number, line), line


def _read(file: Path) -> str:
    content = read_key_file(file, _SETTING)
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise _refused(file, "is not text") from None


def _age_key(file: Path, number: int, line: str) -> Identity:
    if not line.startswith(_AGE):
        raise _refused(file, f"holds something on line {number} that is no age key")
    try:
        return pyrage.x25519.Identity.from_str(line)
    except pyrage.IdentityError:
        raise _refused(file, f"holds a damaged key on line {number}") from None


def _ssh_key(file: Path, text: str) -> Identity:
    try:
        return pyrage.ssh.Identity.from_buffer(f"{text}\n".encode())
    except pyrage.IdentityError:
        raise _refused(file, "holds an SSH key that cannot be used; it must have no passphrase") from None


def _refused(file: Path, message: str) -> RenderError:
    return refused(file, message, _SETTING)

"""Bytes that may lie on disk although they hold plaintext: sealed with a key that is made of the environment's keys."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gitopsd.adapters.secrets.keys import AgeKeys

_FORM = b"gitopsd sealed 1\n"
_NONCE_BYTES = 12
_PURPOSE = b"gitopsd: seal what is cached"


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals with AES-256-GCM. Whoever has not the same keys cannot open, and cannot change unseen."""

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, keys: AgeKeys) -> Seal:
        """Return the seal of these keys."""
        return cls(keys.derived(_PURPOSE))

    def seal(self, content: bytes, name: bytes = b"") -> bytes:
        """Return the content, sealed. It can be opened under the same name only."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORM + nonce + AESGCM(self.key).encrypt(nonce, content, _FORM + name)

    def open(self, sealed: bytes, name: bytes = b"") -> bytes | None:
        """Return the content; None when it was sealed with other keys or under another name, or is damaged."""
        if not sealed.startswith(_FORM):
            return None
        body = sealed[len(_FORM) :]
        try:
            return AESGCM(self.key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _FORM + name)
        except (InvalidTag, ValueError):
            return None

"""Implements ``ports.Decryptor`` for whoever has no keys: files stay as they are, and ciphertext is refused later."""

from __future__ import annotations

from collections.abc import Sequence

from gitopsd.adapters.secrets.program import Program
from gitopsd.core.model import Decrypted, Environment, File


class Unopened:
    """Opens nothing."""

    def keys(self, environment: Environment) -> str:
        """See ``ports.Decryptor``."""
        return ""

    def decrypt(self, environment: Environment, files: Sequence[File]) -> Decrypted:
        """See ``ports.Decryptor``."""
        return Decrypted(files=tuple(files))


def no_sops() -> Program:
    """The sops program of whoever needs none."""
    raise AssertionError("sops was asked for")

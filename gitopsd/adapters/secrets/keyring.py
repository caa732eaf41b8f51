"""All that opens files for one environment: keys at hand, and services that may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gitopsd.adapters.secrets.key_files import read_key_file
from gitopsd.adapters.secrets.keys import AgeKeys, read_keys
from gitopsd.adapters.secrets.pgp import read_ring
from gitopsd.core.decryption import KeyServices
from gitopsd.core.errors import RenderError
from gitopsd.core.model import Environment
from gitopsd.core.sops.recipients import AGE, PGP

_FINGERPRINT_CHARS = 32
_SETTING = "decryption.keyServices names files that sops shows to key services"


@dataclass(frozen=True, slots=True)
class Keyring:
    """What an environment has. ``pgp`` is a keyring of PGP, empty without keys."""

    age: AgeKeys | None
    pgp: bytes = field(repr=False)
    services: KeyServices

    @property
    def held(self) -> frozenset[str]:
        """The types of the keys at hand."""
        return frozenset(kind for kind, has in ((AGE, self.age), (PGP, self.pgp)) if has)

    @property
    def is_for_sops(self) -> bool:
        """Whether it has what sops alone can use."""
        return bool(self.pgp or self.services.allowed)

    def fingerprint(self, version: str) -> str:
        """Return what tells one keyring from another, and nothing of a key; ``version`` is that of sops.

        Empty = there is nothing in it.
        """
        own = self.age.fingerprint if self.age else ""
        if not self.is_for_sops:
            return own
        parts = (own, sha256(self.pgp).hexdigest(), repr(self.services), version)
        return sha256("\n".join(parts).encode()).hexdigest()[:_FINGERPRINT_CHARS]

    @property
    def shown_fingerprint(self) -> str:
        """Tells one set of credentials from another, and nothing of them; a file that cannot be read is one as well."""
        try:
            shown = [variable.encode() + content for variable, content in self.credentials()]
        except RenderError as error:
            return error.problem.message
        return sha256(b"".join(sha256(one).digest() for one in shown)).hexdigest()

    def credentials(self) -> Iterator[tuple[str, bytes]]:
        """Yield what sops shows to services, each file under the variable that it goes with; Vault's token under none.

        Raises:
            RenderError: a file cannot be read.
        """
        token = self.services.vault_token_file
        for variable, file in (*self.services.files, *([("", token)] if token else [])):
            yield variable, read_key_file(Path(file), _SETTING)


def read_keyring(environment: Environment) -> Keyring:
    """Return what the environment has.

    Raises:
        RenderError: a key file cannot be read, or holds something else.
    """
    return Keyring(
        age=read_keys([Path(file) for file in environment.age_key_files]),
        pgp=read_ring([Path(file) for file in environment.pgp_key_files]),
        services=environment.key_services,
    )

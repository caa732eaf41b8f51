"""Which way sops may open a file that age alone does not: without a network, or with the key services that it names.

sops asks every service that a file names, in an order of its own. So each of them must be one that the operator
allows, or none is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from gitopsd.core.decryption import KeyServices
from gitopsd.core.sops.envelope import Envelope
from gitopsd.core.sops.recipients import AGE, KMS, PGP, SERVICES, Group, Recipient

_ADDRESS = re.compile(r"https?://[-A-Za-z0-9.:\[\]]+/?", re.ASCII)
_NAME = re.compile(r"[-A-Za-z0-9._:/+=,@\[\]]+", re.ASCII)
_UPWARDS = "/.."
_SHOWN_MAX, _SHOWN_CHARS = 10, 160
_RE_ENCRYPT = "encrypt the file again with a current sops"


class Way(Enum):
    """How sops is run."""

    OFFLINE = auto()
    ONLINE = auto()


@dataclass(frozen=True, slots=True)
class Shut:
    """Why a file cannot be opened."""

    code: str
    message: str
    hint: str


def way_of(envelope: Envelope, held: Collection[str], services: KeyServices) -> Way | None:
    """Return the way; None = there is none. ``held`` are the types of the keys that the environment has."""
    if not envelope.is_plain:
        return None
    named = [one for one in envelope.recipients if one.kind in SERVICES]
    if named and not strangers(envelope, services) and _opens(envelope, {*held, *SERVICES}):
        return Way.ONLINE
    return Way.OFFLINE if _opens(envelope, held) else None


def strangers(envelope: Envelope, services: KeyServices) -> list[Recipient]:
    """Return the services that the file names and that may not be asked."""
    named = (one for one in envelope.recipients if one.kind in SERVICES)
    return [one for one in named if not _is_sane(one) or not all(_allowed(one, services))]


def why_shut(envelope: Envelope, services: KeyServices) -> Shut:
    """Say why there is no way."""
    allowed = {kind for kind, _ in services.allowed}
    refused = strangers(envelope, services)
    if not envelope.is_plain:
        return Shut("DECRYPT_METADATA", "the metadata of SOPS says more than is known here", _RE_ENCRYPT)
    if refused and allowed:
        message = f"the file names {named(refused)}, which gitopsd may not ask"
        return Shut("DECRYPT_SERVICE_DENIED", message, _hint([refused[0].kind]))
    kinds = list(dict.fromkeys(one.kind for one in envelope.recipients))
    groups = f" in {len(envelope.groups)} groups" if len(envelope.groups) > 1 else ""
    message = f"the file is encrypted to {', '.join(kinds)}{groups}, and the environment has no such keys"
    return Shut("DECRYPT_KEY_TYPE", message, _hint(kinds))


def named(recipients: Sequence[Recipient]) -> str:
    """Return recipients for people: some of them, and each not at length."""
    shown = ["".join(one if one.isprintable() else "?" for one in str(found)[:_SHOWN_CHARS]) for found in recipients]
    more = len(shown) - _SHOWN_MAX
    return ", ".join([*shown[:_SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])])


def _opens(envelope: Envelope, held: Collection[str]) -> bool:
    return sum(_opens_group(group, held) for group in envelope.groups) >= envelope.threshold


def _opens_group(group: Group, held: Collection[str]) -> bool:
    return any(one.kind in held for one in group.recipients)


def _is_sane(recipient: Recipient) -> bool:
    """Whether the name can mean one thing only: a server is no more than that, and no path leads upwards."""
    addresses = [recipient.fields.get(key, "") for key in ("vault_address", "vault_url") if key in recipient.fields]
    return (
        all(_ADDRESS.fullmatch(address) for address in addresses)
        and _NAME.fullmatch(recipient.name) is not None
        and _UPWARDS not in recipient.name
    )


def _allowed(recipient: Recipient, services: KeyServices) -> Iterator[bool]:
    yield services.allow(recipient.kind, recipient.name)
    if recipient.fields.get("role"):
        yield services.allow(KMS, recipient.fields["role"])


def _hint(kinds: Sequence[str]) -> str:
    settings = " or ".join(_setting(kind) for kind in kinds)
    return f"the operator can give it such keys: {settings}; or add an age recipient: sops rotate -i --add-age …"


def _setting(kind: str) -> str:
    named = {AGE: "ageKeyFiles", PGP: "pgpKeyFiles"}
    return f"decryption.{named.get(kind) or f'keyServices.{kind}'}"

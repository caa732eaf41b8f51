"""Which way sops may open a file that age alone does not: without a network, or with the key services that it names.

sops asks every service that a file names, in an order of its own. So each of them must be one that the operator
allows, or none is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from gitopsd.core.decryption import KeyServices
from gitopsd.core.sops.envelope import Envelope
from gitopsd.core.sops.recipients import (
    AGE,
    AZURE_KV,
    GCP_KMS,
    HC_VAULT,
    HCKMS,
    KMS,
    PGP,
    SERVICES,
    Group,
    Recipient,
)

_SERVER = r"https?://[-A-Za-z0-9.:\[\]]+/*"
# What each field may hold: no name spans two fields, and no path leads upwards.
_SHAPES: Mapping[str, Mapping[str, str]] = {
    KMS: {"arn": r"arn:aws[-a-z]*:kms:[-a-z0-9]+:[0-9]+:(key|alias)/[-A-Za-z0-9/_]+"},
    GCP_KMS: {
        "resource_id": (
            r"projects/(?!\.)[-a-z0-9.:]+/locations/[-a-z0-9]+/keyRings/[-A-Za-z0-9_]+/cryptoKeys/[-A-Za-z0-9_]+"
        )
    },
    AZURE_KV: {"vault_url": _SERVER, "name": "[-A-Za-z0-9]+", "version": "[A-Za-z0-9]*"},
    HC_VAULT: {
        "vault_address": _SERVER,
        "engine_path": r"(?!keys/|keys$)(?!\.)[-A-Za-z0-9._]+(/(?!keys/|keys$)(?!\.)[-A-Za-z0-9._]+)*",
        "key_name": r"(?!\.)[-A-Za-z0-9._]+",
    },
    HCKMS: {"key_id": r"[-a-z0-9]+:[-A-Za-z0-9]+"},
}
_ROLE = r"arn:aws[-a-z]*:iam::[0-9]+:role/[-A-Za-z0-9+=,.@_/]+"
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
    asks = any(one.kind in SERVICES for one in envelope.recipients)
    if asks and not strangers(envelope, services) and _opens(envelope, {*held, *SERVICES}):
        return Way.ONLINE
    return Way.OFFLINE if _opens(envelope, held) else None


def strangers(envelope: Envelope, services: KeyServices) -> list[Recipient]:
    """Return the services that the file names and that may not be asked."""
    found = (one for one in envelope.recipients if one.kind in SERVICES)
    return [one for one in found if not _is_sane(one) or not _is_allowed(one, services)]


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
    """Whether it can mean one thing only: a server is no more than that, a name is one, and no path leads upwards."""
    fields = recipient.fields
    shapes = _SHAPES[recipient.kind].items()
    return all(re.fullmatch(shape, fields.get(one, ""), re.ASCII) for one, shape in shapes) and (
        not fields.get("role") or re.fullmatch(_ROLE, fields["role"], re.ASCII) is not None
    )


def _is_allowed(recipient: Recipient, services: KeyServices) -> bool:
    role = recipient.fields.get("role")
    return services.allow(recipient.kind, recipient.name) and (not role or services.allow(KMS, role))


def _hint(kinds: Sequence[str]) -> str:
    settings = " or ".join(_setting(kind) for kind in kinds)
    return f"the operator can give it such keys: {settings}; or add an age recipient: sops rotate -i --add-age …"


def _setting(kind: str) -> str:
    named = {AGE: "ageKeyFiles", PGP: "pgpKeyFiles"}
    return f"decryption.{named.get(kind) or f'keyServices.{kind}'}"

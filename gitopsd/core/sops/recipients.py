"""Who may open a file, as its metadata names them: the fields of each type of key, as SOPS writes them.

SOPS takes more than it writes: other cases of a key, a mapping in place of a list. So does nobody here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Told: TypeAlias = "str | Sequence[Told] | Mapping[str, Told]"

AGE, PGP = "age", "pgp"
KMS, GCP_KMS, AZURE_KV, HC_VAULT, HCKMS = "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"
SERVICES = (KMS, GCP_KMS, AZURE_KV, HC_VAULT, HCKMS)
# By the keys under which SOPS writes them; the services are asked over the network.
KEY_TYPES = (AGE, PGP, *SERVICES)

_COPY = "enc"
# Which fields name a recipient.
_NAMED_BY: Mapping[str, tuple[str, ...]] = {
    AGE: ("recipient",),
    PGP: ("fp",),
    KMS: ("arn",),
    GCP_KMS: ("resource_id",),
    AZURE_KV: ("vault_url", "name", "version"),
    HC_VAULT: ("vault_address", "engine_path", "key_name"),
    HCKMS: ("key_id",),
}
_BESIDE: Mapping[str, frozenset[str]] = {
    AGE: frozenset({_COPY}),
    KMS: frozenset({_COPY, "created_at", "role", "context", "aws_profile"}),
}
_BESIDE_OTHERS = frozenset({_COPY, "created_at"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """One key. ``fields`` name it; ``copy`` is the data key, or a part of it, encrypted to it."""

    kind: str
    fields: Mapping[str, str]
    copy: str = field(repr=False)

    @property
    def name(self) -> str:
        """What SOPS itself calls it."""
        named = [self.fields.get(one, "") for one in _NAMED_BY[self.kind]]
        if self.kind == HC_VAULT:
            return f"{named[0].rstrip('/')}/v1/{named[1]}/keys/{named[2]}"
        if self.kind == AZURE_KV:
            return "/".join([named[0].rstrip("/"), "keys", *named[1:]]).rstrip("/")
        return named[0]

    def __str__(self) -> str:
        """``pgp 85D77543…``."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """Recipients each of whom will do. ``is_plain`` = nothing is said in it that is not known here."""

    recipients: tuple[Recipient, ...]
    is_plain: bool


def group_of(told: Told) -> Group:
    """Return one group.

    Raises:
        ValueError: it is none; the message names keys only.
    """
    if not isinstance(told, Mapping):
        raise ValueError("a key group is not a mapping")  # noqa: TRY004 - what is wrong is the file
    entries = [(kind, entry) for kind in KEY_TYPES for entry in _entries(told, kind)]
    return Group(
        recipients=tuple(_recipient(kind, entry) for kind, entry in entries),
        is_plain=told.keys() <= set(KEY_TYPES) and all(_is_plain(kind, entry) for kind, entry in entries),
    )


def _entries(told: Mapping[str, Told], kind: str) -> Iterator[Mapping[str, Told]]:
    found = told.get(kind) or ()
    if isinstance(found, str | Mapping):
        raise ValueError(f"{kind} is not a list")  # noqa: TRY004 - as above
    for entry in found:
        if not isinstance(entry, Mapping):
            raise ValueError(f"an entry of {kind} is not a mapping")  # noqa: TRY004 - as above
        yield entry


def _recipient(kind: str, entry: Mapping[str, Told]) -> Recipient:
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    copy = texts.pop(_COPY, "")
    if not copy:
        raise ValueError(f"{_COPY} is missing")
    return Recipient(kind, texts, copy)


def _is_plain(kind: str, entry: Mapping[str, Told]) -> bool:
    known = {*_NAMED_BY[kind], *_BESIDE.get(kind, _BESIDE_OTHERS)}
    return entry.keys() <= known and all(isinstance(value, str) for key, value in entry.items() if key != "context")

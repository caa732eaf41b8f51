"""The metadata that SOPS keeps beside what it encrypts: who may open the file, by which rule, and its MAC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gitopsd.core.sops.rules import Choice, choice_of
from gitopsd.core.sops.sealed import Sealed, sealed_in

Told: TypeAlias = "str | Sequence[Told] | Mapping[str, Told]"

KEY = "sops"
FLAT_PREFIX = "sops_"
AGE = "age"
RECIPIENTS_MAX = 100
# By the keys under which SOPS writes them; all but age and pgp ask somebody over the network.
KEY_TYPES = (AGE, "pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms")


class NotAnEnvelope(ValueError):
    """The metadata is not SOPS's, or not whole. The message names keys, never values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """``age`` are the data key's copies, one for each recipient; ``key_types`` all that could open the file."""

    age: tuple[str, ...] = field(repr=False)
    key_types: tuple[str, ...]
    choice: Choice
    mac: Sealed = field(repr=False)
    last_modified: str
    mac_only_encrypted: bool = False
    groups: int = 1


def is_envelope(told: Told | None) -> bool:
    """Return whether this is SOPS's metadata, right or wrong, and not a field that is merely called so."""
    return isinstance(told, Mapping) and ("mac" in told or any(kind in told for kind in (*KEY_TYPES, "key_groups")))


def read_envelope(told: Told) -> Envelope:
    """Return the metadata.

    Raises:
        NotAnEnvelope: something is missing or not what it should be.
    """
    if not isinstance(told, Mapping):
        raise NotAnEnvelope("it is not a mapping")
    groups = _groups(told)
    age = tuple(copy for group in groups for copy in _age_copies(group))
    if len(age) > RECIPIENTS_MAX:
        raise NotAnEnvelope(f"it names more than {RECIPIENTS_MAX} recipients")
    mac = sealed_in(_text(told, "mac"))
    if mac is None:
        raise NotAnEnvelope("mac is not encrypted by AES256_GCM")
    try:
        choice = choice_of(told)
    except ValueError as error:
        raise NotAnEnvelope(str(error)) from None
    return Envelope(
        age=age,
        key_types=tuple(kind for kind in KEY_TYPES if any(group.get(kind) for group in groups)),
        choice=choice,
        mac=mac,
        last_modified=_text(told, "lastmodified"),
        mac_only_encrypted=told.get("mac_only_encrypted") in ("true", "True", "TRUE"),
        groups=len(groups),
    )


def _groups(told: Mapping[str, Told]) -> list[Mapping[str, Told]]:
    if any(told.get(kind) for kind in KEY_TYPES):
        return [told]
    found = [group for group in _entries(told, "key_groups") if isinstance(group, Mapping)]
    if not found:
        raise NotAnEnvelope("it names nobody who could open it")
    return found


def _age_copies(group: Mapping[str, Told]) -> list[str]:
    return [_text(entry, "enc") for entry in _entries(group, AGE) if isinstance(entry, Mapping)]


def _entries(told: Mapping[str, Told], key: str) -> Sequence[Told]:
    found = told.get(key) or ()
    if isinstance(found, str | Mapping):
        raise NotAnEnvelope(f"{key} is not a list")
    return found


def _text(told: Mapping[str, Told], key: str) -> str:
    found = told.get(key)
    if not isinstance(found, str) or not found:
        raise NotAnEnvelope(f"{key} is missing")
    return found

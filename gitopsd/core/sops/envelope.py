"""The metadata that SOPS keeps beside what it encrypts: who may open the file, by which rule, and its MAC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.core.sops.recipients import AGE, KEY_TYPES, Group, Recipient, Told, group_of
from gitopsd.core.sops.rules import Choice, Rule, choice_of
from gitopsd.core.sops.sealed import Sealed, sealed_in

KEY = "sops"
FLAT_PREFIX = "sops_"
RECIPIENTS_MAX = 100

_GROUPS, _THRESHOLD = "key_groups", "shamir_threshold"
_KNOWN = {*KEY_TYPES, *(rule.value for rule in Rule), _GROUPS, _THRESHOLD}
_KNOWN |= {"lastmodified", "mac", "mac_only_encrypted", "version"}
_SMALL = re.compile("[0-9]{1,2}", re.ASCII)


class NotAnEnvelope(ValueError):
    """The metadata is not SOPS's, or not whole. The message names keys, never values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """``groups`` say who could open the file: one recipient of each of ``threshold`` groups.

    ``is_plain`` = all of the metadata is known here, so that whoever else reads it can find nothing else in it.
    """

    groups: tuple[Group, ...]
    threshold: int
    is_plain: bool
    choice: Choice
    mac: Sealed = field(repr=False)
    last_modified: str
    mac_only_encrypted: bool = False

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """All that could open the file, or their part of it."""
        return tuple(recipient for group in self.groups for recipient in group.recipients)

    @property
    def age(self) -> tuple[str, ...]:
        """The data key's copies for age; none where they are only parts of it."""
        found = self.recipients if len(self.groups) == 1 else ()
        return tuple(recipient.copy for recipient in found if recipient.kind == AGE)


def is_envelope(told: Told | None) -> bool:
    """Return whether this is SOPS's metadata, right or wrong, and not a field that is merely called so."""
    return isinstance(told, Mapping) and ("mac" in told or any(kind in told for kind in (*KEY_TYPES, _GROUPS)))


def read_envelope(told: Told) -> Envelope:
    """Return the metadata.

    Raises:
        NotAnEnvelope: something is missing or not what it should be.
    """
    if not isinstance(told, Mapping):
        raise NotAnEnvelope("it is not a mapping")
    groups = _groups(told)
    if sum(len(group.recipients) for group in groups) > RECIPIENTS_MAX:
        raise NotAnEnvelope(f"it names more than {RECIPIENTS_MAX} recipients")
    mac = sealed_in(_text(told, "mac"))
    if mac is None:
        raise NotAnEnvelope("mac is not encrypted by AES256_GCM")
    try:
        choice = choice_of(told)
    except ValueError as error:
        raise NotAnEnvelope(str(error)) from None
    return Envelope(
        groups=groups,
        threshold=_threshold(told, len(groups)),
        is_plain=told.keys() <= _KNOWN and all(group.is_plain for group in groups),
        choice=choice,
        mac=mac,
        last_modified=_text(told, "lastmodified"),
        mac_only_encrypted=told.get("mac_only_encrypted") in ("true", "True", "TRUE"),
    )


def _groups(told: Mapping[str, Told]) -> tuple[Group, ...]:
    try:
        if any(told.get(kind) for kind in KEY_TYPES):
            return (group_of({kind: told[kind] for kind in KEY_TYPES if kind in told}),)
        found = told.get(_GROUPS) or ()
        if isinstance(found, str | Mapping) or not found:
            raise NotAnEnvelope("it names nobody who could open it")
        return tuple(group_of(group) for group in found)
    except ValueError as error:
        raise NotAnEnvelope(str(error)) from None


def _threshold(told: Mapping[str, Told], groups: int) -> int:
    """SOPS leaves the number out, or writes 0, where there is one group."""
    written = told.get(_THRESHOLD, "0")
    if not isinstance(written, str) or not _SMALL.fullmatch(written):
        raise NotAnEnvelope(f"{_THRESHOLD} is no small number")
    return int(written) or groups if groups > 1 else 1


def _text(told: Mapping[str, Told], key: str) -> str:
    found = told.get(key)
    if not isinstance(found, str) or not found:
        raise NotAnEnvelope(f"{key} is missing")
    return found

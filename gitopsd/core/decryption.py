"""Which key services sops may ask for one environment, and what it shows them. Only the operator's file says so."""

from __future__ import annotations

from dataclasses import dataclass

_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyServices:
    """``allowed`` are types of keys, as SOPS calls them, each with the name of a key, or the beginning of names and *.

    sops sees ``variables``, and a copy of each of ``files`` under the variable that it goes with.
    """

    allowed: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    vault_token_file: str = ""

    def allow(self, kind: str, name: str) -> bool:
        """Return whether the key of this name may be asked for."""
        return any(kind == one and _covers(pattern, name) for one, pattern in self.allowed)


def _covers(pattern: str, name: str) -> bool:
    return name.startswith(pattern.removesuffix(_ANY)) if pattern.endswith(_ANY) else name == pattern

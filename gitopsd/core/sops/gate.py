"""The last gate: no object that holds a value which SOPS encrypted goes to the cluster, in plain text or in base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping, Sequence

from gitopsd.core.model import Json
from gitopsd.core.sops.sealed import MARK, holds_ciphertext

# In base64 a text looks one of three ways, by where it begins; the ends depend on what stands beside it.
_MARKS = (MARK, *(b64encode(b"\0" * shift + MARK)[4:-4] for shift in range(3)))


def place_of_ciphertext(canonical: bytes, body: Json) -> tuple[str | int, ...] | None:
    """Return the keys and indices that lead to an encrypted value; ``canonical`` is the body in canonical JSON."""
    if not any(mark in canonical for mark in _MARKS):
        return None
    return next((place for place, text in _texts(body, ()) if _is_ciphertext(text)), None)


def _texts(value: Json, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield (*place, key), key
            yield from _texts(below, (*place, key))
    elif isinstance(value, Sequence):
        for index, below in enumerate(value):
            yield from _texts(below, (*place, index))


def _is_ciphertext(text: str) -> bool:
    if holds_ciphertext(text):
        return True
    try:
        return holds_ciphertext(b64decode(text, validate=True).decode(errors="replace"))
    except (NotBase64, ValueError):
        return False

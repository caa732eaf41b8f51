"""JSON pointers that people may hand to us: well formed, and never to what makes an object the object it is."""

from __future__ import annotations

import re

_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_IDENTITY = frozenset({"/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace"})
_LENGTH_MAX = 1_000


def pointer_fault(pointer: str) -> str:
    """Say what is wrong with a pointer to fields that others own."""
    if len(pointer) > _LENGTH_MAX or not _POINTER.fullmatch(pointer):
        return "must be a JSON pointer like /spec/replicas"
    if pointer.rstrip("/") in _IDENTITY:
        return "is part of the object's identity and cannot be ignored"
    return ""

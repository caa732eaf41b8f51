"""One way to write an object down, and the digest of what is written: what holds and comparisons are keyed by.

Canonical JSON: sorted keys, no spaces, UTF-8. The order of files and documents never changes a digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from gitopsd.core.model import Json


def canonical(value: Json) -> bytes:
    """Return the value in canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_of(written: bytes) -> str:
    """Return the SHA-256, in hex, of what is written."""
    return sha256(written).hexdigest()


def canonical_set(written: Iterable[bytes], namespace: str = "") -> bytes:
    """Return a set of objects, each already canonical and all in ref order, as one canonical JSON array.

    ``namespace`` is what the settings give to objects that say none: it moves them all, so it is content too.
    """
    objects = b"[" + b",".join(written) + b"]"
    if not namespace:
        return objects
    return b'{"namespace":' + canonical(namespace) + b',"objects":' + objects + b"}"

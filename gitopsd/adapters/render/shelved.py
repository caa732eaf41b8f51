"""A rendered set as it lies on disk, and back. Its settings lie there as they were written, and are read anew."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import Desired, File, Manifest, ObjectRef, Origin, Revision
from gitopsd.core.settings import Settings

CONTENT_BYTES_MAX = 64 * 1024 * 1024

_NO_REVISION = Revision(ref="", commit="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    ref: ObjectRef
    api_version: str
    body: dict[str, Any] = field(repr=False)
    digest: str
    origin: Origin
    sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    digest: str
    manifests: tuple[_Manifest, ...] = field(repr=False)
    warnings: tuple[Problem, ...]
    settings: tuple[str, bytes] | None = field(repr=False)


_DECODER = msgspec.json.Decoder(_Set)


def shelved(desired: Desired, written: File | None) -> bytes:
    """Return the set as it is kept; ``written`` is its ``gitopsd.yaml``."""
    bare = msgspec.json.encode(
        {
            "digest": desired.digest,
            "manifests": desired.manifests,
            "warnings": desired.warnings,
            "settings": (written.path, written.content) if written else None,
        }
    )
    return zlib.compress(bare, level=1)


def unshelved(content: bytes) -> Desired | None:
    """Return the set, of no revision yet; None when it is not one that this gitopsd has written."""
    try:
        found = _DECODER.decode(_decompressed(content))
        settings = parse_settings(File(found.settings[0], "", found.settings[1])) if found.settings else Settings()
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError, RenderError):
        return None
    manifests = tuple(_manifest(one) for one in found.manifests)
    if not all(digest_of(canonical(one.body)) == one.digest for one in manifests):
        # A number may be one that JSON's readers do not agree on.
        return None
    return Desired(
        revision=_NO_REVISION, digest=found.digest, manifests=manifests, settings=settings, warnings=found.warnings
    )


def _decompressed(content: bytes) -> bytes:
    opened = zlib.decompressobj()
    whole = opened.decompress(content, CONTENT_BYTES_MAX)
    if not opened.eof:
        raise zlib.error("too large, or cut")
    return whole


def _manifest(one: _Manifest) -> Manifest:
    return Manifest(
        ref=one.ref,
        api_version=one.api_version,
        body=one.body,
        digest=one.digest,
        origin=one.origin,
        sensitive=one.sensitive,
    )

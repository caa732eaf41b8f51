"""A desired set as it is kept, and back: whole and equal, or refused. It may hold Secrets, so no message quotes it."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NoReturn

import msgspec

from gitopsd.core.errors import PlanRefused, Problem, Stage
from gitopsd.core.model import Desired, Manifest, ObjectRef, Origin, Revision
from gitopsd.core.settings import Settings

SCHEMA = "gitopsd.dev/snapshot.v1"
CHUNK_BYTES_MAX = 900 * 1024
CHUNKS_MAX = 32
CONTENT_BYTES_MAX = 256 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Packed:
    """A set, compressed and cut. ``checksum`` is the SHA-256 (hex) of the compressed whole."""

    checksum: str
    chunks: tuple[bytes, ...] = field(repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether these are all the chunks, in order, and as they were written."""
        return sha256(b"".join(self.chunks)).hexdigest() == self.checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    ref: ObjectRef
    api_version: str
    body: dict[str, Any] = field(repr=False)
    digest: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    schema: str
    digest: str
    revision: Revision
    settings: Settings
    warnings: tuple[Problem, ...]
    manifests: tuple[_Manifest, ...] = field(repr=False)


_DECODER = msgspec.json.Decoder(_Snapshot)


def pack(desired: Desired) -> Packed:
    """Return the set as it is kept.

    Raises:
        PlanRefused: it is too large.
    """
    snapshot = _Snapshot(
        schema=SCHEMA,
        digest=desired.digest,
        revision=desired.revision,
        settings=desired.settings,
        warnings=desired.warnings,
        manifests=tuple(_bare(manifest) for manifest in desired.manifests),
    )
    content = gzip.compress(msgspec.json.encode(snapshot), compresslevel=6, mtime=0)
    chunks = tuple(content[at : at + CHUNK_BYTES_MAX] for at in range(0, len(content), CHUNK_BYTES_MAX))
    if len(chunks) > CHUNKS_MAX:
        bytes_max = CHUNKS_MAX * CHUNK_BYTES_MAX
        raise PlanRefused(
            Problem(
                code="SNAPSHOT_TOO_LARGE",
                stage=Stage.RECORD,
                message=f"the manifests have {len(content)} bytes compressed; {bytes_max} are the most",
                hint="split the environment into several directories",
            )
        )
    return Packed(sha256(content).hexdigest(), chunks)


def unpack(digest: str, packed: Packed) -> Desired:
    """Return the set of that digest.

    Raises:
        PlanRefused: it is damaged, or another one.
    """
    if not packed.is_whole:
        refuse_damage(digest)
    try:
        snapshot = _DECODER.decode(_decompress(b"".join(packed.chunks)))
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError):
        refuse_damage(digest)
    if (snapshot.schema, snapshot.digest) != (SCHEMA, digest):
        refuse_damage(digest)
    return Desired(
        revision=snapshot.revision,
        digest=snapshot.digest,
        manifests=tuple(_whole(manifest) for manifest in snapshot.manifests),
        settings=snapshot.settings,
        warnings=snapshot.warnings,
    )


def refuse_damage(digest: str) -> NoReturn:
    """Refuse a snapshot that is not as it was written.

    Raises:
        PlanRefused: always.
    """
    raise PlanRefused(
        Problem(
            code="SNAPSHOT_DAMAGED",
            stage=Stage.RECORD,
            message=f"the manifests kept under {digest[:12]} are not whole, so nothing is put back from them",
            hint="commit what should be there; gitopsd follows Git again",
        )
    ) from None


def _bare(manifest: Manifest) -> _Manifest:
    return _Manifest(
        ref=manifest.ref,
        api_version=manifest.api_version,
        body=dict(manifest.body),
        digest=manifest.digest,
        origin=manifest.origin,
    )


def _whole(bare: _Manifest) -> Manifest:
    return Manifest(ref=bare.ref, api_version=bare.api_version, body=bare.body, digest=bare.digest, origin=bare.origin)


def _decompress(compressed: bytes) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    content = stream.decompress(compressed, CONTENT_BYTES_MAX)
    if not stream.eof:
        raise zlib.error
    return content

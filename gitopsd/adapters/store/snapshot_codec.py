"""A desired set as it is kept, and back: whole and equal, or refused. It may hold Secrets, so no message quotes it.

Every manifest is held against its digest when it is read; and the whole is read once before it counts as written.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NoReturn, get_type_hints

import msgspec

from gitopsd.core.errors import PlanRefused, Problem, Stage
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.model import Desired, Manifest, ObjectRef, Origin, Revision
from gitopsd.core.probes import CelProbe, HttpProbe, JobProbe, Probe, PrometheusProbe
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
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    schema: str
    digest: str
    revision: Revision
    settings: dict[str, Any]
    warnings: tuple[Problem, ...]
    manifests: tuple[_Manifest, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schema:
    schema: str


_PROBES: dict[str, type[Probe]] = {"http": HttpProbe, "prometheus": PrometheusProbe, "job": JobProbe, "cel": CelProbe}
_PROBE_NAMES = {kind: name for name, kind in _PROBES.items()}
_SETTINGS = {name: kind for name, kind in get_type_hints(Settings).items() if name != "probes"}
_DECODER = msgspec.json.Decoder(_Snapshot)
_SCHEMA_ONLY = msgspec.json.Decoder(_Schema)


def pack(desired: Desired) -> Packed:
    """Return the set as it is kept.

    Raises:
        PlanRefused: it is too large.
    """
    snapshot = _Snapshot(
        schema=SCHEMA,
        digest=desired.digest,
        revision=desired.revision,
        settings=_plain(desired.settings),
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
    packed = Packed(sha256(content).hexdigest(), chunks)
    if _outline(unpack(desired.digest, packed)) != _outline(desired):
        raise RuntimeError("the set cannot be read back as it was written")
    return packed


def unpack(digest: str, packed: Packed) -> Desired:
    """Return the set of that digest.

    Raises:
        PlanRefused: it is damaged, or another one.
    """
    if not packed.is_whole:
        refuse_damage(digest)
    try:
        content = _decompress(b"".join(packed.chunks))
        _require_schema(_SCHEMA_ONLY.decode(content).schema)
        snapshot = _DECODER.decode(content)
        settings = _settings(snapshot.settings)
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError):
        refuse_damage(digest)
    if snapshot.digest != digest or not all(_is_intact(manifest) for manifest in snapshot.manifests):
        refuse_damage(digest)
    return Desired(
        revision=snapshot.revision,
        digest=snapshot.digest,
        manifests=tuple(_whole(manifest) for manifest in snapshot.manifests),
        settings=settings,
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


def _require_schema(schema: str) -> None:
    if schema != SCHEMA:
        raise PlanRefused(
            Problem(
                code="RECORD_NEWER",
                stage=Stage.RECORD,
                message=f"the kept manifests were written by another gitopsd ({schema[:80]}; this one knows {SCHEMA})",
                hint="run that version again; nothing was written, and nothing will be",
            )
        )


def _plain(settings: Settings) -> dict[str, Any]:
    """Each probe stands below the word for its type."""
    plain: dict[str, Any] = msgspec.to_builtins(replace(settings, probes=()))
    return {**plain, "probes": [{_PROBE_NAMES[type(probe)]: msgspec.to_builtins(probe)} for probe in settings.probes]}


def _settings(plain: dict[str, Any]) -> Settings:
    """What an older gitopsd did not write has its default."""
    known = {name: msgspec.convert(value, _SETTINGS[name]) for name, value in plain.items() if name in _SETTINGS}
    probes = msgspec.convert(plain.get("probes", ()), tuple[dict[str, Any], ...])
    return Settings(**known, probes=tuple(_probe(name, probe) for one in probes for name, probe in one.items()))


def _probe(name: str, plain: object) -> Probe:
    if name not in _PROBES:
        raise msgspec.ValidationError
    return msgspec.convert(plain, _PROBES[name])


def _outline(desired: Desired) -> tuple[Desired, tuple[tuple[ObjectRef, str, str, Origin, bool], ...]]:
    """All but the bodies: their digests stand for them."""
    told = ((one.ref, one.api_version, one.digest, one.origin, one.sensitive) for one in desired.manifests)
    return replace(desired, manifests=()), tuple(told)


def _is_intact(manifest: _Manifest) -> bool:
    return digest_of(canonical(manifest.body)) == manifest.digest


def _bare(manifest: Manifest) -> _Manifest:
    return _Manifest(
        ref=manifest.ref,
        api_version=manifest.api_version,
        body=dict(manifest.body),
        digest=manifest.digest,
        origin=manifest.origin,
        sensitive=manifest.sensitive,
    )


def _whole(bare: _Manifest) -> Manifest:
    return Manifest(
        ref=bare.ref,
        api_version=bare.api_version,
        body=bare.body,
        digest=bare.digest,
        origin=bare.origin,
        sensitive=bare.sensitive,
    )


def _decompress(compressed: bytes) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    content = stream.decompress(compressed, CONTENT_BYTES_MAX)
    if not stream.eof:
        raise zlib.error
    return content

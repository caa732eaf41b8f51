"""A rendered set as it lies on disk, and back. Its settings lie there as they were written, and are read anew."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.manifests.layout import Layout
from gitopsd.core.manifests.probe_jobs import with_jobs, with_marks
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import Desired, File, Manifest, ObjectRef, Origin, Revision
from gitopsd.core.probes import JobProbe
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


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    digest: str
    manifests: tuple[_Manifest, ...] = field(repr=False)
    warnings: tuple[Problem, ...]
    settings: _File | None
    jobs: dict[str, _File]
    sensitive_jobs: frozenset[str]


_DECODER = msgspec.json.Decoder(_Set)


def shelved(desired: Desired, layout: Layout) -> bytes:
    """Return the set as it is kept, with the files of its directory that its settings are made of."""
    bare = msgspec.json.encode(
        {
            "digest": desired.digest,
            "manifests": desired.manifests,
            "warnings": desired.warnings,
            "settings": _bare(layout.settings) if layout.settings else None,
            "jobs": {path: _bare(file) for path, file in layout.jobs.items()},
            "sensitive_jobs": sorted(_sensitive_jobs(desired.settings)),
        }
    )
    return zlib.compress(bare, level=1)


def unshelved(content: bytes) -> Desired | None:
    """Return the set, of no revision yet; None when it is not one that this gitopsd has written."""
    try:
        found = _DECODER.decode(_decompressed(content))
        settings = _settings(found)
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError, RenderError):
        return None
    manifests = tuple(_manifest(one) for one in found.manifests)
    if not all(digest_of(canonical(one.body)) == one.digest for one in manifests):
        # A number may be one that JSON's readers do not agree on.
        return None
    return Desired(
        revision=_NO_REVISION, digest=found.digest, manifests=manifests, settings=settings, warnings=found.warnings
    )


def _settings(found: _Set) -> Settings:
    written = parse_settings(_whole(found.settings)) if found.settings else Settings()
    settings, problems = with_jobs(written, {path: _whole(file) for path, file in found.jobs.items()})
    refuse_any(problems)
    return with_marks(settings, lambda probe: probe.file in found.sensitive_jobs)


def _sensitive_jobs(settings: Settings) -> frozenset[str]:
    return frozenset(probe.file for probe in settings.probes if isinstance(probe, JobProbe) and probe.sensitive)


def _bare(file: File) -> _File:
    return _File(file.path, file.content)


def _whole(file: _File) -> File:
    return File(file.path, "", file.content)


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

"""The record as it is written down, and back.

Two parts. ``state`` is JSON that a person can read; it names no objects, so its size is bounded. ``objects`` is
everything that is said of single objects, compressed, and ``state`` has its checksum. Nothing is guessed: what is
damaged or newer than us is refused whole, and what is written was read back before.

A field of ``state`` that is unknown here is ignored; one that an older gitopsd must not ignore raises the schema.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import NoReturn, TypeVar

import msgspec

from gitopsd.core.errors import PlanRefused, Problem, Stage
from gitopsd.core.model import Item, ObjectRef, Revision
from gitopsd.core.record import Entry, Hold, Kept, Record, Rollout, Suspension, Trigger

SCHEMA = "gitopsd.dev/record.v1"
RECORD_BYTES_MAX = 900 * 1024
OBJECTS_BYTES_MAX = 64 * 1024 * 1024

_VERSION = 1
_SCHEMA = re.compile(r"gitopsd\.dev/record\.v([1-9][0-9]{0,5})", re.ASCII)
_GZIP = 16 + zlib.MAX_WBITS

_Ref = tuple[int, int, str]
_T = TypeVar("_T", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Written:
    """A record in its two parts."""

    state: bytes
    objects: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.state) + len(self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rollout:
    digest: str
    revision: Revision
    trigger: Trigger
    started_at: datetime
    healthy_since: datetime | None = None
    healthy_s: float = 0.0
    blind_s: float = 0.0
    well_since: datetime | None = None
    failing_before: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    unknown_since: datetime | None = None
    unknown_s: float = 0.0
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    schema: str
    objects_sha256: str
    current: str
    rollout: _Rollout | None
    suspended: Suspension | None
    kept: tuple[Kept, ...]
    held: tuple[Hold, ...]
    history: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    failing_probes: tuple[str, ...] = ()
    wishes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schema:
    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Objects:
    """All refs once; the rest points at them. ``items`` are uid, digest, fingerprint and the set that bore it."""

    group_kinds: tuple[tuple[str, str], ...]
    namespaces: tuple[str, ...]
    sets: tuple[str, ...]
    refs: tuple[_Ref, ...]
    items: tuple[tuple[int, str, str, str, int], ...]
    changed: tuple[int, ...]
    baseline: tuple[int, ...]
    failing: tuple[tuple[int, datetime], ...]
    corrections: tuple[tuple[int, tuple[datetime, ...]], ...]
    quiet: tuple[tuple[int, datetime], ...] = ()
    reasons: tuple[tuple[int, str], ...] = ()
    broken: tuple[int, ...] = ()
    down: tuple[int, ...] = ()
    found: tuple[int, ...] = ()
    sensitive: tuple[int, ...] = ()


_NO_ROLLOUT = Rollout(
    digest="", revision=Revision(ref="", commit=""), trigger=Trigger.COMMIT, started_at=datetime(1, 1, 1, tzinfo=UTC)
)
_STATE = msgspec.json.Decoder(_State)
_SCHEMA_ONLY = msgspec.json.Decoder(_Schema)
_OBJECTS = msgspec.json.Decoder(_Objects)


def encode(record: Record) -> Written:
    """Return the record as it is to be stored; its ``version`` is the store's and is left out.

    Raises:
        PlanRefused: it is too large for one object of the cluster.
    """
    objects = msgspec.json.encode(_objects(record))
    state = msgspec.json.encode(_state(record, sha256(objects).hexdigest()))
    written = Written(msgspec.json.format(state), gzip.compress(objects, compresslevel=6, mtime=0))
    if written.size > RECORD_BYTES_MAX:
        _refuse_size(written.size, len(record.inventory))
    if decode(written) != replace(record, version=""):
        raise RuntimeError("the record cannot be read back as it was written")
    return written


def decode(written: Written) -> Record:
    """Return the record, without a ``version``.

    Raises:
        PlanRefused: it is damaged, or a newer gitopsd wrote it.
    """
    try:
        _require_schema(_SCHEMA_ONLY.decode(written.state).schema)
        state = _STATE.decode(written.state)
        if any(at.tzinfo is None for at in _instants(state)):
            _refuse_damage("it has an instant without a time zone")
        objects = _decompress(written.objects)
        if sha256(objects).hexdigest() != state.objects_sha256:
            _refuse_damage("the list of objects is not the one that this record was written with")
        return _record(state, _OBJECTS.decode(objects))
    except (msgspec.MsgspecError, zlib.error, IndexError, UnicodeDecodeError) as error:
        _refuse_damage(str(error))


def _state(record: Record, checksum: str) -> _State:
    return _State(
        schema=SCHEMA,
        objects_sha256=checksum,
        current=record.current,
        rollout=_bare(record.rollout) if record.rollout else None,
        suspended=record.suspended,
        kept=record.kept,
        held=tuple(record.held.values()),
        history=record.history,
        warnings=record.warnings,
        failing_probes=tuple(sorted(record.failing_probes)),
        wishes=record.wishes,
    )


def _bare(rollout: Rollout) -> _Rollout:
    return _Rollout(
        digest=rollout.digest,
        revision=rollout.revision,
        trigger=rollout.trigger,
        started_at=rollout.started_at,
        healthy_since=rollout.healthy_since,
        healthy_s=rollout.healthy_s,
        blind_s=rollout.blind_s,
        well_since=rollout.well_since,
        failing_before=tuple(sorted(rollout.failing_before)),
        tested=tuple(sorted(rollout.tested)),
        unknown_since=rollout.unknown_since,
        unknown_s=rollout.unknown_s,
        failure=rollout.failure,
    )


def _objects(record: Record) -> _Objects:
    rollout = record.rollout
    shown = rollout or _NO_ROLLOUT
    before = {*shown.baseline, *shown.broken, *shown.down}
    touched = {*shown.changed, *shown.failing, *shown.quiet, *shown.reasons}
    refs = sorted({*record.inventory, *before, *touched, *record.corrections})
    kinds, kind_at = _table((ref.group, ref.kind) for ref in refs)
    namespaces, namespace_at = _table(ref.namespace for ref in refs)
    sets, set_at = _table(item.born for item in record.inventory.values())
    at = {ref: index for index, ref in enumerate(refs)}
    return _Objects(
        group_kinds=kinds,
        namespaces=namespaces,
        sets=sets,
        refs=tuple((kind_at[ref.group, ref.kind], namespace_at[ref.namespace], ref.name) for ref in refs),
        items=tuple(
            (at[ref], item.uid, item.digest, item.fingerprint, set_at[item.born])
            for ref, item in sorted(record.inventory.items(), key=lambda pair: pair[0])
        ),
        changed=tuple(sorted(at[ref] for ref in shown.changed)),
        baseline=tuple(sorted(at[ref] for ref in shown.baseline)),
        broken=tuple(sorted(at[ref] for ref in shown.broken)),
        down=tuple(sorted(at[ref] for ref in shown.down)),
        failing=tuple(sorted((at[ref], since) for ref, since in shown.failing.items())),
        quiet=tuple(sorted((at[ref], since) for ref, since in shown.quiet.items())),
        reasons=tuple(sorted((at[ref], reason) for ref, reason in shown.reasons.items())),
        found=tuple(sorted(at[ref] for ref, item in record.inventory.items() if item.found)),
        sensitive=tuple(sorted(at[ref] for ref, item in record.inventory.items() if item.sensitive)),
        corrections=tuple(sorted((at[ref], tuple(times)) for ref, times in record.corrections.items())),
    )


def _table(values: Iterable[_T]) -> tuple[tuple[_T, ...], Mapping[_T, int]]:
    ordered = tuple(sorted(set(values)))
    return ordered, {value: index for index, value in enumerate(ordered)}


def _record(state: _State, objects: _Objects) -> Record:
    refs = _refs(objects)
    found, sensitive = frozenset(objects.found), frozenset(objects.sensitive)
    return Record(
        current=state.current,
        inventory={
            refs[at]: Item(
                uid=uid,
                digest=digest,
                fingerprint=mark,
                born=objects.sets[born],
                found=at in found,
                sensitive=at in sensitive,
            )
            for at, uid, digest, mark, born in objects.items
        },
        rollout=_rollout(state.rollout, objects, refs) if state.rollout else None,
        kept=state.kept,
        held={hold.digest: hold for hold in state.held},
        history=state.history,
        warnings=state.warnings,
        failing_probes=frozenset(state.failing_probes),
        wishes=state.wishes,
        suspended=state.suspended,
        corrections={refs[at]: times for at, times in objects.corrections},
    )


def _refs(objects: _Objects) -> Sequence[ObjectRef]:
    kinds, namespaces = objects.group_kinds, objects.namespaces
    return [ObjectRef(*kinds[kind], namespaces[namespace], name) for kind, namespace, name in objects.refs]


def _rollout(bare: _Rollout, objects: _Objects, refs: Sequence[ObjectRef]) -> Rollout:
    return Rollout(
        digest=bare.digest,
        revision=bare.revision,
        trigger=bare.trigger,
        started_at=bare.started_at,
        changed=frozenset(refs[at] for at in objects.changed),
        baseline=frozenset(refs[at] for at in objects.baseline),
        failing={refs[at]: since for at, since in objects.failing},
        quiet={refs[at]: since for at, since in objects.quiet},
        reasons={refs[at]: reason for at, reason in objects.reasons},
        broken=frozenset(refs[at] for at in objects.broken),
        down=frozenset(refs[at] for at in objects.down),
        healthy_since=bare.healthy_since,
        healthy_s=bare.healthy_s,
        blind_s=bare.blind_s,
        well_since=bare.well_since,
        failing_before=frozenset(bare.failing_before),
        tested=frozenset(bare.tested),
        unknown_since=bare.unknown_since,
        unknown_s=bare.unknown_s,
        failure=bare.failure,
    )


def _require_schema(schema: str) -> None:
    found = _SCHEMA.fullmatch(schema)
    if found is None:
        _refuse_damage("it names no schema that is known")
    if int(found[1]) > _VERSION:
        raise PlanRefused(
            Problem(
                code="RECORD_NEWER",
                stage=Stage.RECORD,
                message=f"the record was written by a newer gitopsd ({schema}; this one knows {SCHEMA})",
                hint="run that version again; nothing was written, and nothing will be",
            )
        )


def _instants(state: _State) -> Iterator[datetime]:
    yield from (kept.at for kept in state.kept)
    yield from (hold.since for hold in state.held)
    yield from (entry.at for entry in state.history)
    if state.suspended:
        yield state.suspended.since
    if state.rollout:
        rollout = state.rollout
        yield rollout.started_at
        yield from (at for at in (rollout.healthy_since, rollout.well_since, rollout.unknown_since) if at)


def _decompress(compressed: bytes) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    content = stream.decompress(compressed, OBJECTS_BYTES_MAX)
    if not stream.eof or stream.unused_data:
        _refuse_damage("the list of objects is cut off, too long, or has something behind it")
    return content


def _refuse_damage(cause: str) -> NoReturn:
    raise PlanRefused(
        Problem(
            code="RECORD_DAMAGED",
            stage=Stage.RECORD,
            message="the record of this environment is damaged, so nothing is written and nothing pruned",
            cause=cause,
            hint="restore the object from a backup; or delete it: gitopsd then takes up its objects anew and prunes "
            "nothing it does not know to be its own",
        )
    ) from None


def _refuse_size(size: int, count: int) -> NoReturn:
    raise PlanRefused(
        Problem(
            code="RECORD_TOO_LARGE",
            stage=Stage.RECORD,
            message=f"the record of {count} objects has {size} bytes; {RECORD_BYTES_MAX} are the most",
            hint="split the environment into several directories",
        )
    )

"""Desired sets in Secrets, in chunks. A set is there only when all its chunks are, and as they were written.

The chunks of one writing share a name that says its checksum, so a set is never half old and half new: a new writing
is whole before an older one of the same digest goes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitopsd.adapters.store.memory import Memory, Recalled
from gitopsd.adapters.store.objects import MANAGED_BY, Exists, Objects, Unsure
from gitopsd.adapters.store.snapshot_codec import Packed, pack, refuse_damage, unpack
from gitopsd.core.applyset import TOOL, parent_name, slug
from gitopsd.core.errors import ClusterError, PlanRefused, Problem, Stage, Superseded
from gitopsd.core.fields import annotation, part, text, text_of
from gitopsd.core.model import Body, Desired
from gitopsd.core.ownership import ENVIRONMENT
from gitopsd.ports import Api

TYPE = "gitopsd.dev/snapshot"
DIGEST = "gitopsd.dev/digest"
CHECKSUM = "gitopsd.dev/checksum"
CHUNK = "gitopsd.dev/chunk"
CONTENT = "content"

ATTEMPTS_MAX = 3

_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """The Secrets of one writing that are there, in the order of their chunks."""

    digest: str
    packed: Packed
    created_at: str
    secrets: tuple[Body, ...] = field(repr=False)

    @property
    def name(self) -> tuple[str, str]:
        """Digest and checksum."""
        return self.digest, self.packed.checksum


class Snapshots:
    """The snapshots in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._namespace = namespace
        self._secrets = Objects(api, "Secret", namespace)
        self._known: Memory[frozenset[tuple[str, str]]] = Memory()
        self._recalled = Recalled()

    def keep(self, environment: str, desired: Desired, needed: frozenset[str]) -> None:
        """Keep the set; then drop what is neither needed nor it. What is there already is not written again.

        What this one put there itself is not asked for again either.

        Raises:
            ClusterError: it is not surely there, whole.
            PlanRefused: it is too large.
        """
        packed = pack(desired)
        wanted, asked_at = (desired.digest, packed.checksum), self._known.mark(environment)
        known = self._known.get(environment) or frozenset()
        if wanted in known and not any(_is_unneeded(one, wanted, needed) for one in known):
            return
        found = self._find({ENVIRONMENT: slug(environment)})
        if not any(one.packed == packed for one in found):
            for number in range(len(packed.chunks)):
                self._put(self._secret(environment, desired.digest, packed, number))
        self._recalled.forget(environment)
        if self._drop(one for one in found if _is_unneeded(one.name, wanted, needed)):
            whole = (one.name for one in found if one.packed.is_whole and not _is_unneeded(one.name, wanted, needed))
            self._known.keep(frozenset((wanted, *whole)), asked_at)

    def recall(self, environment: str, digest: str) -> Desired:
        """Return the newest whole writing of the digest.

        Raises:
            PlanRefused: there is none.
            ClusterError: nobody knows.
        """
        remembered = self._recalled.get(environment, digest)
        if remembered is not None:
            return remembered
        desired = self._read(environment, digest)
        self._recalled.keep(environment, desired)
        return desired

    def forget(self, environment: str | None = None) -> None:
        """Remember nothing of this environment, or of any."""
        self._known.forget(environment)
        self._recalled.forget(environment)

    def _read(self, environment: str, digest: str) -> Desired:
        found = self._find({ENVIRONMENT: slug(environment), DIGEST: digest[:_SHORT]})
        written = [one for one in found if one.digest == digest]
        if not written:
            raise PlanRefused(
                Problem(
                    code="SNAPSHOT_MISSING",
                    stage=Stage.RECORD,
                    message=f"the manifests of {digest[:_SHORT]} are not kept any more, so they cannot be put back",
                    hint="commit what should be there; gitopsd follows Git again",
                )
            )
        whole = [one for one in written if one.packed.is_whole]
        if not whole:
            refuse_damage(digest)
        return unpack(digest, max(whole, key=lambda one: (one.created_at, one.packed.checksum)).packed)

    def _find(self, labels: Mapping[str, str]) -> list[_Writing]:
        writings: dict[tuple[str, str], list[Body]] = {}
        for secret in self._secrets.list(labels):
            if text(secret, "type") == TYPE:
                key = annotation(secret, DIGEST), annotation(secret, CHECKSUM)
                writings.setdefault(key, []).append(secret)
        return [_writing(digest, checksum, secrets) for (digest, checksum), secrets in writings.items()]

    def _put(self, secret: Body) -> None:
        """Write one chunk until it is seen to be there."""
        unsure: Unsure | None = None
        for _ in range(ATTEMPTS_MAX):
            try:
                live: Body | None = self._secrets.create(secret)
            except Exists:
                live = self._settled(secret)
            except Unsure as lost:
                live, unsure = self._settled(secret), lost
            if live is not None and _is_same(live, secret):
                return
        raise unsure or self._not_stored(secret)

    def _settled(self, secret: Body) -> Body | None:
        """Return what is there in the end; a chunk that is not as it should be is written over."""
        live = self._secrets.find(text(secret, "metadata.name"))
        if live is None or _is_same(live, secret):
            return live
        version = text(live, "metadata.resourceVersion")
        # The server never changes a Secret's type, so one of another type is refused by it.
        return self._secrets.merge({**secret, "metadata": {**part(secret, "metadata"), "resourceVersion": version}})

    def _not_stored(self, secret: Body) -> ClusterError:
        return ClusterError(
            Problem(
                code="SNAPSHOT_NOT_STORED",
                stage=Stage.RECORD,
                message="the cluster did not store a snapshot as it was sent",
                hint="look for an admission webhook that changes Secrets in gitopsd's namespace",
                ref=f"Secret {self._namespace}/{text(secret, 'metadata.name')}",
            )
        )

    def _drop(self, writings: Iterable[_Writing]) -> bool:
        """Delete them; whether none is left."""
        is_clean = True
        for secret in (secret for writing in writings for secret in writing.secrets):
            try:
                self._secrets.delete(secret)
            except Superseded:
                raise
            except ClusterError:
                # One too many does no harm, and the next snapshot drops it; a revert must not wait for this.
                is_clean = False
        return is_clean

    def _secret(self, environment: str, digest: str, packed: Packed, number: int) -> Body:
        labels = {ENVIRONMENT: slug(environment), DIGEST: digest[:_SHORT], MANAGED_BY: TOOL}
        annotations = {DIGEST: digest, CHECKSUM: packed.checksum, CHUNK: str(number)}
        name = f"{parent_name(environment)}-{digest[:_SHORT]}-{packed.checksum[:_SHORT]}-{number}"
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": TYPE,
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": labels,
                "annotations": annotations,
            },
            "data": {CONTENT: b64encode(packed.chunks[number]).decode()},
        }


def _is_unneeded(one: tuple[str, str], wanted: tuple[str, str], needed: frozenset[str]) -> bool:
    (digest, checksum), (wanted_digest, wanted_checksum) = one, wanted
    return checksum != wanted_checksum if digest == wanted_digest else digest not in needed


def _writing(digest: str, checksum: str, secrets: list[Body]) -> _Writing:
    ordered = sorted(secrets, key=_number)
    return _Writing(
        digest=digest,
        packed=Packed(checksum, tuple(_content(secret) for secret in ordered)),
        created_at=max(text(secret, "metadata.creationTimestamp") for secret in ordered),
        secrets=tuple(ordered),
    )


def _is_same(live: Body, secret: Body) -> bool:
    marks, meant = part(live, "metadata.annotations"), part(secret, "metadata.annotations")
    return _content(live) == _content(secret) and all(marks.get(key) == value for key, value in meant.items())


def _number(secret: Body) -> int:
    number = annotation(secret, CHUNK)
    return int(number) if number.isdecimal() else -1


def _content(secret: Body) -> bytes:
    try:
        return b64decode(text_of(part(secret, "data"), CONTENT), validate=True)
    except binascii.Error:
        return b""

"""The nouns. Frozen values; whatever goes from one room to another is made of these.

No noun here can print a manifest's body: bodies may hold secrets, so they never appear in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypeAlias

from gitopsd.core.decryption import KeyServices
from gitopsd.core.errors import Problem, SourceError
from gitopsd.core.settings import Settings

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Body: TypeAlias = "Mapping[str, Json]"


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """An object's identity. No version in it: versions change, identity must not."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> str:
        """``Deployment.apps``; a core kind is just ``ConfigMap``."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def __str__(self) -> str:
        """``Deployment shop/web``, as people say it."""
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in the repository something was written; ``line`` counts from 1, 0 = the whole file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The operator's bounds for one environment; nothing in the repository can widen them.

    ``path`` is the directory in the source, without slashes at its ends. ``namespaces`` are globs;
    empty = no bound. ``deny`` names kinds that are never applied; without ``cluster_scoped``, nothing that lives in no
    namespace is, but for Namespaces. ``service_account`` is impersonated for every write, in
    ``service_account_namespace``. ``apply_set`` is the KEP-3659 id of the environment's parent.
    ``age_key_files`` and ``pgp_key_files`` have the keys that open what is encrypted in it; ``key_services`` may be
    asked for others.
    """

    name: str
    source: str
    path: str
    namespaces: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    cluster_scoped: bool = True
    service_account: str = ""
    service_account_namespace: str = ""
    apply_set: str = ""
    age_key_files: tuple[str, ...] = ()
    pgp_key_files: tuple[str, ...] = ()
    key_services: KeyServices = field(default_factory=KeyServices)

    def allows(self, namespace: str) -> bool:
        """Whether the environment's objects may lie in this namespace."""
        return not self.namespaces or any(fnmatchcase(namespace, glob) for glob in self.namespaces)

    @property
    def user(self) -> str:
        """Who writes; empty = gitopsd itself."""
        if not self.service_account:
            return ""
        return f"system:serviceaccount:{self.service_account_namespace}:{self.service_account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit with the ref that named it."""

    ref: str
    commit: str
    subject: str = ""
    author: str = ""
    committed_at: datetime | None = None

    def __str__(self) -> str:
        """``main@sha1:4f2a…``, Flux's way of writing it."""
        return f"{self.ref}@sha1:{self.commit}"


@dataclass(frozen=True, slots=True)
class File:
    """One regular file below the environment's directory. ``path`` is relative to the repository's root."""

    path: str
    oid: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """Files with what was encrypted in them opened.

    ``opened`` are the paths of the files that were encrypted; ``values`` every text that was encrypted in them, so
    that it can be kept out of whatever people see; ``keys`` tells one set of keys from another without telling a key
    (empty = nothing was encrypted).
    """

    files: tuple[File, ...] = field(repr=False)
    opened: frozenset[str] = frozenset()
    values: frozenset[str] = field(default=frozenset(), repr=False)
    keys: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What Git says: the environment's subtree at the newest revision we know.

    ``stale`` says why this may not be the newest: the last fetch failed. A stale answer may be applied again,
    but never proves that something is gone.
    """

    revision: Revision
    tree: str
    stale: SourceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object as the repository wants it, ready to be sent: JSON only, ``stringData`` turned into ``data``.

    ``digest`` is the SHA-256 (hex) of the body in canonical JSON. ``sensitive`` = it holds what was encrypted.
    """

    ref: ObjectRef
    api_version: str
    body: Body = field(repr=False)
    digest: str
    origin: Origin
    sensitive: bool = False

    @property
    def is_secret(self) -> bool:
        """Whether no value of it may be shown: it is a Secret, or holds what was encrypted."""
        return self.sensitive or self.ref.kind == "Secret"

    @property
    def annotations(self) -> Mapping[str, str]:
        """The object's annotations; values that are not text are left out."""
        return _texts(self.body, "annotations")

    @property
    def labels(self) -> Mapping[str, str]:
        """The object's labels; values that are not text are left out."""
        return _texts(self.body, "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """All objects of an environment at one revision.

    ``digest`` is the SHA-256 (hex) of the rendered set in canonical JSON: what holds are keyed by.
    """

    revision: Revision
    digest: str
    manifests: tuple[Manifest, ...]
    settings: Settings
    warnings: tuple[Problem, ...] = ()


class HealthStatus(StrEnum):
    """kstatus's words, and Paused."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"
    PAUSED = "Paused"


@dataclass(frozen=True, slots=True)
class Health:
    """How one object is. ``reason`` is one CamelCase word, ``message`` a sentence with the numbers in it."""

    status: HealthStatus
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A pod of an older revision that its owner will not replace before it is ready, and whose, as both were read.

    ``unready_since`` is of one that may yet become ready by itself; None = it is waited for in vain.
    """

    ref: ObjectRef
    uid: str
    resource_version: str
    owner: ObjectRef
    owner_uid: str
    unready_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObject:
    """One object as the cluster has it.

    ``fingerprint`` covers all but status and what the server alone writes. ``part_of`` is its apply-set label;
    ``owner`` names, in words, who else has a claim on it (``Helm release shop/web``, ``environment staging``), or is
    empty. ``protection`` says why it must not be pruned, or is empty. ``stuck`` is the pod that holds up its update;
    ``down_since`` is since when none of its pods is ready, where that is so and known.
    ``body`` is there only when the object was read in full this pass.
    """

    ref: ObjectRef
    uid: str
    resource_version: str
    fingerprint: str
    health: Health
    part_of: str = ""
    owner: str = ""
    protection: str = ""
    stuck: Stuck | None = None
    down_since: datetime | None = None
    body: Body | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of an environment's inventory.

    ``uid`` is empty from the moment we mean to create it until the server's answer is recorded.
    ``digest`` is the manifest's that was applied last; ``fingerprint`` that of the server's answer; ``born`` is the
    digest of the set that first brought the object, or took it up: then it was ``found``. ``sensitive`` = some
    manifest that was applied held what had been encrypted, so the live object may still.
    """

    uid: str = ""
    digest: str = ""
    fingerprint: str = ""
    born: str = ""
    found: bool = False
    sensitive: bool = False


Inventory: TypeAlias = "Mapping[ObjectRef, Item]"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server's answer to a dry-run of our apply: the object as it would become."""

    body: Body = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The server would not take it, and asking again will not help. ``immutable`` = only a recreate could."""

    problem: Problem
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Cannot be asked yet: its kind or its namespace comes with the same set."""

    why: str


Preview: TypeAlias = Accepted | Refused | Deferred


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One object of the desired set, looked at. ``live`` None = surely absent.

    ``preview`` None = there was no need to ask: it is what we applied. ``omit`` are JSON pointers that must not be
    sent, because somebody else rightly owns them; ``release`` the ones of these that we still own;
    ``take_over`` says that fields which hand tools added must go with the next apply.
    """

    ref: ObjectRef
    live: LiveObject | None
    preview: Preview | None = None
    omit: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    take_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the cluster has, for the objects of the desired set and of the inventory; not for what is left alone.

    ``leftovers`` are objects of the inventory that the desired set has no more; None = NotFound was seen.
    ``unsure`` are leftovers that could not be looked up; they are never pruned. ``blind_s`` is how long,
    since the rollout began, the API server could not be reached.
    """

    sights: Mapping[ObjectRef, Sight]
    leftovers: Mapping[ObjectRef, LiveObject | None] = field(default_factory=dict)
    unsure: frozenset[ObjectRef] = frozenset()
    blind_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an environment has said that it wants. Who said it first has the smaller ``turn``.

    ``revision`` is the commit that it was said of; empty = Git was silent, None = what the newest commit wants besides
    cannot be said.
    """

    environment: Environment
    refs: frozenset[ObjectRef]
    revision: str | None = ""
    turn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What the other environments want at this moment; ``claims`` are of the ones that have said so since we started.

    ``turn`` is when we said what we want, as theirs are.
    ``silent`` are the ones that have not said it yet or cannot, or said it of another commit of the same repository.
    ``ready`` are the ones that are at what Git wants of them, kept. Each is known by its apply set: an environment of
    another gitopsd may have the same name.
    """

    claims: tuple[Claim, ...] = ()
    turn: int = 0
    silent: tuple[Environment, ...] = ()
    ready: frozenset[str] = frozenset()

    def gave_up(self, ref: ObjectRef, apply_set: str) -> bool:
        """Return whether that environment surely wants the object no more."""
        theirs = (one for one in self.claims if one.environment.apply_set == apply_set)
        return any(one.revision is not None and ref not in one.refs for one in theirs)

    def may_still_want(self, ref: ObjectRef, apply_set: str) -> bool:
        """Return whether that environment wants the object, or has yet to say that it does not."""
        wanting = (one.environment for one in self.claims if ref in one.refs)
        return any(one.apply_set == apply_set for one in (*wanting, *self.silent))

    def heir_of(self, ref: ObjectRef) -> str:
        """Name an environment that wants the object; empty when none does."""
        return next((one.environment.name for one in self.claims if ref in one.refs), "")

    def elder_of(self, ref: ObjectRef) -> str:
        """Name an environment that said before us that it wants the object; empty when none did."""
        elders = (one for one in self.claims if ref in one.refs and one.turn < self.turn)
        return next((one.environment.name for one in elders), "")

    def may_be_wanted_by(self, ref: ObjectRef) -> str:
        """Name an environment that may want the object and cannot say so now; empty when there is none."""
        return next((one.name for one in self.silent if not ref.namespace or one.allows(ref.namespace)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of one write: the object's new identity, or the problem.

    ``gone`` = the object is surely not there (a prune succeeded). ``retry`` = the problem may pass by itself.
    """

    ref: ObjectRef
    uid: str = ""
    fingerprint: str = ""
    gone: bool = False
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None
    retry: bool = False


def _texts(body: Body, key: str) -> Mapping[str, str]:
    metadata = body.get("metadata")
    found = metadata.get(key) if isinstance(metadata, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}

"""What the story needs from the world. Small Protocols; each has one adapter and one fake under one contract test.

Rule for every adapter: not knowing is an exception (``core.errors``), never an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gitopsd.core.access import Asked, Permission
from gitopsd.core.model import (
    Applied,
    Decrypted,
    Desired,
    Environment,
    File,
    Inventory,
    Json,
    Live,
    ObjectRef,
    Others,
    Stuck,
    Wanted,
)
from gitopsd.core.plan import Change, Prune
from gitopsd.core.probes import Probed
from gitopsd.core.record import Record, Rollout
from gitopsd.core.reversal import Reversal


class Source(Protocol):
    """The environments repository, as last fetched. Fetching is the daemon's beat, not the pass's."""

    def resolve(self, environment: Environment) -> Wanted:
        """Return the environment's subtree at the newest revision known; ``stale`` when the last fetch failed.

        Raises:
            SourceError: nothing was ever fetched, or the directory is not in that revision.
        """

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        """Return the id of any directory of that revision; None = there is surely no such directory.

        ``directory`` is named from the repository's root, which itself is ``""``.

        Raises:
            SourceError: it could not be looked up.
        """

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        """Return every regular file below the environment's directory, or another of that revision, in path order.

        Raises:
            SourceError: the files could not be read whole.
            RenderError: the directory is not there, holds what we never follow (a symlink, a submodule), or is
                too large.
        """


class Decryptor(Protocol):
    """Opens what is encrypted, with the keys that the operator gave to the environment. Plaintext stays in memory."""

    def keys(self, environment: Environment) -> str:
        """Return what ``Decrypted.keys`` would be now, without opening anything; empty = there is no key.

        Raises:
            RenderError: the keys cannot be read.
        """

    def decrypt(self, environment: Environment, files: Sequence[File]) -> Decrypted:
        """Return the files in their order, the encrypted ones opened and their MAC checked.

        Raises:
            RenderError: a file could not be opened, or is not what was encrypted; nothing is returned in part.
        """


class Renderer(Protocol):
    """Turns a revision's directory into objects."""

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        """Return the objects; never none of them by accident.

        Raises:
            RenderError: with every problem found, each with file and line.
            SourceError: the files could not be read.
        """


class Cluster(Protocol):
    """The only road to the objects. Every call has a deadline and may raise ``ClusterError``."""

    def scopes(self, kinds: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
        """Say for each (apiVersion, kind) that is served whether it is namespaced; a kind not served is left out."""

    def observe(self, environment: Environment, desired: Desired, inventory: Inventory, since: datetime | None) -> Live:
        """Look at every object of the desired set and of the inventory; ask the server's dry-run where needed.

        What is to be left alone is not looked at: it has no sight, and is no leftover.
        ``since`` is when the rollout began (for ``Live.blind_s``).
        """

    def apply(self, environment: Environment, changes: Sequence[Change]) -> tuple[Applied, ...]:
        """Write the changes, side by side; one answer each, in their order. Raises only when nothing was written."""

    def prune(self, environment: Environment, prunes: Sequence[Prune]) -> tuple[Applied, ...]:
        """Delete what a fresh read still proves to be ours; one answer each. ``gone`` only when NotFound was seen."""

    def unstick(self, environment: Environment, pods: Sequence[Stuck]) -> tuple[Applied, ...]:
        """Delete those that fresh reads still prove to be stuck, for their owner to make them anew; one answer each.

        Any other stays, and that is no problem: it is looked at again.
        """


class Store(Protocol):
    """The record and the snapshots, kept in the cluster."""

    def load(self, environment: Environment) -> Record:
        """Return the record; an empty one when there is surely none.

        Raises:
            ClusterError: it could not be read.
            PlanRefused: it is damaged, newer than us, or another tool's.
        """

    def save(self, environment: Environment, record: Record) -> Record:
        """Write by compare-and-swap; return the record with its new version.

        Raises:
            Superseded: somebody else wrote since it was loaded.
        """

    def keep_snapshot(self, environment: Environment, desired: Desired, needed: frozenset[str]) -> None:
        """Keep the set under its digest, before its first write; drop the ones whose digest is not in ``needed``."""

    def recall(self, environment: Environment, digest: str) -> Desired:
        """Return a kept set.

        Raises:
            PlanRefused: it is not there, or damaged.
        """


class Claims(Protocol):
    """Which environment wants which object at this moment, so that a move is a handover and not a delete."""

    def exchange(self, environment: Environment, refs: frozenset[ObjectRef], revision: str | None) -> Others:
        """Say what this environment wants at this commit, as ``Claim`` has it; return what the others want."""


class Probes(Protocol):
    """Asks what health alone does not tell. Asking takes its own time, never the pass's."""

    def ask(self, environment: Environment, desired: Desired, rollout: Rollout | None) -> tuple[Probed, ...]:
        """Return how each probe of the set's settings stands, in their order; start what is due. Never waits."""


class Authority(Protocol):
    """Who may ask what over HTTP."""

    def decide(self, token: str, asked: Asked) -> Permission:
        """Say whether the token's bearer may have it.

        Raises:
            ClusterError: it cannot be known now.
        """


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit that tells of a revert, as the environment would see it. ``is_published`` = the branch has it."""

    wanted: Wanted
    is_published: bool = False


class Reverts(Protocol):
    """Tells a repository of reverts, by commits on one branch of it. Never by force."""

    def drafts(self, reversal: Reversal) -> Iterator[Draft]:
        """Make commits that could tell it, the best first, for nobody to see yet; or find the one that does already.

        Raises:
            SourceError: the next cannot be made, or the branch cannot be asked.
        """

    def publish(self, draft: Draft) -> None:
        """Push it.

        Raises:
            SourceError: it was not taken, or the answer was lost; then the next draft finds it.
        """


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the instant, in UTC, never going backwards."""

    def steady(self) -> float:
        """Return seconds since some start, for durations; unlike ``now``, never set forward either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the API server. ``user`` is impersonated; empty = ourselves. ``body`` goes out as it is."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    user: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: any status it chose. ``body`` is its JSON, or text when it sent none."""

    status: int
    body: Json = field(repr=False)
    warnings: tuple[str, ...] = ()


class Api(Protocol):
    """The narrow road to the API server for rooms that keep a few objects of their own (record, lease)."""

    def call(self, call: Call) -> Answer:
        """Send it; wait out 429 and the like within the deadline.

        Raises:
            ClusterError: there was no whole answer; a write may or may not have happened.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All of them."""

    source: Source
    renderer: Renderer
    cluster: Cluster
    store: Store
    claims: Claims
    probes: Probes
    clock: Clock

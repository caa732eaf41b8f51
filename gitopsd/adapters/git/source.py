"""One source: fetched on the daemon's beat, asked by every pass. A failed fetch takes nothing away.

What is known is one frozen value, replaced whole; passes read it without waiting for a fetch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from gitopsd.adapters.git.classify import failed
from gitopsd.adapters.git.mirror import Mirror
from gitopsd.adapters.git.push import RevertCommits
from gitopsd.adapters.git.read import NO_DIRECTORY, absent, find_directories, find_tree, read_files
from gitopsd.adapters.git.repository import Tip
from gitopsd.adapters.git.settings import GitSourceSettings
from gitopsd.core.errors import ConfigError, SourceError
from gitopsd.core.git_url import check_branch, check_directory, check_url
from gitopsd.core.model import Environment, File, Revision, Wanted
from gitopsd.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a fetch brought. ``rewritten`` = the branch no longer has the commit that was its head before."""

    revision: Revision
    changed: bool
    rewritten: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How a source is, for ``/status``. ``fetched_at`` is the last success, ``tried_at`` the last try."""

    name: str
    url: str
    branch: str
    revision: Revision | None
    fetched_at: datetime | None
    tried_at: datetime | None
    error: SourceError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    tip: Tip | None = None
    error: SourceError | None = None
    fetched_at: datetime | None = None
    tried_at: datetime | None = None
    trees: dict[str, str] = field(default_factory=dict)


class GitSource:
    """Implements ``ports.Source`` for one repository and branch; the mirror lives below ``cache``."""

    def __init__(self, settings: GitSourceSettings, cache: Path, clock: Clock) -> None:
        """Check the settings; nothing is started or written.

        Raises:
            ConfigError: the address or the branch is none that gitopsd follows.
        """
        problems = (check_url(settings.url, insecure=settings.insecure), check_branch(settings.branch))
        if found := [problem for problem in problems if problem]:
            raise ConfigError(*found)
        self._settings = settings
        self._clock = clock
        self._mirror = Mirror(settings, cache)
        self._fetching = threading.Lock()
        self._known = _Known()
        self._is_damaged = False

    def fetch(self) -> Head:
        """Bring the branch's newest commit. Called by one beat; a second caller waits for the first.

        Raises:
            SourceError: why it is not known; what was known before stays, and counts as stale.
        """
        with self._fetching:
            before = self._known
            try:
                head = self._fetch(before)
            except SourceError as error:
                # After a restart, the mirror may still hold what the daemon before us had fetched.
                tip = before.tip or self._remembered()
                self._known = replace(before, tip=tip, error=error, tried_at=self._clock.now())
                raise
            return head

    def resolve(self, environment: Environment) -> Wanted:
        """Return the environment's subtree at the newest revision known; ``stale`` when the last fetch failed."""
        known = self._known
        tip = self._tip(known)
        if problem := check_directory(environment.path):
            raise SourceError(problem)
        tree = self._tree(known, tip.revision.commit, environment.path)
        return Wanted(revision=tip.revision, tree=tree, stale=known.error)

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:  # noqa: ARG002 - one source
        """See ``ports.Source``."""
        if check_directory(directory):
            return None
        try:
            return self._tree(self._known, wanted.revision.commit, directory)
        except SourceError as error:
            if error.problem.code in NO_DIRECTORY:
                return None
            raise

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        """See ``ports.Source``."""
        path = environment.path if directory is None else directory
        tree = wanted.tree if directory is None else self.tree(environment, wanted, path)
        if tree is None:
            raise absent(path)
        with self._noticing_damage():
            return read_files(self._mirror.repository, self._settings, tree, path)

    def directories(self, pattern: str) -> tuple[str, ...]:
        """Return the directories at the newest revision known that match; wildcards do not cross ``/``.

        Raises:
            SourceError: nothing was ever fetched, or what stands before the first wildcard is not there.
        """
        tip = self._tip(self._known)
        with self._noticing_damage():
            return find_directories(self._mirror.repository, tip.revision.commit, pattern)

    def state(self) -> SourceState:
        """Return how the source is at this moment."""
        known = self._known
        return SourceState(
            name=self._settings.name,
            url=self._settings.url,
            branch=self._settings.branch,
            revision=known.tip.revision if known.tip else None,
            fetched_at=known.fetched_at,
            tried_at=known.tried_at,
            error=known.error,
        )

    def reverts(self, branch: str) -> RevertCommits:
        """Return what writes reverts to a branch of this repository.

        Raises:
            ConfigError: that is no branch's name.
        """
        if problem := check_branch(branch):
            raise ConfigError(problem)
        return RevertCommits(settings=self._settings, mirror=self._mirror, branch=branch, turn=self._fetching)

    def _tree(self, known: _Known, commit: str, path: str) -> str:
        """Ask Git once for each directory of the tip; an older commit is rare."""
        is_tip = known.tip is not None and known.tip.revision.commit == commit
        if is_tip and path in known.trees:
            return known.trees[path]
        with self._noticing_damage():
            tree = find_tree(self._mirror.repository, commit, path)
        if is_tip:
            known.trees[path] = tree
        return tree

    def _fetch(self, before: _Known) -> Head:
        self._mirror.fetch(anew=self._is_damaged)
        tip = self._mirror.tip()
        self._is_damaged = False
        changed = before.tip is None or before.tip.revision.commit != tip.revision.commit
        rewritten = before.tip is not None and changed and not self._grew(before.tip, tip)
        now = self._clock.now()
        trees = {} if changed else before.trees
        self._known = _Known(tip=tip, fetched_at=now, tried_at=now, trees=trees)
        return Head(revision=tip.revision, changed=changed, rewritten=rewritten)

    def _grew(self, old: Tip, new: Tip) -> bool:
        return self._mirror.repository.descends(new.revision.commit, old.revision.commit)

    def _remembered(self) -> Tip | None:
        try:
            return self._mirror.tip()
        except SourceError:
            # Why the fetch failed is the better answer, and it is on its way.
            return None

    def _tip(self, known: _Known) -> Tip:
        if known.tip is None:
            raise known.error or failed("GIT_NOT_FETCHED", self._settings.name)
        return known.tip

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        try:
            yield
        except SourceError as error:
            # A fetch that brings nothing new would not notice; the next one starts afresh.
            self._is_damaged = self._is_damaged or error.problem.code == "GIT_CORRUPT"
            raise

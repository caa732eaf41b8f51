"""One bare mirror for each source: only its branch, under a private ref, whatever happens to history on the server.

The last good mirror stays until a better one is whole. A damaged one is set aside once a new clone has succeeded.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

from gitopsd.adapters.git.classify import failed
from gitopsd.adapters.git.command import CommandStopped, Limits
from gitopsd.adapters.git.repository import HEAD_REF, Repository, Tip
from gitopsd.adapters.git.settings import GitSourceSettings
from gitopsd.adapters.git.surroundings import Surroundings, local_surroundings, network_surroundings
from gitopsd.adapters.pipes import SaidTooMuch
from gitopsd.core.errors import SourceError

_PACKS_MAX = 50
_LIST_MAX = 65_536
_LEFTOVERS = ("*.lock", "gc.pid", "refs/**/*.lock", "objects/**/tmp_*")


class _GrewTooLarge(CommandStopped):
    """The mirror passed its bound while git was writing it."""


class Mirror:
    """The mirror on disk. Not for two threads at once: the source holds one lock around every change."""

    def __init__(self, settings: GitSourceSettings, cache: Path) -> None:
        # Another address or branch is another mirror: what one has must never be taken for the other's.
        identity = f"{settings.name}\n{settings.url}\n{settings.branch}"
        self._settings = settings
        self._folder = cache / f"{sha256(identity.encode()).hexdigest()[:24]}.git"
        self._cloned_in_vain = False
        self.repository = self._at(self._folder)

    def fetch(self, *, anew: bool = False) -> None:
        """Bring the branch; a damaged mirror is cloned anew, once.

        Raises:
            SourceError: the branch's tip is not known; the mirror has what it had.
        """
        try:
            self._prepare(self._folder)
            if anew or self._is_too_large(self._folder):
                self._rebuild()
            else:
                self._pull_or_rebuild()
            self._tidy()
        except OSError as error:
            raise failed("GIT_DISK", self._settings.name, f"{error.filename}: {error.strerror}") from None

    def bring(self, branch: str, ref: str) -> None:
        """Fetch a further branch, to a ref of its own.

        Raises:
            SourceError: it was not fetched; ``GIT_REF_MISSING`` where there is no such branch.
        """
        self._pull(self._folder, branch, ref)

    def send(self, commit: str, branch: str) -> None:
        """Push a commit to a branch, without force.

        Raises:
            SourceError: the server did not take it, or its answer was lost.
        """
        surroundings = network_surroundings(self._settings, self._folder.parent)
        limits = Limits(deadline_s=self._settings.fetch_timeout_s)
        target = ("--end-of-options", self._settings.url, f"{commit}:refs/heads/{branch}")
        try:
            self.repository.run(surroundings, limits, "push", "--quiet", "--no-verify", "--no-signed", *target)
        except SourceError as error:
            if error.problem.code != "GIT_AUTH":
                raise
            # Whoever may read need not be allowed to write.
            raise failed("GIT_PUSH_REFUSED", self._settings.name, error.problem.cause) from None

    def tip(self) -> Tip:
        """Return the commit that was fetched last, by this daemon or by the one before it."""
        return self.repository.tip(self._settings.branch)

    def _at(self, folder: Path) -> Repository:
        return Repository(source=self._settings.name, folder=folder, timeout_s=self._settings.local_timeout_s)

    def _prepare(self, folder: Path) -> None:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Nobody else writes here, so whatever a killed git left is stale.
        for pattern in _LEFTOVERS:
            for left in folder.glob(pattern):
                shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        if not (folder / "HEAD").is_file():
            self._at(folder).ask("init", "--quiet", "--bare", "--template=", "--object-format=sha1")

    def _pull_or_rebuild(self) -> None:
        try:
            self._pull(self._folder, self._settings.branch, HEAD_REF)
        except SourceError as error:
            if error.problem.code != "GIT_CORRUPT" or self._cloned_in_vain:
                raise
            self._rebuild()
        self._cloned_in_vain = False

    def _rebuild(self) -> None:
        fresh, aside = self._folder.with_suffix(".new"), self._folder.with_suffix(".damaged")
        shutil.rmtree(fresh, ignore_errors=True)
        self._prepare(fresh)
        try:
            self._pull(fresh, self._settings.branch, HEAD_REF)
        except SourceError as error:
            self._cloned_in_vain = error.problem.code == "GIT_CORRUPT"
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        shutil.rmtree(aside, ignore_errors=True)
        self._folder.rename(aside)
        fresh.rename(self._folder)

    def _pull(self, folder: Path, branch: str, ref: str) -> None:
        settings = self._settings
        surroundings = network_surroundings(settings, folder.parent)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        refspec = f"+refs/heads/{branch}:{ref}"
        try:
            self._at(folder).run(
                surroundings, self._limits(folder), "fetch", *options, "--end-of-options", settings.url, refspec
            )
        except (CommandStopped, SaidTooMuch):
            bound = f"more than {settings.repository_bytes_max} bytes"
            raise failed("GIT_TOO_LARGE", settings.name, bound) from None
        except SourceError as error:
            if error.problem.code == "GIT_REF_MISSING" and self._is_empty(surroundings):
                raise failed("GIT_REPO_EMPTY", settings.name, error.problem.cause) from None
            raise

    def _limits(self, folder: Path) -> Limits:
        settings = self._settings
        cloned = next((folder / "objects" / "pack").glob("*.pack"), None) is not None

        def watch() -> None:
            if self._is_too_large(folder):
                raise _GrewTooLarge

        return Limits(deadline_s=settings.fetch_timeout_s if cloned else settings.clone_timeout_s, watch=watch)

    def _is_too_large(self, folder: Path) -> bool:
        return _bytes_in(folder / "objects" / "pack") > self._settings.repository_bytes_max

    def _is_empty(self, surroundings: Surroundings) -> bool:
        limits = Limits(deadline_s=self._settings.fetch_timeout_s, output_max=_LIST_MAX)
        arguments = ("ls-remote", "--quiet", "--heads", "--end-of-options", self._settings.url)
        try:
            return not self.repository.run(surroundings, limits, *arguments).stdout
        except (SourceError, SaidTooMuch):
            # All we then know is that this branch is missing, and that is said already.
            return False

    def _tidy(self) -> None:
        """Repack now and then. Objects that nothing names any more stay for a day: a pass may be reading them."""
        if sum(1 for _ in (self._folder / "objects" / "pack").glob("*.pack")) <= _PACKS_MAX:
            return
        limits = Limits(deadline_s=self._settings.clone_timeout_s)
        arguments = ("gc", "--quiet", "--prune=1.day.ago")
        self.repository.run(local_surroundings(self._folder.parent), limits, *arguments)


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.iterdir() if folder.is_dir() else ():
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            # git renames its temporary files while we look.
            continue
    return total

"""Questions to the bare mirror. Each is one plumbing command, without a transport; a failure is a ``SourceError``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gitopsd.adapters.git.classify import classify, failed, mask
from gitopsd.adapters.git.command import Limits, NotStarted, Output, TookTooLong, run
from gitopsd.adapters.git.surroundings import Surroundings, local_surroundings
from gitopsd.core.errors import SourceError
from gitopsd.core.git_url import printable
from gitopsd.core.model import Revision

HEAD_REF = "refs/gitopsd/head"
_FORMAT = "%H%x00%T%x00%an%x00%ct%x00%s"
_SUBJECT_MAX = 200
_AUTHOR_MAX = 100


@dataclass(frozen=True, slots=True)
class Tip:
    """A commit and the tree of its root."""

    revision: Revision
    tree: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The mirror in one folder. ``source`` is the name that errors carry."""

    source: str
    folder: Path
    timeout_s: float
    _surroundings: Surroundings = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_surroundings", local_surroundings(self.folder.parent))

    def ask(self, *arguments: str, stdin: bytes = b"", output_max: int = 1024 * 1024) -> bytes:
        """Return what a command printed; anything but success is an error.

        Raises:
            SaidTooMuch: it would print more than ``output_max``.
        """
        limits = Limits(deadline_s=self.timeout_s, output_max=output_max)
        return self.run(self._surroundings, limits, *arguments, stdin=stdin).stdout

    def run(self, surroundings: Surroundings, limits: Limits, *arguments: str, stdin: bytes = b"") -> Output:
        """Run a command on this repository; a failure is classified by git's own words."""
        try:
            output = run(["--git-dir", str(self.folder), *arguments], surroundings, limits, stdin)
        except TookTooLong:
            raise failed("GIT_TIMEOUT", self.source, f"git {arguments[0]}: {limits.deadline_s:g} s") from None
        except NotStarted as error:
            raise failed("GIT_PROGRAM", self.source, str(error)) from None
        if output.status:
            said = mask(output.stderr, surroundings.secrets)
            raise failed(classify(said), self.source, said)
        return output

    def tip(self, branch: str) -> Tip:
        """Return the commit that was fetched last."""
        arguments = ["--no-walk", "--max-count=1", "--no-commit-header", f"--format={_FORMAT}"]
        printed = self.ask("rev-list", *arguments, "--end-of-options", f"{HEAD_REF}^{{commit}}")
        commit, tree, author, second, subject = printed.decode(errors="replace").rstrip("\n").split("\0", 4)
        revision = Revision(
            ref=branch,
            commit=commit,
            subject=printable(subject, _SUBJECT_MAX),
            author=printable(author, _AUTHOR_MAX),
            committed_at=_instant(second),
        )
        return Tip(revision, tree)

    def descends(self, new: str, old: str) -> bool:
        """Whether the new commit has the old one in its history; an old one that is gone is no ancestor."""
        try:
            self.ask("merge-base", "--is-ancestor", old, new)
        except SourceError as error:
            if error.problem.code in {"GIT_FAILED", "GIT_CORRUPT"}:
                return False
            raise
        return True


def _instant(second: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(second), UTC)
    except (ValueError, OverflowError, OSError):
        return None

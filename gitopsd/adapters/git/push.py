"""Writes a revert into Git: a commit made by plumbing, pushed without force, looked for before it is made.

Its tree is the branch's, with one directory as it was when it was kept. The same hold on the same head is the same
commit, to the last bit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gitopsd.adapters.git.classify import failed
from gitopsd.adapters.git.mirror import Mirror
from gitopsd.adapters.git.read import find_tree
from gitopsd.adapters.git.repository import Repository
from gitopsd.adapters.git.settings import GitSourceSettings
from gitopsd.core.errors import SourceError
from gitopsd.core.model import Revision, Wanted
from gitopsd.core.reversal import Reversal, message_of
from gitopsd.ports import Draft

_AUTHOR = "gitopsd <gitopsd@gitopsd.dev>"
_REVERTS_REF = "refs/gitopsd/reverts"
_TREE_MODE = "040000"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertCommits:
    """Implements ``ports.Reverts`` for one source. ``branch`` is another than the followed one, or that one itself.

    ``turn`` is the source's own lock: one of us talks to the server at a time.
    """

    settings: GitSourceSettings
    mirror: Mirror
    branch: str
    turn: threading.Lock

    def drafts(self, reversal: Reversal) -> Iterator[Draft]:
        """See ``ports.Reverts``. What was there just before the failed commit comes before what was kept first.

        Between the two there may be commits that change bytes and no objects; those are not to be undone.
        """
        repository = self.mirror.repository
        with self.turn:
            tip = self._tip()
        head = reversal.head.commit
        if tip and (found := _find(repository, reversal.mark, head, tip)):
            yield Draft(wanted=self._wanted(reversal, found), is_published=True)
            return
        parents = _parents(repository, head, tip)
        for one in (*_just_before(repository, reversal), reversal):
            yield self._draft(one, parents)

    def publish(self, draft: Draft) -> None:
        """See ``ports.Reverts``."""
        with self.turn:
            self.mirror.send(draft.wanted.revision.commit, self.branch)

    def _draft(self, reversal: Reversal, parents: Sequence[str]) -> Draft:
        repository = self.mirror.repository
        tree = _merged(repository, reversal, _kept_tree(repository, reversal), parents)
        return Draft(wanted=self._wanted(reversal, _commit(repository, reversal, tree, parents)))

    def _tip(self) -> str:
        """What the branch of reverts has; empty = it is not there, or is the followed branch, whose head is known."""
        if self.branch == self.settings.branch:
            return ""
        try:
            self.mirror.bring(self.branch, _REVERTS_REF)
        except SourceError as error:
            if error.problem.code == "GIT_REF_MISSING":
                return ""
            raise
        return self.mirror.repository.ask("rev-parse", "--verify", f"{_REVERTS_REF}^{{commit}}").decode().strip()

    def _wanted(self, reversal: Reversal, commit: str) -> Wanted:
        subject = message_of(reversal).partition("\n")[0]
        revision = Revision(
            ref=self.branch, commit=commit, subject=subject, author="gitopsd", committed_at=reversal.hold.since
        )
        return Wanted(revision=revision, tree=find_tree(self.mirror.repository, commit, reversal.environment.path))


def _find(repository: Repository, mark: str, head: str, tip: str) -> str:
    """Return the commit that tells of this hold already and was not merged yet, if there is one."""
    options = ("--max-count=1", "--fixed-strings", f"--grep={mark}")
    return repository.ask("rev-list", *options, tip, f"^{head}").decode().strip()


def _just_before(repository: Repository, reversal: Reversal) -> Iterator[Reversal]:
    """Yield the way back to the failed commit's parent, if there is one and it has the directory."""
    try:
        parent = repository.ask("rev-parse", "--verify", "--end-of-options", f"{reversal.hold.revision.commit}^1")
        before = replace(reversal, kept=replace(reversal.kept, commit=parent.decode().strip()))
        find_tree(repository, before.kept.commit, reversal.environment.path)
    except SourceError:
        # Then what was kept is all there is to go back to; if that is not there either, it says so itself.
        return
    if before != reversal:
        yield before


def _kept_tree(repository: Repository, reversal: Reversal) -> str:
    kept, path = reversal.kept.commit, reversal.environment.path
    try:
        return find_tree(repository, kept, path)
    except SourceError as error:
        # History was rewritten since; that is no damage of the mirror.
        cause = f"{path} at {kept}: {error.problem.message}"
        raise failed("GIT_REVERT_IMPOSSIBLE", repository.source, cause) from None


def _parents(repository: Repository, head: str, tip: str) -> tuple[str, ...]:
    """A branch of reverts that was not merged yet keeps what it has, and takes up what the followed one has."""
    return (head,) if not tip or repository.descends(head, tip) else (tip, head)


def _merged(repository: Repository, reversal: Reversal, kept: str, parents: Sequence[str]) -> str:
    """Return the root's tree. The directory itself never conflicts: it is the kept one on either side."""
    path = reversal.environment.path
    trees = [_with_directory(repository, f"{parent}^{{tree}}", path, kept) for parent in parents]
    if len(trees) == 1:
        return trees[0]
    sides = [_commit(repository, reversal, tree, [parent]) for tree, parent in zip(trees, parents, strict=True)]
    try:
        return repository.ask("merge-tree", "--write-tree", "--no-messages", *sides).decode().partition("\n")[0]
    except SourceError as error:
        if error.problem.code != "GIT_FAILED":
            raise
        raise failed("GIT_REVERT_CONFLICT", repository.source, f"{parents[0]} and {parents[1]}") from None


def _with_directory(repository: Repository, tree: str, path: str, directory: str) -> str:
    """Return the tree, with this directory at that path and all else as it is."""
    if not path:
        return directory
    first, _, rest = path.partition("/")
    entries = [line for line in repository.ask("ls-tree", "-z", tree).split(b"\0") if line]
    name = first.encode(errors="surrogateescape")
    others = [line for line in entries if line.partition(b"\t")[2] != name]
    inner = next((line.split()[2].decode() for line in entries if line.partition(b"\t")[2] == name), "")
    below = _with_directory(repository, inner, rest, directory) if rest else directory
    changed = b"%s tree %s\t%s" % (_TREE_MODE.encode(), below.encode(), name)
    return repository.ask("mktree", "-z", stdin=b"\0".join([*others, changed]) + b"\0").decode().strip()


def _commit(repository: Repository, reversal: Reversal, tree: str, parents: Sequence[str]) -> str:
    signed = f"{_AUTHOR} {int(reversal.hold.since.timestamp())} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {signed}", f"committer {signed}"]
    body = "\n".join(lines) + f"\n\n{message_of(reversal)}"
    return repository.ask("hash-object", "-t", "commit", "-w", "--stdin", stdin=body.encode()).decode().strip()

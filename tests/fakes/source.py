"""A repository in memory: a commit is seen as soon as it is made, unless the source is broken.

Same manners as the real one (see tests/contract/test_source.py): a broken source keeps its last answer, as stale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gitopsd.core.errors import Problem, RenderError, SourceError, Stage
from gitopsd.core.model import Environment, File, Revision, Wanted

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Symlink:
    """What a source refuses to read."""

    target: str


Entry = str | Symlink
_Tree = Mapping[str, Entry]


@dataclass
class FakeSource:
    """Implements ``ports.Source``. Paths are from the repository's root, as in ``BareRepository.commit``."""

    branch: str = "main"
    _commits: list[tuple[Revision, _Tree]] = field(default_factory=list)
    _seen: int = 0
    _error: SourceError | None = None
    _trees: dict[str, _Tree] = field(default_factory=dict)

    def commit(self, files: Mapping[str, Entry | None], message: str = "Change") -> Revision:
        """Change the given files (None = delete)."""
        before = dict(self._commits[-1][1]) if self._commits else {}
        after = {path: entry for path, entry in {**before, **files}.items() if entry is not None}
        number = len(self._commits) + 1
        revision = Revision(
            ref=self.branch,
            commit=hashlib.sha1(f"{number} {message} {sorted(after)}".encode()).hexdigest(),  # noqa: S324 - Git's names
            subject=message.splitlines()[0],
            author="Ada Lovelace",
            committed_at=_FIRST + timedelta(minutes=number),
        )
        self._commits.append((revision, after))
        if self._error is None:
            self._seen = number
        return revision

    def break_with(self, error: SourceError) -> None:
        """From now on every fetch fails so."""
        self._error = error

    def mend(self) -> None:
        """Fetches succeed again, and bring what was committed meanwhile."""
        self._error = None
        self._seen = len(self._commits)

    def resolve(self, environment: Environment) -> Wanted:
        """See ``ports.Source``."""
        if not self._seen:
            raise self._error or _error("GIT_NOT_FETCHED", environment.path)
        revision, files = self._commits[self._seen - 1]
        return Wanted(revision=revision, tree=self._tree(environment.path, files), stale=self._error)

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        """See ``ports.Source``."""
        files = next(files for revision, files in self._commits if revision.commit == wanted.revision.commit)
        try:
            return self._tree(directory, files)
        except SourceError:
            return None

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        """See ``ports.Source``."""
        path = environment.path if directory is None else directory
        tree = wanted.tree if directory is None else self.tree(environment, wanted, path)
        if tree is None:
            problem = Problem(code="GIT_NO_SUCH_DIRECTORY", stage=Stage.RENDER, message="is not there.", file=path)
            raise RenderError(problem)
        files = self._trees[tree]
        links = [path for path, entry in files.items() if isinstance(entry, Symlink)]
        if links:
            problem = Problem(code="GIT_SYMLINK", stage=Stage.RENDER, message="is a symlink.", file=links[0])
            raise RenderError(problem)
        prefix = f"{path}/" if path else ""
        return tuple(_file(prefix + path, str(text)) for path, text in sorted(files.items()))

    def _tree(self, path: str, files: _Tree) -> str:
        if path in files:
            raise _error("GIT_PATH_NOT_DIRECTORY", path)
        prefix = f"{path}/" if path else ""
        below = {name.removeprefix(prefix): entry for name, entry in files.items() if name.startswith(prefix)}
        if not below:
            raise _error("GIT_PATH_MISSING", path)
        tree = hashlib.sha1(repr(sorted(below.items(), key=lambda item: item[0])).encode()).hexdigest()  # noqa: S324
        self._trees[tree] = below
        return tree


def _file(path: str, text: str) -> File:
    content = text.encode()
    return File(path, hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest(), content)  # noqa: S324


def _error(code: str, path: str) -> SourceError:
    return SourceError(Problem(code=code, stage=Stage.FETCH, message=f"{path}: {code}.", file=path))

"""Directories and files of one tree, straight from Git's objects. Nothing is ever checked out.

So no symlink is followed, no filter runs, and what is applied is what was committed, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitopsd.adapters.git.classify import failed
from gitopsd.adapters.git.repository import Repository
from gitopsd.adapters.git.settings import GitSourceSettings
from gitopsd.adapters.pipes import SaidTooMuch
from gitopsd.core.errors import Problem, RenderError, SourceError, Stage
from gitopsd.core.git_url import printable
from gitopsd.core.model import File

NO_DIRECTORY = frozenset({"GIT_PATH_MISSING", "GIT_PATH_NOT_DIRECTORY"})

_LISTING_MAX = 8 * 1024 * 1024
_HEADER_MAX = 128
_PROBLEMS_MAX = 20
_DIRECTORIES_MAX = 1_000
_WILD = re.compile(r"[*?\[]")
_LFS = b"version https://git-lfs.github.com/spec/"
_MANIFESTS = (".yaml", ".yml", ".json")
_HINTS = {
    "GIT_SYMLINK": "Write the file itself in this place; gitopsd never follows a link.",
    "GIT_SUBMODULE": "Copy the files into the directory; gitopsd never fetches another repository for them.",
    "GIT_LFS_POINTER": "Store manifests in Git itself: git lfs untrack, then commit the file again.",
    "GIT_FILE_TOO_LARGE": "Split the file, or move it out of the environment's directory.",
    "GIT_DIRECTORY_TOO_LARGE": "Split the environment, or move large files out of its directory.",
    "GIT_TOO_MANY_FILES": "Split the environment into several directories.",
    "GIT_NO_SUCH_DIRECTORY": "Commit it, or correct the path that leads to it.",
    "GIT_NAME": "Rename it: a file's name may not lead out of the directory.",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    kind: str
    oid: str
    size: int
    name: str


def find_tree(repository: Repository, commit: str, path: str) -> str:
    """Return the id of a directory's tree.

    Raises:
        SourceError: it is not there, or is no directory.
    """
    if not path:
        return repository.ask("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").decode().strip()
    printed = repository.ask("ls-tree", "-z", "--full-tree", "--end-of-options", commit, "--", path)
    entry = next(_entries(printed), None)
    if entry is None or entry.name != escape(path.encode(errors="surrogateescape")):
        raise failed("GIT_PATH_MISSING", repository.source, f"{path} at {commit}", file=path)
    if entry.kind != "tree":
        raise failed("GIT_PATH_NOT_DIRECTORY", repository.source, f"{path} is a {_word(entry)}", file=path)
    return entry.oid


def find_directories(repository: Repository, commit: str, pattern: str) -> tuple[str, ...]:
    """Return the directories that match; a wildcard stands for part of one name, and never for a leading dot.

    Raises:
        SourceError: the part before the first wildcard is not there.
    """
    found = [""]
    for part in pattern.split("/"):
        if _WILD.search(part):
            found = [name for folder in found for name in _subdirectories(repository, commit, folder, part)]
        else:
            found = [f"{folder}/{part}".lstrip("/") for folder in found]
        if len(found) > _DIRECTORIES_MAX:
            cause = f"{printable(pattern)} matches more than {_DIRECTORIES_MAX} directories"
            raise failed("GIT_TOO_LARGE", repository.source, cause)
    return tuple(sorted(path for path in found if _is_there(repository, commit, path, pattern)))


def read_files(repository: Repository, settings: GitSourceSettings, tree: str, path: str) -> tuple[File, ...]:
    """Return every regular file of a tree, in path order, named from the repository's root.

    Raises:
        RenderError: something in it is never followed, or a bound is passed; nothing was read.
    """
    entries = _list(repository, settings, tree, path)
    contents = _read_blobs(repository, {entry.oid: entry.size for entry in entries})
    prefix = f"{path}/" if path else ""
    files = tuple(
        sorted((File(prefix + entry.name, entry.oid, contents[entry.oid]) for entry in entries), key=lambda f: f.path)
    )
    _refuse([_problem("GIT_LFS_POINTER", file.path, "is a Git LFS pointer") for file in files if _is_pointer(file)])
    return files


def absent(path: str) -> RenderError:
    """Return what a directory that is asked for by the repository's own files, and is not there, leads to."""
    return RenderError(_problem("GIT_NO_SUCH_DIRECTORY", path, "is no directory of this revision"))


def escape(name: bytes) -> str:
    """Return a file's name as text: two names never become one, and none can break a line of output."""
    text = name.decode(errors="surrogateescape")
    return "".join(
        f"\\x{ord(char) & 0xFF:02x}" if char in "\\\x7f" or char < " " or "\udc80" <= char <= "\udcff" else char
        for char in text
    )


def _list(repository: Repository, settings: GitSourceSettings, tree: str, path: str) -> list[_Entry]:
    try:
        printed = repository.ask(
            "ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", tree, output_max=_LISTING_MAX
        )
    except SaidTooMuch:
        # Git was stopped while it was still counting: a tree can name billions of files in a few bytes.
        raise RenderError(_problem("GIT_TOO_MANY_FILES", path, f"has more than {settings.files_max} files")) from None
    entries = list(_entries(printed))
    prefix = f"{path}/" if path else ""
    _refuse(list(_complaints(entries, settings, prefix)))
    if len(entries) > settings.files_max:
        _refuse([_problem("GIT_TOO_MANY_FILES", path, f"has {len(entries)} files; {settings.files_max} is the bound")])
    total = sum(entry.size for entry in entries)
    if total > settings.directory_bytes_max:
        words = f"has {total} bytes; {settings.directory_bytes_max} is the bound"
        _refuse([_problem("GIT_DIRECTORY_TOO_LARGE", path, words)])
    return entries


def _complaints(entries: Iterable[_Entry], settings: GitSourceSettings, prefix: str) -> Iterator[Problem]:
    for entry in entries:
        if entry.mode == "120000":
            yield _problem("GIT_SYMLINK", prefix + entry.name, "is a symlink")
        elif entry.kind == "commit":
            yield _problem("GIT_SUBMODULE", prefix + entry.name, "is a submodule")
        elif any(part in {"", ".", ".."} or part.lower() == ".git" for part in entry.name.split("/")):
            yield _problem("GIT_NAME", prefix + entry.name, "has a name that leads elsewhere")
        elif entry.size > settings.file_bytes_max:
            words = f"has {entry.size} bytes; {settings.file_bytes_max} is the bound"
            yield _problem("GIT_FILE_TOO_LARGE", prefix + entry.name, words)


def _read_blobs(repository: Repository, sizes: dict[str, int]) -> dict[str, bytes]:
    if not sizes:
        return {}
    asked = "".join(f"{oid}\n" for oid in sizes).encode()
    output_max = sum(sizes.values()) + _HEADER_MAX * len(sizes)
    try:
        printed = repository.ask("cat-file", "--batch", "--buffer", stdin=asked, output_max=output_max)
    except SaidTooMuch:
        raise failed("GIT_CORRUPT", repository.source, "a blob is larger than its own header says") from None
    contents, at = {}, 0
    for oid, size in sizes.items():
        header, at = _take_line(printed, at)
        if header != f"{oid} blob {size}":
            raise failed("GIT_CORRUPT", repository.source, f"asked for blob {oid}, git says: {header}")
        contents[oid] = printed[at : at + size]
        at += size + 1
    if at != len(printed):
        raise failed("GIT_CORRUPT", repository.source, "git returned fewer or more bytes than it promised")
    return contents


def _take_line(printed: bytes, at: int) -> tuple[str, int]:
    end = printed.find(b"\n", at)
    return printed[at:end].decode(errors="replace"), end + 1


def _entries(printed: bytes) -> Iterator[_Entry]:
    for line in printed.split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        mode, kind, oid, *size = about.decode("ascii").split()
        yield _Entry(mode, kind, oid, int(size[0]) if size and size[0].isdigit() else 0, escape(name))


def _subdirectories(repository: Repository, commit: str, folder: str, pattern: str) -> list[str]:
    tree = find_tree(repository, commit, folder)
    try:
        printed = repository.ask("ls-tree", "-z", "-d", "--full-tree", "--end-of-options", tree)
    except SaidTooMuch:
        raise failed("GIT_TOO_LARGE", repository.source, f"{folder or 'the root'} has too many directories") from None
    names = [entry.name for entry in _entries(printed) if entry.kind == "tree"]
    matching = [name for name in names if fnmatchcase(name, pattern) and not name.startswith(".")]
    return [f"{folder}/{name}".lstrip("/") for name in matching]


def _is_there(repository: Repository, commit: str, path: str, pattern: str) -> bool:
    if _WILD.search(pattern.rsplit("/", 1)[-1]):
        return True
    try:
        find_tree(repository, commit, path)
    except SourceError as error:
        if error.problem.code in NO_DIRECTORY and _WILD.search(pattern):
            return False
        raise
    return True


def _is_pointer(file: File) -> bool:
    return file.path.endswith(_MANIFESTS) and file.content.startswith(_LFS)


def _word(entry: _Entry) -> str:
    if entry.mode == "120000":
        return "symlink"
    return "submodule" if entry.kind == "commit" else "file"


def _problem(code: str, path: str, words: str) -> Problem:
    shown = printable(path, 400) or "the repository's root"
    return Problem(code=code, stage=Stage.RENDER, message=f"{shown} {words}.", hint=_HINTS[code], file=shown)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise RenderError(*problems[:_PROBLEMS_MAX])

"""A directory of this machine, read as if it came from Git: the same files count, and a symlink is never followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gitopsd.core.errors import ConfigError, Problem, RenderError, Stage
from gitopsd.core.model import File

ENTRIES_MAX = 50_000
FILE_BYTES_MAX = 4 * 1024 * 1024


def files_of(directory: Path) -> tuple[str, tuple[File, ...]]:
    """Return the directory's name as the files' paths begin with it, and all files below it.

    Raises:
        ConfigError: it is not a directory.
        RenderError: it holds what is never followed, or far too much.
    """
    if not directory.is_dir():
        message = f"{directory} is not a directory"
        hint = "name an environment's directory"
        raise ConfigError(Problem(code="DIRECTORY_MISSING", stage=Stage.CONFIG, message=message, hint=hint))
    name = directory.as_posix()
    return "" if name == "." else name, tuple(_files(directory))


def _files(directory: Path) -> Iterator[File]:
    for count, path in enumerate(sorted(directory.rglob("*"))):
        if count >= ENTRIES_MAX:
            raise _refused(directory, "ENVIRONMENT_TOO_LARGE", f"more than {ENTRIES_MAX} files", "name a smaller one")
        if ".git" in path.relative_to(directory).parts:
            continue
        if path.is_symlink():
            raise _refused(path, "GIT_SYMLINK", "is a symlink; these are never followed", "commit the file itself")
        if path.is_file():
            yield File(path.as_posix(), "", _content(path))


def _content(path: Path) -> bytes:
    """Read no more than is needed to see that it is too much."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except OSError as error:
        reason = error.strerror or "unknown"
        raise _refused(path, "FILE_UNREADABLE", f"cannot be read: {reason}", "look at its rights") from error


def _refused(path: Path, code: str, message: str, hint: str) -> RenderError:
    return RenderError(Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=path.as_posix()))

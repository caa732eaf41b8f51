"""Where the files of a run lie: a fresh directory of ours alone, written by us, gone afterwards.

Each jail locks one home per disk. What a dead gitopsd left is a home that nobody locks: the next start removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

from gitopsd.adapters.render.jail.names import check_path, check_paths

_PREFIX = "gitopsd-jail-"
_MEMORY_TYPES = {"tmpfs", "ramfs"}
_TRIES = 16
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Home:
    """A locked directory below ``parent``, 0700, until this value is forgotten or Python ends.

    Raises:
        OSError: it cannot be made there.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_leftovers(parent)
        self.path, lock = _claim(parent.resolve())
        weakref.finalize(self, _leave, self.path, lock)

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Give a fresh directory, 0700; it is removed afterwards, whatever happened."""
        room = Path(tempfile.mkdtemp(dir=self.path))
        try:
            yield room
        finally:
            _remove(room)


def remove_leftovers(parent: Path) -> None:
    """Remove the homes below ``parent`` that are ours and that nobody lives in."""
    for home in parent.glob(_PREFIX + "*"):
        if (lock := _lock(home)) is not None:
            _leave(home, lock)


def write_files(root: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write regular files, 0600, below ``root``.

    Raises:
        RenderError: RENDER_UNSAFE_PATH, before anything is written.
        OSError: the disk refused.
    """
    files = tuple(files)
    check_paths(path for path, _ in files)
    for directory in {path.rpartition("/")[0] for path, _ in files}:
        make_directory(root, directory)
    for path, content in files:
        descriptor = os.open(f"{root}/{path}", _NEW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


def make_directory(root: Path, path: str) -> Path:
    """Make ``root`` and every directory of ``path`` below it that is not there, 0700; return the last.

    Raises:
        OSError: the disk refused.
    """
    directory = root
    for component in ("", *check_path(path)):
        directory /= component
        directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def is_memory(place: Path) -> bool:
    """Whether what is written there stays in memory."""
    with contextlib.suppress(OSError):
        device = place.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        halves = (mount.split(" - ", 1) for mount in mounts)
        return any(own.split()[2] == number and kind.split()[0] in _MEMORY_TYPES for own, kind in halves)
    return False


def _claim(parent: Path) -> tuple[Path, int]:
    # Between the making and the locking another start may take it for a leftover: then make another.
    for _ in range(_TRIES):
        home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        if (lock := _lock(home)) is not None:
            return home, lock
    raise OSError(f"no directory of ours stays in {parent}")


def _lock(home: Path) -> int | None:
    """Lock what is ours and still there; None where somebody lives, or it is not ours."""
    try:
        lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(lock)
        if found.st_uid == os.geteuid() and found.st_nlink > 0:
            return lock
    os.close(lock)
    return None


def _leave(home: Path, lock: int) -> None:
    _remove(home)
    os.close(lock)


def _remove(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            shutil.rmtree(directory)
        except PermissionError:
            # A tool may have closed a directory of ours to us.
            _open_all(directory)
            shutil.rmtree(directory)


def _open_all(directory: Path) -> None:
    for parent, names, _ in os.walk(directory):
        for place in (Path(parent, name) for name in names):
            if not place.is_symlink():
                place.chmod(0o700)

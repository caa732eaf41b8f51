"""Bytes by name on disk, for whoever starts next: private, bounded, written whole.

It only saves work, so no failure of the disk is one of ours; what is damaged, or not ours, counts as not there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

BYTES_MAX = 256 * 1024 * 1024
ENTRY_BYTES_MAX = 64 * 1024 * 1024

_FORM = b"gitopsd rendered 1\n"
_CHECKSUM_BYTES = 32


class Shelf:
    """Keeps entries below a directory; those used longest ago go first. For any number of threads and processes."""

    def __init__(self, directory: Path, bytes_max: int = BYTES_MAX) -> None:
        self._directory = directory
        self._bytes_max = bytes_max
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes | None:
        """Return what was put under the name."""
        path = self._path(name)
        content = None
        with contextlib.suppress(OSError):
            content = _read(path)
            os.utime(path)
        if content is None:
            return None
        checksum, content = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        return content if sha256(content).digest() == checksum else None

    def put(self, name: str, content: bytes) -> None:
        """Keep the content, or not, if there is no room for it."""
        if len(content) > min(ENTRY_BYTES_MAX, self._bytes_max):
            return
        with self._lock, contextlib.suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._path(name), _FORM + sha256(content).digest() + content)
            self._make_room()

    def _path(self, name: str) -> Path:
        return self._directory / sha256(name.encode()).hexdigest()

    def _make_room(self) -> None:
        entries = sorted((status.st_mtime, status.st_size, path) for path, status in _entries(self._directory))
        excess = sum(size for _, size, _ in entries) - self._bytes_max
        for _, size, path in entries:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size


def _read(path: Path) -> bytes | None:
    """Return the checksum and the content of a file that nobody else can have written."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
        content = file.read(ENTRY_BYTES_MAX + len(_FORM) + _CHECKSUM_BYTES) if is_ours else b""
    return content.removeprefix(_FORM) if content.startswith(_FORM) else None


def _write(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _entries(directory: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.lstat()))
    return found

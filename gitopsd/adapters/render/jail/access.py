"""The files that a jailed tool may see: itself, what it is loaded with, its own directory, and /dev/null.

It may execute nothing but itself and write nothing but /dev/null.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

# As the kernel numbers them (landlock.h).
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_NETWORK = (
    *("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"),
    # Not the directories above: the machine's own private keys lie there too.
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/ca-certificates"),
    *("/etc/pki/tls/certs", "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust"),
    *("/usr/share/ca-certificates", "/usr/local/share/ca-certificates"),
)
_INTERPRETER = 3
_HEADERS_MAX = 64

Rule = tuple[str, int]


def rules_for(tool: Path, room: Path, readable: Iterable[Path] = ()) -> list[Rule]:
    """Return what may be done beneath each path.

    Raises:
        OSError: the tool cannot be read.
    """
    wanted = [
        (tool, EXECUTE | READ_FILE),
        (Path(os.devnull), READ_FILE | WRITE_FILE),
        *((place, READ_FILE | READ_DIR) for place in (room, *readable, *_loaded_by(tool))),
        *((loader, READ_FILE | EXECUTE) for loader in _loaders(tool)),
    ]
    return [_rule(place, access) for place, access in wanted]


def network_files() -> list[Path]:
    """Return what says where other machines are, and which certificates are trusted, as far as it is there."""
    return [place for place in map(Path, _NETWORK) if place.exists()]


def _loaded_by(tool: Path) -> Iterator[Path]:
    for loader in _loaders(tool):
        yield loader.resolve().parent
        yield from (place for place in map(Path, _LIBRARIES) if place.exists())


def _loaders(tool: Path) -> Iterator[Path]:
    """The program that a dynamically linked one asks for in its ELF header; static ones ask for none."""
    with tool.open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":  # noqa: PLR2004 - 64 bytes of header, 64 bits, little-endian
            return
        start, size, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
        for number in range(min(count, _HEADERS_MAX)):
            file.seek(start + number * size)
            kind, _, offset, _, _, length = struct.unpack("<IIQQQQ", file.read(40))
            if kind == _INTERPRETER:
                file.seek(offset)
                yield Path(os.fsdecode(file.read(length).rstrip(b"\0")))


def _rule(place: Path, access: int) -> Rule:
    return str(place), access if place.is_dir() else access & ~READ_DIR

"""The PGP keys of one environment, as one keyring that sops reads by itself: neither gpg nor an agent is started."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from pathlib import Path

from gitopsd.adapters.secrets.key_files import FILES_MAX, read_key_file, refused

_SETTING = "decryption.pgpKeyFiles names files as gpg --export-secret-keys writes them"
_BLOCK = re.compile(
    rb"-----BEGIN PGP PRIVATE KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)(?:=[A-Za-z0-9+/]{4}\s*)?-----END",
    re.DOTALL,
)
# A secret key's packet begins so, in the old format or in the new one.
_FIRST_BYTES = frozenset({0x94, 0x95, 0x96, 0xC5})


def read_ring(files: Sequence[Path]) -> bytes:
    """Return the private keys in these files, armored or not, one after the other; empty = there are no files.

    Raises:
        RenderError: a file cannot be read, or holds something else.
    """
    return b"".join(_keys_in(file) for file in files[:FILES_MAX])


def _keys_in(file: Path) -> bytes:
    content = read_key_file(file, _SETTING)
    keys = content if content[:1] and content[0] in _FIRST_BYTES else b"".join(_bare(file, content))
    if not keys or keys[0] not in _FIRST_BYTES:
        raise refused(file, "holds no private PGP key", _SETTING)
    return keys


def _bare(file: Path, armored: bytes) -> Iterator[bytes]:
    for block in _BLOCK.finditer(armored):
        try:
            yield b64decode(b"".join(block[1].split()), validate=True)
        except NotBase64:
            raise refused(file, "holds a damaged PGP key", _SETTING) from None

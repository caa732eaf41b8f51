"""Implements ``ports.Decryptor`` for files that SOPS encrypted to age. Nothing is asked, started or written.

A file that names only keys of another kind is refused by that name: its metadata may name any server, and gitopsd
connects to none.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gitopsd.adapters.secrets.keys import AgeKeys, NoKeyFits, read_keys
from gitopsd.adapters.secrets.seal import Seal
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.model import Decrypted, Environment, File
from gitopsd.core.sops.detection import Form, form_of, layout_of
from gitopsd.core.sops.envelope import Envelope, NotAnEnvelope, read_envelope
from gitopsd.core.sops.layout import Layout
from gitopsd.core.sops.opening import Opened, Unlock, open_binary, open_text
from gitopsd.core.sops.sealed import Sealed

_NO_KEY_HINT = "the operator names them (decryption.ageKeyFiles); on the command line: --age-key-file"


class SopsDecryptor:
    """See ``ports.Decryptor``. Keeps nothing."""

    def keys(self, environment: Environment) -> str:
        """See ``ports.Decryptor``.

        Raises:
            RenderError: a key file cannot be read.
        """
        keys = _keys_of(environment)
        return keys.fingerprint if keys else ""

    def decrypt(self, environment: Environment, files: Sequence[File]) -> Decrypted:
        """See ``ports.Decryptor``. The keys are read once, and only when a file is encrypted.

        Raises:
            RenderError: a file could not be opened, or is not what was encrypted.
        """
        layouts = {number: layout for number, file in enumerate(files) if (layout := layout_of(file))}
        if not layouts:
            return Decrypted(files=tuple(files))
        keys = _keys_of(environment)
        opened = _open_all(layouts, keys)
        return Decrypted(
            files=tuple(_file(file, opened.get(number), keys) for number, file in enumerate(files)),
            opened=frozenset(files[number].path for number in opened),
            values=frozenset(_shown(value) for one in opened.values() for value in one.values),
            keys=keys.fingerprint if keys else "",
        )

    def seal(self, environment: Environment) -> Seal | None:
        """Return what may seal this environment's sets; None = it has no keys.

        Raises:
            RenderError: a key file cannot be read.
        """
        keys = _keys_of(environment)
        return Seal.of(keys) if keys else None


def _keys_of(environment: Environment) -> AgeKeys | None:
    return read_keys([Path(file) for file in environment.age_key_files])


@dataclass(frozen=True, slots=True)
class _FileKey:
    """Opens the values of one file."""

    key: bytes = field(repr=False)

    def __call__(self, sealed: Sealed, bound_to: str) -> bytes:
        try:
            return AESGCM(self.key).decrypt(sealed.nonce, sealed.data + sealed.tag, bound_to.encode())
        except InvalidTag:
            raise ValueError("not what was encrypted") from None


def _open_all(layouts: Mapping[int, Layout], keys: AgeKeys | None) -> Mapping[int, Opened]:
    """Open every file, or say of each why it could not be."""
    opened: dict[int, Opened] = {}
    problems: list[Problem] = []
    for number, layout in layouts.items():
        try:
            opened[number] = _open(layout, keys)
        except RenderError as error:
            problems += error.problems
    refuse_any(problems)
    return opened


def _open(layout: Layout, keys: AgeKeys | None) -> Opened:
    envelope = _envelope(layout)
    unlock = _unlocked(layout, envelope, keys)
    if form_of(layout.file.path) is Form.BINARY:
        return open_binary(layout, envelope, unlock)
    return open_text(layout, envelope, unlock)


def _envelope(layout: Layout) -> Envelope:
    try:
        envelope = read_envelope(layout.envelope or "")
    except NotAnEnvelope as error:
        message = f"the metadata of SOPS is not whole: {error}"
        raise layout.refusal("DECRYPT_METADATA", message, hint="encrypt the file again with sops") from None
    if envelope.groups > 1:
        message = "the file needs keys of several groups (key_groups), which are not put together here"
        raise layout.refusal("DECRYPT_KEY_TYPE", message, hint="encrypt it to age recipients without key groups")
    if not envelope.age:
        message = f"the file is encrypted to {', '.join(envelope.key_types)}; only age is opened here"
        raise layout.refusal("DECRYPT_KEY_TYPE", message, hint="add an age recipient: sops rotate -i --add-age …")
    return envelope


def _unlocked(layout: Layout, envelope: Envelope, keys: AgeKeys | None) -> Unlock:
    if keys is None:
        message = "the file is encrypted, and the environment has no keys"
        raise layout.refusal("DECRYPT_NO_KEY", message, hint=_NO_KEY_HINT)
    try:
        return _FileKey(keys.file_key(envelope.age))
    except NoKeyFits:
        message = "none of the environment's keys opens the file"
        hint = "encrypt it to the environment's own age recipient as well: sops updatekeys"
        raise layout.refusal("DECRYPT_FAILED", message, hint=hint) from None


def _file(file: File, opened: Opened | None, keys: AgeKeys | None) -> File:
    """Git's id names the encrypted bytes; what was opened must never be taken for them, nor for another opening."""
    if opened is None or keys is None:
        return file
    return replace(file, oid=f"{file.oid}+{keys.fingerprint}", content=opened.content)


def _shown(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()

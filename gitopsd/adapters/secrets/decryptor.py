"""Implements ``ports.Decryptor`` for files that SOPS encrypted.

What age keys open is opened here, in memory: nothing is asked, started or written. Everything else goes to the sops
program, as far as the operator gave the environment keys or services for it, and is refused by name where not.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gitopsd.adapters.secrets.keyring import Keyring, read_keyring
from gitopsd.adapters.secrets.keys import AgeKeys, NoKeyFits
from gitopsd.adapters.secrets.program import Program
from gitopsd.adapters.secrets.refusals import SERVICE_FAILED, Refusals
from gitopsd.adapters.secrets.seal import Seal
from gitopsd.adapters.secrets.sops_program import Opener
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.model import Decrypted, Environment, File
from gitopsd.core.sops.detection import Form, form_of, layout_of
from gitopsd.core.sops.envelope import Envelope, NotAnEnvelope, read_envelope
from gitopsd.core.sops.layout import Layout
from gitopsd.core.sops.opening import Opened, open_binary, open_text
from gitopsd.core.sops.recipients import AGE
from gitopsd.core.sops.sealed import Sealed
from gitopsd.core.sops.ways import named, way_of, why_shut

_NO_KEY_HINT = "the operator names them (decryption.ageKeyFiles); on the command line: --age-key-file"


class SopsDecryptor:
    """See ``ports.Decryptor``. Keeps nothing of what it opened; for a while, that it did not.

    ``sops`` gives the program, and is called when there is use for it.
    """

    def __init__(self, sops: Callable[[], Program], now: Callable[[], float] = time.monotonic) -> None:
        self._sops = sops
        self._now = now
        self._refusals = Refusals(now)

    def keys(self, environment: Environment) -> str:
        """See ``ports.Decryptor``.

        Raises:
            RenderError: a key file cannot be read.
        """
        return self._fingerprint(read_keyring(environment))

    def decrypt(self, environment: Environment, files: Sequence[File]) -> Decrypted:
        """See ``ports.Decryptor``. The keys are read once, and only when a file is encrypted.

        Raises:
            RenderError: a file could not be opened, or is not what was encrypted.
        """
        layouts = {number: layout for number, file in enumerate(files) if (layout := layout_of(file))}
        if not layouts:
            return Decrypted(files=tuple(files))
        keyring = read_keyring(environment)
        keys = self._fingerprint(keyring)
        opened = self._open_anew(layouts, keyring) if keyring.is_for_sops else self._open_all(layouts, keyring)
        return Decrypted(
            files=tuple(_file(file, opened.get(number), keys) for number, file in enumerate(files)),
            opened=frozenset(files[number].path for number in opened),
            values=frozenset(_shown(value) for one in opened.values() for value in one.values),
            keys=keys,
        )

    def seal(self, environment: Environment) -> Seal | None:
        """Return what may seal this environment's sets; None = it has no age keys.

        Raises:
            RenderError: a key file cannot be read.
        """
        keys = read_keyring(environment).age
        return Seal.of(keys) if keys else None

    def _open_anew(self, layouts: Mapping[int, Layout], keyring: Keyring) -> Mapping[int, Opened]:
        """Open them, unless the same was tried a short time ago."""
        digest = _digest(layouts, keyring, self._fingerprint(keyring))
        self._refusals.repeat(digest)
        try:
            return self._open_all(layouts, keyring)
        except RenderError as error:
            self._refusals.keep(digest, error)
            raise

    def _open_all(self, layouts: Mapping[int, Layout], keyring: Keyring) -> Mapping[int, Opened]:
        return _open_all(layouts, keyring, Opener(self._sops, keyring, self._now))

    def _fingerprint(self, keyring: Keyring) -> str:
        return keyring.fingerprint(self._version() if keyring.is_for_sops else "")

    def _version(self) -> str:
        """The program's version. That it is missing is said by the first file that needs it."""
        try:
            return self._sops().found().version
        except RenderError as error:
            return error.problem.code


def _digest(layouts: Mapping[int, Layout], keyring: Keyring, fingerprint: str) -> str:
    """Return what is another one for other files, keys or credentials."""
    parts = [fingerprint, keyring.shown_fingerprint]
    parts += [part for layout in layouts.values() for part in (layout.file.path, layout.file.content)]
    return sha256("\0".join(sha256(part.encode()).hexdigest() for part in parts).encode()).hexdigest()


def _open_all(layouts: Mapping[int, Layout], keyring: Keyring, opener: Opener) -> Mapping[int, Opened]:
    """Open every file, or say of each why it could not be."""
    opened: dict[int, Opened] = {}
    problems: list[Problem] = []
    for number, layout in layouts.items():
        try:
            opened[number] = _open(layout, keyring, opener)
        except RenderError as error:
            problems += error.problems
            if opener.is_spent or _concerns_all(error.problem):
                break
    refuse_any(problems)
    return opened


def _open(layout: Layout, keyring: Keyring, opener: Opener) -> Opened:
    envelope = _envelope(layout)
    unlock = _unlocked(envelope, keyring.age)
    if unlock is None:
        return _opened_by_sops(layout, envelope, keyring, opener)
    if form_of(layout.file.path) is Form.BINARY:
        return open_binary(layout, envelope, unlock)
    return open_text(layout, envelope, unlock)


def _opened_by_sops(layout: Layout, envelope: Envelope, keyring: Keyring, opener: Opener) -> Opened:
    # Where age keys open no copy of the whole key, they may still open a part of one.
    held = keyring.held - ({AGE} if envelope.age else set())
    way = way_of(envelope, held, keyring.services)
    if way is None:
        raise _refusal(layout, envelope, keyring)
    return opener.open(layout, envelope, way)


@dataclass(frozen=True, slots=True)
class _FileKey:
    """Opens the values of one file."""

    key: bytes = field(repr=False)

    def __call__(self, sealed: Sealed, bound_to: str) -> bytes:
        try:
            return AESGCM(self.key).decrypt(sealed.nonce, sealed.data + sealed.tag, bound_to.encode())
        except InvalidTag:
            raise ValueError("not what was encrypted") from None


def _envelope(layout: Layout) -> Envelope:
    try:
        return read_envelope(layout.envelope or "")
    except NotAnEnvelope as error:
        message = f"the metadata of SOPS is not whole: {error}"
        raise layout.refusal("DECRYPT_METADATA", message, hint="encrypt the file again with sops") from None


def _unlocked(envelope: Envelope, keys: AgeKeys | None) -> _FileKey | None:
    """Return what the keys make of the file's own; None = they open no copy of it."""
    if keys is None or not envelope.age:
        return None
    try:
        return _FileKey(keys.file_key(envelope.age))
    except NoKeyFits:
        return None


def _refusal(layout: Layout, envelope: Envelope, keyring: Keyring) -> RenderError:
    if envelope.age and not keyring.held:
        message = "the file is encrypted, and the environment has no keys"
        return layout.refusal("DECRYPT_NO_KEY", message, hint=_NO_KEY_HINT)
    if envelope.age:
        message = f"none of the environment's keys opens the file; it is for {named(envelope.recipients)}"
        hint = "encrypt it to the environment's own age recipient as well: sops updatekeys"
        return layout.refusal("DECRYPT_FAILED", message, hint=hint)
    shut = why_shut(envelope, keyring.services)
    return layout.refusal(shut.code, shut.message, hint=shut.hint)


def _concerns_all(problem: Problem) -> bool:
    """Whether the next file would only wait for the same: for a program, or for a server that does not answer."""
    return problem.code == SERVICE_FAILED or not problem.code.startswith("DECRYPT_")


def _file(file: File, opened: Opened | None, keys: str) -> File:
    """Git's id names the encrypted bytes; what was opened must never be taken for them, nor for another opening."""
    return replace(file, oid=f"{file.oid}+{keys}", content=opened.content) if opened else file


def _shown(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()

"""Opens files by the sops program, in the jail: ciphertext goes in and plaintext comes out by pipes.

Keys lie beside it in memory for as long as it runs, and nowhere else. It has a network only for a file whose key
services the operator allows, every one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, Unpack

from gitopsd.adapters.secrets.keyring import Keyring
from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.text import read_text
from gitopsd.core.sops.detection import Form, form_of, text_layout
from gitopsd.core.sops.envelope import Envelope
from gitopsd.core.sops.layout import Layout
from gitopsd.core.sops.matching import Matched, matched, matched_whole
from gitopsd.core.sops.opening import Opened, open_binary, open_text
from gitopsd.core.sops.recipients import HC_VAULT
from gitopsd.core.sops.ways import Way, named

_AGE_KEYS, _PGP_KEYS, _VAULT_TOKEN = "age.txt", "secring.gpg", ".vault-token"
# The nearest one counts; so none that lies above is looked at.
_CONFIG = (".sops.yaml", b"{}\n")
_HOME = {"HOME": ".", "GNUPGHOME": ".", "SOPS_AGE_KEY_FILE": _AGE_KEYS}
_CAUSE_CHARS = 600
_NOBODY = "none"
_PRINT_HINT = "split the file: where it holds several documents, sops prints no text that begins with a tab"
_NO_KEY, _OTHER_MAC = 128, 51
_RE_ENCRYPT = "encrypt the file again with a current sops; whoever changed it by hand broke it"


SERVICE_FAILED = "DECRYPT_SERVICE_FAILED"
_SERVICE_HINT = "is the service there, and are decryption.keyServices' token, files and variables right?"
_KEY_HINT = "encrypt it to one of the environment's own keys as well: sops updatekeys"


class Ran(Protocol):
    """How a program ended by itself."""

    @property
    def code(self) -> int:
        """Its exit code."""

    @property
    def stdout(self) -> bytes:
        """Its output."""

    @property
    def stderr(self) -> str:
        """Its first words, printable."""


class Given(TypedDict):
    """What sops is given besides its files."""

    stdin: bytes
    environment: Mapping[str, str]
    secret: bool
    network: bool


class Found(Protocol):
    """A program that can be used."""

    @property
    def version(self) -> str:
        """As it says it."""


class Program(Protocol):
    """What is needed of the jailed sops."""

    def found(self) -> Found:
        """Return the program.

        Raises:
            RenderError: it cannot be used.
        """

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: Unpack[Given]) -> Ran:
        """Run it among these files.

        Raises:
            RenderError: it did not end by itself.
        """


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens files of one environment by sops."""

    program: Program
    keyring: Keyring

    def open(self, layout: Layout, envelope: Envelope, way: Way) -> Opened:
        """Return the file with every encrypted value opened; its MAC was checked by sops.

        Raises:
            RenderError: sops did not open it, or printed something else.
        """
        form = form_of(layout.file.path)
        # In YAML sops prints some texts as null, but it knows no other way to print several documents.
        printed_in = Form.JSON if form is Form.YAML and layout.documents == 1 else form
        printed = self._printed(layout, envelope, way, printed_in)
        unlock = _matched(layout, printed, printed_in)
        if form is Form.BINARY:
            return open_binary(layout, envelope, unlock, is_proven=True)
        return open_text(layout, envelope, unlock, is_proven=True)

    def _printed(self, layout: Layout, envelope: Envelope, way: Way, form: Form) -> bytes:
        shown = list(self.keyring.credentials()) if way is Way.ONLINE else []
        ran = self.program.run(
            ["decrypt", "--input-type", form_of(layout.file.path).value, "--output-type", form.value],
            [*_keys(self.keyring), *((_name(number, variable), held) for number, (variable, held) in enumerate(shown))],
            stdin=layout.file.content.encode(),
            environment={
                **(dict(self.keyring.services.variables) if way is Way.ONLINE else {}),
                **{variable: _name(number, variable) for number, (variable, _) in enumerate(shown) if variable},
                **_HOME,
                "SOPS_HC_VAULT_ALLOWLIST": _vaults(envelope, way),
            },
            secret=True,
            network=way is Way.ONLINE,
        )
        if ran.code != 0:
            raise _refusal(layout, envelope, ran, way)
        return ran.stdout


def _keys(keyring: Keyring) -> Iterator[tuple[str, bytes]]:
    yield _CONFIG
    yield _AGE_KEYS, keyring.age.text.encode() if keyring.age else b""
    if keyring.pgp:
        yield _PGP_KEYS, keyring.pgp


def _name(number: int, variable: str) -> str:
    return f"shown-{number}" if variable else _VAULT_TOKEN


def _vaults(envelope: Envelope, way: Way) -> str:
    """The servers of Vault that sops may ask: those of the file, once all of them are allowed."""
    named = {one.fields["vault_address"] for one in envelope.recipients if one.kind == HC_VAULT}
    return ",".join(sorted(named)) if named and way is Way.ONLINE else _NOBODY


def _refusal(layout: Layout, envelope: Envelope, ran: Ran, way: Way) -> RenderError:
    if ran.code == _OTHER_MAC:
        message = "the MAC is not that of the file: something in it was changed, added or taken out"
        return layout.refusal("DECRYPT_MAC", message, hint=_RE_ENCRYPT)
    if ran.code != _NO_KEY:
        # Its words may repeat what stands in the file.
        message = f"sops could not open the file (exit code {ran.code})"
        return layout.refusal("DECRYPT_FAILED", message, hint="sops decrypt says why, in a checkout of this commit")
    cause = " ".join(ran.stderr.split())[:_CAUSE_CHARS]
    if way is Way.ONLINE:
        message = f"no key and no service opened the file; it is for {named(envelope.recipients)}"
        return layout.refusal(SERVICE_FAILED, message, hint=_SERVICE_HINT, cause=cause)
    message = f"none of the environment's keys opens the file; it is for {named(envelope.recipients)}"
    return layout.refusal("DECRYPT_FAILED", message, hint=_KEY_HINT, cause=cause)


def _matched(layout: Layout, printed: bytes, form: Form) -> Matched:
    if form is Form.BINARY:
        return matched_whole(layout, printed)
    try:
        return matched(layout, text_layout(form, read_text(layout.file.path, printed)))
    except (RenderError, ValueError):
        message = "what sops printed is not laid out as the file is"
        raise layout.refusal("DECRYPT_FORMAT", message, hint=_PRINT_HINT) from None

"""Opens files by the sops program, in the jail: ciphertext goes in and plaintext comes out by pipes.

Keys lie beside it in memory for as long as it runs, and nowhere else. It has a network only for a file whose key
services the operator allows, every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitopsd.adapters.secrets.keyring import Keyring
from gitopsd.adapters.secrets.program import Program, Ran
from gitopsd.adapters.secrets.refusals import SERVICE_FAILED
from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.text import read_text
from gitopsd.core.secrecy import Secrecy
from gitopsd.core.sops.detection import Form, form_of, text_layout
from gitopsd.core.sops.envelope import Envelope
from gitopsd.core.sops.layout import Layout
from gitopsd.core.sops.matching import Matched, matched, matched_whole
from gitopsd.core.sops.opening import Opened, open_binary, open_text
from gitopsd.core.sops.recipients import HC_VAULT
from gitopsd.core.sops.ways import Way, named

RUNS_MAX, REFUSALS_MAX = 300, 3
# One more may begin just before: no environment keeps a worker for longer than this and one run.
SECONDS_MAX = 180.0

_AGE_KEYS, _PGP_KEYS, _VAULT_TOKEN = "age.txt", "secring.gpg", ".vault-token"
# The nearest one counts; so none that lies above is looked at.
_CONFIG = (".sops.yaml", b"{}\n")
_HOME = {"HOME": ".", "GNUPGHOME": ".", "SOPS_AGE_KEY_FILE": _AGE_KEYS}
# What is tried again at each pass need not be tried for long at one.
_IN_TIME = {"VAULT_CLIENT_TIMEOUT": "15s", "VAULT_MAX_RETRIES": "1"}
# A server could lead elsewhere, and the token with it.
_NO_ELSEWHERE = {"VAULT_DISABLE_REDIRECTS": "true"}
_CAUSE_CHARS = 600
# Of one character JSON may make six.
_PRINTED_BYTES_MAX = 16 * 1024 * 1024
_NOBODY = "none"
_PRINT_HINT = (
    "split the file: where it holds several documents, sops prints no text that begins with a tab; "
    "and put bytes that are no text into a file of their own"
)
_NO_KEY, _OTHER_MAC = 128, 51
_ASKS_PASSPHRASE = b"passphrase"
_UNLOCKED_HINT = "decryption.pgpKeyFiles names files with keys that have none: gpg --edit-key …, passwd"
_RE_ENCRYPT = "encrypt the file again with a current sops; whoever changed it by hand broke it"
_SERVICE_HINT = "is the service there, and are decryption.keyServices' token, files and variables right?"
_AGE_HINT = "add an age recipient (sops rotate -i --add-age …): what age keys open needs no sops"
_KEY_HINT = "encrypt it to one of the environment's own keys as well: sops updatekeys"


class Opener:
    """Opens files of one environment by sops, so many and for so long. ``sops`` is called for the first of them."""

    def __init__(self, sops: Callable[[], Program], keyring: Keyring, now: Callable[[], float]) -> None:
        self._sops = sops
        self._keyring = keyring
        self._now = now
        self._ends_at = now() + SECONDS_MAX
        self._runs = 0
        self._refusals = 0

    @property
    def is_spent(self) -> bool:
        """Whether there is no point in going on."""
        return self._runs >= RUNS_MAX or self._refusals >= REFUSALS_MAX or self._now() >= self._ends_at

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
        self._count(layout)
        files, variables = _shown(self._keyring) if way is Way.ONLINE else ([], {})
        with _in_time(layout, envelope, way):
            ran = self._sops().run(
                ["decrypt", "--input-type", form_of(layout.file.path).value, "--output-type", form.value],
                [*_keys(self._keyring), *files],
                stdin=layout.file.content.encode(),
                environment={**variables, **_HOME, "SOPS_HC_VAULT_ALLOWLIST": _vaults(envelope, way)},
                secret=True,
                network=way is Way.ONLINE,
            )
        if ran.code != 0:
            self._refusals += 1
            # A service may repeat what it was shown.
            shown = Secrecy.of(content.decode(errors="replace") for _, content in files)
            cause = shown.masked(" ".join(ran.stderr.split()))[:_CAUSE_CHARS]
            raise _refusal(layout, envelope, ran, way, cause)
        return ran.stdout

    def _count(self, layout: Layout) -> None:
        if self._runs >= RUNS_MAX:
            message = f"more than {RUNS_MAX} files of the environment are for sops to open"
            raise layout.refusal("DECRYPT_TOO_MANY", message, hint=_AGE_HINT)
        if self._now() >= self._ends_at:
            message = f"sops took {SECONDS_MAX:.0f} s for {self._runs} files of the environment, and more are left"
            raise layout.refusal("DECRYPT_TOO_MANY", message, hint=_AGE_HINT)
        self._runs += 1


@contextmanager
def _in_time(layout: Layout, envelope: Envelope, way: Way) -> Iterator[None]:
    try:
        yield
    except RenderError as error:
        if way is Way.OFFLINE or error.problem.code != "RENDER_TIMEOUT":
            raise
        message = f"no service answered in time; the file is for {named(envelope.recipients)}"
        raise layout.refusal(SERVICE_FAILED, message, hint=_SERVICE_HINT) from None


def _keys(keyring: Keyring) -> Iterator[tuple[str, bytes]]:
    yield _CONFIG
    yield _AGE_KEYS, keyring.age.text.encode() if keyring.age else b""
    if keyring.pgp:
        yield _PGP_KEYS, keyring.pgp


def _shown(keyring: Keyring) -> tuple[list[tuple[str, bytes]], dict[str, str]]:
    """Return what sops shows to services: files, and variables some of which name them."""
    files: list[tuple[str, bytes]] = []
    variables = {**_IN_TIME, **_NO_ELSEWHERE, **dict(keyring.services.variables)}
    for number, (variable, content) in enumerate(keyring.credentials()):
        name = f"shown-{number}" if variable else _VAULT_TOKEN
        files.append((name, content))
        if variable:
            variables[variable] = name
    return files, variables


def _vaults(envelope: Envelope, way: Way) -> str:
    """The servers of Vault that sops may ask: those of the file, once all of them are allowed."""
    servers = {one.fields["vault_address"] for one in envelope.recipients if one.kind == HC_VAULT}
    return ",".join(sorted(servers)) if servers and way is Way.ONLINE else _NOBODY


def _refusal(layout: Layout, envelope: Envelope, ran: Ran, way: Way, cause: str) -> RenderError:
    if ran.code == _OTHER_MAC:
        message = "the MAC is not that of the file: something in it was changed, added or taken out"
        return layout.refusal("DECRYPT_MAC", message, hint=_RE_ENCRYPT)
    if ran.code != _NO_KEY:
        # Its words may repeat what stands in the file.
        message = f"sops could not open the file (exit code {ran.code})"
        return layout.refusal("DECRYPT_FAILED", message, hint="sops decrypt says why, in a checkout of this commit")
    if way is Way.ONLINE:
        message = f"no key and no service opened the file; it is for {named(envelope.recipients)}"
        return layout.refusal(SERVICE_FAILED, message, hint=_SERVICE_HINT, cause=cause)
    if _ASKS_PASSPHRASE in ran.stdout:
        message = "the environment's PGP key for the file has a passphrase"
        return layout.refusal("DECRYPT_FAILED", message, hint=_UNLOCKED_HINT)
    message = f"none of the environment's keys opens the file; it is for {named(envelope.recipients)}"
    return layout.refusal("DECRYPT_FAILED", message, hint=_KEY_HINT, cause=cause)


def _matched(layout: Layout, printed: bytes, form: Form) -> Matched:
    if form is Form.BINARY:
        return matched_whole(layout, printed)
    try:
        return matched(layout, text_layout(form, read_text(layout.file.path, printed, _PRINTED_BYTES_MAX)))
    except (RenderError, ValueError):
        message = "what sops printed is not laid out as the file is"
        raise layout.refusal("DECRYPT_FORMAT", message, hint=_PRINT_HINT) from None

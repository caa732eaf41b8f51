"""An encrypted file becomes the file that was encrypted: whole and with its MAC proven, or not at all.

Whatever the file's own rule says is encrypted must be, and nothing else may be; a file that somebody half opened by
hand is refused. No message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha512
from hmac import compare_digest
from math import isfinite

from gitopsd.core.sops.envelope import Envelope
from gitopsd.core.sops.layout import Layout, Leaf, Span
from gitopsd.core.sops.scalars import float_bytes, value_bytes
from gitopsd.core.sops.sealed import Kind, Sealed, holds_ciphertext, sealed_in

# Opens one value with the file's data key; the second argument is what it is bound to. Raises ValueError.
Unlock = Callable[[Sealed, str], bytes]

# What the MAC begins with when it covers encrypted values only: SHA-256 of "sops".
_ONLY_ENCRYPTED = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")
_NO_SECRETS = (Kind.BOOL, Kind.COMMENT)
_INTEGER = re.compile(r"[-+]?[0-9]{1,20}", re.ASCII)
_RE_ENCRYPT = "encrypt the file again with sops; whoever changed it by hand broke it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a file was. ``values`` is every value that was encrypted in it, as bytes; a boolean is no secret."""

    content: bytes = field(repr=False)
    values: tuple[bytes, ...] = field(repr=False)


def open_text(layout: Layout, envelope: Envelope, unlock: Unlock, *, is_proven: bool = False) -> Opened:
    """Return the file with every encrypted value opened; ``is_proven`` = whoever unlocks has checked the MAC.

    Raises:
        RenderError: a value could not be opened, is not encrypted and should be, or the MAC is another.
    """
    opened = _open_all(layout, envelope, unlock, is_proven=is_proven)
    text = layout.rewritten(_edit(layout, leaf, value) for leaf, value in opened)
    if holds_ciphertext(text):
        message = "a value is encrypted where the file's own rule says that none is"
        raise layout.refusal("DECRYPT_INCOMPLETE", message, _line_of_ciphertext(text), _RE_ENCRYPT)
    secrets = tuple(value.plain for _, value in opened if value.kind not in _NO_SECRETS)
    return Opened(content=text.encode(), values=secrets)


def open_binary(layout: Layout, envelope: Envelope, unlock: Unlock, *, is_proven: bool = False) -> Opened:
    """Return the bytes that were encrypted as one value; ``is_proven`` as for ``open_text``.

    Raises:
        RenderError: as for ``open_text``; or the file holds more than that value.
    """
    opened = _open_all(layout, envelope, unlock, is_proven=is_proven)
    if [leaf.path for leaf in layout.leaves] != [("data",)]:
        raise layout.refusal("DECRYPT_FORMAT", "the file holds more than one value")
    content = opened[0][1].plain if opened else layout.leaves[0].mac
    if sealed_in(content.decode(errors="replace")):
        raise layout.refusal("DECRYPT_INCOMPLETE", "what was encrypted is encrypted once more", hint=_RE_ENCRYPT)
    return Opened(content=content, values=(content,) if opened else ())


@dataclass(frozen=True, slots=True)
class _Value:
    kind: Kind
    plain: bytes = field(repr=False)


def _open_all(layout: Layout, envelope: Envelope, unlock: Unlock, *, is_proven: bool) -> list[tuple[Leaf, _Value]]:
    mac = sha512(_ONLY_ENCRYPTED if envelope.mac_only_encrypted else b"")
    opened = []
    for leaf in layout.leaves:
        if not _is_encrypted(leaf, envelope):
            mac.update(b"" if envelope.mac_only_encrypted else leaf.mac)
        elif leaf.text != "":
            value = _open(layout, leaf, unlock)
            mac.update(_mac_bytes(layout, leaf, value))
            opened.append((leaf, value))
    if not is_proven:
        _prove(layout, envelope, mac.hexdigest(), unlock)
    return opened


def _is_encrypted(leaf: Leaf, envelope: Envelope) -> bool:
    told = envelope.choice.is_encrypted(leaf.path)
    # Comments decide, and they are not part of the MAC: the value's own form is as good a witness.
    return told if told is not None else leaf.text is not None and sealed_in(leaf.text) is not None


def _open(layout: Layout, leaf: Leaf, unlock: Unlock) -> _Value:
    sealed = sealed_in(leaf.text) if leaf.text is not None else None
    if sealed is None:
        message = "a value stands in plain text where the file's own rule says that it is encrypted"
        raise layout.refusal("DECRYPT_INCOMPLETE", message, leaf.line, _RE_ENCRYPT)
    try:
        kind = Kind(sealed.kind)
    except ValueError:
        message = "an encrypted value has a type that is not known"
        raise layout.refusal("DECRYPT_FORMAT", message, leaf.line, _RE_ENCRYPT) from None
    try:
        return _Value(kind, unlock(sealed, "".join(f"{key}:" for key in leaf.path)))
    except ValueError:
        message = "a value cannot be opened: it was changed, moved to another key, or copied from another file"
        raise layout.refusal("DECRYPT_FAILED", message, leaf.line, _RE_ENCRYPT) from None


def _mac_bytes(layout: Layout, leaf: Leaf, value: _Value) -> bytes:
    try:
        return _as_sops_writes(value.kind, value.plain)
    except ValueError:
        raise _mistyped(layout, leaf, value) from None


def _as_sops_writes(kind: Kind, plain: bytes) -> bytes:
    match kind:
        case Kind.STR | Kind.BYTES:
            return plain
        case Kind.INT:
            if not _INTEGER.fullmatch(plain.decode()):
                raise ValueError("not a whole number")
            return str(int(plain)).encode()
        case Kind.FLOAT:
            return _float_bytes(float(plain.decode()))
        case Kind.BOOL:
            return b"True" if plain.lower() == b"true" else b"False"
        case Kind.TIME:
            return value_bytes(plain.decode()) or plain
        case Kind.COMMENT:
            return b""


def _float_bytes(value: float) -> bytes:
    if not isfinite(value):
        raise ValueError("not a number of JSON")
    return float_bytes(value)


def _edit(layout: Layout, leaf: Leaf, value: _Value) -> tuple[Span, str]:
    try:
        if value.kind is Kind.COMMENT:
            return layout.item(leaf), "#"
        return leaf.span, layout.write(value.kind, value.plain.decode())
    except ValueError:
        raise _mistyped(layout, leaf, value) from None


def _mistyped(layout: Layout, leaf: Leaf, value: _Value) -> Exception:
    message = f"an encrypted value is no {value.kind.value} that can be written as text"
    hint = "encrypt what is not text as a file of its own, in SOPS's binary form"
    return layout.refusal("DECRYPT_FORMAT", message, leaf.line, hint)


def _prove(layout: Layout, envelope: Envelope, computed: str, unlock: Unlock) -> None:
    try:
        told = unlock(envelope.mac, envelope.last_modified)
    except ValueError:
        told = b""
    if not compare_digest(told, computed.upper().encode()):
        message = "the MAC is not that of the file: something in it was changed, added or taken out"
        raise layout.refusal("DECRYPT_MAC", message, hint=_RE_ENCRYPT)


def _line_of_ciphertext(text: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), start=1) if holds_ciphertext(line))

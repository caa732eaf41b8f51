"""One value as SOPS encrypts it: ``ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]``, and the value that comes out of it.

Only what has the whole form counts, so that a text which merely speaks of it is not taken for one.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from enum import StrEnum

MARK = b"ENC[AES256_GCM,"

_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_FORM = re.compile(rf"ENC\[AES256_GCM,data:({_BASE64}),iv:({_BASE64}),tag:({_BASE64}),type:([a-z]+)\]")
_COMMENT = re.compile(rf"#[ \t]*ENC\[AES256_GCM,data:{_BASE64},iv:{_BASE64},tag:{_BASE64},type:comment\]")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WHOLE_MAX = 1e16


class Kind(StrEnum):
    """What type the value had before it was encrypted; SOPS makes items of comments that stand in lists."""

    STR = "str"
    BYTES = "bytes"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TIME = "time"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One encrypted value, taken apart. ``kind`` is what SOPS says of it, known or not."""

    data: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    kind: str


def sealed_in(text: str) -> Sealed | None:
    """Return the encrypted value that this text is; None when it is anything else."""
    found = _FORM.fullmatch(text)
    if not found:
        return None
    try:
        data, nonce, tag = (b64decode(part, validate=True) for part in found.groups()[:3])
    except ValueError:
        return None
    return Sealed(data, nonce, tag, found[4])


def holds_ciphertext(text: str) -> bool:
    """Return whether an encrypted value stands anywhere in the text."""
    return "ENC[AES256_GCM," in text and _FORM.search(text) is not None


def comments_in(text: str) -> list[tuple[int, int]]:
    """Return from where to where the text holds encrypted comments."""
    return [found.span() for found in _COMMENT.finditer(text)]


def written_json(kind: Kind, plain: str) -> str:
    """Return the value as JSON, which is YAML as well, on one line.

    Raises:
        ValueError: the text is no value of that type.
    """
    match kind:
        case Kind.INT:
            return str(int(plain))
        case Kind.BOOL:
            return _boolean(plain)
        case Kind.FLOAT:
            return _number(plain)
        case Kind.STR | Kind.BYTES | Kind.TIME | Kind.COMMENT:
            return quoted(plain)


def quoted(text: str) -> str:
    """Return the text in double quotes, as JSON and YAML both read it."""
    escaped = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def _boolean(plain: str) -> str:
    if plain not in {"True", "False", "true", "false"}:
        raise ValueError("not a boolean")
    return plain.lower()


def _number(plain: str) -> str:
    value = float(plain)
    return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_MAX else repr(value)

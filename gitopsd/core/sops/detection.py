"""Whether a file is encrypted by SOPS, and in which form: by its metadata, looked for where its name says.

SOPS chooses the form by the ending of the name, and so do we. A file without metadata is not encrypted.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.text import TextFile, read_text
from gitopsd.core.model import File
from gitopsd.core.sops.dotenv_layout import dotenv_layout
from gitopsd.core.sops.envelope import is_envelope
from gitopsd.core.sops.layout import Layout
from gitopsd.core.sops.sealed import MARK
from gitopsd.core.sops.yaml_layout import json_layout, yaml_layout


class Form(StrEnum):
    """How SOPS writes what it encrypts; the value is its own word."""

    YAML = "yaml"
    JSON = "json"
    DOTENV = "dotenv"
    INI = "ini"
    BINARY = "binary"


_ENDINGS = {".yaml": Form.YAML, ".yml": Form.YAML, ".json": Form.JSON, ".env": Form.DOTENV, ".ini": Form.INI}
_LAYOUTS: dict[Form, Callable[[TextFile], Layout]] = {
    Form.YAML: yaml_layout,
    Form.JSON: json_layout,
    Form.DOTENV: dotenv_layout,
    Form.BINARY: json_layout,
}
_INI_SECTION = b"\n[sops]"


def form_of(path: str) -> Form:
    """Return the form that SOPS gives a file of this name."""
    return next((form for ending, form in _ENDINGS.items() if path.endswith(ending)), Form.BINARY)


def text_layout(form: Form, file: TextFile) -> Layout:
    """Return the layout of a file of this form, encrypted or not.

    Raises:
        RenderError: it is not of this form.
    """
    return _LAYOUTS[form](file)


def layout_of(file: File) -> Layout | None:
    """Return the layout of a file that is encrypted; None when it is not.

    Raises:
        RenderError: it is, and cannot be read.
    """
    if MARK not in file.content or b"sops" not in file.content:
        return None
    form = form_of(file.path)
    if form is Form.INI:
        _refuse_ini(file)
        return None
    try:
        layout = _LAYOUTS[form](read_text(file.path, file.content))
    except RenderError:
        # A picture, or a page about SOPS: whoever reads the file says what is wrong with it, if anything is.
        if form is Form.BINARY or not _claims(file.content):
            return None
        raise
    return layout if is_envelope(layout.envelope) else None


def _claims(content: bytes) -> bool:
    """Whether a file that cannot be read speaks of itself as encrypted."""
    return any(mark in content for mark in (b"sops:", b'"sops"', b"sops_mac="))


def _refuse_ini(file: File) -> None:
    if _INI_SECTION in b"\n" + file.content:
        hint = "encrypt it in SOPS's binary form: sops encrypt --input-type binary --output-type binary"
        problem = TextFile(file.path, "").problem("DECRYPT_FORMAT", "an encrypted INI file, which is not read", 0, hint)
        raise RenderError(problem)

"""A file's bytes become text, or an error that says which byte of which file: UTF-8, bounded, without byte order marks.

Every problem of a file is made here, so that a line which looks like an unrendered template gets that hint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gitopsd.core.errors import Problem, RenderError, Stage

FILE_BYTES_MAX = 2 * 1024 * 1024

_BOM = "\ufeff"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_LFS_START = b"version https://git-lfs"
_TEMPLATE_HINT = "this looks like a template that nobody has rendered: {{ … }}"


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file's path and its text."""

    path: str
    content: str = field(repr=False)

    def line(self, number: int) -> str:
        """Return the text of a line, counted from 1; empty when there is none."""
        lines = self.content.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def problem(self, code: str, message: str, line: int = 0, hint: str = "", ref: str = "") -> Problem:
        """Return the problem, at its place in this file."""
        if code.startswith("YAML") and "{{" in self.line(line - 1) + self.line(line):
            hint = _TEMPLATE_HINT
        return Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, ref=ref, file=self.path, line=line)


def read_text(path: str, content: bytes, bytes_max: int = FILE_BYTES_MAX) -> TextFile:
    """Return the file as text.

    Raises:
        RenderError: it is too large, not UTF-8, or only stands for a file that is elsewhere.
    """
    blank = TextFile(path, "")
    if len(content) > bytes_max:
        message = f"the file has {len(content)} bytes; {bytes_max} are the most"
        raise RenderError(blank.problem("FILE_TOO_LARGE", message, hint="split it"))
    if content.startswith(_LFS_START):
        hint = "keep manifests out of Git LFS (.gitattributes)"
        raise RenderError(blank.problem("LFS_POINTER", "a pointer to Git LFS, not the file itself", 1, hint))
    if content.startswith(_WIDE_BOMS):
        raise RenderError(blank.problem("TEXT_ENCODING", "the text is UTF-16 or UTF-32", 1, "save it as UTF-8"))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8"
        raise RenderError(blank.problem("TEXT_ENCODING", message, line, "save the file as UTF-8")) from None
    return TextFile(path, _without_byte_order_marks(text) if _BOM in text else text)


def _without_byte_order_marks(text: str) -> str:
    """Editors and ``cat a b > c`` leave one before any document, not only before the first."""
    before_marker = re.sub(r"^\ufeff(?=---)", "", text.removeprefix(_BOM), flags=re.MULTILINE)
    return re.sub(r"^(---[^\n]*\n)\ufeff", r"\1", before_marker, flags=re.MULTILINE)

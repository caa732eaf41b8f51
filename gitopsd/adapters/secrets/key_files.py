"""Files of the operator with keys in them, read anew each time: a key that was rotated needs no restart.

Of such a file a message says its name, and never any of what it holds.
"""

from __future__ import annotations

from pathlib import Path

from gitopsd.core.errors import Problem, RenderError, Stage

FILE_BYTES_MAX = 64 * 1024
FILES_MAX = 20


def read_key_file(file: Path, setting: str) -> bytes:
    """Return what the file holds; ``setting`` is where the operator named it.

    Raises:
        RenderError: it cannot be read, or is far too large.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise refused(file, f"cannot be read: {error.strerror}", setting) from None
    if len(content) > FILE_BYTES_MAX:
        raise refused(file, f"has more than {FILE_BYTES_MAX} bytes", setting)
    return content


def refused(file: Path, message: str, setting: str) -> RenderError:
    """Return the error to raise about a file that is of no use."""
    return RenderError(
        Problem(
            code="DECRYPT_KEY_FILE",
            stage=Stage.RENDER,
            message=f"the operator's key file {file} {message}",
            hint=setting,
        )
    )

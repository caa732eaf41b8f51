"""Which file names may be written: relative, one meaning each, leading nowhere. Components count, never prefixes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from gitopsd.adapters.render.jail.problems import unsafe_path

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_COMPONENT_BYTES_MAX = 255
_PATH_BYTES_MAX = 2_048


def check_path(path: str) -> tuple[str, ...]:
    """Return the components of a relative path; none for the empty one, which is the root.

    Raises:
        RenderError: RENDER_UNSAFE_PATH.
    """
    components = tuple(path.split("/")) if path else ()
    if _length(path) > _PATH_BYTES_MAX:
        raise unsafe_path(f"{path[:80]}…", "is too long")
    for component in components:
        if why := _wrong_with(component):
            raise unsafe_path(path, why)
    return components


def check_paths(paths: Iterable[str]) -> None:
    """Check each path, and all of them beside each other.

    Raises:
        RenderError: RENDER_UNSAFE_PATH; also where two differ only in case, or one is a directory of another.
    """
    directories: dict[str, str] = {"": ""}
    files: dict[str, str] = {}
    for path in paths:
        components = check_path(path)
        if not components:
            raise unsafe_path(path, "names no file")
        for depth in range(1, len(components)):
            _claim("/".join(components[:depth]), directories, files)
        if path.casefold() in files:
            raise unsafe_path(path, f"is the same name as {files[path.casefold()]!r}")
        _claim(path, files, directories)


def _wrong_with(component: str) -> str:
    if component in ("", ".", ".."):
        return "is not a plain relative path"
    if component.casefold() == ".git":
        return "lies in a .git directory"
    if "\\" in component or _DRIVE.match(component):
        return "is written as a Windows path"
    if _CONTROL.search(component):
        return "holds a control character"
    return "has a name that is too long" if _length(component) > _COMPONENT_BYTES_MAX else ""


def _length(name: str) -> int:
    """In bytes; what cannot be written as bytes is too long for any disk."""
    try:
        return len(os.fsencode(name))
    except UnicodeEncodeError:
        return _PATH_BYTES_MAX + 1


def _claim(path: str, own: dict[str, str], other: dict[str, str]) -> None:
    folded = path.casefold()
    if folded in other:
        raise unsafe_path(path, "is both a file and a directory")
    if own.setdefault(folded, path) != path:
        raise unsafe_path(path, f"differs from {own[folded]!r} only in case")

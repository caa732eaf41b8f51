"""Paths between the files of one repository. What leads out of it has no answer, whatever it is meant to name."""

from __future__ import annotations


def inside(directory: str, path: str) -> str | None:
    """Return what a path written in a file of this directory names, from the repository's root; None = not in it.

    The root itself is ``""``. ``..`` may leave the directory, never the repository.
    """
    if path.startswith("/") or "\\" in path or "\0" in path:
        return None
    parts = directory.split("/") if directory else []
    for part in path.split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return None if any(part.lower() == ".git" for part in parts) else "/".join(parts)


def is_below(path: str, directory: str) -> bool:
    """Return whether a path is the directory or lies in it. Compared by parts, never as text."""
    return not directory or path == directory or path.startswith(f"{directory}/")


def parent(path: str) -> str:
    """Return the directory that a file or directory lies in; the root's own is the root."""
    return path.rpartition("/")[0]

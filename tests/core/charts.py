"""Charts as files, and how the pure parts ask for them."""

from __future__ import annotations

from gitopsd.core.manifests.paths import is_below
from gitopsd.core.model import File


def files_of(**texts: str) -> tuple[File, ...]:
    return tuple(File(path, path, text.encode()) for path, text in texts.items())


def reader(files: dict[str, str]):
    """Read directories of a repository with these files."""
    known = files_of(**files)
    return lambda directory: tuple(file for file in known if is_below(file.path, directory)) or None


def chart_yaml(name: str = "web", *more: str) -> str:
    return "\n".join(["apiVersion: v2", f"name: {name}", "version: 1.0.0", *more, ""])


def depends_on(*dependencies: str) -> str:
    return "dependencies:\n" + "\n".join(f"- {{{one}}}" for one in dependencies)

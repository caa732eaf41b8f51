"""Typed reads of a JSON body by dotted path, each with a default.

A body is somebody else's: what is absent, and what has another type than asked for, reads as the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitopsd.core.model import Body, Json


def read(body: Body, path: str) -> Json:
    """Return what is at the path; None when nothing is, or when it runs through something that is not an object."""
    found: Json = body
    for key in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def text(body: Body, path: str, default: str = "") -> str:
    """Return the string at the path."""
    found = read(body, path)
    return found if isinstance(found, str) else default


def whole(body: Body, path: str, default: int = 0) -> int:
    """Return the whole number at the path; ``true`` is not one."""
    found = whole_or_none(body, path)
    return default if found is None else found


def whole_or_none(body: Body, path: str) -> int | None:
    """Return the whole number at the path, and None where there is none, for when absence means something."""
    found = read(body, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag(body: Body, path: str) -> bool:
    """Return whether ``true`` is at the path."""
    return read(body, path) is True


def part(body: Body, path: str) -> Body:
    """Return the object at the path; an empty one when there is none."""
    found = read(body, path)
    return found if isinstance(found, Mapping) else {}


def parts(body: Body, path: str) -> tuple[Body, ...]:
    """Return the objects of the list at the path, in order; entries of other types are left out."""
    found = read(body, path)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return tuple(entry for entry in found if isinstance(entry, Mapping))


def label(body: Body, name: str) -> str:
    """Return the value of a label; its name may have dots."""
    return text_of(part(body, "metadata.labels"), name)


def annotation(body: Body, name: str) -> str:
    """Return the value of an annotation; its name may have dots."""
    return text_of(part(body, "metadata.annotations"), name)


def text_of(body: Body, key: str) -> str:
    """Return the string under one key, taken as it is: dots in it do not lead anywhere."""
    found = body.get(key)
    return found if isinstance(found, str) else ""

"""Sets of fields as managedFields writes them (FieldsV1): which fields of an object somebody owns.

A set is a tree: ``f:name`` is a field, ``k:{…}`` an entry of a keyed list, ``v:…`` a value of a list used as a set,
``.`` the place itself. An empty tree is a leaf. Nothing here changes a tree; every answer is a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from gitopsd.core.model import Body, Json

Fields: TypeAlias = "Mapping[str, Fields]"
Path: TypeAlias = tuple[str, ...]

HERE = "."
NOTHING: Fields = {}


def fields_of(value: Json) -> Fields:
    """Return the tree in an entry's ``fieldsV1``; what is not a tree is dropped."""
    if not isinstance(value, Mapping):
        return NOTHING
    return {key: fields_of(below) for key, below in value.items()}


def union(one: Fields, other: Fields) -> Fields:
    """Return the fields that are in either."""
    if not one or not other:
        return one or other
    return {**one, **{key: union(one.get(key, NOTHING), below) for key, below in other.items()}}


def without(tree: Fields, path: Path) -> Fields:
    """Return the tree without the field at the path and all below it; branches that this empties go too."""
    key, *rest = path
    if key not in tree or (rest and not tree[key]):
        return tree
    below = without(tree[key], tuple(rest)) if rest else NOTHING
    if below:
        return {**tree, key: below}
    return {name: branch for name, branch in tree.items() if name != key}


def only(tree: Fields, path: Path) -> Fields:
    """Return the field at the path with all below it, and nothing else."""
    key, *rest = path
    if key not in tree:
        return NOTHING
    return {key: only(tree[key], tuple(rest)) if rest else tree[key]}


def leaves(tree: Fields, above: Path = ()) -> Iterator[Path]:
    """Yield the path of every owned place, parents before children."""
    for key, below in tree.items():
        path = (*above, key)
        if key == HERE:
            continue
        if not below or HERE in below:
            yield path
        yield from leaves(below, path)


def has(tree: Fields, path: Path) -> bool:
    """Return whether the place, or anything below it, is in the tree."""
    for key in path:
        if key not in tree:
            return False
        tree = tree[key]
    return True


def sends(body: Json, path: Path) -> bool:
    """Return whether a body has something at the place."""
    for key in path:
        found, body = _step(body, key)
        if not found:
            return False
    return True


def locate(tree: Fields, body: Json, pointer: str) -> Path | None:
    """Return the path in the tree that a JSON pointer into the body means; None when the tree does not have it."""
    path: Path = ()
    for token in tokens_of(pointer):
        key = _key_for(tree, body, token)
        if key is None:
            return None
        _, body = _step(body, key)
        tree, path = tree[key], (*path, key)
    return path or None


def tokens_of(pointer: str) -> tuple[str, ...]:
    """Return the steps of a JSON pointer (RFC 6901)."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def shown(path: Path) -> str:
    """Write a path like a JSON pointer, list entries by their key: ``/spec/containers/name=web/image``."""
    return "".join(f"/{_shown(key)}" for key in path)


def _shown(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "k":
        keys = msgspec.json.decode(rest)
        return ",".join(f"{name}={value}" for name, value in keys.items())
    return rest.replace("~", "~0").replace("/", "~1")


def _key_for(tree: Fields, body: Json, token: str) -> str | None:
    if isinstance(body, Sequence) and not isinstance(body, str):
        if not token.isdecimal() or int(token) >= len(body):
            return None
        entry = body[int(token)]
        return next((key for key in tree if key[:2] in ("k:", "v:") and _is_entry(entry, key)), None)
    key = f"f:{token}"
    return key if key in tree else None


def _step(body: Json, key: str) -> tuple[bool, Json]:
    kind, _, name = key.partition(":")
    if kind == "f":
        if isinstance(body, Mapping) and name in body:
            return True, body[name]
        return False, None
    for entry in body if isinstance(body, Sequence) and not isinstance(body, str) else ():
        if _is_entry(entry, key):
            return True, entry
    return False, None


def _is_entry(entry: Json, key: str) -> bool:
    """Whether this list entry is meant; a key field that the entry leaves to its default does not tell against it."""
    kind, _, rest = key.partition(":")
    wanted: Json = msgspec.json.decode(rest)
    if kind == "v":
        return bool(entry == wanted)
    if not isinstance(entry, Mapping) or not isinstance(wanted, Mapping):
        return False
    shared: Body = {name: value for name, value in wanted.items() if name in entry}
    return bool(shared) and all(entry[name] == value for name, value in shared.items())

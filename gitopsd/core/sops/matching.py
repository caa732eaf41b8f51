"""What sops printed, value for value beside what it was given.

So the file's own text stays as it is, and it is known which values were encrypted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gitopsd.core.sops.layout import Layout, Leaf
from gitopsd.core.sops.sealed import Kind, Sealed, sealed_in

_Key = tuple[Sealed, str]


@dataclass(frozen=True, slots=True)
class Matched:
    """Implements ``opening.Unlock`` by what sops has opened already."""

    values: Mapping[_Key, bytes] = field(repr=False)

    def __call__(self, sealed: Sealed, bound_to: str) -> bytes:
        """Return the value."""
        try:
            return self.values[sealed, bound_to]
        except KeyError:
            raise ValueError("not among what was opened") from None


def matched(layout: Layout, printed: Layout) -> Matched:
    """Return what each encrypted value of the file has become.

    Raises:
        ValueError: the two are not laid out alike, a value has lost something in print, or sops has read another one
            than stands there in plain text.
    """
    leaves = [leaf for leaf in layout.leaves if not _is_comment(leaf)]
    if [leaf.path for leaf in leaves] != [leaf.path for leaf in printed.leaves]:
        raise ValueError("other keys than those of the file")
    values = dict(_values(zip(leaves, printed.leaves, strict=True)))
    comments = {key: b"" for leaf in layout.leaves if _is_comment(leaf) and (key := _key(leaf))}
    return Matched({**values, **comments})


def matched_whole(layout: Layout, printed: bytes) -> Matched:
    """Return the same of a file that is one value."""
    return Matched({key: printed for leaf in layout.leaves if (key := _key(leaf))})


def _values(pairs: Iterator[tuple[Leaf, Leaf]]) -> Iterator[tuple[_Key, bytes]]:
    for sealed, opened in pairs:
        key = _key(sealed)
        if key is None and sealed.mac != opened.mac:
            raise ValueError("another value where none was encrypted")
        if key:
            # AES-GCM keeps the length; what is no UTF-8 loses it in JSON.
            if len(key[0].data) != len(opened.mac):
                raise ValueError("another length than what was encrypted")
            yield key, opened.mac


def _key(leaf: Leaf) -> _Key | None:
    sealed = sealed_in(leaf.text) if leaf.text is not None else None
    return (sealed, "".join(f"{step}:" for step in leaf.path)) if sealed else None


def _is_comment(leaf: Leaf) -> bool:
    key = _key(leaf)
    return key is not None and key[0].kind == Kind.COMMENT

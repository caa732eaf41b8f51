"""Sets that are never the same: two renders of equal inputs compared, told by object and place, never by value.

What was rendered first is what the inputs stand for. So such a set's digest is that of its inputs, and once it was
begun its objects are those of its snapshot: a cache that is lost gives no new passwords.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.manifests.objects import Written
from gitopsd.core.model import Desired, Json, Manifest, ObjectRef

CODE = "RENDER_UNSTABLE"
OBJECTS_TOLD_MAX = 20
PLACES_TOLD_MAX = 5

_HINT = "let the chart take the value from a Secret that exists, or write it down"


def instabilities(first: Sequence[Written], second: Sequence[Written]) -> tuple[Problem, ...]:
    """Return a warning for each object that is not the same in both; the first ones of many."""
    return tuple(islice(_found(first, second), OBJECTS_TOLD_MAX))


def lasting(desired: Desired, inputs: str) -> Desired:
    """Return the set under a digest that lasts as long as its inputs do; ``inputs`` tells these from all others."""
    return replace(desired, digest=digest_of(canonical([CODE, inputs]))) if is_unstable(desired) else desired


def is_unstable(desired: Desired) -> bool:
    """Return whether the set would be another one if it were rendered again."""
    return any(warning.code == CODE for warning in desired.warnings)


def _found(first: Sequence[Written], second: Sequence[Written]) -> Iterator[Problem]:
    again: Mapping[ObjectRef, Written] = {written.manifest.ref: written for written in second}
    known = {written.manifest.ref for written in first}
    for written in first:
        other = again.get(written.manifest.ref)
        if other is None:
            yield _problem(written.manifest, "is called something else at each render")
        elif other.canonical != written.canonical:
            places = list(islice(_differences(written.manifest.body, other.manifest.body, ""), PLACES_TOLD_MAX + 1))
            more = " and more" if len(places) > PLACES_TOLD_MAX else ""
            where = ", ".join(places[:PLACES_TOLD_MAX])
            yield _problem(written.manifest, f"is not the same at each render: {where}{more}")
    # Where one is missing, the one too many is most likely the same by another name.
    for ref in again.keys() - known if known <= again.keys() else ():
        yield _problem(again[ref].manifest, "is not there at each render")


def _differences(one: Json, other: Json, pointer: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(key), other.get(key), f"{pointer}/{_escaped(key)}")
    elif isinstance(one, list) and isinstance(other, list):
        for index, (left, right) in enumerate(zip_longest(one, other)):
            yield from _differences(left, right, f"{pointer}/{index}")
    elif one != other or type(one) is not type(other):
        yield pointer or "/"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _problem(manifest: Manifest, message: str) -> Problem:
    return Problem(
        code=CODE,
        stage=Stage.RENDER,
        message=message,
        hint=_HINT,
        ref=str(manifest.ref),
        file=manifest.origin.file,
    )

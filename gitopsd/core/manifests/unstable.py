"""Two renders of equal inputs, compared: what differs is said by object and place, never by value.

The first of the two is what is applied. A renderer that is not asked again for equal inputs then gives no drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.manifests.objects import Written
from gitopsd.core.model import Json, Manifest, ObjectRef

OBJECTS_TOLD_MAX = 20
PLACES_TOLD_MAX = 5

_HINT = "let the chart take the value from a Secret that exists, or write it down"


def instabilities(first: Sequence[Written], second: Sequence[Written]) -> tuple[Problem, ...]:
    """Return a warning for each object that is not the same in both; the first ones of many."""
    return tuple(islice(_found(first, second), OBJECTS_TOLD_MAX))


def _found(first: Sequence[Written], second: Sequence[Written]) -> Iterator[Problem]:
    again: Mapping[ObjectRef, Written] = {written.manifest.ref: written for written in second}
    for written in first:
        other = again.get(written.manifest.ref)
        if other is None:
            yield _problem(written.manifest, "is called something else at each render")
        elif other.canonical != written.canonical:
            places = list(islice(_differences(written.manifest.body, other.manifest.body, ""), PLACES_TOLD_MAX + 1))
            more = " and more" if len(places) > PLACES_TOLD_MAX else ""
            where = ", ".join(places[:PLACES_TOLD_MAX])
            yield _problem(written.manifest, f"is not the same at each render: {where}{more}")


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
        code="RENDER_UNSTABLE",
        stage=Stage.RENDER,
        message=message,
        hint=_HINT,
        ref=str(manifest.ref),
        file=manifest.origin.file,
    )

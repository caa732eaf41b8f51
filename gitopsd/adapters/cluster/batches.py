"""Many reads in few requests: each object by itself when they are few, by labelled list when they are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.reading import Reader, ref_of
from gitopsd.core.model import Body, ObjectRef
from gitopsd.core.ownership import PART_OF

GET_COUNT_MAX = 10


@dataclass(frozen=True, slots=True)
class _Batch:
    resource: Resource
    namespace: str
    refs: tuple[ObjectRef, ...]


def read_many(
    reader: Reader, lanes: Lanes, wanted: Sequence[tuple[Resource, ObjectRef]], apply_set: str
) -> Mapping[ObjectRef, Body | None]:
    """Return each object; None when it surely is not there.

    An object that a labelled list does not show is left out: it may be there without our label.

    Raises:
        ClusterError: something could not be read whole.
    """
    batches = _batches(wanted, listable=bool(apply_set))

    def read(batch: _Batch) -> dict[ObjectRef, Body | None]:
        if len(batch.refs) == 1:
            return {batch.refs[0]: reader.get(batch.resource, batch.refs[0])}
        listed = reader.list_all(batch.resource, batch.namespace, f"{PART_OF}={apply_set}")
        found = {ref_of(batch.resource, body): body for body in listed}
        return {ref: found[ref] for ref in batch.refs if ref in found}

    merged: dict[ObjectRef, Body | None] = {}
    for answer in lanes.each(read, batches):
        merged |= answer
    return merged


def _batches(wanted: Sequence[tuple[Resource, ObjectRef]], *, listable: bool) -> list[_Batch]:
    groups: dict[tuple[Resource, str], list[ObjectRef]] = {}
    for resource, ref in wanted:
        groups.setdefault((resource, ref.namespace), []).append(ref)
    batches: list[_Batch] = []
    for (resource, namespace), refs in groups.items():
        if listable and len(refs) > GET_COUNT_MAX:
            batches.append(_Batch(resource, namespace, tuple(refs)))
        else:
            batches += [_Batch(resource, namespace, (ref,)) for ref in refs]
    return batches

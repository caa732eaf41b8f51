"""Look at every object of a set, cheapest way first; what did not change since it was last seen costs nothing.

remembered and unchanged since → nothing; few unknown → GET each; many → one labelled LIST per kind and namespace;
what we sent is all there and nobody added by hand → settled; else the server's dry-run decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitopsd.adapters.cluster.batches import read_many
from gitopsd.adapters.cluster.below import read_below
from gitopsd.adapters.cluster.discovery import GROUP_SILENT, Resource
from gitopsd.adapters.cluster.examination import Examiner, Look
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.memory import Freshness, Memory
from gitopsd.adapters.cluster.omissions import Omissions
from gitopsd.adapters.cluster.previews import Previewer
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.core.answers import Meaning, about, problem_of
from gitopsd.core.errors import ClusterError, Stage
from gitopsd.core.manifests.intents import managed
from gitopsd.core.model import (
    Body,
    Deferred,
    Desired,
    Environment,
    Inventory,
    Item,
    Manifest,
    ObjectRef,
    Preview,
    Refused,
    Sight,
)

_NO_KIND = Deferred("its kind is not served yet")
_SILENT = Deferred("its API group does not answer")
_NO_NAMESPACE = Deferred("its namespace is not there yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at one environment."""

    environment: Environment
    inventory: Inventory
    omissions: Omissions
    reader: Reader
    previewer: Previewer
    memory: Memory
    freshness: Freshness
    lanes: Lanes

    def sights(self, desired: Desired) -> Mapping[ObjectRef, Sight]:
        """Look at every object of the desired set that is not left alone.

        Raises:
            ClusterError: something could not be known.
        """
        first = [self._without_asking(manifest) for manifest in managed(desired.manifests)]
        looks = [found for found in first if isinstance(found, Look)]
        found = {sight.ref: sight for sight in first if isinstance(sight, Sight)}
        found |= {sight.ref: sight for sight in self._examined(looks)}
        return found

    def _without_asking(self, manifest: Manifest) -> Sight | Look:
        resource = self._resource(manifest)
        if not isinstance(resource, Resource):
            return Sight(ref=manifest.ref, live=None, preview=resource)
        omit = self.omissions.of(manifest)
        remembered = self.memory.recall(self.environment.name, manifest.ref)
        is_settled = remembered and remembered.agrees(manifest.digest, omit) and not remembered.is_moving
        if remembered and is_settled and self.freshness.is_unchanged(resource, remembered.live):
            return Sight(ref=manifest.ref, live=remembered.live, omit=omit)
        return Look(manifest=manifest, resource=resource, item=self.inventory.get(manifest.ref, Item()), omit=omit)

    def _resource(self, manifest: Manifest) -> Resource | Preview:
        """Where the object lies; or why that cannot be said yet, or ever."""
        comes_with_the_set = self.previewer.bringers.bring(manifest.ref)
        try:
            found = self.reader.discovery.find(manifest.api_version, manifest.ref.kind, expected=comes_with_the_set)
        except ClusterError as unknown:
            if not comes_with_the_set or unknown.problem.code != GROUP_SILENT:
                raise
            # Whoever is to answer for the group comes with the set, too: all else of it is written and judged.
            return _SILENT
        if found:
            return found
        return _NO_KIND if comes_with_the_set else self._not_served(manifest)

    def _not_served(self, manifest: Manifest) -> Refused:
        served = self.reader.discovery.versions(manifest.ref.group, manifest.ref.kind)
        said = f"served are: {', '.join(served)}" if served else f"no version of {manifest.ref.group_kind} is served"
        return Refused(problem_of(Meaning.KIND_UNKNOWN, said, about(manifest, Stage.VALIDATE)))

    def _examined(self, looks: Sequence[Look]) -> list[Sight]:
        wanted = [(look.resource, look.ref) for look in looks]
        bodies = read_many(self.reader, self.lanes, wanted, self.environment.apply_set)
        below = read_below(self.reader, [body for body in bodies.values() if body is not None])
        examiner = Examiner(
            environment=self.environment,
            reader=self.reader,
            previewer=self.previewer,
            memory=self.memory,
            below=below,
        )
        missing = _missing_namespaces(looks, bodies)

        def examine(look: Look) -> Sight:
            if look.ref.namespace in missing:
                return Sight(ref=look.ref, live=None, preview=_NO_NAMESPACE, omit=look.omit)
            return examiner.known(look, bodies[look.ref]) if look.ref in bodies else examiner.unseen(look)

        return self.lanes.each(examine, looks)


def _missing_namespaces(looks: Sequence[Look], bodies: Mapping[ObjectRef, Body | None]) -> frozenset[str]:
    """Namespaces of the set that surely are not there: nothing in them needs to be asked for."""
    namespaces = [look.ref for look in looks if (look.ref.group, look.ref.kind) == ("", "Namespace")]
    return frozenset(ref.name for ref in namespaces if ref in bodies and bodies[ref] is None)

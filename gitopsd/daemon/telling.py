"""Tells Git of reverts: on the beat of the fetches, once per hold, a few tries, never by force.

The hold stands whatever comes of it. What is to be pushed is rendered first: it must be what was kept, to the digest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loguru import logger

from gitopsd.core.errors import GitopsdError, Problem, RenderError, SourceError, Stage
from gitopsd.core.manifests.place import place
from gitopsd.core.model import Environment, Wanted
from gitopsd.core.passes import Pass
from gitopsd.core.reversal import Reversal, Told, reversal_of
from gitopsd.ports import Draft, Ports, Reverts

TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class _Try:
    told: Told
    mark: str
    count: int = 1

    @property
    def is_over(self) -> bool:
        return self.told.revision is not None or self.count >= TRIES_MAX


@dataclass(eq=False)
class Telling:
    """What was told so far. ``reverts`` are by source; a source without one is told nothing."""

    ports: Ports
    reverts: Mapping[str, Reverts]
    _tries: dict[str, _Try] = field(default_factory=dict)

    def tell(self, environment: Environment, latest: Pass) -> Told | None:
        """Tell Git what this pass leaves to be told; return how that stands, None = there is nothing to tell."""
        reverts = self.reverts.get(environment.source)
        reversal = reversal_of(environment, latest) if reverts else None
        if reverts is None or reversal is None:
            self._tries.pop(environment.name, None)
            return None
        before = self._tries.get(environment.name)
        if before and before.mark == reversal.mark:
            if before.is_over:
                return before.told
            count = before.count + 1
        else:
            count = 1
        told = self._try(reversal, reverts)
        self._tries[environment.name] = _Try(told, reversal.mark, count)
        return told

    def _try(self, reversal: Reversal, reverts: Reverts) -> Told:
        bound = logger.bind(environment=reversal.environment.name)
        try:
            draft = self._chosen(reversal, reverts.drafts(reversal))
            if not draft.is_published:
                reverts.publish(draft)
        except GitopsdError as error:
            bound.bind(code=error.problem.code, cause=error.problem.cause).warning("Git was not told of the revert")
            return Told(problem=error.problem)
        bound.bind(revision=str(draft.wanted.revision)).info("Git was told of the revert")
        return Told(revision=draft.wanted.revision)

    def _chosen(self, reversal: Reversal, drafts: Iterable[Draft]) -> Draft:
        """Return the first that is published already, or renders to what was kept.

        Raises:
            GitopsdError: none does.
        """
        for draft in drafts:
            with contextlib.suppress(RenderError):
                if draft.is_published or self._digest(reversal.environment, draft.wanted) == reversal.hold.back_to:
                    return draft
        raise SourceError(_otherwise(reversal))

    def _digest(self, environment: Environment, wanted: Wanted) -> str:
        rendered = self.ports.renderer.render(environment, wanted)
        kinds = {(manifest.api_version, manifest.ref.kind) for manifest in rendered.manifests}
        return place(rendered, self.ports.cluster.scopes(kinds), environment).digest


def _otherwise(reversal: Reversal) -> Problem:
    return Problem(
        code="GIT_REVERT_OTHERWISE",
        stage=Stage.RENDER,
        message=f"with {reversal.environment.path} as it was at {reversal.kept.commit}, it would still be another",
        hint="what it uses of other directories changed as well; put that back in Git, or commit a fix",
    )

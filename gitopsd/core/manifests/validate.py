"""What ``validate`` and ``render`` show of a directory: all that is wrong, worth knowing, or would be applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.canonical import canonical_set
from gitopsd.core.manifests.directory import Rendered
from gitopsd.core.manifests.intents import foreign_annotations
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.manifests.scopes import is_cluster_scoped
from gitopsd.core.model import Manifest
from gitopsd.core.order import needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """``problems`` would reject the commit; ``warnings`` would not."""

    objects: int
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def findings_of(rendered: Rendered) -> Findings:
    """Return everything there is to say about a directory, without a cluster."""
    foreign = (problem for written in rendered.objects for problem in _foreign(written.manifest))
    problems = rendered.problems or _order_problems(written.manifest for written in rendered.objects)
    return Findings(objects=len(rendered.objects), problems=problems, warnings=(*rendered.warnings, *foreign))


def rendered_json(rendered: Rendered) -> bytes:
    """Return a directory's objects as one canonical JSON array, in ref order.

    Raises:
        RenderError: with every problem found.
    """
    refuse_any(rendered.problems)
    return canonical_set(written.canonical for written in rendered.objects)


def _order_problems(manifests: Iterable[Manifest]) -> tuple[Problem, ...]:
    """What waits for what can be told only when every object says where it lives."""
    known = tuple(manifests)
    if any(not one.ref.namespace and not is_cluster_scoped(one.ref.group, one.ref.kind) for one in known):
        return ()
    try:
        needs(known)
    except RenderError as error:
        return error.problems
    return ()


def _foreign(manifest: Manifest) -> Iterator[Problem]:
    for annotation in foreign_annotations(manifest):
        written = f"{annotation.key}: {annotation.word}" if annotation.word else annotation.key
        effect = f"acts: {annotation.meaning}" if annotation.meaning else "changes nothing here"
        yield Problem(
            code="FOREIGN_ANNOTATION_ACTS" if annotation.meaning else "FOREIGN_ANNOTATION_IGNORED",
            stage=Stage.VALIDATE,
            message=f"{written} {effect}",
            ref=str(manifest.ref),
            file=manifest.origin.file,
            line=manifest.origin.line,
        )

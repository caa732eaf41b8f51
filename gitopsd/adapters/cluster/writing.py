"""Apply changes, wave by wave; within a wave side by side. Each change ends as one answer, whatever happened.

Git wins for the fields that we send. What hand tools added is taken over first, and what we must not send any more is
given up first: both by a patch that holds only for the version that was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import msgspec

from gitopsd.adapters.cluster import trouble
from gitopsd.adapters.cluster.applying import refused, send_apply
from gitopsd.adapters.cluster.below import is_moving
from gitopsd.adapters.cluster.discovery import Discovery, Resource
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.memory import Memory, Remembered
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.recreation import Recreation
from gitopsd.adapters.cluster.seeing import live_object
from gitopsd.adapters.cluster.transport import JSON_PATCH, Line
from gitopsd.core import diff
from gitopsd.core.answers import Meaning, about, meaning_of, warnings_about
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.health import assess
from gitopsd.core.model import Applied, Body, Environment
from gitopsd.core.ownership import MANAGER, ownership_patch
from gitopsd.core.plan import Action, Change
from gitopsd.ports import Answer, Call

HANDOVERS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes for one environment, on its line."""

    environment: Environment
    line: Line
    discovery: Discovery
    memory: Memory
    lanes: Lanes
    recreation: Recreation

    def apply(self, changes: Sequence[Change]) -> tuple[Applied, ...]:
        """Write them; the waves behind one that failed are not tried.

        Raises:
            ClusterError: nothing was written.
        """
        ordered = sorted(changes, key=lambda change: change.wave)
        answers: dict[int, Applied | ClusterError] = {}
        for _, wave in groupby(ordered, key=lambda change: change.wave):
            wave_changes = list(wave)
            if any(_is_failure(answer) for answer in answers.values()):
                break
            written = self.lanes.each(self._write, wave_changes)
            answers.update((id(change), answer) for change, answer in zip(wave_changes, written, strict=True))
        errors = [answer for answer in answers.values() if isinstance(answer, ClusterError)]
        if errors and len(errors) == len(answers):
            raise errors[0]
        return tuple(_answer(change, answers.get(id(change))) for change in changes)

    def _write(self, change: Change) -> Applied | ClusterError:
        self.memory.drop(self.environment.name, (change.ref,))
        try:
            return self._written(change)
        except ClusterError as error:
            return error

    def _written(self, change: Change) -> Applied:
        resource = self.discovery.find(change.manifest.api_version, change.ref.kind)
        if resource is None:
            return refused(change, Meaning.KIND_UNKNOWN, "")
        if change.action is Action.RECREATE:
            return self.recreation.recreate(change, resource)
        if change.sight.take_over or change.sight.release:
            self._hand_over(change, resource)
        sent = diff.payload(change.manifest, self.environment, change.sight.omit, change.uid)
        answer = send_apply(self.line, resource, change, sent)
        meaning = meaning_of(answer.status, answer.body)
        if meaning is Meaning.DONE and isinstance(answer.body, Mapping):
            return self._accepted(change, answer, answer.body)
        if meaning is Meaning.KIND_UNKNOWN:
            self.discovery.expire()
        return refused(change, meaning, answer.body)

    def _accepted(self, change: Change, answer: Answer, body: Body) -> Applied:
        if change.ref.kind in ("CustomResourceDefinition", "APIService"):
            self.discovery.expire()
        live = live_object(self.environment, change.ref, body, assess(body))
        if not live.owner:
            seen = Remembered(
                live=replace(live, body=None),
                digest=change.manifest.digest,
                omit=change.sight.omit,
                is_moving=is_moving(body, live.health),
            )
            self.memory.keep(self.environment.name, seen)
        warnings = warnings_about(change.manifest, answer.warnings)
        return Applied(ref=change.ref, uid=live.uid, fingerprint=live.fingerprint, warnings=warnings)

    def _hand_over(self, change: Change, resource: Resource) -> None:
        """Move the ownership of fields before the apply; nothing to move is fine.

        Raises:
            ClusterError: the object kept changing under our hands, or may not be written.
        """
        reader = Reader(self.line, self.discovery)
        for _ in range(HANDOVERS_MAX):
            body = reader.get(resource, change.ref, Stage.APPLY)
            sent = diff.payload(change.manifest, self.environment, change.sight.omit)
            patch = ownership_patch(body or {}, sent, change.sight.omit, take_over=bool(change.sight.take_over))
            if not patch:
                return
            answer = self.line.call(
                Call(
                    method="PATCH",
                    path=resource.path(change.ref),
                    query={"fieldManager": MANAGER},
                    body=msgspec.json.encode(patch),
                    content_type=JSON_PATCH,
                )
            )
            meaning = meaning_of(answer.status, answer.body)
            if meaning is Meaning.DONE:
                return
            if not meaning.is_stale_look:
                break
        raise trouble.failed(meaning, answer.body, about(change.manifest, Stage.APPLY))


def _is_failure(answer: Applied | ClusterError) -> bool:
    return isinstance(answer, ClusterError) or answer.problem is not None


def _answer(change: Change, answer: Applied | ClusterError | None) -> Applied:
    if isinstance(answer, Applied):
        return answer
    if answer is None:
        return Applied(ref=change.ref, problem=_not_tried(change), retry=True)
    where = change.manifest.origin
    problem = replace(answer.problem, ref=str(change.ref), file=where.file, line=where.line)
    return Applied(ref=change.ref, problem=problem, retry=answer.retry)


def _not_tried(change: Change) -> Problem:
    return Problem(
        code="NOT_TRIED",
        stage=Stage.APPLY,
        message="was not written, because something that goes before it failed",
        hint="see the other problems of this pass",
        ref=str(change.ref),
        file=change.manifest.origin.file,
        line=change.manifest.origin.line,
    )

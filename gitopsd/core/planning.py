"""How a plan is made: one object at a time, by what was seen of it. The order of the questions is the policy.

Each object ends as exactly one of: unchanged, a change, waiting, a rejection, a conflict, or a fight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, TypeVar

from gitopsd.core import diff, leftovers
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.health import is_good
from gitopsd.core.intents import intents_of
from gitopsd.core.model import (
    Accepted,
    Deferred,
    Desired,
    HealthStatus,
    Item,
    Live,
    LiveObject,
    Manifest,
    ObjectRef,
    Preview,
    Refused,
    Sight,
)
from gitopsd.core.order import in_order, needs
from gitopsd.core.plan import Action, Cause, Change, Plan
from gitopsd.core.record import CORRECTIONS_WINDOW_S, Record
from gitopsd.core.target import Target

FIGHT_CORRECTIONS_MAX = 5


@dataclass(frozen=True, slots=True)
class _Unchanged:
    learned: Item | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    why: str


@dataclass(frozen=True, slots=True)
class _Rejected:
    problem: Problem


@dataclass(frozen=True, slots=True)
class _Conflict:
    problem: Problem


@dataclass(frozen=True, slots=True)
class _Fight:
    problem: Problem


_Kind = TypeVar("_Kind")
_Step: TypeAlias = _Unchanged | _Waiting | _Rejected | _Conflict | _Fight | Change


def make_plan(target: Target, desired: Desired, live: Live, record: Record, now: datetime) -> Plan:
    """Say what would bring the cluster to the desired set.

    Raises:
        RenderError: the set cannot be ordered.
    """
    gates = needs(desired.manifests)
    closed = _closed(live)
    planner = _Planner(target=target, record=record, now=now)
    steps: list[tuple[Manifest, _Step]] = []
    for wave, manifest in in_order(desired.manifests):
        step = planner.step(manifest, live.sights[manifest.ref])
        blockers = sorted(gates[manifest.ref] & closed)
        if isinstance(step, Change):
            step = _Waiting(f"for {blockers[0]}") if blockers else replace(step, wave=wave)
        steps.append((manifest, step))
    return _collect(target, desired, live, record, steps)


def _closed(live: Live) -> frozenset[ObjectRef]:
    """Objects that nothing may build upon yet."""
    return frozenset(ref for ref, sight in live.sights.items() if sight.live is None or not is_good(sight.live.health))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    target: Target
    record: Record
    now: datetime

    def step(self, manifest: Manifest, sight: Sight) -> _Step:
        """Decide about one object."""
        item = self.record.inventory.get(manifest.ref, Item())
        wishes = intents_of(manifest)
        if wishes.unmanaged or (wishes.create_only and sight.live is not None):
            return _Unchanged()
        if sight.live is None:
            return self._absent(manifest, sight, item)
        return self._present(manifest, sight, sight.live, item)

    def _absent(self, manifest: Manifest, sight: Sight, item: Item) -> _Step:
        if _job_is_over(manifest, item):
            return _Unchanged()
        cause = Cause.DRIFT if item.digest == manifest.digest else Cause.NEW
        match sight.preview:
            case Refused(problem):
                return _Rejected(problem)
            case Deferred(why):
                return _Waiting(why)
            case Accepted() | None:
                return self._unless_fighting(
                    Change(action=Action.CREATE, cause=cause, manifest=manifest, sight=sight, strict=not item.digest),
                    None,
                )

    def _present(self, manifest: Manifest, sight: Sight, live: LiveObject, item: Item) -> _Step:
        if live.owner and not self._may_take(manifest, live):
            return _Conflict(_claimed(manifest, live))
        if live.health.status is HealthStatus.TERMINATING:
            return _Waiting(f"{manifest.ref} is being deleted")
        if self.target.going_back and _is_finished_job(manifest, live):
            return _Unchanged(_learned(manifest, live, item))
        return self._previewed(manifest, sight, live, item)

    def _may_take(self, manifest: Manifest, live: LiveObject) -> bool:
        """Whether an object of somebody else may become ours: asked for, shared by nature, or handed over."""
        if live.owner.startswith("environment "):
            handed_over = self.target.others.gave_up(manifest.ref, live.owner.removeprefix("environment "))
            return handed_over or intents_of(manifest).adopt
        return manifest.ref.kind == "Namespace" or intents_of(manifest).adopt

    def _previewed(self, manifest: Manifest, sight: Sight, live: LiveObject, item: Item) -> _Step:
        preview: Preview | None = sight.preview
        match preview:
            case None:
                if not sight.release and not sight.take_over:
                    return _Unchanged(_learned(manifest, live, item))
                return self._update(manifest, sight, live, item)
            case Deferred(why):
                return _Waiting(why)
            case Refused(problem, immutable):
                if immutable and intents_of(manifest).recreate:
                    return _change(Action.RECREATE, manifest, sight, live, item)
                return _Rejected(problem)
            case Accepted(body):
                change = self._update(manifest, sight, live, item)
                nothing = live.body is not None and not diff.explain(live.body, body) and not live.owner
                if nothing and not sight.release and not sight.take_over:
                    return _Unchanged(_learned(manifest, live, item))
                return change

    def _update(self, manifest: Manifest, sight: Sight, live: LiveObject, item: Item) -> _Step:
        return self._unless_fighting(_change(Action.UPDATE, manifest, sight, live, item), live)

    def _unless_fighting(self, change: Change, live: LiveObject | None) -> _Step:
        recent = [
            at
            for at in self.record.corrections.get(change.ref, ())
            if (self.now - at).total_seconds() < CORRECTIONS_WINDOW_S
        ]
        if change.cause is not Cause.DRIFT or len(recent) < FIGHT_CORRECTIONS_MAX:
            return change
        other = diff.last_writer(live.body) if live and live.body else "somebody"
        return _Fight(
            Problem(
                code="FIGHTING",
                stage=Stage.APPLY,
                message=f"{other} keeps changing it back; corrected {len(recent)} times in 10 minutes, now left alone",
                hint="let one of the two own the field: remove it from Git, or name it under ignore in gitopsd.yaml",
                ref=str(change.ref),
                file=change.manifest.origin.file,
                line=change.manifest.origin.line,
            )
        )


def _change(action: Action, manifest: Manifest, sight: Sight, live: LiveObject, item: Item) -> Change:
    known = Cause.DRIFT if item.digest == manifest.digest else Cause.COMMIT
    after = sight.preview.body if isinstance(sight.preview, Accepted) else None
    patch = diff.explain(live.body, after) if live.body is not None and after is not None else ()
    return Change(
        action=action,
        cause=Cause.ADOPTION if live.owner else known,
        manifest=manifest,
        sight=sight,
        uid=live.uid,
        strict=item.digest != manifest.digest,
        patch=patch,
    )


def _learned(manifest: Manifest, live: LiveObject, item: Item) -> Item | None:
    if (item.uid, item.digest) == (live.uid, manifest.digest):
        return None
    return replace(item, uid=live.uid, digest=manifest.digest, fingerprint=live.fingerprint)


def _job_is_over(manifest: Manifest, item: Item) -> bool:
    """Whether an absent Job ran already and then went by its own time to live."""
    spec = manifest.body.get("spec")
    goes_by_itself = isinstance(spec, Mapping) and "ttlSecondsAfterFinished" in spec
    return manifest.ref.kind == "Job" and goes_by_itself and bool(item.uid) and item.digest == manifest.digest


def _is_finished_job(manifest: Manifest, live: LiveObject) -> bool:
    return manifest.ref.kind == "Job" and live.health.status in (HealthStatus.CURRENT, HealthStatus.FAILED)


def _claimed(manifest: Manifest, live: LiveObject) -> Problem:
    return Problem(
        code="OWNERSHIP_CONFLICT" if live.owner.startswith("environment ") else "ADOPTION_REFUSED",
        stage=Stage.PLAN,
        message=f"exists already and belongs to {live.owner}",
        hint='remove it there, or put the annotation gitopsd.dev/adopt: "true" on the manifest to take it over',
        ref=str(manifest.ref),
        file=manifest.origin.file,
        line=manifest.origin.line,
    )


def _collect(
    target: Target, desired: Desired, live: Live, record: Record, steps: Sequence[tuple[Manifest, _Step]]
) -> Plan:
    unchanged = [(manifest, step) for manifest, step in steps if isinstance(step, _Unchanged)]
    going = leftovers.sort_out(target, desired, live, record)
    return Plan(
        digest=desired.digest,
        revision=desired.revision,
        changes=tuple(_of(steps, Change)),
        waiting=tuple(f"{manifest.ref} waits: {step.why}" for manifest, step in steps if isinstance(step, _Waiting)),
        pending=frozenset(manifest.ref for manifest, step in steps if isinstance(step, Change | _Waiting)),
        rejections=tuple(step.problem for step in _of(steps, _Rejected)),
        conflicts=tuple(step.problem for step in _of(steps, _Conflict)),
        fighting=tuple(step.problem for step in _of(steps, _Fight)),
        prunes=going.prunes,
        kept_back=going.kept_back,
        learned={manifest.ref: step.learned for manifest, step in unchanged if step.learned},
        forgotten=going.forgotten,
        unchanged_count=len(unchanged),
    )


def _of(steps: Sequence[tuple[Manifest, _Step]], kind: type[_Kind]) -> list[_Kind]:
    return [step for _, step in steps if isinstance(step, kind)]

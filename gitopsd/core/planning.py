"""How a plan is made: one object at a time, by what was seen of it. The order of the questions is the policy.

What is left alone has no part in it. Each other object ends as exactly one of: unchanged, a change, waiting, a
rejection, a conflict, or a fight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from gitopsd.core import diff, leftovers
from gitopsd.core.errors import Problem, Stage
from gitopsd.core.health import NOT_STARTED, is_good
from gitopsd.core.manifests.intents import intents_of, managed
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
    Stuck,
)
from gitopsd.core.order import in_order, needs
from gitopsd.core.plan import Action, Cause, Change, Plan
from gitopsd.core.record import CORRECTIONS_WINDOW_S, Record, Trigger
from gitopsd.core.target import Target

FIGHT_CORRECTIONS_MAX = 5
PATIENCE_S_MAX = 60.0
# A change leaves these what they are to whoever needs them.
_STAYS = frozenset({"CustomResourceDefinition", "Namespace", "APIService"})


@dataclass(frozen=True, slots=True)
class _Unchanged:
    learned: Item | None = None
    apart: bool = False


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
    planner = _Planner(target=target, record=record, now=now)
    steps = [
        (manifest, _in_wave(wave, planner.step(manifest, live.sights[manifest.ref])))
        for wave, manifest in in_order(managed(desired.manifests))
    ]
    return _collect(planner, desired, live, _behind_gates(desired, live, steps))


def _in_wave(wave: int, step: _Step) -> _Step:
    return replace(step, wave=wave) if isinstance(step, Change) else step


def _behind_gates(
    desired: Desired, live: Live, steps: Sequence[tuple[Manifest, _Step]]
) -> list[tuple[Manifest, _Step]]:
    """Let changes wait for the objects that must be well before them."""
    gates, closed = needs(desired.manifests), _closed(live, steps)
    return [
        (manifest, _Waiting(f"for {min(blockers)}"))
        if isinstance(step, Change) and (blockers := gates[manifest.ref] & closed)
        else (manifest, step)
        for manifest, step in steps
    ]


def _closed(live: Live, steps: Sequence[tuple[Manifest, _Step]]) -> frozenset[ObjectRef]:
    """Objects that nothing may build upon yet: not well, or about to be another than what was found well."""
    return frozenset(
        manifest.ref
        for manifest, step in steps
        if not (_is_apart(step) or intents_of(manifest).health_ignore)
        and (not _is_well(live.sights[manifest.ref]) or (isinstance(step, Change) and manifest.ref.kind not in _STAYS))
    )


def _is_apart(step: _Step) -> bool:
    return isinstance(step, _Unchanged) and step.apart


def _is_well(sight: Sight) -> bool:
    return sight.live is not None and is_good(sight.live.health)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    target: Target
    record: Record
    now: datetime

    def step(self, manifest: Manifest, sight: Sight) -> _Step:
        """Decide about one object."""
        item = self.record.inventory.get(manifest.ref, Item())
        wishes = intents_of(manifest)
        if wishes.create_only and sight.live is not None:
            return _Unchanged()
        if sight.live is None:
            return self._absent(manifest, sight, item)
        return self._present(manifest, sight, sight.live, item)

    def _absent(self, manifest: Manifest, sight: Sight, item: Item) -> _Step:
        if _job_is_over(manifest, item, going_back=self.target.going_back):
            return self._over(manifest)
        elder = "" if item.uid else self.target.others.elder_of(manifest.ref)
        if elder:
            return _Conflict(_wanted_before(manifest, elder))
        cause = Cause.DRIFT if item.digest == manifest.digest else Cause.NEW
        match sight.preview:
            case Refused(problem):
                return self._refused(problem, manifest, item)
            case Deferred(why):
                return _Waiting(why)
            case Accepted() | None:
                return self._unless_fighting(
                    Change(action=Action.CREATE, cause=cause, manifest=manifest, sight=sight, strict=not item.digest),
                    None,
                )

    def _present(self, manifest: Manifest, sight: Sight, live: LiveObject, item: Item) -> _Step:
        if live.owner and not self._may_take(manifest, live, item):
            return _Conflict(_claimed(manifest, live))
        if live.health.status is HealthStatus.TERMINATING:
            is_over = _job_is_over(manifest, item, going_back=self.target.going_back)
            return self._over(manifest) if is_over else _Waiting(f"{manifest.ref} is being deleted")
        if _is_finished_job(manifest, live) and (self.target.going_back or _is_known(manifest, live, item)):
            # It did its work, or failed at it; either way it is never run again for having been looked at.
            return _Unchanged(_learned(manifest, live, item), apart=self.target.going_back)
        return self._previewed(manifest, sight, live, item)

    def _over(self, manifest: Manifest) -> _Unchanged:
        """A Job that is done and goes says nothing, but for one that was seen to fail in this rollout."""
        rollout = self.record.rollout_of(self.target.digest)
        return _Unchanged(apart=rollout is None or not rollout.fails(manifest.ref))

    def _may_take(self, manifest: Manifest, live: LiveObject, item: Item) -> bool:
        """Whether an object of somebody else may become ours: handed over, asked for, or ours all along."""
        intents, others = intents_of(manifest), self.target.others
        if live.owner.startswith("environment "):
            asked_for = intents.adopt and not others.may_still_want(manifest.ref, live.part_of)
            return asked_for or others.gave_up(manifest.ref, live.part_of)
        only_lost_its_marks = live.owner.startswith("nobody") and bool(item.uid) and item.uid == live.uid
        return only_lost_its_marks or manifest.ref.kind == "Namespace" or intents.adopt

    def _refused(self, problem: Problem, manifest: Manifest, item: Item) -> _Rejected | _Conflict:
        """A refusal condemns a digest only where the digest is what is new; rights are never the commit's fault."""
        if item.digest == manifest.digest or problem.code == "FORBIDDEN":
            return _Conflict(problem)
        return _Rejected(problem)

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
                    return self._unless_fighting(_change(Action.RECREATE, manifest, sight, live, item), live)
                return self._refused(problem, manifest, item)
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
    new = Cause.ADOPTION if live.owner else Cause.COMMIT
    after = sight.preview.body if isinstance(sight.preview, Accepted) else None
    secret = manifest.is_secret or item.sensitive
    patch = diff.explain(live.body, after, secret=secret) if live.body is not None and after is not None else ()
    return Change(
        action=action,
        cause=Cause.DRIFT if item.digest == manifest.digest else new,
        manifest=manifest,
        sight=sight,
        uid=live.uid,
        strict=item.digest != manifest.digest,
        patch=patch,
        secret=secret,
    )


def _learned(manifest: Manifest, live: LiveObject, item: Item) -> Item | None:
    if _is_known(manifest, live, item):
        return None
    return replace(item, uid=live.uid, digest=manifest.digest, fingerprint=live.fingerprint)


def _job_is_over(manifest: Manifest, item: Item, *, going_back: bool) -> bool:
    """Whether an absent Job ran already: one that is to run only once, or that went by its own time to live.

    On the way back it ran as well, when it was kept: the Job that took its place is the one that has gone.
    """
    if manifest.ref.kind != "Job" or not item.uid:
        return False
    spec = manifest.body.get("spec")
    goes_by_itself = isinstance(spec, Mapping) and "ttlSecondsAfterFinished" in spec
    return intents_of(manifest).create_only or (goes_by_itself and (going_back or item.digest == manifest.digest))


def _is_finished_job(manifest: Manifest, live: LiveObject) -> bool:
    """Whether it is over. One whose pods cannot start is not: it would run as soon as they can."""
    health = live.health
    failed = health.status is HealthStatus.FAILED and health.reason not in NOT_STARTED
    return manifest.ref.kind == "Job" and (failed or health.status is HealthStatus.CURRENT)


def _is_known(manifest: Manifest, live: LiveObject, item: Item) -> bool:
    return (item.uid, item.digest) == (live.uid, manifest.digest)


def _claimed(manifest: Manifest, live: LiveObject) -> Problem:
    hint = 'remove it there, or put the annotation gitopsd.dev/adopt: "true" on the manifest to take it over'
    if intents_of(manifest).adopt:
        hint = "remove it there; it is taken over once that environment, at the same commit, says it wants it no more"
    return Problem(
        code="OWNERSHIP_CONFLICT" if live.owner.startswith("environment ") else "ADOPTION_REFUSED",
        stage=Stage.PLAN,
        message=f"exists already and belongs to {live.owner}",
        hint=hint,
        ref=str(manifest.ref),
        file=manifest.origin.file,
        line=manifest.origin.line,
    )


def _wanted_before(manifest: Manifest, elder: str) -> Problem:
    return Problem(
        code="OWNERSHIP_CONFLICT",
        stage=Stage.PLAN,
        message=f"environment {elder} wants it as well, and said so first",
        hint="let one of the two have it",
        ref=str(manifest.ref),
        file=manifest.origin.file,
        line=manifest.origin.line,
    )


def _collect(planner: _Planner, desired: Desired, live: Live, steps: Sequence[tuple[Manifest, _Step]]) -> Plan:
    unchanged = [(manifest, step) for manifest, step in steps if isinstance(step, _Unchanged)]
    going = leftovers.sort_out(planner.target, desired, live, planner.record)
    return Plan(
        digest=desired.digest,
        revision=desired.revision,
        changes=tuple(_of(steps, Change)),
        pending={manifest.ref: _awaited(step) for manifest, step in steps if isinstance(step, Change | _Waiting)},
        apart=frozenset(manifest.ref for manifest, step in steps if _is_apart(step)),
        rejections=tuple(step.problem for step in _of(steps, _Rejected)),
        conflicts=tuple(step.problem for step in _of(steps, _Conflict)),
        fighting=tuple(step.problem for step in _of(steps, _Fight)),
        prunes=going.prunes,
        kept_back=going.kept_back,
        stuck=_stuck(planner, desired, live, [manifest for manifest, _ in unchanged]),
        learned={**{manifest.ref: step.learned for manifest, step in unchanged if step.learned}, **going.learned},
        forgotten=going.forgotten,
        unchanged_count=len(unchanged),
    )


def _awaited(step: Change | _Waiting) -> str:
    return step.why if isinstance(step, _Waiting) else ""


def _stuck(planner: _Planner, desired: Desired, live: Live, settled: Sequence[Manifest]) -> tuple[Stuck, ...]:
    """Pods that keep what the rollout changed, and that is written, from coming about.

    One that may yet come up goes only on the way back, where it is to go anyway, and not before it had time to recover.
    """
    rollout = planner.record.rollout_of(desired.digest)
    if rollout is None:
        return ()
    patience = timedelta(seconds=min(desired.settings.deadline_s / 2, PATIENCE_S_MAX))
    has_time = planner.now < rollout.started_at + patience + timedelta(seconds=live.blind_s)
    may_recover = rollout.trigger is Trigger.COMMIT or has_time
    unready_long_since = planner.now - patience / 2
    changed = [manifest for manifest in settled if manifest.ref in rollout.changed]
    helped = [live.sights[manifest.ref].live for manifest in changed if _is_seen_through(manifest)]
    held_up = [found.stuck for found in helped if found and found.stuck]
    return tuple(
        pod
        for pod in held_up
        if pod.unready_since is None or (not may_recover and pod.unready_since <= unready_long_since)
    )


def _is_seen_through(manifest: Manifest) -> bool:
    """Whether its rollout is ours: not of what we do not write, and may be another's, or whose health is not asked."""
    wishes = intents_of(manifest)
    return not (wishes.create_only or wishes.health_ignore)


def _of(steps: Sequence[tuple[Manifest, _Step]], kind: type[_Kind]) -> list[_Kind]:
    return [step for _, step in steps if isinstance(step, kind)]

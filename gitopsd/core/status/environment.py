"""One environment as the v1 status shows it. What is not known has no key; lists are bounded, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.health import public_word
from gitopsd.core.manifests.intents import managed
from gitopsd.core.model import HealthStatus, Json, LiveObject, Manifest, ObjectRef
from gitopsd.core.passes import Look
from gitopsd.core.plan import Action
from gitopsd.core.record import Record, Rollout
from gitopsd.core.status.conditions import conditions, ready
from gitopsd.core.status.facts import attempted, deadline, problems, revision_of, silence, wanted
from gitopsd.core.status.history import held_json, history_json, rollback_json
from gitopsd.core.status.sentence import why
from gitopsd.core.status.shown import bounded, present, problem_json, reason_of, revision_json, stamp, times_json
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.wishes import probes_json, settings_json
from gitopsd.core.status.words import drifted_count, health, phase, sync

OBJECTS_MAX = 1000
_PERCENT = 100
_WORST_FIRST = (
    HealthStatus.FAILED,
    HealthStatus.NOT_FOUND,
    HealthStatus.UNKNOWN,
    HealthStatus.IN_PROGRESS,
    HealthStatus.TERMINATING,
    HealthStatus.PAUSED,
    HealthStatus.CURRENT,
)


class Fields(StrEnum):
    """How much to show. ``usual`` is all but the objects."""

    SUMMARY = "summary"
    USUAL = "usual"
    FULL = "full"


def environment_json(view: EnvironmentView, fields: Fields) -> dict[str, Json]:
    """Return the environment."""
    shown = _summary(view)
    if fields is Fields.SUMMARY:
        return shown
    shown |= _usual(view)
    return shown | _objects(view) if fields is Fields.FULL else shown


def _summary(view: EnvironmentView) -> dict[str, Json]:
    record = view.known or Record()
    pause = record.suspended
    found = present(
        name=view.environment.name,
        path=view.environment.path,
        source=view.environment.source,
        phase=phase(view).value,
        message=why(view),
        ready=ready(view)[0],
        sync=_sync(view),
        health=_health(view),
        revision=_revisions(view, record),
        lastError=_last_error(view),
    )
    paused = {"by": pause.by, "at": stamp(pause.since), "reason": pause.reason} if pause else None
    return {**found, "suspended": paused}


def _usual(view: EnvironmentView) -> dict[str, Json]:
    record = view.known or Record()
    look = view.latest.look if view.latest else None
    newest = view.latest.newest if view.latest else None
    return present(
        conditions=conditions(view),
        settings=settings_json(look.desired.settings) if look else None,
        verdict=_verdict(look) if look else None,
        plan=_plan(newest) if newest else None,
        rollout=_rollout(view, record.rollout, look) if record.rollout else None,
        held=held_json(record, view.environment.name),
        rollback=rollback_json(record),
        revertCommit=revision_json(view.told.revision) if view.told and view.told.revision else None,
        history=history_json(record),
        timings=_timings(view, record),
        writes=dict(view.writes),
        requests=view.requests,
        problems=bounded(problem_json(problem) for problem in problems(view)),
        warnings=bounded(_warnings(record, newest)) if newest else None,
    )


def _warnings(record: Record, newest: Look) -> Iterator[Json]:
    """Of the repository's files, and of the API server about what was applied."""
    yield from (problem_json(problem) for problem in newest.desired.warnings)
    for said in record.warnings:
        yield problem_json(Problem(code="SERVER_WARNING", stage=Stage.APPLY, message=said))


def _sync(view: EnvironmentView) -> Mapping[str, Json]:
    newest = view.latest.newest if view.latest else None
    if newest is None:
        return {"status": sync(view).value}
    return {
        "status": sync(view).value,
        "drifted": drifted_count(newest),
        "pruneable": len(newest.plan.prunes) + len(newest.plan.kept_back),
        "ignored": sum(bool(sight.omit) for sight in newest.live.sights.values()),
    }


def _health(view: EnvironmentView) -> Mapping[str, Json]:
    look = view.latest.look if view.latest else None
    findings = sorted(look.verdict.findings, key=lambda one: _WORST_FIRST.index(one.health.status)) if look else []
    worst = findings[0] if findings else None
    return present(
        status=health(view).value,
        worst=present(ref=str(worst.ref), reason=worst.health.reason, message=worst.health.message) if worst else None,
    )


def _revisions(view: EnvironmentView, record: Record) -> Mapping[str, Json]:
    kept = record.last_kept
    look = view.latest.look if view.latest else None
    return present(
        desired=revision_json(*wanted(view)),
        attempted=revision_json(*attempted(view)),
        applied=revision_json(revision_of(view, record.current), record.current),
        lastHealthy=revision_json(kept.revision, kept.digest) if kept else None,
        observed=revision_json(look.desired.revision, look.desired.digest) if look else None,
    )


def _last_error(view: EnvironmentView) -> Mapping[str, Json] | None:
    found = problems(view)
    if not found:
        return None
    shown = problem_json(found[0], reason_of(found[0], view.problem_class or _class_of(view, found[0])))
    if view.problems:
        count = view.problem_count or None
        return shown | present(at=stamp(view.problem_at), count=count, retryAt=stamp(view.retry_at))
    source = view.followed
    is_its = source is not None and source.error is not None and source.error.code == found[0].code
    return shown | times_json(source) if source and is_its else shown


def _class_of(view: EnvironmentView, problem: Problem) -> str:
    return "SourceError" if problem in silence(view) else ""


def _verdict(look: Look) -> Mapping[str, Json]:
    return present(
        outcome=look.verdict.outcome.value,
        message=look.verdict.why,
        findings=bounded(
            present(
                ref=str(finding.ref),
                status=public_word(finding.health.status),
                reason=finding.health.reason,
                message=finding.health.message,
            )
            for finding in look.verdict.findings
        ),
        probes=probes_json(look.verdict.probes),
    )


def _plan(look: Look) -> Mapping[str, Json]:
    plan = look.plan
    creates = sum(change.action is Action.CREATE for change in plan.changes)
    return {
        "create": creates,
        "update": len(plan.changes) - creates,
        "delete": len(plan.prunes),
        "unchanged": plan.unchanged_count,
        "blocked": len(plan.waiting) + len(plan.rejections) + len(plan.conflicts) + len(plan.fighting),
    }


def _rollout(view: EnvironmentView, rollout: Rollout, look: Look | None) -> Mapping[str, Json]:
    unwell = {finding.ref: finding.health for finding in look.verdict.findings} if look else {}
    unwell = {ref: found for ref, found in unwell.items() if ref in rollout.changed}
    done = len(rollout.changed) - len(unwell)
    return present(
        startedAt=stamp(rollout.started_at),
        deadlineAt=stamp(deadline(view, rollout)),
        trigger=rollout.trigger.value,
        revision=revision_json(rollout.revision, rollout.digest),
        percent=done * _PERCENT // len(rollout.changed) if look and rollout.changed else None,
        failure=rollout.failure,
        objects=bounded(
            present(ref=str(ref), kind=ref.kind, status=found.status.value, reason=found.reason, message=found.message)
            for ref, found in sorted(unwell.items())
        ),
    )


def _timings(view: EnvironmentView, record: Record) -> Mapping[str, Json]:
    kept = record.last_kept
    committed = kept.revision.committed_at if kept and kept.digest == record.current else None
    return present(
        stages={stage: round(seconds, 3) for stage, seconds in view.stages.items()},
        commitToHealthySeconds=round((kept.at - committed).total_seconds(), 3) if kept and committed else None,
        nextReconcileAt=stamp(view.next_at),
    )


def _objects(view: EnvironmentView) -> dict[str, Json]:
    look, newest = (view.latest.look, view.latest.newest) if view.latest else (None, None)
    if look is None or newest is None:
        return {}
    waves = {change.ref: change.wave for change in look.plan.changes}
    actions = {change.ref: change.action.value for change in look.plan.changes}
    members = managed(look.desired.manifests)
    listed = sorted(members, key=lambda manifest: _rank(look, manifest.ref))[:OBJECTS_MAX]
    newer = {manifest.ref: manifest.digest for manifest in newest.desired.manifests}
    differing = {one.ref for one in listed if one.ref in actions or newer.get(one.ref) != one.digest}
    objects: Sequence[Json] = [
        _object(manifest, look.live.sights[manifest.ref].live)
        | present(
            sync="OutOfSync" if manifest.ref in differing else "Synced",
            action=actions.get(manifest.ref),
            wave=waves.get(manifest.ref),
        )
        for manifest in listed
    ]
    return {"objects": objects, "objectCount": len(members)}


def _rank(look: Look, ref: ObjectRef) -> tuple[int, ObjectRef]:
    live = look.live.sights[ref].live
    return _WORST_FIRST.index(live.health.status if live else HealthStatus.NOT_FOUND), ref


def _object(manifest: Manifest, live: LiveObject | None) -> dict[str, Json]:
    status = live.health.status if live else HealthStatus.NOT_FOUND
    return present(
        group=manifest.ref.group,
        version=manifest.api_version.rpartition("/")[2],
        kind=manifest.ref.kind,
        namespace=manifest.ref.namespace,
        name=manifest.ref.name,
        uid=live.uid if live else None,
        health=present(
            status=public_word(status),
            reason=live.health.reason if live else "NotFound",
            message=live.health.message if live else None,
        ),
        file=manifest.origin.file,
        line=manifest.origin.line or None,
    )

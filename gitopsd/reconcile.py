"""One pass: look, decide, act once, remember. All effects go through the ports.

A pass is safe to repeat and safe to interrupt: it starts from what is there, never from what the last pass meant to
do. It is short: nothing in it waits for a rollout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from gitopsd.core.decision import Apply, Decision, Halt, Held, Keep, Rest, Revert, Unstick, Watch, decide
from gitopsd.core.errors import ClusterError, Problem, RenderError, SourceError, Stage
from gitopsd.core.manifests.intents import managed
from gitopsd.core.manifests.place import place
from gitopsd.core.manifests.unstable import is_unstable
from gitopsd.core.model import Accepted, Applied, Desired, Environment, ObjectRef, Others, Stuck
from gitopsd.core.passes import Git, Look, Pass, Step
from gitopsd.core.plan import Cause
from gitopsd.core.planning import make_plan
from gitopsd.core.probe_answers import failing_now
from gitopsd.core.record import GITOPSD, Entry, Hold, Kept, Outcome, Record, Rollout, Suspension, Trigger
from gitopsd.core.target import Lost, Stay, Target, choose_target
from gitopsd.core.verdict import baseline, examine, judge
from gitopsd.ports import Ports


def reconcile(environment: Environment, ports: Ports) -> Pass:
    """Bring one environment one step nearer to where it should be.

    Raises:
        GitopsdError: something could not be known; nothing was written on account of it.
    """
    record = ports.store.load(environment)
    git = ask_git(environment, record, ports)
    if git.unseen and not record.is_moving:
        raise git.unseen
    return pursue(environment, git, record, ports)


def pursue(environment: Environment, git: Git, record: Record, ports: Ports) -> Pass:
    """Choose where to be, and take one step towards it."""
    choice = choose_target(git.desired, record, proven=git.stale is None)
    match choice:
        case Stay(because):
            claim(environment, git, record.inventory, ports)
            return Pass(git=git, look=None, decision=_staying(because), record=record)
        case Lost():
            raise git.barred or git.stale or _nothing_known(environment)
        case Target() as target:
            if target.is_newer_than(record):
                return take_up(environment, target, git, record, ports)
            return _done(environment, consider(environment, target, git, record, ports), git, record, ports)
        case _:
            assert_never(choice)


def take_up(environment: Environment, newer: Target, git: Git, record: Record, ports: Ports) -> Pass:
    """Begin a newer commit. For as long as it cannot begin, what runs is seen to as if it were not there."""
    try:
        ahead = consider(environment, newer, git, record, ports)
    except RenderError as rejected:
        return pursue(environment, replace(git, desired=None, rejected=rejected), record, ports)
    except ClusterError as unseen:
        newer = replace(newer, others=claim(environment, git, (), ports))
        step, record = see_to_what_runs(environment, newer, record, ports)
        if step is None:
            raise
        return Pass(git=replace(git, unseen=unseen), look=step.look, decision=step.decision, record=record)
    if isinstance(ahead.decision, Apply):
        return _done(environment, ahead, git, record, ports)
    step, record = see_to_what_runs(environment, ahead.look.target, record, ports)
    running = step.look if step else None
    # What needs nothing is still what people are shown: the commit that waits has put nothing into the cluster.
    decision = ahead.decision if step is None or isinstance(step.decision, Rest | Held) else step.decision
    return Pass(git=git, look=running, decision=decision, record=record, waiting=ahead)


def see_to_what_runs(
    environment: Environment, newer: Target, record: Record, ports: Ports
) -> tuple[Step | None, Record]:
    """Judge, repair, keep or put back what was begun last, while the newer commit waits. None = it is held as it is."""
    choice = choose_target(None, record)
    if not isinstance(choice, Target):
        return None, record
    # What is wanted was said already, and is the newer commit: saying two things in turn would keep others awake.
    look = _look(environment, replace(choice, others=newer.others), record, ports)
    step = _step(hear_probes(environment, look, record, ports), record)
    return step, act(environment, step.decision, step.look, record, ports)


def consider(environment: Environment, target: Target, git: Git, record: Record, ports: Ports) -> Step:
    """Say what is wanted, look, hear the probes, and decide."""
    look = look_at(environment, target, git, record, ports)
    return _step(hear_probes(environment, look, record, ports), record)


def _step(look: Look, record: Record) -> Step:
    return Step(look, decide(look.target, look.desired, look.plan, look.verdict, record))


def _done(environment: Environment, step: Step, git: Git, record: Record, ports: Ports) -> Pass:
    record = act(environment, step.decision, step.look, record, ports)
    return Pass(git=git, look=step.look, decision=step.decision, record=record)


def ask_git(environment: Environment, record: Record, ports: Ports) -> Git:
    """Ask what the environment should be. Silence is an answer, and so is a commit that cannot be.

    Raises:
        PlanRefused: a set that is never the same was begun, and is not as it was kept.
    """
    try:
        wanted = ports.source.resolve(environment)
        rendered = ports.renderer.render(environment, wanted)
        kinds = {(manifest.api_version, manifest.ref.kind) for manifest in rendered.manifests}
        desired = place(rendered, ports.cluster.scopes(kinds), environment)
    except SourceError as silence:
        return Git(stale=silence)
    except RenderError as rejected:
        return Git(wanted=wanted, stale=wanted.stale, rejected=rejected)
    except ClusterError as unseen:
        return Git(wanted=wanted, stale=wanted.stale, unseen=unseen)
    return Git(wanted=wanted, desired=as_begun(environment, desired, record, ports), stale=wanted.stale)


def as_begun(environment: Environment, desired: Desired, record: Record, ports: Ports) -> Desired:
    """Take a set that is never the same as it was when it was begun: equal inputs, equal objects."""
    if not is_unstable(desired) or desired.digest not in record.snapshots_needed:
        return desired
    return replace(desired, manifests=ports.store.recall(environment, desired.digest).manifests)


def claim(environment: Environment, git: Git, refs: Iterable[ObjectRef], ports: Ports) -> Others:
    """Say what the environment wants: these, and what Git wants of it even while something holds it back."""
    of_git = git.desired.manifests if git.desired else ()
    commit = git.wanted.revision.commit if git.wanted and git.desired else ""
    wanted = frozenset((*refs, *(manifest.ref for manifest in of_git)))
    return ports.claims.exchange(environment, wanted, None if git.barred else commit)


def look_at(environment: Environment, target: Target, git: Git, record: Record, ports: Ports) -> Look:
    """Look at the target's objects, plan what would bring them about, and judge how they are. Writes nothing."""
    desired = target.desired or ports.store.recall(environment, target.digest)
    others = claim(environment, git, (manifest.ref for manifest in desired.manifests), ports)
    return _look(environment, replace(target, desired=desired, others=others), record, ports)


def _look(environment: Environment, target: Target, record: Record, ports: Ports) -> Look:
    desired = target.desired or ports.store.recall(environment, target.digest)
    rollout = record.rollout_of(desired.digest)
    live = ports.cluster.observe(environment, desired, record.inventory, rollout.started_at if rollout else None)
    now = ports.clock.now()
    plan = make_plan(target, desired, live, record, now)
    examined = examine(desired, live, rollout, now, plan)
    return Look(
        target=target, desired=desired, live=live, plan=plan, examined=examined, verdict=judge(examined), at=now
    )


def hear_probes(environment: Environment, look: Look, record: Record, ports: Ports) -> Look:
    """Judge by the probes as well. They are asked of what runs, never of what is only thought of."""
    if not look.desired.settings.probes or look.desired.digest != record.current:
        return look
    probed = ports.probes.ask(environment, look.desired, look.examined.rollout)
    return replace(look, verdict=judge(look.examined, probed))


def act(environment: Environment, decision: Decision, look: Look, record: Record, ports: Ports) -> Record:
    """Do the one step, its intent saved first; return what is remembered now."""
    seen = _seen(look, _renewed(environment, look, record, ports))
    match decision:
        case Rest() | Watch() | Held():
            return _save(environment, record, seen, ports)
        case Apply():
            return _apply(environment, decision, look, seen, ports)
        case Unstick(pods):
            return _unstick(environment, pods, _save(environment, record, seen, ports), ports)
        case Keep():
            return _keep(environment, look, seen, ports)
        case Revert(why, back_to):
            return ports.store.save(environment, _hold(look, seen, why, back_to))
        case Halt():
            return ports.store.save(environment, _halt(decision, look, seen))
        case _:
            assert_never(decision)


def _renewed(environment: Environment, look: Look, record: Record, ports: Ports) -> Record:
    """Keep the settings that a commit gives to what runs already: without Git, the snapshot's are gone by."""
    mark = look.desired.settings.mark
    if not look.target.proven or look.desired.digest != record.current or record.wishes == mark:
        return record
    ports.store.keep_snapshot(environment, look.desired, record.snapshots_needed)
    return replace(record, wishes=mark)


def _seen(look: Look, record: Record) -> Record:
    known = record.learn(look.plan.learned).forget(look.plan.forgotten)
    if look.desired.digest == record.current:
        known = replace(known, failing_probes=failing_now(look.verdict.probes, record.failing_probes))
    return known.watched(look.verdict.rollout) if look.verdict.rollout else known


def _save(environment: Environment, before: Record, after: Record, ports: Ports) -> Record:
    return after if after == before else ports.store.save(environment, after)


def _apply(environment: Environment, decision: Apply, look: Look, record: Record, ports: Ports) -> Record:
    """Snapshot, intent, deed, memory: in this order, so that a crash between any two loses nothing."""
    meant = record.corrected([change.ref for change in decision.changes if change.cause is Cause.DRIFT], look.at)
    if decision.begins:
        needed = record.snapshots_needed | {look.desired.digest}
        ports.store.keep_snapshot(environment, look.desired, needed)
        found = frozenset(ref for ref, sight in look.live.sights.items() if sight.live)
        meant = meant.begin(look.desired, _rollout(look, record), found)
    meant = meant.warned(_warnings(decision))
    meant = _save(environment, record, meant, ports)
    answers = ports.cluster.apply(environment, decision.changes) if decision.changes else ()
    done = meant.wrote(answers, {change.ref: change.manifest.digest for change in decision.changes})
    done = _save(environment, meant, done, ports)
    _raise_for(answers)
    return done


def _warnings(decision: Apply) -> Iterator[str]:
    for change in decision.changes:
        if isinstance(change.sight.preview, Accepted):
            yield from (f"{change.ref}: {warning}" for warning in change.sight.preview.warnings)


def _rollout(look: Look, record: Record) -> Rollout:
    before, found = record.rollout, baseline(look.desired, look.live, look.at)
    return Rollout(
        digest=look.desired.digest,
        revision=look.desired.revision,
        trigger=look.target.trigger,
        started_at=look.at,
        changed=frozenset(
            manifest.ref
            for manifest in managed(look.desired.manifests)
            if manifest.ref not in record.inventory or record.inventory[manifest.ref].digest != manifest.digest
        ),
        baseline=before.baseline if before else found.unhealthy,
        failing_before=before.failing_before if before else record.failing_probes,
        broken=before.broken if before else found.broken,
        down=before.down if before else found.down,
    )


def _unstick(environment: Environment, pods: Sequence[Stuck], record: Record, ports: Ports) -> Record:
    """The rollout is the intent, and was saved as it began; each pod goes if it is stuck even now, or stays."""
    _raise_for(ports.cluster.unstick(environment, pods))
    return record


def _keep(environment: Environment, look: Look, record: Record, ports: Ports) -> Record:
    """Accept first, then prune: the save proves that nobody changed the record, and a revert needs nothing back."""
    rollout = record.rollout_of(look.desired.digest)
    if rollout:
        outcome = Outcome.KEPT if rollout.trigger is Trigger.COMMIT else Outcome.REVERTED
        kept = Kept(digest=rollout.digest, revision=rollout.revision, at=look.at)
        members = (manifest.ref for manifest in look.desired.manifests)
        record = record.keep(kept, members).note(_entry(outcome, rollout, look))
    record = ports.store.save(environment, record)
    if not look.plan.prunes:
        return record
    answers = ports.cluster.prune(environment, look.plan.prunes)
    pruned = _save(environment, record, record.wrote(answers, {}), ports)
    _raise_for(answers)
    return pruned


def _hold(look: Look, record: Record, why: str, back_to: str) -> Record:
    rollout = record.rollout_of(look.desired.digest)
    # Later commits may have the same content; the one that brought it is to blame.
    revision = rollout.revision if rollout else look.desired.revision
    hold = Hold(digest=look.desired.digest, revision=revision, why=why, since=look.at, back_to=back_to)
    noted = record.note(_entry(Outcome.FAILED, rollout, look, why)) if rollout else record
    return noted.hold(hold)


def _halt(decision: Halt, look: Look, record: Record) -> Record:
    rollout = record.rollout_of(look.desired.digest)
    if rollout is None:
        return record
    outcome = Outcome.FAILED if rollout.trigger is Trigger.COMMIT else Outcome.REVERT_FAILED
    halted = record.watched(replace(rollout, failure=decision.why)).note(_entry(outcome, rollout, look, decision.why))
    if not decision.freeze:
        return halted
    return replace(halted, suspended=Suspension(by=GITOPSD, reason=decision.why, since=look.at))


def _entry(outcome: Outcome, rollout: Rollout, look: Look, why: str = "") -> Entry:
    return Entry(
        outcome=outcome,
        digest=rollout.digest,
        revision=rollout.revision,
        at=look.at,
        why=why,
        seconds=(look.at - rollout.started_at).total_seconds(),
    )


def _raise_for(answers: Sequence[Applied]) -> None:
    problems = [answer.problem for answer in answers if answer.problem]
    if problems:
        raise ClusterError(*problems, retry=all(answer.retry for answer in answers if answer.problem))


def _staying(because: Suspension | Hold) -> Decision:
    return Rest(because) if isinstance(because, Suspension) else Held((_held(because),), because)


def _held(hold: Hold) -> Problem:
    return Problem(
        code="HELD",
        stage=Stage.PLAN,
        message=f"{hold.revision} is held: {hold.why}",
        hint="commit a change, or lift the hold with gitopsd release",
    )


def _nothing_known(environment: Environment) -> SourceError:
    return SourceError(
        Problem(code="GIT_NOTHING_KNOWN", stage=Stage.FETCH, message=f"{environment.path} was never seen in Git")
    )

"""Snapshots for tests of what people see: one environment, in each of the ways in which it can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gitopsd.core.decision import Apply, Decision, Held, Keep, Rest, Watch, failure_of
from gitopsd.core.errors import ClusterError, Problem, RenderError, SourceError, Stage
from gitopsd.core.model import Desired, Environment, Live, Revision, Wanted
from gitopsd.core.passes import Git, Look, Pass, Step
from gitopsd.core.plan import Plan
from gitopsd.core.probes import HttpProbe, Probed, ProbeState
from gitopsd.core.record import Entry, Hold, Kept, Outcome, Record, Suspension, Trigger
from gitopsd.core.status.overview import DaemonView, EnvironmentView, SourceView, View
from gitopsd.core.target import Target
from gitopsd.core.verdict import examine, judge
from tests.make import BROKEN, CURRENT, NOON, ROLLING, desired, inventory, live, manifest, ref, rollout, sight

ENVIRONMENT = Environment(name="production/web", source="git", path="environments/production/web")
GOOD = Revision(ref="main", commit="a" * 40, subject="Start", author="Ada", committed_at=NOON - timedelta(minutes=1))
BAD = Revision(ref="main", commit="b" * 40, subject="Break it", author="Bob", committed_at=NOON)
UNREADABLE = Revision(ref="main", commit="e" * 40)
WEB = manifest("Deployment", "web")
GOOD_SET = replace(desired(WEB, digest="1" * 64), revision=GOOD)
BAD_SET = replace(desired(WEB, digest="2" * 64), revision=BAD)
NEW = manifest("ConfigMap", "new")
MAPS = (ref("ConfigMap", "a"), ref("ConfigMap", "b"))
WIDER_SET = replace(desired(WEB, NEW, digest="4" * 64), revision=BAD)
NEWEST_SET = replace(WIDER_SET, revision=replace(BAD, commit="c" * 40))
LATER = NOON + timedelta(minutes=2)

WHY = "Deployment shop/web: 0/3 ready; image not found"
KEPT = Kept(digest=GOOD_SET.digest, revision=GOOD, at=NOON)
HOLD = Hold(digest=BAD_SET.digest, revision=BAD, why=WHY, since=LATER, back_to=GOOD_SET.digest)
SUSPENSION = Suspension(by="ada", reason="maintenance", since=LATER)
GIT_DOWN = SourceError(
    Problem(code="GIT_UNREACHABLE", stage=Stage.FETCH, message="git.example.com gave no answer", hint="look at it")
)
API_DOWN = Problem(code="CLUSTER_UNREACHABLE", stage=Stage.PLAN, message="no answer", hint="look at the API server")
FORBIDDEN = Problem(
    code="CLUSTER_FORBIDDEN", stage=Stage.PLAN, message="shop-deployer may not get ingresses", hint="give it the right"
)
TAB = Problem(
    code="YAML_TAB", stage=Stage.RENDER, message="a tab indents", hint="use spaces", file="staging/web.yaml", line=12
)

AT_GOOD = Record(current=GOOD_SET.digest, inventory=inventory(WEB), kept=(KEPT,), version="1")
ROLLING_OUT = replace(
    AT_GOOD, current=BAD_SET.digest, rollout=replace(rollout(WEB.ref, digest=BAD_SET.digest), revision=BAD)
)
FAILED_ENTRY = Entry(outcome=Outcome.FAILED, digest=BAD_SET.digest, revision=BAD, at=LATER, why=WHY, seconds=32.5)
PUT_BACK = replace(
    AT_GOOD,
    held={HOLD.digest: HOLD},
    history=(
        Entry(
            outcome=Outcome.REVERTED, digest=GOOD_SET.digest, revision=GOOD, at=LATER + timedelta(seconds=9), seconds=8
        ),
        FAILED_ENTRY,
        Entry(outcome=Outcome.KEPT, digest=GOOD_SET.digest, revision=GOOD, at=NOON, seconds=12.25),
    ),
)


def seen(
    wants: Desired,
    record: Record,
    decision: Decision,
    health=CURRENT,
    *,
    at: Desired | None = None,
    plan: Plan | None = None,
    stale: SourceError | None = None,
    probed: tuple[Probed, ...] = (),
    **more,
) -> EnvironmentView:
    """A snapshot after a pass that looked at ``at`` (what Git wants, unless said otherwise)."""
    shown = at or wants
    now_live = live(*(sight(one.ref, health) for one in shown.manifests))
    look = _look(shown, now_live, record, plan, probed)
    latest = Pass(git=Git(desired=wants, stale=stale), look=look, decision=decision, record=record)
    return EnvironmentView(environment=ENVIRONMENT, latest=latest, **more)


def waiting(
    view: EnvironmentView, decision: Decision, *, plan: Plan, wants: Desired = WIDER_SET, present: bool = True
) -> EnvironmentView:
    """The same, but a newer commit with one more object cannot begin. ``present`` = something runs beside it."""
    record = view.latest.record
    now_live = live(sight(WEB.ref, CURRENT if present else None), sight(NEW.ref, None))
    ahead = Step(_look(wants, now_live, record, plan, ()), decision)
    look = view.latest.look if present else None
    latest = Pass(git=Git(desired=wants), look=look, decision=decision, record=record, waiting=ahead)
    return replace(view, latest=latest)


def _look(shown: Desired, now_live: Live, record: Record, plan: Plan | None, probed: tuple[Probed, ...]) -> Look:
    examined = examine(shown, now_live, record.rollout_of(shown.digest), LATER)
    return Look(
        target=Target(digest=shown.digest, trigger=Trigger.COMMIT),
        desired=shown,
        live=now_live,
        plan=plan or Plan(digest=shown.digest, revision=shown.revision, unchanged_count=1),
        examined=examined,
        verdict=judge(examined, probed),
        at=LATER,
    )


def unseen(
    record: Record | None = None, problem: Problem | None = None, kind: str = "", count: int = 1
) -> EnvironmentView:
    """A snapshot without a pass that came to an end."""
    problems = (problem,) if problem else ()
    at = LATER if problem else None
    return EnvironmentView(
        environment=ENVIRONMENT,
        record=record,
        problems=problems,
        problem_class=kind,
        looked=not problems,
        problem_at=at,
        problem_count=count if problem else 0,
    )


def stayed(record: Record, decision: Decision, wants: Desired = BAD_SET) -> EnvironmentView:
    """A snapshot after a pass that had no target to look at."""
    latest = Pass(git=Git(desired=wants), look=None, decision=decision, record=record)
    return EnvironmentView(environment=ENVIRONMENT, latest=latest)


def failing(view: EnvironmentView, problem: Problem, kind: str, count: int = 1) -> EnvironmentView:
    """The same, but the next pass could not know."""
    return replace(
        view,
        problems=(problem,),
        problem_class=kind,
        looked=False,
        problem_at=LATER,
        problem_count=count,
        retry_at=LATER + timedelta(seconds=4),
    )


def unread(view: EnvironmentView) -> EnvironmentView:
    """The same, but the pass found the newest commit to be one that nobody can read."""
    git = Git(wanted=Wanted(revision=UNREADABLE, tree="tree"), rejected=RenderError(TAB))
    return replace(failing(replace(view, latest=replace(view.latest, git=git)), TAB, "RenderError"), looked=True)


def unsure(view: EnvironmentView, count: int = 3) -> EnvironmentView:
    """The same, but the pass could not tell whether the newest commit can begin."""
    latest = replace(view.latest, git=Git(desired=NEWEST_SET, unseen=ClusterError(FORBIDDEN)))
    return replace(failing(replace(view, latest=latest), FORBIDDEN, "ClusterError", count), looked=True)


def whole(*environments: EnvironmentView, serial: int = 7, **more) -> View:
    """A snapshot of the daemon."""
    daemon = DaemonView(
        instance="gitopsd-0",
        version="0.1.0",
        started_at=NOON,
        ready=True,
        leading=True,
        leader_holder="gitopsd-0",
        cluster_name="prod",
        cluster_version="v1.35.0",
    )
    source = SourceView(
        name="git", url="https://git.example.com/acme/environments.git", ref="main", revision=BAD, fetched_at=LATER
    )
    fields = {"daemon": daemon, "sources": (source,), "at": LATER, **more}
    return View(environments=environments, serial=serial, **fields)


READY = seen(GOOD_SET, AT_GOOD, Rest())
REFUSED = waiting(READY, Held((TAB,)), plan=Plan(digest=WIDER_SET.digest, revision=BAD, rejections=(TAB,)))
REVERTED = seen(BAD_SET, PUT_BACK, Rest(), at=GOOD_SET)
ROLLED_OUT = seen(BAD_SET, ROLLING_OUT, Watch(WHY), ROLLING)
FAILED_NOW = replace(ROLLING_OUT, rollout=replace(ROLLING_OUT.rollout, failure=WHY), history=(FAILED_ENTRY,))

FAILED_BACK = replace(
    rollout(WEB.ref, digest=GOOD_SET.digest), revision=GOOD, trigger=Trigger.REVERT, failure="Deployment shop/web: 1/3"
)
FAILED_BACK_ENTRY = Entry(
    outcome=Outcome.REVERT_FAILED, digest=GOOD_SET.digest, revision=GOOD, at=LATER + timedelta(minutes=5)
)

PROBE = HttpProbe(name="http web:80/healthz", service="web", port="80", path="/healthz")
PROBED_SET = replace(GOOD_SET, settings=replace(GOOD_SET.settings, probes=(PROBE,)))
PROBED_BAD = replace(BAD_SET, settings=PROBED_SET.settings)
PROBE_FAILS = Probed(
    name=PROBE.name,
    state=ProbeState.FAIL,
    message="GET web:80/healthz on web-7d9f-x2: 503, expected 200",
    in_a_row=3,
    failed=True,
    at=LATER,
)
PROBE_LOST = replace(
    PROBE_FAILS, state=ProbeState.UNKNOWN, message="no way to web-7d9f-x2 within 5 s", in_a_row=9, failed=False
)

# Each way in which an environment can be, as a sentence, with phase, sync, health and the Ready condition.
CASES = {
    "nothing was ever seen": (unseen(), "Pending", "Unknown", "Unknown", "Unknown", "Progressing"),
    "only the record is known, and it is empty": (
        unseen(Record()), "Pending", "Unknown", "Unknown", "Unknown", "Progressing"),
    "the first look could not be taken": (
        unseen(problem=API_DOWN, kind="ClusterError"), "Failed", "Unknown", "Unknown", "False", "ReconciliationFailed"),
    "the commit is bad from the start": (
        unseen(problem=TAB, kind="RenderError"), "Failed", "OutOfSync", "Unknown", "False", "BuildFailed"),
    "the last commit is kept": (READY, "Ready", "Synced", "Healthy", "True", "ReconciliationSucceeded"),
    "it was kept just now": (
        seen(GOOD_SET, AT_GOOD, Keep()), "Ready", "Synced", "Healthy", "True", "ReconciliationSucceeded"),
    "a commit is being applied": (
        seen(BAD_SET, ROLLING_OUT, Apply((), begins=True), ROLLING),
        "Applying", "Synced", "Progressing", "False", "Progressing"),
    "a commit is applied and not healthy yet": (
        ROLLED_OUT, "Verifying", "Synced", "Progressing", "False", "Progressing"),
    "a commit is applied and something fails, still in its grace": (
        seen(BAD_SET, ROLLING_OUT, Watch(WHY), BROKEN), "Verifying", "Synced", "Degraded", "False", "Progressing"),
    "the commit was refused, the way back not yet begun": (
        seen(BAD_SET, replace(ROLLING_OUT, held={HOLD.digest: HOLD}), Watch(""), BROKEN),
        "Reverting", "Synced", "Degraded", "False", "Progressing"),
    "it is going back": (
        seen(
            BAD_SET,
            replace(PUT_BACK, rollout=replace(rollout(WEB.ref, digest=GOOD_SET.digest), trigger=Trigger.REVERT)),
            Watch(""), ROLLING, at=GOOD_SET),
        "Reverting", "OutOfSync", "Progressing", "False", "Progressing"),
    "going back waits for something": (
        seen(
            BAD_SET,
            replace(PUT_BACK, rollout=replace(rollout(WEB.ref, digest=GOOD_SET.digest), trigger=Trigger.REVERT)),
            Watch(""), ROLLING, at=GOOD_SET,
            plan=Plan(
                digest=GOOD_SET.digest, revision=GOOD, pending={MAPS[0]: "a reason", MAPS[1]: "another"})),
        "Reverting", "OutOfSync", "Progressing", "False", "Progressing"),
    "it was put back": (REVERTED, "Reverted", "OutOfSync", "Healthy", "False", "RolledBack"),
    "a person went back": (
        seen(BAD_SET, replace(PUT_BACK, held={HOLD.digest: replace(HOLD, by="ada")}), Rest(), at=GOOD_SET),
        "Reverted", "OutOfSync", "Healthy", "False", "RevisionHeld"),
    "Git went back to what was kept": (
        seen(GOOD_SET, PUT_BACK, Rest()), "Ready", "Synced", "Healthy", "True", "ReconciliationSucceeded"),
    "it failed and there is nothing to go back to": (
        seen(BAD_SET, replace(FAILED_NOW, kept=()), Held((failure_of(FAILED_NOW.rollout),)), BROKEN),
        "Failed", "Synced", "Degraded", "False", "HealthCheckFailed"),
    "going back failed": (
        seen(
            BAD_SET,
            replace(PUT_BACK, rollout=FAILED_BACK, history=(FAILED_BACK_ENTRY, *PUT_BACK.history[1:])),
            Held((failure_of(FAILED_BACK),)), BROKEN, at=GOOD_SET),
        "Failed", "OutOfSync", "Degraded", "False", "RollbackFailed"),
    "going back failed half way, and there is something older": (
        seen(
            BAD_SET,
            replace(
                PUT_BACK, rollout=FAILED_BACK, history=(FAILED_BACK_ENTRY, *PUT_BACK.history[1:]),
                kept=(KEPT, replace(KEPT, digest="5" * 64))),
            Held((failure_of(FAILED_BACK),)), BROKEN, at=GOOD_SET,
            plan=Plan(digest=GOOD_SET.digest, revision=GOOD, pending={MAPS[0]: "a webhook is away"})),
        "Failed", "OutOfSync", "Degraded", "False", "RollbackFailed"),
    "it was put back, and Git is silent": (
        seen(BAD_SET, PUT_BACK, Rest(), at=GOOD_SET, stale=GIT_DOWN),
        "Reverted", "Unknown", "Healthy", "False", "RolledBack"),
    "it was put back, and the newest commit cannot be read": (
        unread(REVERTED), "Failed", "OutOfSync", "Healthy", "False", "BuildFailed"),
    "a commit is not healthy yet, and a newer one cannot be read": (
        unread(ROLLED_OUT), "Verifying", "OutOfSync", "Progressing", "False", "Progressing"),
    "a person paused it, and the newest commit cannot be read": (
        unread(stayed(replace(AT_GOOD, suspended=SUSPENSION), Rest(SUSPENSION))),
        "Suspended", "OutOfSync", "Unknown", "Unknown", "Suspended"),
    "it was put back, and the newest commit cannot be looked at": (
        unsure(REVERTED), "Failed", "OutOfSync", "Healthy", "False", "ReconciliationFailed"),
    "a commit is kept, and one call about a newer one failed": (
        unsure(READY, 1), "Ready", "OutOfSync", "Healthy", "True", "ReconciliationSucceeded"),
    "a commit is not healthy yet, and a newer one cannot be looked at": (
        unsure(ROLLED_OUT), "Verifying", "OutOfSync", "Progressing", "False", "Progressing"),
    "the way back failed, and the newest commit cannot be looked at": (
        unsure(seen(
            BAD_SET,
            replace(PUT_BACK, rollout=FAILED_BACK, history=(FAILED_BACK_ENTRY, *PUT_BACK.history[1:])),
            Held((failure_of(FAILED_BACK),)), BROKEN, at=GOOD_SET)),
        "Failed", "OutOfSync", "Degraded", "False", "ReconciliationFailed"),
    "the server refuses the commit before any write": (
        REFUSED, "Failed", "OutOfSync", "Healthy", "False", "ReconciliationFailed"),
    "the server refuses the commit, and what runs fails by now": (
        waiting(
            seen(GOOD_SET, AT_GOOD, Rest(), BROKEN), Held((TAB,)),
            plan=Plan(digest=WIDER_SET.digest, revision=BAD, rejections=(TAB,))),
        "Failed", "OutOfSync", "Degraded", "False", "ReconciliationFailed"),
    "the server refuses the first commit": (
        waiting(
            seen(GOOD_SET, Record(), Rest()), Held((TAB,)), present=False,
            plan=Plan(digest=WIDER_SET.digest, revision=BAD, rejections=(TAB,))),
        "Failed", "OutOfSync", "Unknown", "False", "ReconciliationFailed"),
    "the commit waits for another environment": (
        waiting(
            READY, Watch("waits for environment database"), plan=Plan(digest=WIDER_SET.digest, revision=BAD)),
        "Ready", "OutOfSync", "Healthy", "True", "ReconciliationSucceeded"),
    "a person paused it": (
        stayed(replace(AT_GOOD, suspended=SUSPENSION), Rest(SUSPENSION)),
        "Suspended", "OutOfSync", "Unknown", "Unknown", "Suspended"),
    "a person holds it and nothing was kept": (
        stayed(
            replace(AT_GOOD, kept=(), held={HOLD.digest: replace(HOLD, by="ada", back_to="")}),
            Held((API_DOWN,), replace(HOLD, by="ada", back_to=""))),
        "Suspended", "OutOfSync", "Unknown", "Unknown", "Suspended"),
    "what was kept fails by now": (
        seen(GOOD_SET, AT_GOOD, Rest(), BROKEN),
        "Ready", "Synced", "Degraded", "True", "ReconciliationSucceeded"),
    "what was kept is not ready by now": (
        seen(GOOD_SET, AT_GOOD, Rest(), ROLLING),
        "Ready", "Synced", "Progressing", "True", "ReconciliationSucceeded"),
    "what was kept was not ready, and nobody can be asked": (
        seen(GOOD_SET, AT_GOOD, Rest(), ROLLING, problems=(API_DOWN,), problem_class="ClusterError", looked=False),
        "Ready", "Unknown", "Unknown", "True", "ReconciliationSucceeded"),
    "what was kept fails its probe": (
        seen(PROBED_SET, AT_GOOD, Rest(), probed=(PROBE_FAILS,)),
        "Ready", "Synced", "Degraded", "True", "ReconciliationSucceeded"),
    "the probe of what was kept cannot be told": (
        seen(PROBED_SET, AT_GOOD, Rest(), probed=(PROBE_LOST,)),
        "Ready", "Synced", "Unknown", "True", "ReconciliationSucceeded"),
    "a commit is applied and its probe cannot be told": (
        seen(PROBED_BAD, ROLLING_OUT, Watch(""), probed=(PROBE_LOST,)),
        "Verifying", "Synced", "Unknown", "False", "Progressing"),
    "a commit is applied and its probe has not answered yet": (
        seen(PROBED_BAD, ROLLING_OUT, Watch(""), probed=(replace(PROBE_LOST, state=ProbeState.PENDING, at=None),)),
        "Verifying", "Synced", "Progressing", "False", "Progressing"),
    "Git is silent": (
        seen(GOOD_SET, AT_GOOD, Rest(), stale=GIT_DOWN),
        "Ready", "Unknown", "Healthy", "True", "ReconciliationSucceeded"),
    "one call to the API server failed": (
        failing(READY, API_DOWN, "ClusterError"), "Ready", "Unknown", "Unknown", "True", "ReconciliationSucceeded"),
    "the API server is gone for longer": (
        failing(READY, API_DOWN, "ClusterError", 3), "Failed", "Unknown", "Unknown", "False", "ReconciliationFailed"),
    "the API server is gone in the middle of a rollout": (
        failing(ROLLED_OUT, API_DOWN, "ClusterError", 3),
        "Verifying", "Unknown", "Unknown", "False", "ProgressingWithRetry"),
    "the new commit does not parse": (
        failing(READY, TAB, "RenderError"), "Failed", "OutOfSync", "Healthy", "False", "BuildFailed"),
    "there is a bug in gitopsd": (
        failing(READY, API_DOWN, "KeyError"), "Failed", "Unknown", "Healthy", "False", "ReconciliationFailed"),
    "only the record is known, and it was kept": (
        unseen(AT_GOOD), "Ready", "Unknown", "Unknown", "True", "ReconciliationSucceeded"),
    "only the record is known, and it was put back": (
        unseen(PUT_BACK), "Reverted", "Unknown", "Unknown", "False", "RolledBack"),
    "only the record is known, and it is rolling out": (
        unseen(ROLLING_OUT), "Verifying", "Unknown", "Unknown", "False", "Progressing"),
    "only the record is known, and it is paused": (
        unseen(replace(AT_GOOD, suspended=SUSPENSION)), "Suspended", "Unknown", "Unknown", "Unknown", "Suspended"),
    "only the record is known, and it failed": (
        unseen(FAILED_NOW), "Failed", "Unknown", "Unknown", "False", "HealthCheckFailed"),
}  # fmt: skip

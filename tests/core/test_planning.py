"""Each object ends as exactly one thing: unchanged, a change, waiting, a rejection, a conflict, or a fight."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import (
    Accepted,
    Claim,
    Deferred,
    Environment,
    Health,
    HealthStatus,
    Item,
    Others,
    Refused,
    Sight,
    Stuck,
)
from gitopsd.core.plan import Action, Cause, Plan
from gitopsd.core.planning import make_plan
from gitopsd.core.record import Record, Trigger
from gitopsd.core.target import Target
from tests.make import (
    CURRENT,
    LEFT_ALONE,
    NOON,
    REVISION,
    ROLLING,
    desired,
    found,
    inventory,
    live,
    manifest,
    ref,
    rollout,
    sight,
)

WEB = manifest("Deployment", "web", {"image": "a"})
REFUSAL = Problem(code="APPLY_INVALID", stage=Stage.VALIDATE, message="no")
SAME = Accepted({"metadata": {"name": "web"}})
OTHER = Accepted({"metadata": {"name": "web", "labels": {"a": "b"}}})
POD = Stuck(ref=ref("Pod", "web-1"), uid="u", resource_version="7", owner=WEB.ref, owner_uid="v")
RIVAL = Environment(name="rival", source="git", path="rival", apply_set="theirs")
HAD = Record(inventory={WEB.ref: Item(uid="u", digest="older", born="old")}, current="new")
KNOWN = Record(inventory=inventory(WEB), current="new")
GOING = Target(digest="new", trigger=Trigger.COMMIT, proven=True)


def plan(what=WEB, seen=None, record=KNOWN, trigger=Trigger.COMMIT, **target):
    wanted = desired(what)
    aim = Target(digest="new", trigger=trigger, desired=wanted, proven=True, **target)
    return make_plan(aim, wanted, live(seen or sight(what.ref)), record, NOON)


def claims(*wanted):
    return Others(claims=(Claim(environment=RIVAL, refs=frozenset(wanted)),))


def of_rival(who):
    return Sight(ref=who, live=found(who, owner="environment rival", part_of=RIVAL.apply_set), preview=OTHER)


def only_change(made):
    assert len(made.changes) == 1, made
    return made.changes[0]


def test_what_is_as_applied_is_unchanged():
    made = plan()

    assert (made.unchanged_count, made.changes, made.learned) == (1, (), {})


def test_a_dry_run_that_changes_nothing_is_no_change():
    assert plan(seen=sight(WEB.ref, preview=SAME)).changes == ()


def test_a_difference_of_the_same_digest_is_drift():
    change = only_change(plan(seen=sight(WEB.ref, preview=OTHER)))

    assert (change.action, change.cause, change.uid, change.strict) == (Action.UPDATE, Cause.DRIFT, "uid-web", False)
    assert change.patch == ({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},)


def test_a_difference_of_a_new_digest_is_the_commit_and_is_validated_strictly():
    older = replace(KNOWN, inventory={WEB.ref: Item(uid="uid-web", digest="older")})

    change = only_change(plan(seen=sight(WEB.ref, preview=OTHER), record=older))

    assert (change.cause, change.strict) == (Cause.COMMIT, True)


def test_a_new_object_is_created():
    change = only_change(plan(seen=sight(WEB.ref, None, SAME), record=Record()))

    assert (change.action, change.cause, change.uid) == (Action.CREATE, Cause.NEW, "")


def test_an_object_deleted_by_hand_is_created_again():
    assert only_change(plan(seen=sight(WEB.ref, None, SAME))).cause is Cause.DRIFT


def test_fields_of_hand_tools_are_a_change_even_when_the_dry_run_shows_none():
    seen = Sight(ref=WEB.ref, live=found(WEB.ref), preview=SAME, take_over=("/spec/env",))

    assert only_change(plan(seen=seen)).cause is Cause.DRIFT


def test_a_field_to_be_released_is_a_change():
    seen = Sight(ref=WEB.ref, live=found(WEB.ref), release=("/spec/replicas",), omit=("/spec/replicas",))

    assert only_change(plan(seen=seen)).sight.release == ("/spec/replicas",)


def test_an_object_being_deleted_is_waited_for():
    made = plan(seen=sight(WEB.ref, Health(HealthStatus.TERMINATING), OTHER))

    assert made.waiting == ("Deployment shop/web waits: Deployment shop/web is being deleted",)


OLDER = Record(inventory={WEB.ref: Item(uid="uid-web", digest="older")}, current="new")


def test_what_the_server_refuses_of_a_new_digest_is_a_rejection():
    assert plan(seen=sight(WEB.ref, preview=Refused(REFUSAL)), record=OLDER).rejections == (REFUSAL,)


def test_what_the_server_refuses_of_what_it_took_before_condemns_nothing():
    made = plan(seen=sight(WEB.ref, preview=Refused(REFUSAL)))

    assert (made.rejections, made.conflicts) == ((), (REFUSAL,))


def test_missing_rights_are_never_the_commits_fault():
    forbidden = Problem(code="FORBIDDEN", stage=Stage.VALIDATE, message="no")

    made = plan(seen=sight(WEB.ref, preview=Refused(forbidden)), record=OLDER)

    assert (made.rejections, made.conflicts) == ((), (forbidden,))


def test_our_own_object_that_lost_its_marks_is_drift():
    seen = Sight(ref=WEB.ref, live=found(WEB.ref, owner="nobody (made by kubectl-replace)"), preview=OTHER)

    assert only_change(plan(seen=seen)).cause is Cause.DRIFT


ASKING = manifest("Deployment", "web", annotations={"gitopsd.dev/adopt": "true"})


@pytest.mark.parametrize(
    "others",
    [pytest.param(claims(ASKING.ref), id="it says so"), pytest.param(Others(silent=(RIVAL,)), id="it has yet to say")],
)
def test_what_another_followed_environment_may_want_is_not_adopted_from_it(others):
    (problem,) = plan(ASKING, of_rival(ASKING.ref), Record(), others=others).conflicts

    assert problem.code == "OWNERSHIP_CONFLICT"
    assert "gitopsd.dev/adopt" not in problem.hint


@pytest.mark.parametrize(
    "others",
    [pytest.param(claims(), id="it says so"), pytest.param(Others(), id="it is none that we follow")],
)
def test_what_no_followed_environment_wants_is_adopted(others):
    assert only_change(plan(ASKING, of_rival(ASKING.ref), Record(), others=others)).cause is Cause.ADOPTION


def test_an_environment_of_another_gitopsd_has_given_up_nothing_whatever_ours_of_that_name_says():
    theirs = replace(RIVAL, apply_set="of another gitopsd")
    made = plan(WEB, of_rival(WEB.ref), Record(), others=Others(claims=(Claim(environment=theirs, refs=frozenset()),)))

    assert [problem.code for problem in made.conflicts] == ["OWNERSHIP_CONFLICT"]


@pytest.mark.parametrize(
    ("ours", "theirs", "record", "codes"),
    [
        pytest.param(2, 1, Record(), ["OWNERSHIP_CONFLICT"], id="after another one said so: it is that one's"),
        pytest.param(1, 2, Record(), [], id="before another one said so: it is made"),
        pytest.param(2, 1, HAD, [], id="after another one, and had it already: it is made again"),
    ],
)
def test_what_is_not_there_and_we_want(ours, theirs, record, codes):
    others = Others(turn=ours, claims=(Claim(environment=RIVAL, refs=frozenset({WEB.ref}), turn=theirs),))
    made = plan(seen=sight(WEB.ref, None), record=record, others=others)

    assert [problem.code for problem in made.conflicts] == codes
    assert bool(made.changes) is not bool(codes)


@pytest.mark.parametrize(
    ("changed", "preview", "stuck"),
    [
        pytest.param((WEB.ref,), None, (POD,), id="what the rollout changed: it goes"),
        pytest.param((), None, (), id="what it did not change: it stays"),
        pytest.param((WEB.ref,), OTHER, (), id="what is still to be written: it stays"),
    ],
)
def test_a_pod_that_holds_up(changed, preview, stuck):
    seen = Sight(ref=WEB.ref, live=found(WEB.ref, ROLLING, stuck=POD), preview=preview)

    assert plan(seen=seen, record=replace(KNOWN, rollout=rollout(*changed))).stuck == stuck
    assert plan(seen=seen).stuck == ()


@pytest.mark.parametrize(
    ("trigger", "seconds", "unready_s", "goes"),
    [
        pytest.param(Trigger.REVERT, 119, 119, False, id="on the way back it has a minute, and what nobody saw"),
        pytest.param(Trigger.REVERT, 120, 30, True, id="then it goes"),
        pytest.param(Trigger.REVERT, 120, 29, False, id="but not before it was unready for half of that"),
        pytest.param(Trigger.ROLLBACK, 120, 30, True, id="as it does when a person goes back"),
        pytest.param(Trigger.COMMIT, 299, 299, False, id="for a commit it never does"),
    ],
)
def test_a_pod_that_may_come_up_has_time(trigger, seconds, unready_s, goes):
    pod = replace(POD, unready_since=NOON - timedelta(seconds=unready_s))
    seen = live(Sight(ref=WEB.ref, live=found(WEB.ref, ROLLING, stuck=pod)), blind_s=60.0)
    record = replace(KNOWN, rollout=rollout(WEB.ref, trigger=trigger, started_at=NOON - timedelta(seconds=seconds)))
    aim = Target(digest="new", trigger=trigger, desired=desired(WEB), proven=True)

    assert make_plan(aim, desired(WEB), seen, record, NOON).stuck == ((pod,) if goes else ())


@pytest.mark.parametrize(
    ("annotation", "owner"),
    [
        pytest.param({"gitopsd.dev/reconcile": "disabled"}, "", id="left to people"),
        pytest.param({"gitopsd.dev/reconcile": "disabled"}, "environment rival", id="left to people, and another's"),
        pytest.param({"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}, "Helm release shop/web", id="only made once"),
        pytest.param({"gitopsd.dev/health": "ignore"}, "", id="whose health is not asked"),
    ],
)
def test_a_pod_stays_whatever_it_holds_up_of_an_object(annotation, owner):
    one = manifest("StatefulSet", "db", annotations=annotation)
    seen = Sight(ref=one.ref, live=found(one.ref, ROLLING, stuck=POD, owner=owner))
    record = Record(inventory=inventory(one), current="new", rollout=rollout(one.ref))

    assert plan(one, seen, record).stuck == ()


def test_a_job_that_is_made_anew_again_and_again_is_a_fight():
    job = manifest("Job", "migrate")
    times = tuple(NOON for _ in range(5))
    fought = Record(inventory=inventory(job), current="new", corrections={job.ref: times})

    made = plan(job, sight(job.ref, ROLLING, Refused(REFUSAL, immutable=True)), fought)

    assert [problem.code for problem in made.fighting] == ["FIGHTING"]


def test_a_job_that_is_done_and_gone_is_set_apart_and_holds_up_no_wave():
    job = manifest("Job", "migrate", {"ttlSecondsAfterFinished": 60}, {"gitopsd.dev/wave": "-1"})
    done = Record(inventory=inventory(job), current="new")
    seen = live(sight(job.ref, None, SAME), sight(WEB.ref, None, SAME))

    made = make_plan(Target(digest="new", trigger=Trigger.COMMIT), desired(job, WEB), seen, done, NOON)

    assert (made.apart, [change.ref for change in made.changes]) == ({job.ref}, [WEB.ref])


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param(manifest("Deployment", "web"), None, id="an immutable field is a rejection"),
        pytest.param(
            manifest("Deployment", "web", annotations={"gitopsd.dev/recreate": "on-immutable"}),
            Action.RECREATE,
            id="unless the object asks to be recreated",
        ),
        pytest.param(manifest("Job", "migrate"), Action.RECREATE, id="Jobs are recreated by default"),
        pytest.param(
            manifest("StatefulSet", "db", annotations={"gitopsd.dev/recreate": "on-immutable"}),
            None,
            id="a StatefulSet is never recreated",
        ),
    ],
)
def test_an_immutable_field(what, expected):
    older = Record(inventory={what.ref: Item(uid=f"uid-{what.ref.name}", digest="older")})

    made = plan(what, sight(what.ref, ROLLING, Refused(REFUSAL, immutable=True)), older)

    assert [change.action for change in made.changes] == ([expected] if expected else [])
    assert made.rejections == (() if expected else (REFUSAL,))


def test_an_object_whose_kind_comes_with_the_set_waits():
    made = plan(seen=sight(WEB.ref, None, Deferred("its kind is not served yet")), record=Record())

    assert made.waiting == ("Deployment shop/web waits: its kind is not served yet",)


@pytest.mark.parametrize(
    ("owner", "code"),
    [
        ("Helm release shop/web", "ADOPTION_REFUSED"),
        ("nobody (made by kubectl-create)", "ADOPTION_REFUSED"),
        ("environment production", "OWNERSHIP_CONFLICT"),
    ],
)
def test_an_object_of_somebody_else_is_a_conflict(owner, code):
    seen = Sight(ref=WEB.ref, live=found(WEB.ref, owner=owner), preview=OTHER)

    made = plan(seen=seen, record=Record())

    assert [problem.code for problem in made.conflicts] == [code]
    assert made.changes == ()


def test_an_object_is_adopted_when_asked_for():
    asking = manifest("Deployment", "web", annotations={"gitopsd.dev/adopt": "true"})
    seen = Sight(ref=asking.ref, live=found(asking.ref, owner="Helm release shop/web"), preview=SAME)

    assert only_change(plan(asking, seen, Record())).cause is Cause.ADOPTION


def test_a_namespace_that_nobody_claims_is_shared_by_nature():
    shop = manifest("Namespace", "shop")
    seen = Sight(ref=shop.ref, live=found(shop.ref, owner="nobody (made by kubectl-create)"), preview=OTHER)

    assert only_change(plan(shop, seen, Record())).cause is Cause.ADOPTION


def test_an_object_is_taken_over_from_an_environment_that_gave_it_up():
    waiting = plan(seen=of_rival(WEB.ref), record=Record(), others=Others())
    refused = plan(seen=of_rival(WEB.ref), record=Record(), others=claims(WEB.ref))
    taken = plan(seen=of_rival(WEB.ref), record=Record(), others=claims())

    assert (waiting.changes, refused.changes) == ((), ())
    assert only_change(taken).cause is Cause.ADOPTION


def test_the_sixth_correction_in_ten_minutes_is_a_fight():
    times = tuple(NOON - timedelta(seconds=10 * number) for number in range(5))
    fought = replace(KNOWN, corrections={WEB.ref: times})

    made = plan(seen=sight(WEB.ref, preview=OTHER), record=fought)

    assert [problem.code for problem in made.fighting] == ["FIGHTING"]
    assert made.changes == ()


def test_a_commit_is_never_a_fight():
    times = tuple(NOON for _ in range(9))
    fought = Record(inventory={WEB.ref: Item(uid="uid-web", digest="older")}, corrections={WEB.ref: times})

    assert only_change(plan(seen=sight(WEB.ref, preview=OTHER), record=fought)).cause is Cause.COMMIT


JOB = manifest("Job", "migrate", {"ttlSecondsAfterFinished": 60})


def test_a_job_that_went_by_its_own_time_to_live_is_not_run_again():
    done = Record(inventory=inventory(JOB), current="new")

    assert plan(JOB, sight(JOB.ref, None, SAME), done).changes == ()


def test_a_job_that_went_by_its_own_time_to_live_is_not_run_on_the_way_back():
    another = Record(inventory={JOB.ref: Item(uid="uid-migrate", digest="bad")}, current="new")

    assert plan(JOB, sight(JOB.ref, None, SAME), another, trigger=Trigger.REVERT).changes == ()
    assert only_change(plan(JOB, sight(JOB.ref, None, SAME), another)).action is Action.CREATE


@pytest.mark.parametrize(("quiet", "apart"), [({}, set()), ({JOB.ref: NOON}, {JOB.ref})], ids=["failed", "got over it"])
def test_a_job_that_failed_and_went_holds_up_what_waits_for_it(quiet, apart):
    failed = rollout(JOB.ref, failing={JOB.ref: NOON}, quiet=quiet, reasons={JOB.ref: "BackoffLimitExceeded"})
    record = Record(inventory=inventory(JOB), current="new", rollout=failed)

    made = plan(JOB, sight(JOB.ref, None, SAME), record)

    assert (made.changes, made.apart) == ((), apart)


@pytest.mark.parametrize(
    ("kind", "goes"), [("Job", False), ("Deployment", False), ("Namespace", True), ("CustomResourceDefinition", True)]
)
def test_who_waits_for_an_object_waits_for_its_change_as_well(kind, goes):
    """What was well until now is the old one: a migration is not done because the last one was."""
    first = manifest(kind, "first", {"version": "2"}, {"gitopsd.dev/wave": "-1"})
    known = Record(inventory={ref: Item(uid=f"uid-{ref.name}", digest="older") for ref in (first.ref, WEB.ref)})
    seen = live(sight(first.ref, preview=OTHER), sight(WEB.ref, preview=OTHER))

    made = make_plan(Target(digest="new", trigger=Trigger.COMMIT), desired(first, WEB), seen, known, NOON)

    assert (WEB.ref in {change.ref for change in made.changes}) is goes
    assert len(made.waiting) == (0 if goes else 1)


def test_a_job_that_is_to_run_once_is_not_run_again_when_it_is_gone_whatever_it_says_now():
    once = manifest("Job", "setup", {"backoffLimit": 1}, {"helm.sh/hook": "post-install"})
    ran = Record(inventory={once.ref: Item(uid="uid-setup", digest="older")}, current="new")

    assert plan(once, sight(once.ref, None, SAME), ran).changes == ()
    assert only_change(plan(once, sight(once.ref, None, SAME), Record())).action is Action.CREATE


def test_a_job_that_never_ran_is_run():
    assert only_change(plan(JOB, sight(JOB.ref, None, SAME), Record())).action is Action.CREATE


OVER = Health(HealthStatus.FAILED, "BackoffLimitExceeded", "0/1 done")


@pytest.mark.parametrize("health", [CURRENT, OVER], ids=["succeeded", "failed"])
def test_a_finished_job_is_never_run_again_by_a_revert(health):
    older = Record(inventory={JOB.ref: Item(uid="uid-migrate", digest="bad")})

    made = plan(JOB, sight(JOB.ref, health, Refused(REFUSAL, immutable=True)), older, trigger=Trigger.REVERT)

    assert (made.changes, made.rejections) == ((), ())


def test_a_job_whose_pods_could_not_start_is_not_left_to_start_one_day_after_a_revert():
    older = Record(inventory={JOB.ref: Item(uid="uid-migrate", digest="bad")})
    waits = Health(HealthStatus.FAILED, "ImagePullBackOff", "image not found")

    made = plan(JOB, sight(JOB.ref, waits, Refused(REFUSAL, immutable=True)), older, trigger=Trigger.REVERT)

    assert only_change(made).action is Action.RECREATE


@pytest.mark.parametrize("annotations", [LEFT_ALONE, {"helm.sh/hook": "test"}])
@pytest.mark.parametrize("record", [pytest.param(Record(), id="never ours"), pytest.param(KNOWN, id="ours before")])
def test_what_is_left_alone_has_no_part_in_the_plan_and_is_not_looked_at(annotations, record):
    made = make_plan(GOING, desired(manifest("Deployment", "web", annotations=annotations)), live(), record, NOON)

    assert made == Plan(digest="new", revision=REVISION)


@pytest.mark.parametrize(
    "asks", [{"gitopsd.dev/depends-on": "Deployment/left"}, {"gitopsd.dev/wave": "1"}], ids=["by name", "by wave"]
)
def test_nothing_waits_for_what_is_left_alone(asks):
    left = manifest("Deployment", "left", annotations=LEFT_ALONE)
    web = manifest("Deployment", "web", annotations=asks)

    made = make_plan(GOING, desired(left, web), live(sight(web.ref, None, SAME)), Record(), NOON)

    assert only_change(made).ref == web.ref


def test_what_was_recreated_behind_our_back_is_learned_without_a_write():
    seen = Sight(ref=WEB.ref, live=found(WEB.ref, uid="another"))

    made = plan(seen=seen)

    assert made.changes == ()
    assert made.learned[WEB.ref].uid == "another"


def test_a_custom_resource_waits_for_its_definition():
    crd = manifest(
        "CustomResourceDefinition", "widgets.example.com", {"group": "example.com", "names": {"kind": "Widget"}}
    )
    widget = manifest("Widget", "one")
    wanted = desired(widget, crd)
    target = Target(digest="new", trigger=Trigger.COMMIT)

    before = make_plan(target, wanted, live(sight(crd.ref, None, SAME), sight(widget.ref, None, SAME)), Record(), NOON)
    after = make_plan(target, wanted, live(sight(crd.ref), sight(widget.ref, None, SAME)), Record(), NOON)

    assert [change.ref for change in before.changes] == [crd.ref]
    assert [change.ref for change in after.changes] == [widget.ref]


def test_changes_come_in_waves():
    names = ("ValidatingWebhookConfiguration", "Deployment", "Secret", "ClusterRole", "Service")
    wanted = desired(*(manifest(kind, "x") for kind in names))
    seen = live(*(sight(one.ref, None, SAME) for one in wanted.manifests))

    made = make_plan(Target(digest="new", trigger=Trigger.COMMIT), wanted, seen, Record(), NOON)

    assert [change.ref.kind for change in made.changes] == [
        "ClusterRole", "Secret", "Service", "Deployment", "ValidatingWebhookConfiguration",
    ]  # fmt: skip
    assert [change.wave for change in made.changes] == [0, 1, 2, 3, 4]


def test_an_explicit_wave_waits_until_the_one_before_is_current():
    first = manifest("Job", "migrate", annotations={"gitopsd.dev/wave": "-1"})
    wanted = desired(first, WEB)
    target = Target(digest="new", trigger=Trigger.COMMIT)

    running = make_plan(target, wanted, live(sight(first.ref, ROLLING), sight(WEB.ref, None, SAME)), Record(), NOON)
    done = make_plan(target, wanted, live(sight(first.ref), sight(WEB.ref, None, SAME)), Record(), NOON)

    assert running.changes == ()
    assert running.waiting == ("Deployment shop/web waits: for Job shop/migrate",)
    assert only_change(done).ref == WEB.ref

"""Never delete on doubt: every line of the prune proof, alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.core.leftovers import sort_out
from gitopsd.core.model import Claim, Environment, Health, HealthStatus, Item, Others
from gitopsd.core.plan import Prune
from gitopsd.core.record import Record, Trigger
from gitopsd.core.settings import PruneSettings, Settings
from gitopsd.core.target import Target
from tests.make import desired, found, inventory, live, manifest

WEB = manifest("Deployment", "web")
OLD = manifest("Deployment", "old")
TARGET = Target(digest="new", trigger=Trigger.COMMIT, proven=True)
RECORD = Record(inventory=inventory(WEB, OLD), current="new")
SET = desired(WEB)


def leftovers(there=None, target=TARGET, wanted=SET, record=RECORD, **seen):
    return sort_out(target, wanted, live(leftovers={OLD.ref: there}, **seen), record)


def why(outcome):
    assert outcome.prunes == ()
    return [problem.code for problem in outcome.kept_back]


def test_a_leftover_that_is_proven_ours_goes_by_its_uid():
    assert leftovers(found(OLD.ref)).prunes == (Prune(OLD.ref, "uid-old"),)


def test_a_leftover_that_is_not_found_is_forgotten():
    assert leftovers(None).forgotten == {OLD.ref}


def test_a_leftover_that_another_environment_owns_by_now_is_forgotten_and_not_deleted():
    outcome = leftovers(found(OLD.ref, owner="environment production"))

    assert (outcome.forgotten, outcome.prunes) == ({OLD.ref}, ())


def test_a_leftover_that_another_environment_wants_waits_for_its_heir():
    production = Environment(name="production", source="git", path="production")
    claimed = replace(TARGET, others=Others(claims=(Claim(environment=production, refs=frozenset({OLD.ref})),)))

    assert why(leftovers(found(OLD.ref), claimed)) == ["HANDOVER_PENDING"]


@pytest.mark.parametrize(
    ("namespaces", "codes"),
    [
        pytest.param((), ["HANDOVER_UNCLEAR"], id="that has no bounds"),
        pytest.param(("sho*",), ["HANDOVER_UNCLEAR"], id="that may use the namespace"),
        pytest.param(("bank",), [], id="that may not: it goes"),
    ],
)
def test_a_leftover_stays_while_an_environment_cannot_say_what_it_wants(namespaces, codes):
    silent = Environment(name="heir", source="git", path="heir", namespaces=namespaces)
    outcome = leftovers(found(OLD.ref), replace(TARGET, others=Others(silent=(silent,))))

    assert [problem.code for problem in outcome.kept_back] == codes
    assert bool(outcome.prunes) is not bool(codes)


@pytest.mark.parametrize(
    ("there", "code"),
    [
        pytest.param(found(OLD.ref, uid="another"), "PRUNE_NOT_OURS", id="recreated by somebody else"),
        pytest.param(found(OLD.ref, owner="Helm release x/y"), "PRUNE_NOT_OURS", id="of another tool"),
        pytest.param(found(OLD.ref, protection="it is a Namespace"), "PRUNE_PROTECTED", id="protected"),
    ],
)
def test_a_leftover_stays_when_it_is(there, code):
    assert why(leftovers(there)) == [code]


def test_a_leftover_that_could_not_be_looked_up_stays():
    outcome = sort_out(TARGET, SET, live(unsure=frozenset({OLD.ref})), RECORD)

    assert why(outcome) == ["PRUNE_UNSURE"]
    assert outcome.forgotten == frozenset()


def test_nothing_goes_when_git_was_not_asked():
    assert why(leftovers(found(OLD.ref), replace(TARGET, proven=False))) == ["PRUNE_UNPROVEN"]


def test_what_a_held_digest_added_goes_without_git():
    born = replace(RECORD, inventory={OLD.ref: replace(RECORD.inventory[OLD.ref], born="bad")})
    back = replace(TARGET, proven=False, trigger=Trigger.REVERT, held_digests=frozenset({"bad"}))

    assert leftovers(found(OLD.ref), back, record=born).prunes == (Prune(OLD.ref, "uid-old"),)


def test_what_a_held_digest_took_up_was_there_before_it_and_is_let_go():
    taken_up = replace(RECORD, inventory={OLD.ref: replace(RECORD.inventory[OLD.ref], born="bad", found=True)})
    back = replace(TARGET, proven=False, trigger=Trigger.REVERT, held_digests=frozenset({"bad"}))

    outcome = leftovers(found(OLD.ref), back, record=taken_up)

    assert (outcome.forgotten, outcome.prunes, outcome.kept_back) == ({OLD.ref}, (), ())


def test_what_was_taken_up_and_kept_follows_git_like_all_else():
    taken_up = replace(RECORD, inventory={OLD.ref: replace(RECORD.inventory[OLD.ref], born="old", found=True)})

    assert leftovers(found(OLD.ref), record=taken_up).prunes == (Prune(OLD.ref, "uid-old"),)


def test_a_person_who_rolls_back_means_the_whole_set():
    back = replace(TARGET, proven=False, trigger=Trigger.ROLLBACK)

    assert leftovers(found(OLD.ref), back).prunes == (Prune(OLD.ref, "uid-old"),)


def test_pruning_can_be_switched_off():
    wanted = desired(WEB, settings=Settings(prune=PruneSettings(enabled=False)))

    assert why(leftovers(found(OLD.ref), wanted=wanted)) == ["PRUNE_DISABLED"]


def test_what_is_being_deleted_already_is_not_deleted_again():
    outcome = leftovers(found(OLD.ref, Health(HealthStatus.TERMINATING)))

    assert (outcome.prunes, outcome.kept_back, outcome.forgotten) == ((), (), frozenset())


def many(count: int, gone: int, born: str = "old"):
    everything = [manifest("Deployment", f"app-{number}") for number in range(count)]
    record = Record(inventory=inventory(*everything, born=born))
    there = {one.ref: found(one.ref) for one in everything[:gone]}
    return sort_out, record, there


@pytest.mark.parametrize(
    ("count", "gone", "allowed"),
    [
        pytest.param(4, 3, True, id="three may always go"),
        pytest.param(4, 4, False, id="four of four may not"),
        pytest.param(100, 20, True, id="a fifth may go"),
        pytest.param(100, 21, False, id="more than a fifth may not"),
    ],
)
def test_the_budget(count, gone, allowed):
    sort, record, there = many(count, gone)

    outcome = sort(TARGET, SET, live(leftovers=there), record)

    assert len(outcome.prunes) == (gone if allowed else 0)
    assert [problem.code for problem in outcome.kept_back] == ([] if allowed else ["PRUNE_BUDGET"])


def test_what_a_held_digest_added_does_not_count_against_the_budget():
    sort, record, there = many(10, 9, born="bad")

    assert len(sort(replace(TARGET, held_digests=frozenset({"bad"})), SET, live(leftovers=there), record).prunes) == 9


def test_of_a_leftover_whose_answer_was_lost_the_uid_is_learned_first():
    unknown = replace(RECORD, inventory={OLD.ref: Item()})

    outcome = leftovers(found(OLD.ref), record=unknown)

    assert (outcome.prunes, outcome.learned[OLD.ref].uid) == ((), "uid-old")


def test_a_leftover_without_a_uid_that_is_somebody_elses_stays():
    unknown = replace(RECORD, inventory={OLD.ref: Item()})

    assert why(leftovers(found(OLD.ref, owner="Helm release x/y"), record=unknown)) == ["PRUNE_NOT_OURS"]

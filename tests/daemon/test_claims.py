"""Who wants which object, and who is ready: only what was said since the start."""

from __future__ import annotations

from gitopsd.core.model import Environment
from gitopsd.daemon.claims import LocalClaims
from tests.make import ref

WEB = ref("Deployment", "web")


def environment(name: str) -> Environment:
    return Environment(name=name, source="git", path=f"environments/{name}", apply_set=f"set-{name}")


def test_the_others_are_told_apart_from_oneself():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset({WEB}), "1")

    others = claims.exchange(environment("b"), frozenset(), "1")

    assert (others.heir_of(WEB), [one.environment.name for one in others.claims]) == ("a", ["a"])
    assert claims.exchange(environment("a"), frozenset({WEB}), "1").heir_of(WEB) == ""


def test_who_has_not_said_anything_has_given_up_nothing():
    claims = LocalClaims()

    before = claims.exchange(environment("b"), frozenset(), "1")
    claims.exchange(environment("a"), frozenset(), "1")
    after = claims.exchange(environment("b"), frozenset(), "1")

    assert (before.gave_up(WEB, "set-a"), after.gave_up(WEB, "set-a")) == (False, True)


def test_who_wants_what_a_third_one_wants_as_well_has_not_given_it_up():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset({WEB}), "1")
    claims.exchange(environment("c"), frozenset({WEB}), "1")

    others = claims.exchange(environment("b"), frozenset({WEB}), "1")

    assert [others.gave_up(WEB, f"set-{name}") for name in "ac"] == [False, False]
    assert [others.may_still_want(WEB, f"set-{name}") for name in "ac"] == [True, True]


def test_who_has_not_spoken_yet_is_silent():
    claims = LocalClaims()
    claims.expect(environment("a"))

    before = claims.exchange(environment("b"), frozenset(), "1")
    claims.exchange(environment("a"), frozenset(), "1")
    claims.expect(environment("a"))
    after = claims.exchange(environment("b"), frozenset(), "1")

    assert (before.silent, after.silent) == ((environment("a"),), ())


def test_who_has_spoken_of_another_commit_of_the_same_repository_is_silent():
    claims = LocalClaims()
    elsewhere = Environment(name="c", source="another", path="c")
    claims.exchange(environment("a"), frozenset({WEB}), "1")
    claims.exchange(elsewhere, frozenset(), "7")

    others = claims.exchange(environment("b"), frozenset(), "2")

    assert others.silent == (environment("a"),)
    assert others.may_be_wanted_by(WEB) == "a"


def test_of_whom_it_cannot_be_said_what_it_wants_is_silent_and_gives_up_nothing():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset(), None)

    others = claims.exchange(environment("b"), frozenset(), None)

    assert (others.silent, others.gave_up(WEB, "set-a")) == ((environment("a"),), False)


def test_what_was_wanted_may_be_wanted_still_until_somebody_can_say():
    claims = LocalClaims()
    elsewhere = Environment(name="b", source="another", path="b")
    said = []
    for refs, revision in ((frozenset({WEB}), "1"), (frozenset(), None), (frozenset(), "2")):
        claims.exchange(environment("a"), refs, revision)
        said.append(claims.exchange(elsewhere, frozenset(), "7").heir_of(WEB))

    assert said == ["a", "a", ""]


def test_while_git_is_silent_for_all_what_runs_is_all_that_is_wanted():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset(), "")

    others = claims.exchange(environment("b"), frozenset(), "")

    assert (others.silent, others.gave_up(WEB, "set-a")) == ((), True)


def test_saying_the_same_again_is_no_news():
    claims = LocalClaims()
    news = []
    for refs, revision in ((frozenset(), "1"), (frozenset(), "1"), (frozenset({WEB}), "1"), (frozenset({WEB}), "2")):
        claims.exchange(environment("a"), refs, revision)
        news.append(claims.take_news())

    assert (news, claims.take_news()) == ([True, False, True, True], False)


def test_who_is_forgotten_wants_nothing_and_is_not_ready():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset({WEB}), "1")
    claims.settled("a", is_ready=True)
    claims.forget("a")

    others = claims.exchange(environment("b"), frozenset(), "1")

    assert (others.claims, others.ready) == ((), frozenset())


def test_who_is_no_longer_ready_is_not_ready():
    claims = LocalClaims()
    claims.settled("a", is_ready=True)
    claims.settled("a", is_ready=False)

    assert claims.exchange(environment("b"), frozenset(), "1").ready == frozenset()


def test_who_said_first_that_it_wants_an_object_is_the_elder_for_as_long_as_it_says_the_same():
    claims = LocalClaims()
    first = claims.exchange(environment("a"), frozenset({WEB}), "1")
    second = claims.exchange(environment("b"), frozenset({WEB}), "1")
    again = claims.exchange(environment("a"), frozenset({WEB}), "1")

    assert (first.elder_of(WEB), second.elder_of(WEB), again.elder_of(WEB)) == ("", "a", "")


def test_who_says_something_else_gives_up_its_turn():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset({WEB}), "1")
    claims.exchange(environment("b"), frozenset({WEB}), "1")

    assert claims.exchange(environment("a"), frozenset({WEB}), "2").elder_of(WEB) == "b"

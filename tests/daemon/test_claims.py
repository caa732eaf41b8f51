"""Who wants which object, and who is ready: only what was said since the start."""

from __future__ import annotations

from gitopsd.core.model import Environment
from gitopsd.daemon.claims import LocalClaims
from tests.make import ref

WEB = ref("Deployment", "web")


def environment(name: str) -> Environment:
    return Environment(name=name, source="git", path=f"environments/{name}")


def test_the_others_are_told_apart_from_oneself():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset({WEB}))

    others = claims.exchange(environment("b"), frozenset())

    assert (others.wants, others.known) == ({WEB: "a"}, {"a"})
    assert claims.exchange(environment("a"), frozenset({WEB})).wants == {}


def test_who_has_not_said_anything_has_given_up_nothing():
    claims = LocalClaims()

    before = claims.exchange(environment("b"), frozenset())
    claims.exchange(environment("a"), frozenset())
    after = claims.exchange(environment("b"), frozenset())

    assert (before.gave_up(WEB, "a"), after.gave_up(WEB, "a")) == (False, True)


def test_who_is_forgotten_wants_nothing_and_is_not_ready():
    claims = LocalClaims()
    claims.exchange(environment("a"), frozenset({WEB}))
    claims.settled("a", is_ready=True)
    claims.forget("a")

    others = claims.exchange(environment("b"), frozenset())

    assert (others.wants, others.known, others.ready) == ({}, frozenset(), frozenset())


def test_who_is_no_longer_ready_is_not_ready():
    claims = LocalClaims()
    claims.settled("a", is_ready=True)
    claims.settled("a", is_ready=False)

    assert claims.exchange(environment("b"), frozenset()).ready == frozenset()

"""What the authority believes and for how long, with a counted API server that says what it is told to."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from gitopsd.adapters.authority import KNOWN_MAX, TOKEN_CHARS_MAX, KubernetesAuthority
from gitopsd.core.access import Asked, Permission
from gitopsd.core.errors import ClusterError
from gitopsd.core.model import Json
from gitopsd.ports import Answer, Call
from tests.fakes.clock import FakeClock

ALL = Asked(verb="list")


@dataclass
class Reviews:
    """Answers reviews; ``asked`` are their bodies."""

    user: Mapping[str, Json] = field(default_factory=lambda: {"username": "ann", "groups": ["ops"]})
    allowed: bool = True
    status: int = 201
    audiences: tuple[str, ...] = ()
    asked: list[Mapping[str, Json]] = field(default_factory=list)

    def call(self, call: Call) -> Answer:
        body = json.loads(call.body or b"")
        self.asked.append(body)
        if body["kind"] == "TokenReview":
            said = {"authenticated": bool(self.user), "user": self.user, "audiences": list(self.audiences)}
        else:
            said = {"allowed": self.allowed}
        return Answer(self.status, {"status": said})


def jwt(ends_in_s: float, clock: FakeClock) -> str:
    claims = json.dumps({"exp": clock.now().timestamp() + ends_in_s}).encode()
    return f"h.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.s"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def authority(reviews, clock) -> KubernetesAuthority:
    return KubernetesAuthority(reviews, clock, "gitopsd")


@pytest.mark.parametrize(("ends_in_s", "believed_s"), [(3600, 60), (20, 20), (-5, 0)])
def test_an_allowed_token_is_believed_for_a_minute_and_never_past_its_end(
    authority, reviews, clock, ends_in_s, believed_s
):
    token = jwt(ends_in_s, clock)
    assert authority.decide(token, ALL) is Permission.ALLOWED
    once = len(reviews.asked)

    clock.advance(seconds=max(believed_s - 1, 0))
    authority.decide(token, ALL)
    before_the_end = len(reviews.asked)
    clock.advance(seconds=1)
    authority.decide(token, ALL)

    assert before_the_end == (once if believed_s else 2 * once)
    assert len(reviews.asked) == before_the_end + once


def test_what_was_allowed_of_one_environment_says_nothing_of_another(authority, reviews):
    assert authority.decide("token", Asked(verb="get", environment="web")) is Permission.ALLOWED
    reviews.allowed = False

    assert authority.decide("token", Asked(verb="get", environment="db")) is Permission.FORBIDDEN
    assert authority.decide("other", Asked(verb="get", environment="web")) is Permission.FORBIDDEN


def test_a_right_that_was_taken_away_is_noticed(authority, reviews, clock):
    token = jwt(3600, clock)
    authority.decide(token, ALL)
    reviews.allowed = False

    clock.advance(seconds=60)

    assert authority.decide(token, ALL) is Permission.FORBIDDEN


def test_whoever_the_review_names_is_whom_the_right_is_asked_for(authority, reviews):
    reviews.user = {"username": "ann", "uid": "7", "groups": ["ops"], "extra": {"scope": ["a"]}}

    authority.decide("token", Asked(verb="get", environment="production/web"))

    spec = reviews.asked[1]["spec"]
    assert spec == {
        "user": "ann",
        "uid": "7",
        "groups": ["ops"],
        "extra": {"scope": ["a"]},
        "resourceAttributes": {
            "group": "gitopsd.dev",
            "resource": "environments",
            "verb": "get",
            "namespace": "gitopsd",
            "name": "production/web",
        },
    }


@pytest.mark.parametrize(("audiences", "known"), [((), False), (("api",), False), (("api", "gitopsd"), True)])
def test_a_token_must_be_meant_for_us(reviews, clock, audiences, known):
    reviews.audiences = audiences
    strict = KubernetesAuthority(reviews, clock, "gitopsd", audiences=("gitopsd",))

    assert (strict.decide("token", ALL) is Permission.ALLOWED) is known
    assert reviews.asked[0]["spec"]["audiences"] == ["gitopsd"]


@pytest.mark.parametrize("user", [{}, {"username": ""}, {"groups": ["system:masters"]}])
def test_nobody_without_a_name_is_let_in(authority, reviews, user):
    reviews.user = user

    assert authority.decide("token", ALL) is Permission.UNKNOWN_CALLER


@pytest.mark.parametrize("token", ["", "x" * (TOKEN_CHARS_MAX + 1)])
def test_what_can_be_no_token_is_not_even_asked_about(authority, reviews, token):
    assert authority.decide(token, ALL) is Permission.UNKNOWN_CALLER
    assert reviews.asked == []


def test_an_answer_that_is_none_is_not_knowing(authority, reviews):
    reviews.status = 403

    with pytest.raises(ClusterError):
        authority.decide("token", ALL)


def test_what_it_remembers_is_bounded_and_holds_no_token(authority):
    for number in range(KNOWN_MAX + 10):
        authority.decide(f"canary-{number}", ALL)

    assert len(authority._known) == KNOWN_MAX
    assert "canary-" not in repr(authority._known)

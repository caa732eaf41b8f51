"""When an environment is looked at again, and what is known before the first look."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from gitopsd.config import Config, literal
from gitopsd.core.errors import ClusterError, Problem, RenderError, Stage
from gitopsd.core.status.view import SourceView
from gitopsd.daemon.claims import LocalClaims
from gitopsd.daemon.engine import RETRY_MAX_S, RETRY_MIN_S, Engine
from gitopsd.daemon.meter import StageTimes
from tests.core.views import FORBIDDEN, READY, unsure
from tests.fakes.clock import FakeClock

NO = Problem(code="NO", stage=Stage.APPLY, message="no")
A_DAY_S = 86_400.0
CONFIG = Config(
    sources=[
        {"name": name, "url": f"https://git.example.com/{name}.git", "branch": "main", "poll": "24h"}
        for name in ("quick", "slow")
    ],
    environments=[{"path": "web", "source": "quick"}, {"path": "shop", "source": "slow"}],
)


@pytest.fixture
def engine():
    """One that follows ``quick``, and whose sources never answer."""
    sources = dict.fromkeys(("quick", "slow"), SimpleNamespace(fetch=lambda: SimpleNamespace(changed=False)))
    house = SimpleNamespace(
        config=CONFIG,
        sources=sources,
        claims=LocalClaims(),
        clock=FakeClock(),
        fence=SimpleNamespace(is_open=True),
        times=StageTimes(),
        environments_of=lambda source: literal(CONFIG, source),
        source_view=lambda name, poll_s: SourceView(name=name, url="", ref="main"),
    )
    made = Engine(house)
    made.environments = {one.name: one for one in literal(CONFIG, "quick")}
    for one in made.environments.values():
        made.board.follow(one)
    made.queue.close()
    made.fetches.close()
    return made


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(ClusterError(NO, retry=True), RETRY_MIN_S, id="what may pass: soon"),
        pytest.param(
            ClusterError(NO, retry=False), RETRY_MAX_S, id="what somebody must mend in the cluster: within a minute"
        ),
        pytest.param(RenderError(NO), A_DAY_S, id="what only another commit can mend: when that may be there"),
    ],
)
def test_after_a_pass_that_could_not_know_it_is_looked_again(engine, error, seconds):
    assert engine._could_not("web", (NO,), error) == seconds


@pytest.mark.parametrize(
    ("retry", "seconds"), [(True, (RETRY_MIN_S, 2 * RETRY_MIN_S, 4 * RETRY_MIN_S)), (False, (RETRY_MAX_S,) * 3)]
)
def test_while_nobody_can_look_at_a_newer_commit_it_is_looked_again_as_soon(engine, retry, seconds):
    latest = unsure(READY).latest
    latest = replace(latest, git=replace(latest.git, unseen=ClusterError(NO, retry=retry)))

    assert tuple(engine._did("web", latest) for _ in seconds) == seconds
    view = engine.board.environments["web"]
    assert (view.problems, view.problem_count, view.looked) == ((NO,), 3, True)


def test_once_a_newer_commit_can_be_looked_at_nothing_is_wrong(engine):
    engine._did("web", unsure(READY).latest)
    engine._did("web", READY.latest)

    assert engine.board.environments["web"].problems == ()


def test_what_a_standby_fetched_is_nothing_to_begin_a_term_with(engine):
    """The clock may open the fence a moment before anybody is told of it."""
    engine.house.fence.is_open = False
    engine._fetch("quick")
    engine.house.fence.is_open = True
    engine._pass("web")

    assert engine.board.environments["web"].problems == ()


def test_what_was_fetched_before_a_term_ended_is_nothing_to_begin_another_with(engine):
    engine._fetch("quick")
    engine.step_down()
    engine._pass("web")

    assert engine.board.environments["web"].problems == ()


def test_a_fetch_while_leading_was_in_doubt_takes_nothing_away(engine):
    engine._fetch("quick")
    engine.house.fence.is_open = False
    engine._fetch("quick")

    assert engine._fetched == {"quick": 0}


def test_who_steps_down_shows_at_once_what_the_records_say(engine):
    engine.step_down()

    assert engine.queue.depth == 1


def test_who_has_not_been_fetched_yet_is_expected_to_say_what_it_wants(engine):
    engine.start()
    others = engine.house.claims.exchange(engine.environments["web"], frozenset(), "1")

    assert [one.name for one in others.silent] == ["shop"]


def test_a_pass_that_fails_with_what_barred_the_one_before_it_shows_nothing_of_that_one_as_it_is_now(engine):
    engine._did("web", unsure(READY).latest)
    looked = engine.board.environments["web"].looked
    engine._could_not("web", (FORBIDDEN,), ClusterError(FORBIDDEN))

    assert (looked, engine.board.environments["web"].looked) == (True, False)

"""When an environment is looked at again, and what is known before the first look."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gitopsd.config import Config, literal
from gitopsd.core.errors import ClusterError, Problem, RenderError, Stage
from gitopsd.daemon.claims import LocalClaims
from gitopsd.daemon.engine import RETRY_MAX_S, RETRY_MIN_S, Engine
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
    sources = dict.fromkeys(("quick", "slow"))
    made = Engine(SimpleNamespace(config=CONFIG, sources=sources, claims=LocalClaims(), clock=FakeClock()))
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


def test_who_has_not_been_fetched_yet_is_expected_to_say_what_it_wants(engine):
    engine.start()
    others = engine.house.claims.exchange(engine.environments["web"], frozenset(), "1")

    assert [one.name for one in others.silent] == ["shop"]

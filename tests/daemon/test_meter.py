"""Seconds per stage belong to the latest rollout; idle passes do not count."""

from __future__ import annotations

import pytest

from gitopsd.core.model import Environment
from gitopsd.daemon.meter import Fate, StageTimes, timed

STAGING = Environment(name="staging", source="git", path="environments/staging")


class Store:
    """A port of one call, which may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def load(self, environment: Environment) -> str:
        if self.error:
            raise self.error
        return environment.name


def test_a_new_rollout_begins_with_the_pass_that_began_it():
    times = StageTimes()
    times.add("staging", "apply", 5.0)
    times.settle("staging", Fate.ADD)
    times.add("staging", "render", 1.0)
    times.settle("staging", Fate.BEGIN)
    times.add("staging", "apply", 2.0)
    times.settle("staging", Fate.ADD)

    assert times.of("staging") == {"render": 1.0, "apply": 2.0}


def test_an_idle_pass_does_not_count():
    times = StageTimes()
    times.add("staging", "observe", 1.0)
    times.settle("staging", Fate.DROP)

    assert times.of("staging") == {}


def test_a_call_through_a_timed_port_is_counted_under_its_stage():
    times = StageTimes()

    assert timed(Store(), times).load(STAGING) == "staging"
    times.settle("staging", Fate.ADD)

    assert list(times.of("staging")) == ["record"]


def test_a_call_that_fails_is_counted_too_and_still_fails():
    times = StageTimes()
    with pytest.raises(OSError, match="no"):
        timed(Store(OSError("no")), times).load(STAGING)
    times.settle("staging", Fate.ADD)

    assert list(times.of("staging")) == ["record"]

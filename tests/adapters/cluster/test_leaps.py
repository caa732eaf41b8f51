"""A clock that is set forward ends nothing early."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gitopsd.adapters.cluster.leaps import Leaps
from tests.make import NOON


def seen(*looks: tuple[float, float]) -> Leaps:
    """Looks at both clocks: seconds since noon, and of the steady one."""
    leaps = Leaps()
    for now_s, steady_s in looks:
        leaps.look(NOON + timedelta(seconds=now_s), steady_s)
    return leaps


@pytest.mark.parametrize(
    ("looks", "leapt_s"),
    [
        pytest.param([(0, 5), (100, 105)], 0, id="both go on alike"),
        pytest.param([(0, 5), (3_610, 15)], 3_600, id="set forward by an hour"),
        pytest.param([(0, 5), (70, 15), (140, 25)], 120, id="set forward twice"),
        pytest.param([(0, 5), (10.5, 15)], 0, id="a little ahead"),
        pytest.param([(0, 5), (5, 15)], 0, id="behind"),
    ],
)
def test_what_it_tells(looks, leapt_s):
    assert seen(*looks).since_s(NOON) == leapt_s


def test_what_was_leapt_over_before_is_not_told():
    assert seen((0, 5), (3_610, 15)).since_s(NOON + timedelta(seconds=3_700)) == 0

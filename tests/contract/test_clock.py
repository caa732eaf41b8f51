"""One contract, two clocks; and what only the real one must survive: somebody sets the machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitopsd.adapters.clock import SystemClock
from tests.fakes.clock import FakeClock


@pytest.fixture(params=[FakeClock, SystemClock])
def clock(request):
    return request.param()


def test_an_instant_is_in_utc(clock):
    assert clock.now().utcoffset() == timedelta(0)


def test_time_never_goes_backwards(clock):
    instants = [clock.now() for _ in range(100)]
    measured = [clock.steady() for _ in range(100)]

    assert instants == sorted(instants)
    assert measured == sorted(measured)


def test_the_real_clock_shows_what_the_machine_shows():
    shown = SystemClock().now()

    assert abs(shown.timestamp() - datetime.now(UTC).timestamp()) < 5  # noqa: TID251


class Machine:
    """A machine whose clock can be set, and whose steady clock runs on."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.uptime = 50.0

    def run(self, seconds: float, *, set_by: float = 0) -> None:
        self.uptime += seconds
        self.wall += timedelta(seconds=seconds + set_by)


def _shown(*runs: tuple[float, float]) -> list[float]:
    """Seconds since noon, before and after each run."""
    machine = Machine()
    noon = machine.wall
    clock = SystemClock(steady=lambda: machine.uptime, wall=lambda: machine.wall)
    shown = [clock.now()]
    for seconds, set_by in runs:
        machine.run(seconds, set_by=set_by)
        shown.append(clock.now())
    return [(at - noon).total_seconds() for at in shown]


@pytest.mark.parametrize(
    ("runs", "shown"),
    [
        pytest.param([(10, 0), (5, 0)], [0, 10, 15], id="time passes"),
        pytest.param([(10, 3600), (5, 0)], [0, 3610, 3615], id="a clock set forward is followed"),
        pytest.param([(10, -3600), (5, 0)], [0, 10, 15], id="a clock set back does not stop time"),
        pytest.param([(10, -5), (5, 20)], [0, 10, 30], id="a clock set back and forward again is caught up with"),
    ],
)
def test_a_step_of_the_machines_clock_is_only_ever_followed_forward(runs, shown):
    assert _shown(*runs) == shown

"""When ``once`` is over although something is wrong with the newest commit."""

from __future__ import annotations

import pytest

from gitopsd.daemon.settled import TRIES_MAX, is_settled
from tests.core.views import API_DOWN, ENVIRONMENT, READY, REVERTED, ROLLED_OUT, failing, unread, unsure, whole


@pytest.mark.parametrize(
    ("view", "over"),
    [
        pytest.param(unread(READY), True, id="it cannot be read, and what runs is kept"),
        pytest.param(unread(ROLLED_OUT), False, id="it cannot be read, and what runs is not proven yet"),
        pytest.param(unsure(REVERTED, TRIES_MAX - 1), False, id="it may yet be looked at"),
        pytest.param(unsure(REVERTED, TRIES_MAX), True, id="it could often enough not be looked at"),
        pytest.param(unsure(ROLLED_OUT, TRIES_MAX), False, id="nor can it be looked at, and what runs is not proven"),
        pytest.param(failing(ROLLED_OUT, API_DOWN, "ClusterError", TRIES_MAX), True, id="nothing can be looked at"),
    ],
)
def test_what_runs_is_waited_for_as_long_as_it_can_be_seen(view, over):
    assert is_settled(whole(view), [ENVIRONMENT.name]) is over

"""The log tells what is news, once."""

from __future__ import annotations

import pytest
from loguru import logger

from gitopsd.daemon.pass_log import log_news
from tests.core.views import CASES, READY, REFUSED


@pytest.fixture
def lines():
    heard = []
    sink = logger.add(lambda message: heard.append(message.record), level="TRACE")
    yield lambda: [(one["level"].name, one["message"], one["extra"].get("code", "")) for one in heard]
    logger.remove(sink)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("the last commit is kept", "a commit is being applied", ("INFO", "applying", "")),
        ("the last commit is kept", "the last commit is kept", None),
        ("a commit is being applied", "going back failed", ("WARNING", "held", "REVERT_FAILED")),
        ("the last commit is kept", "what was kept fails by now", ("WARNING", "0/3 ready", "OBJECT_FAILED")),
        ("the last commit is kept", "what was kept fails its probe", ("WARNING", "", "PROBE_FAILED")),
    ],
)
def test_from_one_pass_to_the_next(lines, before, after, line):
    log_news(CASES[before][0], CASES[after][0])

    level, words, code = line or ("", "", "")
    assert [(one[0], one[2]) for one in lines()] == ([(level, code)] if line else [])
    assert all(words in one[1] for one in lines())


def test_a_refused_commit_is_named_and_not_what_runs():
    heard = []
    sink = logger.add(lambda message: heard.append(message.record["extra"]["revision"]))
    log_news(READY, REFUSED)
    logger.remove(sink)

    assert heard == [str(REFUSED.latest.git.desired.revision)]


def test_what_was_said_is_not_said_again(lines):
    failing = CASES["what was kept fails by now"][0]
    log_news(READY, failing)
    log_news(failing, failing)

    assert len(lines()) == 1

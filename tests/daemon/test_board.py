"""The board says since when something is wrong, and shows a standby what the record says and nothing older."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Environment
from gitopsd.core.record import Record
from gitopsd.core.status.view import SourceView
from gitopsd.daemon.board import Board

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)


def silent(path: str) -> tuple[Problem, ...]:
    return (Problem(code="CLUSTER_UNREACHABLE", stage=Stage.APPLY, message=f"no whole answer to GET {path}"),)


def board() -> Board:
    made = Board()
    made.follow(Environment(name="staging", source="apps", path="staging"))
    return made


def test_a_trouble_that_stays_keeps_the_time_at_which_it_began():
    made = board()
    made.failed("staging", silent("/a"), "ClusterError", AT)
    made.failed("staging", silent("/b"), "ClusterError", LATER)

    view = made.environments["staging"]
    assert (view.problem_at, view.problem_count, view.problems) == (AT, 2, silent("/b"))


def test_another_trouble_begins_at_its_own_time():
    made = board()
    made.failed("staging", silent("/a"), "ClusterError", AT)
    other = (Problem(code="KUSTOMIZE", stage=Stage.RENDER, message="it cannot be rendered"),)
    made.failed("staging", other, "RenderError", LATER)

    assert made.environments["staging"].problem_at == LATER


def test_a_standby_shows_the_record_and_no_trouble_of_the_time_when_it_led():
    made = board()
    made.failed("staging", silent("/a"), "ClusterError", AT)
    record = Record(current="d1")
    made.stand_by("staging", record)

    view = made.environments["staging"]
    assert (view.known, view.problems, view.problem_at, view.latest) == (record, (), None, None)


def unheard(code: str, at: datetime) -> SourceView:
    error = Problem(code=code, stage=Stage.FETCH, message="no answer")
    return SourceView(name="apps", url="", ref="main", error=error, error_at=at, error_count=1)


@pytest.mark.parametrize(
    ("fetches", "since", "count"),
    [
        pytest.param([("GIT_TIMEOUT", AT)], AT, 1, id="once"),
        pytest.param([("GIT_TIMEOUT", AT), ("GIT_TIMEOUT", LATER)], AT, 2, id="twice for the same reason"),
        pytest.param([("GIT_TIMEOUT", AT), ("GIT_AUTH", LATER)], LATER, 2, id="for another reason"),
        pytest.param([("GIT_TIMEOUT", AT), ("", AT), ("GIT_TIMEOUT", LATER)], LATER, 1, id="anew"),
    ],
)
def test_a_silent_source_says_since_when_and_how_often(fetches, since, count):
    made = board()
    for code, at in fetches:
        made.source(unheard(code, at) if code else SourceView(name="apps", url="", ref="main"))

    view = made.sources["apps"]
    assert (view.error_at, view.error_count) == (since, count)

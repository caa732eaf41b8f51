"""What a script learns from the exit code of ``once`` alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.cli.exits import Exit, code_of_end
from tests.core.views import API_DOWN, CASES, GIT_DOWN, READY, REVERTED, ROLLED_OUT, TAB, failing, unseen, whole


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("the last commit is kept", 0),
        ("it was put back", 6),
        ("a person went back", 6),
        ("it failed and there is nothing to go back to", 1),
        ("going back failed", 1),
        ("the server refuses the commit before any write", 1),
        ("the new commit does not parse", 1),
        ("the commit is bad from the start", 1),
        ("a person paused it", 1),
        ("there is a bug in gitopsd", 1),
        ("the API server is gone for longer", 3),
        ("the API server is gone in the middle of a rollout", 3),
        ("the first look could not be taken", 3),
        ("Git is silent", 4),
        ("a commit is applied and not healthy yet", 5),
        ("it is going back", 5),
        ("nothing was ever seen", 5),
    ],
)
def test_one_environment_ends_with(case, code):
    assert code_of_end(whole(CASES[case][0])) == code


@pytest.mark.parametrize(
    ("views", "code"),
    [
        pytest.param((READY, REVERTED), Exit.PUT_BACK, id="put back beside well"),
        pytest.param((REVERTED, failing(READY, TAB, "RenderError")), Exit.PUT_BACK, id="put back beside not well"),
        pytest.param((REVERTED, ROLLED_OUT), Exit.TIMEOUT, id="one still on its way"),
        pytest.param((ROLLED_OUT, failing(READY, API_DOWN, "ClusterError")), Exit.CLUSTER, id="the cause comes first"),
        pytest.param((READY, unseen(problem=GIT_DOWN.problem, kind="SourceError")), Exit.GIT, id="no Git for one"),
    ],
)
def test_of_several_the_one_that_says_most_counts(views, code):
    assert code_of_end(whole(*views)) == code


def test_without_git_there_may_be_no_environment_at_all():
    source = replace(whole().sources[0], revision=None, error=GIT_DOWN.problem)

    assert code_of_end(whole(sources=(source,))) == Exit.GIT


def test_a_pattern_that_matches_nothing_is_a_wrong_configuration():
    assert code_of_end(whole()) == Exit.USAGE

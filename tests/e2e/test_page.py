"""The page that a run ends with tells what was done, how long it took, and what did not hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.page import page


def report(name: str, when: str = "call", seconds: float = 1.0, outcome: str = "passed", **facts: str) -> Any:
    path = "tests/e2e/test_a_life.py"
    return pytest.TestReport(
        nodeid=f"{path}::{name}",
        location=(path, 1, name),
        keywords={},
        outcome=outcome,
        longrepr=None,
        when=when,
        duration=seconds,
        user_properties=list(facts.items()),
    )


def test_each_step_is_a_sentence_with_the_seconds_of_all_its_cases() -> None:
    told = [report("test_it_goes[up]", seconds=1.5), report("test_it_stays"), report("test_it_goes[down]", seconds=2.0)]
    assert list(page(told)) == ["", "seconds  a life", "    3.5  it goes", "    1.0  it stays"]


def test_what_takes_long_to_build_and_to_take_down_is_told_for_itself() -> None:
    told = [
        report("test_it_goes", "setup", 60.0),
        report("test_it_goes"),
        report("test_it_goes", "teardown", 0.4),
        report("test_it_stays", "teardown", 20.0),
    ]
    assert list(page(told))[2:] == ["   60.0  (set up)", "    1.4  it goes", "   20.0  (taken down)"]


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_step_of_which_one_case_did_not_pass_says_so(outcome: str) -> None:
    told = [report("test_it_goes[up]"), report("test_it_goes[down]", outcome=outcome), report("test_it_goes[away]")]
    assert list(page(told))[2:] == [f"    3.0  {outcome.upper()} it goes"]


def test_what_was_measured_comes_last_within_eighty_columns() -> None:
    lines = list(page([report("test_it_goes", image="one layer, " * 20), report("test_it_stays")]))
    assert lines[4] == ""
    assert lines[5].startswith("image    one layer, one layer")
    assert max(map(len, lines)) <= 80


def test_nothing_is_told_of_a_run_in_which_nothing_was_done() -> None:
    assert list(page([])) == []

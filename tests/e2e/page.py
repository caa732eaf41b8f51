"""What a run shows at its end: each step with its time, and what was measured on the way. A page of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import pytest

WIDTH = 80
# Whatever a module has to build or take down first counts for itself, and not for the test that came first.
WORTH_A_LINE_S = 1.0


def page(reports: Sequence[pytest.TestReport]) -> Iterator[str]:
    """Return its lines, of the reports in the order in which they came."""
    for path, of_module in groupby(reports, lambda one: one.location[0]):
        yield ""
        yield from wrapped("seconds", words(path.rpartition("/")[2].removesuffix(".py")))
        steps: dict[str, list[pytest.TestReport]] = {}
        for one in of_module:
            steps.setdefault(step(one), []).append(one)
        for sentence, told in steps.items():
            seconds, outcome = sum(one.duration for one in told), {one.outcome.upper() for one in told} - {"PASSED"}
            yield from wrapped(f"{seconds:7.1f}", " ".join((*sorted(outcome), sentence)))
    facts = {name: text for one in reports for name, text in one.user_properties}
    yield from (line for name, text in facts.items() for line in ("", *wrapped(f"{name:7}", str(text))))


def step(report: pytest.TestReport) -> str:
    """Return what the time was spent on: the test by its name, the same for all its cases, or what it stands on."""
    if report.passed and report.when != "call" and report.duration > WORTH_A_LINE_S:
        return "(set up)" if report.when == "setup" else "(taken down)"
    return words(report.location[2].partition("[")[0])


def words(name: str) -> str:
    """Return a name as words."""
    return name.removeprefix("test_").replace("_", " ")


def wrapped(first: str, text: str) -> list[str]:
    """Return the lines of a text beside what stands before it."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{first}  ", subsequent_indent=" " * (len(first) + 2))

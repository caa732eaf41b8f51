"""The page that a run ends with, below pytest's own words."""

from __future__ import annotations

import pytest

from tests.e2e.page import page


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print it, of what ran on a real node."""
    told = [one for kind in terminalreporter.stats.values() for one in kind if isinstance(one, pytest.TestReport)]
    ours = sorted(
        (one for one in told if "kubelet" in one.keywords and "tests/e2e/" in one.nodeid), key=lambda one: one.start
    )
    for line in page(ours):
        terminalreporter.write_line(line)

"""Every test may ask for a real cluster, and hears of each thread that an exception ends."""

import threading

import pytest

pytest_plugins = ["rig.pytest_plugin"]


@pytest.fixture(autouse=True)
def _ended_threads_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sets up gitopsd's log in this process takes pytest's hook away for that test only."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

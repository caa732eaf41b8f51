"""A jail for tests, and Python as the tool in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gitopsd.adapters.render.jail import Bounds, Jail

PYTHON = os.path.realpath(sys.executable)

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the jail is made of what only Linux has")


def python(script: str, *arguments: str) -> list[str]:
    """The command line of a script."""
    return [PYTHON, "-I", "-S", "-c", script, *arguments]


def make_jail(base: Path, readable: Sequence[Path] = (), **bounds: Any) -> Jail:
    """A jail in which Python can run."""
    return Jail(base, Bounds(**bounds), [Path(sys.base_prefix), *readable])

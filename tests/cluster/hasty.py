"""gitopsd in a process of its own whose time runs faster: ``python -m tests.cluster.hasty CONFIG FACTOR BEGAN``.

The next such process of the same beginning finds the same time, so that a daemon may be killed and started again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gitopsd.config import load_config
from gitopsd.daemon import Daemon
from gitopsd.daemon.wiring import wire
from tests.cluster.stage import HastyClock


def main(config: str, factor: str, began: str) -> int:
    """Be a hasty gitopsd."""
    return Daemon(wire(load_config(Path(config)), HastyClock(float(factor), float(began)))).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""What the command line needs of the daemon. It is looked up late: offline commands do without and answer at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Protocol

import typer

from gitopsd.core.errors import GitopsdError
from gitopsd.core.model import Environment
from gitopsd.core.passes import Prospect
from gitopsd.core.status.overview import View
from gitopsd.ports import Clock, Store

ConfigOption = Annotated[Path, typer.Option("--config", "-c", envvar="GITOPSD_CONFIG", help="The operator's file.")]
DEFAULT_CONFIG = Path("config.yaml")


class Wired(Protocol):
    """The daemon, built from the operator's file and not yet running."""

    @property
    def environments(self) -> Mapping[str, Environment]:
        """The environments, by name."""

    @property
    def store(self) -> Store:
        """The records."""

    @property
    def clock(self) -> Clock:
        """The time."""

    def run(self) -> int:
        """Run until told to stop; return the exit code."""

    def once(self, timeout_s: float, progress: Callable[[View], None]) -> View:
        """Make passes until every environment has come to rest, or the time is up."""

    def look(self, name: str | None) -> Mapping[str, Prospect | GitopsdError]:
        """Look at one environment, or at all, and plan; write nothing."""


def build(config: Path) -> Wired:
    """Build the daemon.

    Raises:
        ConfigError: the file is wrong.
    """
    # They bring kubernetes, git and the web server with them.
    from gitopsd import daemon  # noqa: PLC0415
    from gitopsd.daemon.log import configure_logging  # noqa: PLC0415

    configure_logging(only_errors=True)
    return daemon.build(config)

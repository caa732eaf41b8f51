"""All commands in one place, and the one place where whatever ends a command becomes an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer

from gitopsd.cli.exits import Exit, code_of
from gitopsd.cli.offline import health, render, validate, version
from gitopsd.cli.output import tell
from gitopsd.cli.passes import diff, once, plan, run
from gitopsd.cli.records import history, hold, release, resume, rollback, status, suspend
from gitopsd.core.errors import GitopsdError, Problem, Stage

command = typer.Typer(
    name="gitopsd",
    help="The cluster equals the environments repository, is proven healthy, or is put back.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    *(run, once, plan, diff),
    *(render, validate, health),
    *(status, history),
    *(rollback, hold, release, suspend, resume),
    version,
)
for one in _COMMANDS:
    command.command()(one)


def main() -> NoReturn:
    """Run the command that was typed and end with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stopped)
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code. Whatever ends it, a person is told in our words."""
    try:
        command(list(arguments), prog_name="gitopsd")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.OK
    except GitopsdError as error:
        tell(*error.problems)
        return code_of(type(error).__name__)
    except Exception as error:  # noqa: BLE001 — a bug of ours is told as such, with its traceback
        return _our_bug(error)
    return Exit.OK


def _our_bug(error: Exception) -> int:
    traceback.print_exc()
    tell(
        Problem(
            code="INTERNAL_ERROR",
            stage=Stage.PLAN,
            message=f"gitopsd failed on its own account: {type(error).__name__}",
            hint="please report it, with the traceback above",
        )
    )
    return Exit.NOT_WELL


def _stopped(number: int, _: object) -> NoReturn:
    sys.exit(Exit.SIGNALLED + number)

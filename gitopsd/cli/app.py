"""All commands in one place, and the one place where whatever ends a command becomes an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer
from click.exceptions import Abort, ClickException

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
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for one in (run, once, plan, diff, render, validate, health):
    command.command()(one)
for one in (status, history, rollback, hold, release, suspend, resume, version):
    command.command()(one)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end with its exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        ended = command(list(arguments), prog_name="gitopsd", standalone_mode=False)
    except GitopsdError as error:
        tell(*error.problems)
        return code_of(type(error).__name__)
    except (KeyboardInterrupt, Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough; Python must not complain once more while it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except ClickException as error:
        error.show()
        return Exit.USAGE
    except Exception as error:  # noqa: BLE001 — a bug of ours is told as such, with its traceback
        return _our_bug(error)
    return ended if isinstance(ended, int) else Exit.OK


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


def _terminated(number: int, _: object) -> NoReturn:
    sys.exit(Exit.SIGNALLED + number)

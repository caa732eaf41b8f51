"""Commands about what is remembered: they need only the record, so they work while Git and the daemon are silent.

A running daemon notices by its watch. A write that lost against another one is made again on what is there now.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from gitopsd import __version__
from gitopsd.cli.exits import code_of, worst
from gitopsd.cli.output import Output, OutputOption, emit, emit_line, emit_sentence
from gitopsd.cli.remote import ask
from gitopsd.cli.seam import DEFAULT_CONFIG, ConfigOption, Wired, build
from gitopsd.cli.tables import show_history, show_status
from gitopsd.core import commands
from gitopsd.core.commands import Ask, Content
from gitopsd.core.errors import ConfigError, GitopsdError, Problem, RenderError, SourceError, Stage, Superseded
from gitopsd.core.fields import text
from gitopsd.core.model import Environment
from gitopsd.core.record import GITOPSD, Record
from gitopsd.core.status.overview import DaemonView, EnvironmentView, View, environment_status
from gitopsd.core.status.overview import status as status_of

ATTEMPTS_MAX = 5

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment's name.")]
NameArgument = Annotated[str | None, typer.Argument(help="One environment; all without it.", metavar="ENVIRONMENT")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is shown to everybody who asks.")]
ServerOption = Annotated[
    str, typer.Option("--server", envvar="GITOPSD_SERVER", help="Ask this daemon instead of reading the records.")
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file", envvar="GITOPSD_TOKEN_FILE", help="With --server: the token that it asks for.", metavar="FILE"
    ),
]


def status(
    environment: NameArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    server: ServerOption = "",
    token_file: TokenOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say how environments are, and why."""
    if server:
        show_status(ask(server, environment or "", token_file), output)
        return
    wired = build(config)
    view = _remembered(wired, [_named(wired, environment)] if environment else list(wired.environments.values()))
    shown = (environment_status(view, environment) or {}) if environment else status_of(view)
    show_status(shown, output)
    raise typer.Exit(worst(code_of(one.problem_class) for one in view.environments if one.problems))


def history(
    environment: EnvironmentArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    server: ServerOption = "",
    token_file: TokenOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what happened in an environment, the newest first."""
    if server:
        show_history(ask(server, environment, token_file), output)
        return
    wired = build(config)
    found = _named(wired, environment)
    wired.store.load(found)
    show_history(environment_status(_remembered(wired, [found]), environment) or {}, output)


def rollback(
    environment: EnvironmentArgument,
    to: Annotated[str, typer.Option("--to", help="A kept revision or digest, or the beginning of one.")] = "",
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go back to what was kept before, and refuse what runs now until it is released."""
    change = Change(build(config), environment, reason)
    change.make(lambda record, asked: commands.rollback(record, asked, to), output)


def hold(
    environment: EnvironmentArgument,
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Refuse what Git wants now, and be at what was kept last."""
    change = Change(build(config), environment, reason)
    change.make(lambda record, asked: commands.hold(record, asked, change.wanted(record)), output)


def release(
    environment: EnvironmentArgument,
    digest: Annotated[str, typer.Option("--digest", help="A held digest or revision, or the beginning of one.")] = "",
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Lift the holds of an environment, or one of them."""
    change = Change(build(config), environment, reason)
    change.make(lambda record, asked: commands.release(record, asked, digest), output, commands.released)


def suspend(
    environment: EnvironmentArgument,
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop all changes of an environment."""
    Change(build(config), environment, reason).make(commands.suspend, output)


def resume(
    environment: EnvironmentArgument,
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go on with a suspended environment."""
    Change(build(config), environment, reason).make(commands.resume, output)


class Change:
    """One change of one environment's record, by the person at this terminal."""

    def __init__(self, wired: Wired, environment: str, reason: str) -> None:
        self._wired = wired
        self._environment = _named(wired, environment)
        self._reason = reason

    def make(
        self,
        transition: Callable[[Record, Ask], Record],
        output: Output,
        done: Callable[[Record, Record], str] = lambda before, after: "",  # noqa: ARG005 - most is said by the status
    ) -> None:
        """Write it, again if somebody else wrote meanwhile; say what was done and how things are now."""
        store = self._wired.store
        for attempt in range(1, ATTEMPTS_MAX + 1):
            record = store.load(self._environment)
            asked = Ask(by=_who(), why=self._reason, at=self._wired.clock.now())
            try:
                after = store.save(self._environment, transition(record, asked))
                break
            except Superseded:
                if attempt == ATTEMPTS_MAX:
                    raise
        self._say(EnvironmentView(environment=self._environment, record=after), done(record, after), output)

    def wanted(self, record: Record) -> Content:
        """Return what Git wants: what is being rolled out, or else what a look at Git says.

        Raises:
            GitopsdError: nothing is under way, and Git could not be asked, or what it says cannot be rendered.
        """
        rollout = record.rollout
        if rollout and rollout.digest == record.current:
            return Content(rollout.digest, rollout.revision)
        name = self._environment.name
        found = self._wired.look(name)[name]
        # Beside a trouble, the look is at something older, which nobody asked to hold.
        trouble = found if isinstance(found, GitopsdError) else next(iter(found.troubles), None)
        if isinstance(trouble, SourceError | RenderError):
            raise type(trouble)(commands.not_held(record, name), *trouble.problems)
        if isinstance(found, GitopsdError):
            raise found
        refused, desired = found.look.target.hold, found.look.desired
        return Content(refused.digest, refused.revision) if refused else Content(desired.digest, desired.revision)

    def _say(self, view: EnvironmentView, done: str, output: Output) -> None:
        whole = View(daemon=DaemonView(), environments=(view,), at=self._wired.clock.now())
        shown = environment_status(whole, view.environment.name) or {}
        if output in (Output.JSON, Output.YAML):
            emit(shown, output)
        elif output is Output.NAME:
            emit_line(view.environment.name)
        else:
            said = "; ".join(part for part in (done, text(shown, "message")) if part)
            emit_sentence(f"{view.environment.name}: {said}")


def _who() -> str:
    """Return who asks. A person in gitopsd's own pod bears its name, and must not be taken for gitopsd itself."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
    return f"a person as {name}" if name == GITOPSD else name


def _remembered(wired: Wired, environments: Iterable[Environment]) -> View:
    """Read the records; one that cannot be read hides no other."""
    views = tuple(_read(wired, environment) for environment in environments)
    return View(daemon=DaemonView(version=__version__), environments=views, at=wired.clock.now())


def _read(wired: Wired, environment: Environment) -> EnvironmentView:
    try:
        return EnvironmentView(environment=environment, record=wired.store.load(environment))
    except GitopsdError as error:
        return EnvironmentView(
            environment=environment,
            problems=error.problems,
            problem_class=type(error).__name__,
            looked=False,
            problem_at=wired.clock.now(),
            problem_count=1,
        )


def _named(wired: Wired, name: str) -> Environment:
    found = wired.environments.get(name)
    if found:
        return found
    known = ", ".join(sorted(wired.environments)) or "none at all"
    raise ConfigError(
        Problem(
            code="ENVIRONMENT_UNKNOWN",
            stage=Stage.CONFIG,
            message=f"there is no environment {name}",
            hint=f"known are: {known}",
        )
    )

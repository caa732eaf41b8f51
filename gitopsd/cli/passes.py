"""Commands that look at the cluster and Git as the daemon does: ``run``, ``once``, ``plan`` and ``diff``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from gitopsd.cli.changes import count_changes, plan_json, show_diff, show_plan
from gitopsd.cli.exits import Exit, code_of, code_of_end, worst
from gitopsd.cli.output import Output, OutputOption, emit, progress, tell
from gitopsd.cli.seam import DEFAULT_CONFIG, ConfigOption, build
from gitopsd.cli.tables import seconds_said, show_status
from gitopsd.core.errors import ConfigError, GitopsdError, Problem, Stage
from gitopsd.core.fields import part, text
from gitopsd.core.model import Body, Json
from gitopsd.core.passes import Prospect
from gitopsd.core.status.overview import View, status
from gitopsd.core.status.shown import problem_json

NameArgument = Annotated[str | None, typer.Argument(help="One environment; all without it.", metavar="ENVIRONMENT")]

_WRITES = ("create", "patch", "delete")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Follow every environment until told to stop."""
    raise typer.Exit(build(config).run())


def once(
    config: ConfigOption = DEFAULT_CONFIG,
    timeout: Annotated[str, typer.Option(help="How long it may take, as in 90s, 5m or 1h30m.")] = "5m",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make passes until every environment is kept, held or past its deadline."""
    told = _Told()
    view = build(config).once(_seconds(timeout), told)
    whole = status(view)
    if output in (Output.JSON, Output.YAML):
        emit(once_json(view), output)
    else:
        show_status(whole, output)
    raise typer.Exit(code_of_end(view))


def plan(
    environment: NameArgument = None, config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TABLE
) -> None:
    """Say what would be done, and why; write nothing."""
    found = build(config).look(environment)
    prospects = _prospects(found)
    if output in (Output.JSON, Output.YAML):
        emit({name: _plan_json(one) for name, one in found.items()}, output)
    else:
        for name, prospect in prospects.items():
            show_plan(name, prospect.look)
    codes = [Exit.NOT_WELL for prospect in prospects.values() if prospect.look.plan.rejections]
    raise typer.Exit(worst([*codes, *_troubles(found)]))


def diff(
    environment: NameArgument = None, config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TABLE
) -> None:
    """Show each field that would change, old and new; end with 1 when anything would."""
    found = build(config).look(environment)
    prospects = _prospects(found)
    if output in (Output.JSON, Output.YAML):
        emit({name: plan_json(prospect)["changes"] for name, prospect in prospects.items()}, output)
    else:
        for name, prospect in prospects.items():
            show_diff(name, prospect.look)
    codes = [Exit.NOT_WELL for prospect in prospects.values() if count_changes(prospect.look)]
    raise typer.Exit(worst([*codes, *_troubles(found)]))


def once_json(view: View) -> Mapping[str, Json]:
    """Return how ``once`` ended, per environment."""
    whole = status(view)
    shown = [_ended(one) for one in _listed(whole)]
    return {"apiVersion": whole["apiVersion"], "kind": "Once", "environments": shown, "exitCode": code_of_end(view)}


def _listed(whole: Body) -> list[Body]:
    environments = whole["environments"]
    return [one for one in environments if isinstance(one, Mapping)] if isinstance(environments, list) else []


def _ended(environment: Body) -> Body:
    writes = part(environment, "writes")
    applied = part(environment, "revision.applied")
    return {
        "name": text(environment, "name"),
        "revision": _revision(applied),
        "digest": text(applied, "digest"),
        "wanted": _revision(part(environment, "revision.desired")),
        "phase": text(environment, "phase"),
        "verdict": text(environment, "verdict.outcome") or None,
        "sync": text(environment, "sync.status"),
        "health": text(environment, "health.status"),
        "message": text(environment, "message"),
        "lastError": environment.get("lastError"),
        "writes": {verb: writes.get(verb, 0) for verb in _WRITES},
        "requests": environment.get("requests", 0),
        "seconds": part(environment, "timings.stages"),
    }


def _revision(shown: Body) -> str:
    commit = text(shown, "sha")
    return f"{text(shown, 'ref')}@sha1:{commit}" if commit else ""


def _plan_json(found: Prospect | GitopsdError) -> Json:
    if isinstance(found, Prospect):
        return plan_json(found)
    return {"problems": [problem_json(problem) for problem in found.problems]}


def _prospects(found: Mapping[str, Prospect | GitopsdError]) -> Mapping[str, Prospect]:
    return {name: one for name, one in found.items() if isinstance(one, Prospect)}


def _troubles(found: Mapping[str, Prospect | GitopsdError]) -> Iterator[Exit]:
    """Tell what could not be looked at, or is not Git's newest commit."""
    for name, one in found.items():
        troubles = one.troubles if isinstance(one, Prospect) else (one,)
        for trouble in troubles:
            progress(f"{name}:")
            tell(*trouble.problems)
            yield code_of(type(trouble).__name__)


class _Told:
    """Tells a person at a terminal each step once."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __call__(self, view: View) -> None:
        for one in _listed(status(view)):
            name, phase = text(one, "name"), text(one, "phase")
            if self._last.get(name) != phase:
                self._last[name] = phase
                progress(f"{name}: {phase}: {text(one, 'message')}")


def _seconds(said: str) -> float:
    found = _DURATION.fullmatch(said.strip())
    hours, minutes, seconds = (int(number or 0) for number in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not total:
        message = f"--timeout {said} is not a duration"
        hint = f"write it as 90s, 5m or 1h30m; the default is {seconds_said(300)}"
        raise ConfigError(Problem(code="TIMEOUT_INVALID", stage=Stage.CONFIG, message=message, hint=hint))
    return float(total)

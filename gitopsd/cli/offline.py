"""Commands that need neither Git nor a cluster: what a directory renders to, what is wrong with it, how objects are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
import yaml

from gitopsd import __version__
from gitopsd.cli.directory import read_directory_of
from gitopsd.cli.exits import Exit
from gitopsd.cli.objects import objects_in
from gitopsd.cli.output import Output, OutputOption, emit, emit_line, emit_names, emit_table, tell
from gitopsd.core.canonical import canonical_set
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.fields import text
from gitopsd.core.health import assess_all, public_word
from gitopsd.core.intents import ForeignAnnotation, foreign_annotations
from gitopsd.core.manifests import Rendered
from gitopsd.core.model import Body, Health, Json, Manifest
from gitopsd.core.order import in_order
from gitopsd.core.problems import refuse_any
from gitopsd.core.status_json import present, problem_json

DirectoryArgument = Annotated[Path, typer.Argument(help="An environment's directory.", metavar="DIR")]


def render(directory: DirectoryArgument, output: OutputOption = Output.YAML) -> None:
    """Print the objects that a directory renders to; -o json is the canonical form that digests are made of."""
    rendered = read_directory_of(directory)
    refuse_any(rendered.problems)
    manifests = [written.manifest for written in rendered.objects]
    match output:
        case Output.JSON:
            print(canonical_set(written.canonical for written in rendered.objects).decode())
        case Output.NAME:
            emit_names(str(manifest.ref) for manifest in manifests)
        case Output.TABLE | Output.WIDE:
            emit_table(("OBJECT", "WRITTEN"), [(str(one.ref), str(one.origin)) for one in manifests])
        case Output.YAML:
            for manifest in manifests:
                print("---")
                print(yaml.safe_dump(dict(manifest.body), sort_keys=False, allow_unicode=True), end="")


def validate(directory: DirectoryArgument, output: OutputOption = Output.TABLE) -> None:
    """Say everything that is wrong with a directory, and which annotations of other tools act."""
    rendered = read_directory_of(directory)
    problems = rendered.problems or _order_problems(rendered)
    foreign = [
        (written.manifest, found) for written in rendered.objects for found in foreign_annotations(written.manifest)
    ]
    match output:
        case Output.JSON | Output.YAML:
            emit(_validation(rendered, problems, foreign), output)
        case Output.NAME:
            emit_names(problem.code for problem in problems)
        case Output.TABLE | Output.WIDE:
            _print_validation(directory, rendered, problems, foreign)
    if problems:
        raise typer.Exit(Exit.NOT_WELL)


def health(
    file: Annotated[str, typer.Option("--filename", "-f", help="A file of objects; - is stdin.", metavar="FILE|-")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Say of each object in a file how it is, as far as it tells itself: YAML, JSON, JSON lines, or a List."""
    bodies = objects_in(file)
    found = list(zip(bodies, assess_all(bodies), strict=True))
    match output:
        case Output.JSON | Output.YAML:
            emit([_health_json(body, one) for body, one in found], output)
        case Output.NAME:
            emit_names(one.status.value for _, one in found)
        case Output.TABLE | Output.WIDE:
            emit_table(
                ("OBJECT", "STATUS", "REASON"),
                [(_said(body), one.status.value, one.reason) for body, one in found],
                under=[one.message for _, one in found],
            )


def version(output: OutputOption = Output.TABLE) -> None:
    """Print the version."""
    if output in (Output.JSON, Output.YAML):
        emit({"name": "gitopsd", "version": __version__}, output)
    else:
        emit_line(f"gitopsd {__version__}")


def _order_problems(rendered: Rendered) -> tuple[Problem, ...]:
    try:
        in_order(tuple(written.manifest for written in rendered.objects))
    except RenderError as error:
        return error.problems
    return ()


_Foreign = Sequence[tuple[Manifest, ForeignAnnotation]]


def _validation(rendered: Rendered, problems: Sequence[Problem], foreign: _Foreign) -> Mapping[str, Json]:
    return {
        "valid": not problems,
        "objects": len(rendered.objects),
        "problems": [problem_json(problem) for problem in problems],
        "warnings": [problem_json(problem) for problem in rendered.warnings],
        "annotations": [
            present(
                annotation=found.key,
                value=found.word,
                acts=bool(found.meaning),
                meaning=found.meaning,
                ref=str(manifest.ref),
                file=manifest.origin.file,
                line=manifest.origin.line or None,
            )
            for manifest, found in foreign
        ],
    }


def _print_validation(directory: Path, rendered: Rendered, problems: Sequence[Problem], foreign: _Foreign) -> None:
    tell(*problems, to_stdout=True)
    tell(*rendered.warnings, kind="warning", to_stdout=True)
    if foreign:
        emit_table(
            ("ANNOTATION", "VALUE", "OBJECT", "WRITTEN", "MEANS"),
            [
                (found.key, found.word, str(manifest.ref), str(manifest.origin), found.meaning or "nothing here")
                for manifest, found in foreign
            ],
        )
    count = len(problems)
    verdict = f"{count} problem{'s' if count > 1 else ''}" if problems else "valid"
    emit_line(f"{directory}: {len(rendered.objects)} objects, {verdict}", "red" if problems else "green")


def _health_json(body: Body, found: Health) -> Mapping[str, Json]:
    return {
        "object": present(
            apiVersion=text(body, "apiVersion"),
            kind=text(body, "kind"),
            namespace=text(body, "metadata.namespace"),
            name=text(body, "metadata.name"),
        ),
        "status": found.status.value,
        "health": public_word(found.status),
        "reason": found.reason,
        "message": found.message,
    }


def _said(body: Body) -> str:
    namespace = text(body, "metadata.namespace")
    place = f"{namespace}/" if namespace else ""
    return f"{text(body, 'kind') or '(no kind)'} {place}{text(body, 'metadata.name')}".strip()

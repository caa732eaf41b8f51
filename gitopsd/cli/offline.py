"""Commands that need neither Git nor a cluster: what a directory renders to, what is wrong with it, how objects are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gitopsd import __version__
from gitopsd.cli.exits import Exit
from gitopsd.cli.objects import objects_in
from gitopsd.cli.output import Output, OutputOption, emit, emit_line, emit_names, emit_table, tell
from gitopsd.core.fields import text
from gitopsd.core.health import assess_all, public_word
from gitopsd.core.manifests.directory import Rendered
from gitopsd.core.manifests.problems import refuse_any
from gitopsd.core.manifests.validate import Findings, findings_of, rendered_json
from gitopsd.core.model import Body, Health, Json
from gitopsd.core.status.shown import present, problem_json

DirectoryArgument = Annotated[Path, typer.Argument(help="An environment's directory.", metavar="DIR")]
AgeKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--age-key-file", envvar="SOPS_AGE_KEY_FILE", help="Age keys that open what is encrypted.", metavar="FILE"
    ),
]

_FOREIGN = "FOREIGN_ANNOTATION_"


def render(directory: DirectoryArgument, age_key_file: AgeKeyOption = None, output: OutputOption = Output.YAML) -> None:
    """Print the objects that a directory renders to; -o json is the canonical form that digests are made of."""
    found = _rendered(directory, age_key_file)
    refuse_any(found.problems)
    manifests = [written.manifest for written in found.objects]
    if output is Output.JSON:
        print(rendered_json(found).decode())
    elif output is Output.NAME:
        emit_names(str(manifest.ref) for manifest in manifests)
    elif output is Output.YAML:
        for manifest in manifests:
            print("---")
            emit(manifest.body, output)
    else:
        emit_table(("OBJECT", "WRITTEN"), [(str(one.ref), str(one.origin)) for one in manifests])


def validate(
    directory: DirectoryArgument, age_key_file: AgeKeyOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Say everything that is wrong with a directory, and which annotations of other tools act."""
    found = findings_of(_rendered(directory, age_key_file))
    if output in (Output.JSON, Output.YAML):
        emit(_findings_json(found), output)
    elif output is Output.NAME:
        emit_names(problem.code for problem in found.problems)
    else:
        _show_findings(directory, found)
    if found.problems:
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


def _rendered(directory: Path, age_key_file: Path | None) -> Rendered:
    # Renderers, keys and probes take half of a start; who asks for a status does without.
    from gitopsd.cli.directory import rendered  # noqa: PLC0415

    return rendered(directory, age_key_file)


def _findings_json(found: Findings) -> Mapping[str, Json]:
    return {
        "valid": not found.problems,
        "objects": found.objects,
        "problems": [problem_json(problem) for problem in found.problems],
        "warnings": [problem_json(warning) for warning in found.warnings],
    }


def _show_findings(directory: Path, found: Findings) -> None:
    tell(*found.problems, to_stdout=True)
    foreign = [warning for warning in found.warnings if warning.code.startswith(_FOREIGN)]
    tell(*(warning for warning in found.warnings if warning not in foreign), kind="warning", to_stdout=True)
    if foreign:
        emit_table(
            ("WRITTEN", "OBJECT", "ANNOTATION OF ANOTHER TOOL"), [(one.where, one.ref, one.message) for one in foreign]
        )
    count = len(found.problems)
    verdict = f"{count} problem{'s' if count > 1 else ''}" if count else "valid"
    emit_line(f"{directory}: {found.objects} objects, {verdict}", "red" if count else "green")


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

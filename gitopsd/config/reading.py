"""The operator's file, read strictly: every fault at once, each with its key, its line and what may have been meant."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gitopsd.config.model import PREFIX, SEPARATOR, Config, is_composed
from gitopsd.config.names import overlaps, unbounded
from gitopsd.core.errors import ConfigError, Problem, RenderError, Stage
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.lines import Lines
from gitopsd.core.manifests.text import TextFile, read_text

TYPO_RATIO = 0.85

_HINT = "see config.example.yaml"


def load_config(path: Path) -> Config:
    """Return what the operator wants.

    Raises:
        ConfigError: with everything that is wrong with the file, or with what overrides it.
    """
    file = _read(path)
    if strangers := tuple(_strangers(os.environ)):
        raise ConfigError(*strangers)
    try:
        config = Config(**file.fields)
    except ValidationError as error:
        # A list that seems too short because its entries are wrong says nothing that the entries do not.
        details = [detail for detail in error.errors() if detail["type"] != "too_short"] or error.errors()
        raise ConfigError(*(_explain(file, detail) for detail in details)) from None
    if problems := tuple(_across(config, file)):
        raise ConfigError(*problems)
    return config


@dataclass(frozen=True, slots=True)
class _File:
    text: TextFile
    document: yaml.Document

    @property
    def fields(self) -> dict[str, Any]:
        if not isinstance(self.document.value, dict):
            raise ConfigError(self.problem((), "CONFIG_INVALID", "must be a mapping"))
        return self.document.value

    def problem(self, place: Sequence[str | int], code: str, message: str, hint: str = _HINT) -> Problem:
        dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
        return Problem(
            code=code,
            stage=Stage.CONFIG,
            message=f"{dotted}: {message}" if dotted else message,
            hint=hint,
            file=self.text.path,
            line=Lines(self.text.content).at(self.document.line, tuple(place)),
        )


def _read(path: Path) -> _File:
    try:
        text = read_text(str(path), path.read_bytes())
        documents = yaml.parse(text)
    except OSError as error:
        raise ConfigError(
            Problem(
                code="CONFIG_UNREADABLE",
                stage=Stage.CONFIG,
                message=f"cannot be read: {error.strerror}",
                hint="name the file with --config",
                file=str(path),
            )
        ) from None
    except RenderError as error:
        raise ConfigError(*(replace(problem, stage=Stage.CONFIG) for problem in error.problems)) from None
    if len(documents) != 1:
        problem = text.problem("CONFIG_INVALID", f"must hold one document, not {len(documents)}", hint=_HINT)
        raise ConfigError(replace(problem, stage=Stage.CONFIG))
    return _File(text, documents[0])


def _strangers(surroundings: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each variable that is meant to override something, and cannot."""
    for variable in sorted(surroundings):
        bare = variable.upper().removeprefix(PREFIX)
        if bare == variable.upper() or (SEPARATOR not in bare and not _is_typo(bare)):
            continue
        known = {_variable(place): place for place in _single_values()}
        if variable.upper() not in known:
            close = get_close_matches(variable.upper(), known, n=1, cutoff=TYPO_RATIO)
            hint = f"did you mean {close[0]}?" if close else "sources and environments are written in the file"
            yield _variable_problem(variable, "CONFIG_UNKNOWN_KEY", "overrides nothing that is known here", hint)


def _is_typo(bare: str) -> bool:
    """Whether a variable without a section looks like one of ours; ``GITOPSD_SERVICE_HOST`` is Kubernetes's."""
    return bool(get_close_matches(bare, [_bare(place) for place in _single_values()], n=1, cutoff=TYPO_RATIO))


def _single_values() -> Iterator[tuple[str, ...]]:
    for name, field in Config.model_fields.items():
        if not is_composed(field.annotation):
            yield (name,)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, inner) for inner in field.annotation.model_fields)


def _bare(place: Sequence[str | int]) -> str:
    return SEPARATOR.join(str(step) for step in place).upper()


def _variable(place: Sequence[str | int]) -> str:
    return PREFIX + _bare(place)


def _variable_problem(variable: str, code: str, message: str, hint: str = _HINT) -> Problem:
    return Problem(code=code, stage=Stage.CONFIG, message=f"{variable}: {message}", hint=hint)


def _explain(file: _File, detail: ErrorDetails) -> Problem:
    place = detail["loc"]
    said = detail["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    variable = _variable(place)
    if variable in {name.upper() for name in os.environ}:
        return _variable_problem(variable, "CONFIG_INVALID", said)
    match detail["type"]:
        case "extra_forbidden":
            known = _keys_at(place[:-1])
            close = get_close_matches(str(place[-1]), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}"
            return file.problem(place, "CONFIG_UNKNOWN_KEY", "is not a key that is known here", hint)
        case "missing":
            return file.problem(place, "CONFIG_MISSING_KEY", "is missing")
        case "literal_error" if place[-2:] == ("verify", "mode"):
            message = "this build cannot verify signatures, so it does not pretend to"
            return file.problem(place, "FEATURE_NOT_AVAILABLE", message, "use mode: none")
        case _:
            return file.problem(place, "CONFIG_INVALID", said)


def _keys_at(place: Sequence[str | int]) -> list[str]:
    model: type[BaseModel] = Config
    for step in place:
        if isinstance(step, str):
            model = _model_in(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model in ``Model`` or in ``tuple[Model, ...]``."""
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _across(config: Config, file: _File) -> Iterator[Problem]:
    """What only the whole file shows."""
    names = Counter(source.name for source in config.sources)
    for number, source in enumerate(config.sources):
        if names[source.name] > 1:
            yield file.problem(("sources", number, "name"), "CONFIG_DUPLICATE", f"{source.name} is used twice")
    for number, environment in enumerate(config.environments):
        yield from _source_problems(file, number, environment.source, list(names))
    for number, message in overlaps(config):
        yield file.problem(
            ("environments", number), "CONFIG_OVERLAP", message, "let each directory be one environment's"
        )
    for number, message in unbounded(config) if config.is_namespaced else ():
        place = ("environments", number, "namespaces")
        yield file.problem(place, "CONFIG_INVALID", message, "name each namespace of the environment by itself")


def _source_problems(file: _File, number: int, source: str, names: list[str]) -> Iterator[Problem]:
    known = f"known are {', '.join(names)}"
    if source and source not in names:
        close = get_close_matches(source, names, n=1)
        hint = f"did you mean {close[0]}?" if close else known
        place = ("environments", number, "source")
        yield file.problem(place, "CONFIG_UNKNOWN_SOURCE", f"no source is named {source}", hint)
    if not source and len(names) > 1:
        yield file.problem(("environments", number), "CONFIG_MISSING_KEY", "source: which of the sources?", known)

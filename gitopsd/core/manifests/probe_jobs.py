"""The Job of a job probe: one object in a file of its own, beside the manifests and none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.manifests.objects import FileContent, read_file
from gitopsd.core.model import Body, File, Json
from gitopsd.core.probes import JobProbe, Probe
from gitopsd.core.settings import Settings

_JOB = ("batch/v1", "Job")


def with_jobs(settings: Settings, files: Mapping[str, File]) -> tuple[Settings, tuple[Problem, ...]]:
    """Return the settings with each probe's Job in them; ``files`` are by their path below the directory."""
    contents = {path: read_file(file) for path, file in files.items() if path in _wanted(settings.probes)}
    probes = tuple(_filled(probe, contents) for probe in settings.probes)
    problems = tuple(problem for path in sorted(_wanted(probes)) for problem in _problems(path, files, contents))
    return replace(settings, probes=probes), problems


def with_marks(settings: Settings, is_sensitive: Callable[[JobProbe], bool]) -> Settings:
    """Return the settings, each job probe marked by whether a value of it may be shown."""
    probes = (
        replace(probe, sensitive=is_sensitive(probe)) if isinstance(probe, JobProbe) else probe
        for probe in settings.probes
    )
    return replace(settings, probes=tuple(probes))


def job_of(probe: JobProbe) -> Body:
    """Return the Job as it was written; empty when there is none."""
    body: Json = msgspec.json.decode(probe.job) if probe.job else None
    return body if isinstance(body, Mapping) else {}


def _wanted(probes: Iterable[Probe]) -> frozenset[str]:
    return frozenset(probe.file for probe in probes if isinstance(probe, JobProbe))


def _filled(probe: Probe, contents: Mapping[str, FileContent]) -> Probe:
    if not isinstance(probe, JobProbe) or not (objects := contents.get(probe.file, FileContent()).objects):
        return probe
    return replace(probe, job=objects[0].canonical)


def _problems(path: str, files: Mapping[str, File], contents: Mapping[str, FileContent]) -> Iterator[Problem]:
    if path not in files:
        yield _problem("PROBE_JOB_MISSING", "a probe runs the Job in this file, and there is none", path)
        return
    content, file = contents[path], files[path].path
    yield from content.problems
    kinds = [(one.manifest.api_version, one.manifest.ref.kind) for one in content.objects]
    if not content.problems and kinds != [_JOB]:
        found = ", ".join(kind for _, kind in kinds) or "nothing"
        yield _problem("PROBE_JOB_INVALID", f"must hold one batch/v1 Job, for a probe runs it; it holds {found}", file)


def _problem(code: str, message: str, file: str) -> Problem:
    hint = "see health.probes in gitopsd.yaml"
    return Problem(code=code, stage=Stage.RENDER, message=message, hint=hint, file=file)

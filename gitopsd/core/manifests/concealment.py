"""After decryption: objects and Jobs of probes that hold what was encrypted are marked; no problem repeats a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.directory import Rendered
from gitopsd.core.manifests.objects import Written
from gitopsd.core.manifests.probe_jobs import job_of, with_marks
from gitopsd.core.secrecy import Secrecy


def concealed(rendered: Rendered, values: Iterable[str]) -> Rendered:
    """Return the same, of which no value can be told. ``values`` are the texts that were encrypted."""
    secrecy = Secrecy.of(values)
    if not secrecy.wholes:
        return rendered
    return replace(
        rendered,
        objects=tuple(_marked(written, secrecy) for written in rendered.objects),
        settings=with_marks(rendered.settings, lambda probe: secrecy.is_told_by(job_of(probe))),
        problems=tuple(secrecy.masked_problem(problem) for problem in rendered.problems),
        warnings=tuple(secrecy.masked_problem(warning) for warning in rendered.warnings),
    )


def concealed_error(error: RenderError, values: Iterable[str]) -> RenderError:
    """Return the error, of which no value can be told."""
    secrecy = Secrecy.of(values)
    return RenderError(*(secrecy.masked_problem(problem) for problem in error.problems))


def _marked(written: Written, secrecy: Secrecy) -> Written:
    if not secrecy.is_told_by(written.manifest.body):
        return written
    return replace(written, manifest=replace(written.manifest, sensitive=True))

"""What ``gitopsd.yaml`` asked for, as the status shows it: the settings in force, and how each probe stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitopsd.core.model import Json
from gitopsd.core.probe_answers import Weighed
from gitopsd.core.probes import CelProbe, HttpProbe, JobProbe, Probe, PrometheusProbe
from gitopsd.core.settings import Settings
from gitopsd.core.status.shown import present, stamp

_TYPES: Mapping[type[Probe], str] = {HttpProbe: "http", PrometheusProbe: "prometheus", JobProbe: "job", CelProbe: "cel"}


def settings_json(settings: Settings) -> Mapping[str, Json]:
    """Return the settings that are in force, defaults and all."""
    return present(
        namespace=settings.namespace,
        dependsOn=list(settings.depends_on) or None,
        timeoutSeconds=settings.deadline_s,
        soakSeconds=settings.soak_s,
        onFailure=settings.on_failure.value,
        prune={"enabled": settings.prune.enabled, "budgetPercent": settings.prune.budget_percent},
        probes=[probe.name for probe in settings.probes] or None,
    )


def probes_json(probes: Sequence[Weighed]) -> Sequence[Json] | None:
    """Return how each probe stands; None when there are none."""
    return [_probe(one) for one in probes] or None


def _probe(weighed: Weighed) -> Json:
    probe, answer = weighed.probe, weighed.answer
    return present(
        name=probe.name,
        type=_TYPES[type(probe)],
        state=answer.state.value,
        message=answer.message,
        inARow=answer.in_a_row,
        failures=probe.pace.failures,
        counts=weighed.counts,
        at=stamp(answer.at),
    )

"""The metrics, read from the snapshot at each scrape: an environment that is gone leaves no series behind.

No label holds an object's name or an error's text; only ``environment_info`` holds a revision.
Of environments tells who leads, alone: what a replica saw before it stopped leading is no longer so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import PlatformCollector, ProcessCollector
from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gitopsd import __version__
from gitopsd.core.health import public_word
from gitopsd.core.probes import ProbeState
from gitopsd.core.record import Outcome, Record
from gitopsd.core.status.conditions import conditions
from gitopsd.core.status.facts import revision_of
from gitopsd.core.status.overview import EnvironmentView, SourceView, View
from gitopsd.core.status.words import drifted_count, health, phase, sync

_ENVIRONMENT = ("environment",)


def exposition(view: Callable[[], View | None], accept: str) -> tuple[bytes, str]:
    """Return the metrics in the form that the asker accepts, and that form's name."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(view))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Snapshot(Collector):
    def __init__(self, view: Callable[[], View | None]) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        """Read the snapshot."""
        yield _gauge("gitopsd_build_info", "What runs here.", ("version",), [((__version__,), 1)])
        view = self._view()
        if view is None:
            return
        yield from _of_daemon(view)
        yield from _of_sources(view.sources)
        if view.daemon.leading:
            yield from _of_environments(view.environments)
            yield from _of_objects(view.environments)
            yield from _of_flow(view.environments)

    def describe(self) -> Iterable[Metric]:
        """Nothing has to be known before the first scrape."""
        return ()


_Row = tuple[tuple[str, ...], float]


def _gauge(name: str, says: str, labels: tuple[str, ...], rows: Iterable[_Row]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _counter(name: str, says: str, labels: tuple[str, ...], rows: Iterable[_Row]) -> Metric:
    family = CounterMetricFamily(name, says, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _of_daemon(view: View) -> Iterator[Metric]:
    daemon = view.daemon
    yield _gauge("gitopsd_leader", "1 while this replica leads.", (), [((), daemon.leading)])
    yield _gauge("gitopsd_queue_depth", "Environments that wait for a pass.", (), [((), daemon.queue_depth)])
    yield _counter("gitopsd_watch_restarts", "Watches begun again.", (), [((), daemon.watch_restarts)])


def _of_sources(sources: Iterable[SourceView]) -> Iterator[Metric]:
    rows = [((one.name,), one.fetched_at.timestamp()) for one in sources if one.fetched_at]
    yield _gauge("gitopsd_git_last_fetch_timestamp_seconds", "When Git last answered.", ("source",), rows)
    failing = [((one.name,), float(one.error is not None)) for one in sources]
    yield _gauge("gitopsd_git_fetch_failing", "1 while Git cannot be asked.", ("source",), failing)


def _of_environments(views: Sequence[EnvironmentView]) -> Iterator[Metric]:
    labels = ("environment", "source", "sync_status", "health_status", "phase", "revision", "suspended")
    yield _gauge("gitopsd_environment_info", "How an environment is.", labels, (_about(one) for one in views))
    yield _gauge(
        "gitopsd_environment_condition",
        "1 for the status that a condition has.",
        ("environment", "type", "status"),
        (row for one in views for row in _conditions(one)),
    )
    held = [((one.environment.name,), len((one.known or Record()).held)) for one in views]
    yield _gauge("gitopsd_held_revisions", "Digests that are refused.", _ENVIRONMENT, held)
    yield _gauge(
        "gitopsd_last_reconcile_timestamp_seconds",
        "When the last pass looked at the cluster.",
        _ENVIRONMENT,
        (((one.environment.name,), at.timestamp()) for one in views if (at := _looked_at(one))),
    )
    yield _gauge(
        "gitopsd_last_success_timestamp_seconds",
        "When a digest was last kept.",
        _ENVIRONMENT,
        (((one.environment.name,), one.known.kept[0].at.timestamp()) for one in views if one.known and one.known.kept),
    )


def _of_objects(views: Sequence[EnvironmentView]) -> Iterator[Metric]:
    looks = [(one.environment.name, one.latest.look) for one in views if one.latest and one.latest.look]
    managed: Counter[tuple[str, ...]] = Counter(
        (name, sight.ref.kind, public_word(sight.live.health.status))
        for name, look in looks
        for sight in look.live.sights.values()
        if sight.live
    )
    labels = ("environment", "kind", "health")
    yield _gauge("gitopsd_managed_objects", "Objects, by kind and health.", labels, managed.items())
    probes = [
        ((name, one.probe.name, state.value), int(one.answer.state is state))
        for name, look in looks
        for one in look.verdict.probes
        for state in ProbeState
    ]
    labels = ("environment", "probe", "state")
    yield _gauge("gitopsd_health_probes", "Probes, by what they answered last.", labels, probes)
    looks = [(one.environment.name, one.latest.newest) for one in views if one.latest and one.latest.newest]
    drifted = [((name,), drifted_count(newest)) for name, newest in looks]
    yield _gauge("gitopsd_drifted_objects", "Objects that somebody changed.", _ENVIRONMENT, drifted)
    orphaned = [((name,), len(newest.plan.prunes) + len(newest.plan.kept_back)) for name, newest in looks]
    yield _gauge("gitopsd_orphaned_objects", "Objects that Git has no more.", _ENVIRONMENT, orphaned)


def _of_flow(views: Sequence[EnvironmentView]) -> Iterator[Metric]:
    yield _gauge(
        "gitopsd_reconcile_stage_duration_seconds",
        "Seconds per stage of the current rollout.",
        ("environment", "stage"),
        (((one.environment.name, stage), seconds) for one in views for stage, seconds in one.stages.items()),
    )
    yield _counter(
        "gitopsd_apply",
        "Writes since the start.",
        ("environment", "operation"),
        (((one.environment.name, operation), count) for one in views for operation, count in one.writes.items()),
    )
    requests = [((one.environment.name,), one.requests) for one in views]
    yield _counter("gitopsd_kube_requests", "Requests to the API server since the start.", _ENVIRONMENT, requests)
    yield _gauge(
        "gitopsd_recent_outcomes",
        "Lines of the history (the newest 20), by what they tell.",
        ("environment", "outcome"),
        (row for one in views for row in _outcomes(one)),
    )


def _about(view: EnvironmentView) -> _Row:
    record = view.known or Record()
    revision = revision_of(view, record.current)
    values = (
        view.environment.name,
        view.environment.source,
        sync(view).value,
        health(view).value,
        phase(view).value,
        str(revision) if revision else "",
        str(record.suspended is not None).lower(),
    )
    return values, 1


def _conditions(view: EnvironmentView) -> Iterator[_Row]:
    for condition in conditions(view):
        yield (view.environment.name, str(condition["type"]), str(condition["status"])), 1


def _looked_at(view: EnvironmentView) -> datetime | None:
    return view.latest.newest.at if view.latest and view.latest.newest else None


def _outcomes(view: EnvironmentView) -> Iterator[_Row]:
    record = view.known or Record()
    counts = Counter(entry.outcome for entry in record.history)
    for outcome in Outcome:
        yield (view.environment.name, outcome.value), counts[outcome]

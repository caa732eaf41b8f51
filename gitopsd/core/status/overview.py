"""What people see: one snapshot becomes the v1 status. Page, CLI and metrics show this and so cannot disagree.

Within v1 there are only additions. A field whose feature does not exist is absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gitopsd.core.model import Json
from gitopsd.core.record import Record
from gitopsd.core.status.environment import Fields, environment_json
from gitopsd.core.status.shown import present, problem_json, revision_json, stamp, times_json
from gitopsd.core.status.view import DaemonView, EnvironmentView, SourceView, View
from gitopsd.core.status.words import Phase, Sync, Word, health, phase, sync

__all__ = [
    "API_VERSION",
    "DaemonView",
    "EnvironmentView",
    "Fields",
    "SourceView",
    "View",
    "environment_status",
    "status",
]

API_VERSION = "status.gitopsd.dev/v1"
_MOVING = (Phase.APPLYING, Phase.VERIFYING, Phase.REVERTING)


def status(view: View, fields: Fields = Fields.USUAL) -> dict[str, Json]:
    """Return the whole status."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Status",
        "metadata": _metadata(view),
        "daemon": _daemon(view.daemon),
        "sources": [_source(source) for source in view.sources],
        "summary": _summary(view),
        "environments": [environment_json(one, fields) for one in view.whole()],
        "links": {"self": "/status", "openapi": "/openapi.json", "metrics": "/metrics"},
    }


def environment_status(view: View, name: str, *, full: bool = True) -> dict[str, Json] | None:
    """Return one environment's status; None when there is none of this name."""
    found = view.named(name)
    if found is None:
        return None
    return {
        "apiVersion": API_VERSION,
        "kind": "EnvironmentStatus",
        "metadata": _metadata(view),
        **environment_json(found, Fields.FULL if full else Fields.SUMMARY),
        "links": {"self": f"/status/{name}", "openapi": "/openapi.json", "metrics": "/metrics"},
    }


def _metadata(view: View) -> Mapping[str, Json]:
    cluster = present(name=view.daemon.cluster_name, kubernetesVersion=view.daemon.cluster_version)
    return present(
        generatedAt=stamp(view.at),
        snapshot=view.serial,
        instance=view.daemon.instance,
        version=view.daemon.version,
        cluster=cluster or None,
    )


def _daemon(daemon: DaemonView) -> Mapping[str, Json]:
    return present(
        leader=present(holder=daemon.leader_holder, isSelf=daemon.leading),
        startedAt=stamp(daemon.started_at),
        ready=daemon.ready,
        message=daemon.unready_because,
        queueDepth=daemon.queue_depth,
    )


def _source(source: SourceView) -> Mapping[str, Json]:
    error = source.error
    return present(
        name=source.name,
        url=source.url,
        ref=source.ref,
        revision=revision_json(source.revision),
        fetchedAt=stamp(source.fetched_at),
        nextFetchAt=stamp(source.next_fetch_at),
        conditions=[
            present(
                type="Ready",
                status="False" if error else ("True" if source.revision else "Unknown"),
                reason="ArtifactFailed" if error else ("Succeeded" if source.revision else "Progressing"),
                message=error.message if error else None,
            )
        ],
        lastError=problem_json(error, "ArtifactFailed") | times_json(source) if error else None,
    )


def _summary(view: View) -> Mapping[str, Json]:
    phases = Counter(phase(one) for one in view.environments)
    records = [one.known or Record() for one in view.environments]
    return {
        "environments": len(view.environments),
        "ready": phases[Phase.READY],
        "outOfSync": sum(sync(one) is Sync.OUT_OF_SYNC for one in view.environments),
        "degraded": sum(health(one) is Word.DEGRADED for one in view.environments),
        "progressing": sum(phases[moving] for moving in _MOVING),
        "failed": phases[Phase.FAILED],
        "reverted": phases[Phase.REVERTED],
        "suspended": sum(record.suspended is not None for record in records),
        "held": sum(bool(record.held) for record in records),
    }

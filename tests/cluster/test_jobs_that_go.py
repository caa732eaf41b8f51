"""A Job that goes by its own time to live leaves nothing to look at: what was seen of it counts."""

from __future__ import annotations

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.words import Phase
from tests.cluster.oracles import container, written
from tests.cluster.stage import deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: 0s, timeout: 1m}\n"
GOOD, BAD = deployment("web"), deployment("web", image="registry.example/app:2")


def test_a_commit_whose_migration_failed_is_put_back_though_the_job_is_gone_and_no_job_runs_on_the_way(stage):
    stage.factor = 5.0
    stage.commit({"gitopsd.yaml": SETTINGS, "web.yaml": GOOD, "migrate.yaml": _migration("rig.test/migrate:done")})
    stage.once()
    until("the first migration to be gone", lambda: stage.get("jobs", "migrate") is None)
    begin = stage.audit.position()
    waits = BAD.replace("annotations: {}", "annotations: {gitopsd.dev/depends-on: Job/migrate}")
    stage.commit({"web.yaml": waits, "migrate.yaml": _migration("rig.test/migrate:crash")})

    with stage.daemon() as daemon:
        until("it to be put back", phase_is(daemon, Phase.REVERTED), 60)
        view = shown(daemon)

    assert [entry.outcome for entry in view.known.history] == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT]
    assert view.known.history[1].why == (
        f"Job {stage.namespace}/migrate: it failed (BackoffLimitExceeded), and went by itself"
    )
    assert stage.get("jobs", "migrate") is None
    assert container(stage.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert written(stage, begin) == {"patch jobs/migrate": 1}


def _migration(image: str) -> str:
    return f"""apiVersion: batch/v1
kind: Job
metadata: {{name: migrate}}
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 3
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: migrate, image: {image}}}]
"""

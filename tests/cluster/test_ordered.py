"""A StatefulSet that goes in order waits for each pod; a way back that waited for a bad one would never end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.words import Phase
from rig.behaviours import AFTER_ANNOTATION
from tests.cluster.oracles import written
from tests.cluster.stage import Stage, phase_is, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

GOOD, BAD = "rig.test/db:v1", "rig.test/db:v2-ready-then-not"
REPLICAS = 2
FADES_AFTER_S = 6
TIMEOUT_S = 10
SETTINGS = f"""apiVersion: gitopsd.dev/v1
kind: Environment
health: {{soak: 9s, timeout: {TIMEOUT_S}s}}
"""


def test_pods_that_came_up_and_faded_are_put_back_one_after_the_other(stage):
    stage.commit({"db.yaml": _stateful_set(GOOD), "gitopsd.yaml": SETTINGS.replace("9s", "0s")})
    stage.once()
    stage.commit({"gitopsd.yaml": SETTINGS})
    stage.once()
    begin = stage.audit.position()
    with stage.daemon() as daemon:
        stage.commit({"db.yaml": _stateful_set(BAD)})
        until("the bad commit to be everywhere", lambda: _everywhere(stage, BAD))
        until("it to be put back", phase_is(daemon, Phase.REVERTED), 90)

    outcomes = [entry.outcome for entry in stage.record().history]
    assert outcomes == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT]
    assert _everywhere(stage, GOOD)
    assert written(stage, begin) == {"patch statefulsets/db": 2, "delete pods/db-0": 1, "delete pods/db-1": 1}


def _stateful_set(image: str) -> str:
    return f"""apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  replicas: {REPLICAS}
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata:
      labels: {{app: db}}
      annotations: {{{AFTER_ANNOTATION}: "{FADES_AFTER_S}s"}}
    spec: {{containers: [{{name: app, image: {image}}}]}}
"""


def _everywhere(stage: Stage, image: str) -> bool:
    """Whether all pods are of this image and ready, and the StatefulSet's controller has said so."""
    status = stage.get("statefulsets", "db")["status"]
    images = [pod["spec"]["containers"][0]["image"] for pod in _pods(stage)]
    is_current = status.get("currentRevision") == status.get("updateRevision")
    return images == [image] * REPLICAS and is_current and status.get("readyReplicas") == REPLICAS


def _pods(stage: Stage) -> list[Mapping[str, Any]]:
    pods: list[Mapping[str, Any]] = stage.api.get(f"{stage.path('pods')}?labelSelector=app%3Ddb")["items"]
    return pods

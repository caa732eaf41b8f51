"""Probes decide: a commit is kept when they pass, put back when they fail, and waits where they cannot tell."""

from __future__ import annotations

import threading

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.words import Phase
from rig.audit import Write
from tests.adapters.probes.servers import own_address, prometheus, server, status
from tests.adapters.probes.shop import Shop, shop
from tests.cluster.stage import Stage, configmap, phase_is, until

pytestmark = pytest.mark.cluster

HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth:\n  timeout: {timeout}\n  soak: 0s\n  probes:\n"
HTTP = "    - http: {service: web, port: 80, path: /healthz, failures: 2, interval: 1s, timeout: 1s}\n"
ERRORS = "    - prometheus: {query: errors, max: 0.1, failures: 2, interval: 1s, timeout: 1s}\n"
SMOKE = "    - job: smoke/job.yaml\n"


def settings(*probes: str, timeout: str = "60s") -> str:
    return HEAD.replace("{timeout}", timeout) + "".join(probes)


def smoke(image: str = "rig.test/web") -> str:
    return f"""apiVersion: batch/v1
kind: Job
metadata: {{name: smoke}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: smoke, image: "{image}"}}]
"""


class Switch:
    """An answer that can be changed while the server runs."""

    def __init__(self, answer) -> None:
        self.answer = answer

    def __call__(self, connection, asked, over: threading.Event) -> None:
        self.answer(connection, asked, over)


@pytest.fixture
def outlet(stage: Stage):
    """The shop in the stage's namespace: its Service and pods are not the environment's to make."""
    with shop(stage.cluster.kubeconfig, stage.namespace) as made:
        yield made


def shown_value(stage: Stage) -> object:
    found = stage.get("configmaps", "web")
    return found and found["data"]["v"]


def outcomes(stage: Stage) -> list[Outcome]:
    return [entry.outcome for entry in stage.record().history]


def test_a_failing_http_probe_puts_the_commit_back(stage: Stage, outlet: Shop):
    def answer(connection, asked, over) -> None:
        status(200 if shown_value(stage) == "1" else 503)(connection, asked, over)

    with server(answer, own_address()) as there:
        outlet.web_on((there.address, there.port))
        stage.commit({"gitopsd.yaml": settings(HTTP), "web.yaml": configmap("web", v="1")}, "One")
        with stage.daemon() as daemon:
            until("the first commit to be kept", phase_is(daemon, Phase.READY), 60)
            stage.commit({"web.yaml": configmap("web", v="2")}, "Two")
            until("the second to be put back", lambda: outcomes(stage)[:1] == [Outcome.REVERTED], 60)

    assert shown_value(stage) == "1"
    assert outcomes(stage) == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT]
    assert "GET web:80/healthz on web-0: 503, expected 200" in stage.record().history[1].why


def test_a_prometheus_that_is_away_neither_keeps_nor_puts_back(stage: Stage):
    answer = Switch(status(503))
    with server(answer) as there:
        stage.extra_config = f"prometheus: {{url: '{there.url}'}}\n"
        stage.commit({"gitopsd.yaml": settings(ERRORS, timeout="3s"), "web.yaml": configmap("web", v="1")}, "One")
        with stage.daemon() as daemon:
            until("it to be asked for longer than the deadline", lambda: len(there.asked) > 6, 60)
            kept_meanwhile = outcomes(stage)
            answer.answer = prometheus(["0.02"])
            until("the commit to be kept", phase_is(daemon, Phase.READY), 60)

    assert kept_meanwhile == []
    assert outcomes(stage) == [Outcome.KEPT]


def test_a_commit_is_kept_when_its_job_is_complete(stage: Stage):
    begin = stage.audit.position()
    files = {"gitopsd.yaml": settings(SMOKE), "smoke/job.yaml": smoke(), "web.yaml": configmap("web", v="1")}
    stage.commit(files, "One")
    stage.once()
    stage.once()

    assert outcomes(stage) == [Outcome.KEPT]
    writes = {write.object: count for write, count in stage.audit.writes(begin).items() if " smoke" in _name(write)}
    assert list(writes.values()) == [1]


def test_a_failing_job_puts_the_commit_back_and_is_not_run_on_the_way(stage: Stage):
    files = {"gitopsd.yaml": settings(SMOKE), "smoke/job.yaml": smoke(), "web.yaml": configmap("web", v="1")}
    stage.commit(files, "One")
    stage.once()
    stage.commit({"smoke/job.yaml": smoke("rig.test/web:crash"), "web.yaml": configmap("web", v="2")}, "Two")
    stage.once()

    assert shown_value(stage) == "1"
    assert outcomes(stage) == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT]
    jobs = stage.api.get(stage.path("jobs"))["items"]
    assert len(jobs) == 2


def _name(write: Write) -> str:
    return write.object.replace("/", " ")

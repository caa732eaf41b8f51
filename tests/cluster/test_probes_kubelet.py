"""A developer's Job on a real node: it runs, and its last words are the evidence."""

from __future__ import annotations

import json

import pytest

from gitopsd.core.probes import JobProbe, Pace, ProbeState
from rig.images import WEB, load, web_image
from rig.waiting import wait_for
from tests.adapters.probes.shop import Shop, shop

pytestmark = pytest.mark.kubelet

PASS, FAIL, UNKNOWN = ProbeState.PASS, ProbeState.FAIL, ProbeState.UNKNOWN


@pytest.fixture
def on_node(node_cluster, node_namespace):
    load(node_cluster.powers(), web_image())
    with shop(node_cluster.kubeconfig, node_namespace) as made:
        yield made


def smoke(script: str, image: str = WEB, timeout_s: float = 60.0) -> JobProbe:
    container = {"name": "smoke", "image": image, "command": ["/bin/busybox", "sh", "-c", script]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "smoke"}, "spec": {"template": template}}
    pace = Pace(interval_s=1.0, timeout_s=timeout_s)
    return JobProbe(name="job smoke.yaml", file="smoke.yaml", job=json.dumps(body).encode(), pace=pace)


def test_a_test_that_succeeds_passes(on_node: Shop):
    found = on_node.await_state(smoke("echo fine"), on_node.rollout(), PASS, FAIL, deadline_s=120)

    assert (found.state, found.message) == (PASS, f"Job {on_node.job_name()} is complete")


def test_a_test_that_fails_tells_its_last_words(on_node: Shop):
    script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $n; done; echo expected 200, got 500; exit 3"
    found = on_node.await_state(smoke(script), on_node.rollout(), PASS, FAIL, deadline_s=120)

    assert (found.state, found.failed) == (FAIL, True)
    assert found.message.endswith("line 11 / line 12 / expected 200, got 500")
    assert "line 3 /" not in found.message


def test_h10_an_image_that_is_not_there_is_no_failure_even_when_the_time_is_over(on_node: Shop):
    probe, rollout = smoke("true", "rig.test/web:missing", timeout_s=15.0), on_node.rollout()
    waiting = on_node.await_state(probe, rollout, UNKNOWN, deadline_s=60)

    def is_over() -> bool:
        (probed,) = on_node.prober.ask(on_node.environment, on_node.desired(probe), rollout)
        on_node.clock.advance(seconds=1)
        return "DeadlineExceeded" in probed.message

    wait_for("the Job's time to be over", is_over, deadline_s=60)
    (over,) = on_node.prober.ask(on_node.environment, on_node.desired(probe), rollout)

    assert "cannot run" in waiting.message or "no pod yet" in waiting.message
    assert (over.state, over.failed) == (UNKNOWN, False)


def test_h11_a_test_that_hangs_fails_when_its_time_is_over(on_node: Shop):
    probe = smoke("echo begun; sleep 600", timeout_s=10.0)
    found = on_node.await_state(probe, on_node.rollout(), PASS, FAIL, deadline_s=120)

    assert found.state is FAIL
    assert "DeadlineExceeded" in found.message

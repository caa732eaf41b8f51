"""At rest gitopsd asks nothing and writes nothing, over restarts too; and it says how things are whenever asked."""

from __future__ import annotations

import signal

import pytest

from rig.faults import crashed
from tests.cluster.asking import COLUMNS, address, get, gitopsd, status
from tests.cluster.stage import configmap, deployment, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

PASSES = 10
FILES = {"web.yaml": deployment("web"), "settings.yaml": configmap("settings", a="1")}


@pytest.mark.parametrize("shared", [pytest.param("false", id="alone"), pytest.param("true", id="with a lease")])
def test_at_rest_a_pass_asks_the_api_server_nothing(stage, shared):
    stage.commit(FILES)
    with stage.process(GITOPSD_LEADERELECTION__ENABLED=shared):
        url = address(stage.folder / "gitopsd.log")
        until("the first commit to be kept", lambda: status(url).get("phase") == "Ready")
        until("all that follows from it", lambda: _settled(stage))
        begin, fetched = stage.audit.position(), len(stage.server.requests)
        until(f"{PASSES} passes", lambda: len(stage.server.requests) >= fetched + PASSES)
        asked = stage.audit.requests(begin)

    assert {(one.verb, one.resource) for one in asked} == (
        {("get", "coordination.k8s.io/leases"), ("update", "coordination.k8s.io/leases")} if shared == "true" else set()
    )


def test_a_restart_at_rest_writes_nothing(stage):
    stage.commit(FILES)
    stage.once()
    begin = stage.audit.position()
    for _ in range(2):
        with stage.process() as child:
            url = address(stage.folder / "gitopsd.log")
            until("it to be in sync", lambda url=url: status(url).get("sync", {}).get("status") == "Synced")
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
        (stage.folder / "gitopsd.log").unlink()

    assert list(stage.audit.writes(begin)) == []


def test_status_says_why_at_each_step_and_tells_a_dead_api_server_from_a_dead_daemon(stage):
    stage.commit({**FILES, "web.yaml": deployment("web", image="rig.test/web:slow")})
    with stage.process():
        url = address(stage.folder / "gitopsd.log")
        until("the rollout", lambda: status(url).get("phase") == "Verifying")
        assert "is applied, not yet proven healthy: Deployment" in status(url)["message"]
        until("the first commit to be kept", lambda: status(url)["phase"] == "Ready")
        assert status(url)["message"].startswith("in sync with main@sha1:")
        assert {get(f"{url}/{probe}") for probe in ("readyz", "livez", "healthz")} == {(200, "ok")}

        bad = stage.commit({"settings.yaml": "a: [1\n"})
        until("the bad commit to be refused", lambda: status(url)["phase"] == "Failed")
        said = status(url)["message"]
        assert said.startswith(f"main@sha1:{bad[:7]} is rejected: environments/staging/settings.yaml:2: not valid YAML")
        stage.commit({"settings.yaml": FILES["settings.yaml"]})
        until("the fix", lambda: status(url)["phase"] == "Ready")

        with crashed(stage.cluster.powers()):
            until("gitopsd to notice", lambda: get(f"{url}/readyz") == (503, "the API server does not answer"))
            until("status to claim nothing", lambda: status(url)["sync"]["status"] == "Unknown")
            assert "but the API server gave no whole answer" in status(url)["message"]
            assert get(f"{url}/livez") == (200, "ok")
            code, metrics = get(f"{url}/metrics")
            assert (code, 'sync_status="Unknown"' in metrics) == (200, True)
        until("it to be ready again", lambda: get(f"{url}/readyz") == (200, "ok"))
        until("it to be in sync again", lambda: status(url)["sync"]["status"] == "Synced")
        told = gitopsd(stage, "status", "--server", url)
        assert (told.code, told.width <= COLUMNS, "in sync with" in told.text) == (0, True, True)


def _settled(stage) -> bool:
    """Whether gitopsd has asked nothing for a whole poll."""
    begin, fetched = stage.audit.position(), len(stage.server.requests)
    until("a pass", lambda: len(stage.server.requests) >= fetched + 2)
    return not [one for one in stage.audit.requests(begin) if "leases" not in one.resource]

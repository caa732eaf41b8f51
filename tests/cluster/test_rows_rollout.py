"""The catalogue's rows about health whose answer is a verdict on a whole rollout, on played pods: H6 and H10."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, Word, health, phase
from rig.api import MERGE
from tests.cluster.oracles import container, written
from tests.cluster.stage import deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: %s, timeout: %s}\n"
HOMELESS = deployment("web", image="registry.example/app:2") + "      nodeSelector: {rig.test/none: has-this}\n"
LABELS = "      labels: {app: web}\n    spec:"
FADING = deployment("web", image="rig.test/web:ready-then-not").replace(
    LABELS, LABELS.replace("\n", "\n      annotations: {rig.test/after: 2s}\n")
)
# At ten times the speed, twice the grace of any other pod that cannot come up.
PATIENCE_S = 6.0
# Of the sped up clock 60 seconds, and the second to which pods round.
LONG_DOWN_S = 8.0


@pytest.fixture
def kept(hasty_stage):
    """A stage, quick, at which a good commit is kept."""
    return _kept(hasty_stage)


def test_h6_what_fades_within_its_soak_is_put_back(kept):
    begin = kept.audit.position()
    kept.commit({"gitopsd.yaml": SETTINGS % ("30s", "40s"), "web.yaml": FADING})

    view = kept.once()

    assert phase(view) is Phase.REVERTED
    failed = next(entry for entry in view.known.history if entry.outcome is Outcome.FAILED)
    assert failed.seconds > 40
    assert "running but not ready" in failed.why
    assert container(kept.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert written(kept, begin) == {"patch deployments/web": 2}


def test_h6_what_fades_after_it_was_kept_is_told_and_stays(kept):
    with kept.daemon() as daemon:
        until("a first look", phase_is(daemon, Phase.READY))
        commit = kept.commit({"web.yaml": FADING})
        until("it to be kept", lambda: shown(daemon).known.last_kept.revision.commit == commit)
        until("it to fade", lambda: health(shown(daemon)) is not Word.HEALTHY)
        begin, fetches = kept.audit.position(), len(kept.server.requests)
        until("more fetches", lambda: len(kept.server.requests) > fetches + 8)
        view = shown(daemon)

    assert (phase(view), health(view)) == (Phase.READY, Word.PROGRESSING)
    assert "; by now Deployment" in why(view)
    assert [entry.outcome for entry in view.known.history] == [Outcome.KEPT, Outcome.KEPT]
    assert view.known.held == {}
    assert written(kept, begin) == {}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_h16_what_was_down_for_long_before_the_commit_is_not_put_back_to_that(kept, kind):
    """Nor is the commit held: it may be the mend that only needs longer."""
    fading = FADING if kind == "Deployment" else _as_set(FADING)
    kept.commit({"gitopsd.yaml": SETTINGS % ("0s", "60s"), "web.yaml": None, "db.yaml": fading.replace("web", "db")})
    with kept.daemon() as daemon:
        until("it to be kept", phase_is(daemon, Phase.READY))
        until("it to fade", lambda: "container app is running but not ready" in _sentence(daemon))
        faded = time.monotonic()
        until("it to be down for as long as a rollout has", lambda: time.monotonic() - faded > LONG_DOWN_S)
        begin = kept.audit.position()
        mend = fading.replace("ready-then-not", "v2-never-ready").replace("web", "db")
        commit = kept.commit({"db.yaml": mend})
        until("the verdict", phase_is(daemon, Phase.FAILED), 60)
        fetches = len(kept.server.requests)
        until("more fetches", lambda: len(kept.server.requests) > fetches + 4)
        view = shown(daemon)

    assert (phase(view), view.known.held) == (Phase.FAILED, {})
    assert view.known.history[0].revision.commit == commit
    assert written(kept, begin) == {f"patch {kind.lower()}s/db": 1}


def test_h10_a_pod_that_no_node_takes_is_put_back_after_its_own_longer_grace_with_the_schedulers_words(stage):
    stage.factor = 40.0
    kept = _kept(stage)
    begin = kept.audit.position()
    with kept.daemon() as daemon:
        kept.commit({"gitopsd.yaml": SETTINGS % ("0s", "10m"), "web.yaml": HOMELESS})
        until("it to be told", lambda: "no node takes it: 0/1 nodes are available" in _sentence(daemon))
        assert (phase(shown(daemon)), health(shown(daemon))) == (Phase.VERIFYING, Word.DEGRADED)
        until("the verdict", phase_is(daemon, Phase.REVERTED), 60)
        view = shown(daemon)

    failed = next(entry for entry in view.known.history if entry.outcome is Outcome.FAILED)
    assert 300 <= failed.seconds < 600
    assert "no node takes it: 0/1 nodes are available" in failed.why
    assert written(kept, begin) == {"patch deployments/web": 2}


def test_h10_a_pod_that_no_node_takes_is_put_back_at_a_deadline_that_is_shorter_than_its_grace(kept):
    kept.commit({"gitopsd.yaml": SETTINGS % ("0s", "60s"), "web.yaml": HOMELESS})

    view = kept.once()

    assert phase(view) is Phase.REVERTED
    failed = next(entry for entry in view.known.history if entry.outcome is Outcome.FAILED)
    assert 60 <= failed.seconds < 300
    assert failed.why.startswith("not healthy after 60 s")
    assert "no node takes it" in failed.why


def test_h10_a_commit_for_which_there_is_no_node_for_a_while_is_kept_once_there_is_one(kept):
    begin, began = kept.audit.position(), time.monotonic()
    with kept.daemon() as daemon:
        with cordoned(kept):
            kept.commit({"web.yaml": deployment("web", image="registry.example/app:2")})
            until("it to be told", lambda: "no node takes it" in _sentence(daemon))
            until("longer than other graces", lambda: time.monotonic() - began > PATIENCE_S)
            assert phase_is(daemon, Phase.VERIFYING)()
        until("the commit to be kept", phase_is(daemon, Phase.READY))
        view = shown(daemon)

    assert [entry.outcome for entry in view.known.history] == [Outcome.KEPT, Outcome.KEPT]
    assert view.known.history[0].seconds > 30
    assert written(kept, begin) == {"patch deployments/web": 1}


@contextmanager
def cordoned(stage):
    """For so long no node takes any pod."""
    names = [node["metadata"]["name"] for node in stage.api.get("/api/v1/nodes")["items"]]
    try:
        _cordon(stage, names, shut=True)
        yield
    finally:
        _cordon(stage, names, shut=False)


def _cordon(stage, names: list[str], *, shut: bool) -> None:
    for name in names:
        stage.api.request("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": shut}}, MERGE)


def _as_set(deployment: str) -> str:
    return deployment.replace("kind: Deployment", "kind: StatefulSet").replace(
        "  selector:", "  serviceName: web\n  selector:"
    )


def _kept(stage):
    stage.commit({"gitopsd.yaml": SETTINGS % ("0s", "5m"), "web.yaml": deployment("web")})
    assert phase(stage.once()) is Phase.READY
    return stage


def _sentence(daemon) -> str:
    view = shown(daemon)
    return why(view) if view else ""

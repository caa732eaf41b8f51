"""What people ask for during and after a revert is done, and what was refused stays refused unless they lift it."""

from __future__ import annotations

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.words import Phase, phase
from tests.cluster.asking import gitopsd
from tests.cluster.oracles import container, written
from tests.cluster.revert_manifests import SETTINGS
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

MISSING = deployment("web", image="rig.test/web:v3-missing")
STATEFUL = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: data}
spec:
  replicas: 2
  serviceName: data
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec: {containers: [{name: app, image: 'registry.example/app:1'}]}
"""


@pytest.fixture
def reverted(hasty_stage):
    """A stage, quick, that kept two commits and put a third one back."""
    hasty_stage.first = _kept(hasty_stage, "1")
    hasty_stage.second = _kept(hasty_stage, "2")
    hasty_stage.bad = hasty_stage.commit({"web.yaml": MISSING})
    assert phase(hasty_stage.once()) is Phase.REVERTED
    return hasty_stage


def test_a_person_goes_back_further_than_the_revert_did(reverted):
    begin = reverted.audit.position()
    with reverted.daemon() as daemon:
        until("it to be known", phase_is(daemon, Phase.REVERTED))
        said = gitopsd(reverted, "rollback", "staging", "--to", reverted.first[:7], "--reason", "the second is slow")
        until("the first to be back", lambda: _image(reverted) == "registry.example/app:1")
        until("it to be kept", lambda: shown(daemon).known.last_kept.revision.commit == reverted.first)

    assert said.code == 0
    assert written(reverted, begin) == {"patch deployments/web": 1, "patch configmaps/version": 1}
    held = {hold.revision.commit for hold in reverted.record().held.values()}
    assert held == {reverted.second, reverted.bad}


def test_what_is_released_after_a_revert_is_tried_once_more_and_put_back_once_more(reverted):
    begin = reverted.audit.position()
    with reverted.daemon() as daemon:
        until("it to be known", phase_is(daemon, Phase.REVERTED))
        assert gitopsd(reverted, "release", "staging", "--reason", "the registry was down").code == 0
        until("the second revert", lambda: _outcomes(daemon)[:2] == [Outcome.REVERTED, Outcome.FAILED])
        until("it to be settled", lambda: Outcome.RELEASED in _outcomes(daemon) and phase_is(daemon, Phase.REVERTED)())

    assert written(reverted, begin) == {"patch deployments/web": 2}
    assert [hold.revision.commit for hold in reverted.record().held.values()] == [reverted.bad]


def test_a_pause_before_a_revert_is_a_pause_and_after_it_the_revert_comes(reverted):
    fixed = _kept(reverted, "4")
    with reverted.daemon() as daemon:
        until("it to be known", phase_is(daemon, Phase.READY))
        reverted.commit({"web.yaml": deployment("web", image="rig.test/web:never-ready")})
        until("the bad rollout", lambda: _image(reverted).startswith("rig.test"))
        assert gitopsd(reverted, "suspend", "staging", "--reason", "let me look").code == 0
        until("the pause", phase_is(daemon, Phase.SUSPENDED))
        begin, fetches = reverted.audit.position(), len(reverted.server.requests)
        until("more fetches", lambda: len(reverted.server.requests) > fetches + 6)
        assert written(reverted, begin) == {}
        assert gitopsd(reverted, "resume", "staging").code == 0
        until("the revert", phase_is(daemon, Phase.REVERTED), 60)
        assert shown(daemon).known.last_kept.revision.commit == fixed

    assert written(reverted, begin) == {"patch deployments/web": 1}
    assert _image(reverted) == "registry.example/app:4"


def test_what_a_person_refused_by_hand_stays_so_when_its_commit_comes_again(reverted):
    third = _kept(reverted, "4")
    with reverted.daemon() as daemon:
        until("it to be known", phase_is(daemon, Phase.READY))
        assert gitopsd(reverted, "rollback", "staging", "--reason", "wrong prices").code == 0
        until("the second to be back", lambda: _image(reverted) == "registry.example/app:2")
        until("it to be shown", phase_is(daemon, Phase.REVERTED))
        begin = reverted.audit.position()
        again = reverted.commit({"README.md": "The same content, another commit.\n"})
        until("it to be seen", lambda: shown(daemon).latest.git.wanted.revision.commit == again)

    assert written(reverted, begin) == {}
    assert third in {hold.revision.commit for hold in reverted.record().held.values()}


def test_a_stateful_set_that_goes_in_order_is_put_back_although_its_controller_waits_for_the_broken_pod(hasty_stage):
    hasty_stage.commit({"gitopsd.yaml": SETTINGS % "60s", "data.yaml": STATEFUL})
    assert phase(hasty_stage.once()) is Phase.READY
    before = hasty_stage.get("pods", "data-0")["metadata"]["uid"]
    begin = hasty_stage.audit.position()
    with hasty_stage.daemon() as daemon:
        until("it to be known", phase_is(daemon, Phase.READY))
        hasty_stage.commit({"data.yaml": STATEFUL.replace("registry.example/app:1", "rig.test/web:v2-missing")})
        until("it to be put back", phase_is(daemon, Phase.REVERTED), 60)

    assert written(hasty_stage, begin) == {"patch statefulsets/data": 2, "delete pods/data-1": 1}
    assert hasty_stage.get("pods", "data-1")["spec"]["containers"][0]["image"] == "registry.example/app:1"
    assert hasty_stage.get("pods", "data-0")["metadata"]["uid"] == before


def test_a_fix_goes_through_although_the_controller_waits_for_the_broken_pod_of_the_first_commit(hasty_stage):
    missing = STATEFUL.replace("registry.example/app:1", "rig.test/web:missing")
    with hasty_stage.daemon() as daemon:
        hasty_stage.commit({"gitopsd.yaml": SETTINGS % "60s", "data.yaml": missing})
        until("the broken pod", lambda: hasty_stage.get("pods", "data-0"))
        fix = hasty_stage.commit({"data.yaml": STATEFUL})
        until("the fix to be kept", lambda: phase_is(daemon, Phase.READY)() and _wants(daemon) == fix, 60)


def _wants(daemon) -> str:
    return shown(daemon).latest.git.wanted.revision.commit


def _kept(stage, version: str) -> str:
    files = {
        "gitopsd.yaml": SETTINGS % "5m",
        "web.yaml": deployment("web", image=f"registry.example/app:{version}"),
        "version.yaml": configmap("version", version=version),
    }
    commit = stage.commit(files)
    assert phase(stage.once()) is Phase.READY
    return commit


def _image(stage) -> str:
    return container(stage.get("deployments", "web"))["image"]


def _outcomes(daemon) -> list[Outcome]:
    view = shown(daemon)
    return [entry.outcome for entry in view.known.history] if view and view.known else []

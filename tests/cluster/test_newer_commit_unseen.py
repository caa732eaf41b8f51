"""Nobody can say whether the newest commit can begin: what runs is judged, put back and told of all the same."""

from __future__ import annotations

import pytest

from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, Sync, Word, health, sync
from tests.cluster.dead_group import dead_group
from tests.cluster.oracles import container
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

GADGET = "apiVersion: {}\nkind: Gadget\nmetadata: {{name: one}}\n"


def test_a_bad_commit_is_put_back_although_a_group_of_the_newest_one_does_not_answer(hasty_stage):
    stage = hasty_stage
    stage.commit({"web.yaml": deployment("web", image="rig.test/web:1")})
    with dead_group(stage.api, stage.namespace) as dead, stage.daemon() as daemon:
        until("the first commit to be kept", phase_is(daemon, Phase.READY))
        stage.commit({"web.yaml": deployment("web", image="rig.test/web:missing"), "new.yaml": configmap("new")})
        until("the bad commit", lambda: stage.get("configmaps", "new") is not None)
        stage.commit({"gadget.yaml": GADGET.format(dead.version)}, "Add a gadget")
        until("nobody to be able to look at it", lambda: "DISCOVERY_INCOMPLETE" in _codes(daemon))
        assert shown(daemon).looked
        until("the bad one to be put back", lambda: stage.get("configmaps", "new") is None, 60)
        until("it to be at rest", phase_is(daemon, Phase.FAILED))
        view = shown(daemon)

        assert (sync(view), health(view)) == (Sync.UNKNOWN, Word.UNKNOWN)
        assert _codes(daemon) == ["DISCOVERY_INCOMPLETE", "ROLLOUT_FAILED"]
        said = why(view)
        assert ("Gadget" in said, "was put back" in said) == (True, True), said

    assert container(stage.get("deployments", "web"))["image"] == "rig.test/web:1"


def _codes(daemon) -> list[str]:
    return [problem.code for problem in problems(shown(daemon))]

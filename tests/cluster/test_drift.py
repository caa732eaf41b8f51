"""What people and controllers do to an object: put back, or rightly theirs. The cluster ends equal to Git."""

from __future__ import annotations

import base64

import pytest

from gitopsd.core.status.words import Phase, phase
from tests.cluster.oracles import container, history, inhabitants, version, written
from tests.cluster.stage import configmap, deployment, phase_is, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

AUTOSCALER = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, annotations: {gitopsd.dev/health: ignore}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 4
  maxReplicas: 6
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
"""


@pytest.fixture
def kept(stage):
    """A stage at which a Deployment of three and its settings are in place."""
    stage.commit({"web.yaml": deployment("web", replicas=3), "settings.yaml": configmap("settings", colour="red")})
    assert phase(stage.once()) is Phase.READY
    return stage


def test_what_people_change_by_hand_is_put_back_at_once(kept):
    with kept.daemon() as daemon:
        until("the daemon to know its environment", phase_is(daemon, Phase.READY))
        begin = kept.audit.position()

        kept.kubectl("edit", "configmap", "settings", editor="sed -i s/red/pink/")
        until("the edit to be gone", lambda: kept.get("configmaps", "settings")["data"] == {"colour": "red"}, 5)
        kept.kubectl("set", "env", "deployment/web", "DEBUG=1")
        until("the variable to be gone", lambda: "env" not in container(kept.get("deployments", "web")), 5)
        kept.kubectl("set", "image", "deployment/web", "app=registry.example/app:2")
        until("the image to be back", lambda: _image(kept) == "registry.example/app:1", 5)
        kept.kubectl("scale", "deployment/web", "--replicas=1")
        until("the replicas to be back", lambda: _replicas(kept) == 3, 5)
        kept.kubectl("delete", "configmap", "settings")
        until("the settings to be there again", lambda: kept.get("configmaps", "settings"), 5)
        until("all to be well", phase_is(daemon, Phase.READY))

    assert inhabitants(kept) == {"deployments/web", "configmaps/settings"}
    # Each is put back by one write; a variable that nobody but kubectl owned is first taken over, then left out.
    assert written(kept, begin) == {"patch configmaps/settings": 2, "patch deployments/web": 4}


def test_a_variable_set_by_hand_goes_away_in_the_next_run(kept):
    kept.kubectl("set", "env", "deployment/web", "DEBUG=1")
    begin = kept.audit.position()

    view = kept.once()

    assert phase(view) is Phase.READY, view.problems
    assert "env" not in container(kept.get("deployments", "web"))
    assert written(kept, begin) == {"patch deployments/web": 2}


def test_an_edit_of_an_object_that_git_removes_meanwhile_does_not_save_it(kept):
    kept.kubectl("edit", "configmap", "settings", editor="sed -i s/red/pink/")
    begin = kept.audit.position()
    kept.commit({"settings.yaml": None})

    view = kept.once()

    assert phase(view) is Phase.READY, view.problems
    assert inhabitants(kept) == {"deployments/web"}
    assert written(kept, begin) == {"delete configmaps/settings": 1}


@pytest.mark.parametrize("added", ["in Git", "in Git, the replicas taken out", "by hand"])
def test_an_autoscaler_that_is_added_later_never_sees_the_replicas_reset(kept, added):
    since = version(kept, "deployments")
    begin = kept.audit.position()
    if added == "by hand":
        kept.kubectl("apply", "-f", "-", stdin=AUTOSCALER)
    else:
        replicas = 3 if added == "in Git" else None
        kept.commit({"autoscaler.yaml": AUTOSCALER, "web.yaml": _web(replicas=replicas)})

    assert phase(kept.once()) is Phase.READY
    until("the autoscaler to act", lambda: _replicas(kept) == 4)
    kept.commit({"web.yaml": _web(image="registry.example/app:2", replicas=3)})
    assert phase(kept.once()) is Phase.READY
    kept.commit({"web.yaml": _web(image="registry.example/app:3")})
    assert phase(kept.once()) is Phase.READY

    assert _image(kept) == "registry.example/app:3"
    replicas = [one["spec"]["replicas"] for one in history(kept, "deployments", "web", since)]
    assert set(replicas) == {3, 4}
    assert replicas == sorted(replicas)
    # Two commits that change it; and once its replicas are given up, and then left out.
    assert written(kept, begin)["patch deployments/web"] == 4


def test_an_autoscaled_deployment_may_be_scaled_by_hand(kept):
    kept.commit({"autoscaler.yaml": AUTOSCALER})
    kept.once()
    until("the autoscaler to act", lambda: _replicas(kept) == 4)
    begin = kept.audit.position()

    kept.kubectl("scale", "deployment/web", "--replicas=5")
    kept.once()

    assert _replicas(kept) == 5
    assert written(kept, begin) == {}


def test_a_key_removed_from_string_data_leaves_the_secret(stage):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {old: one, new: two}\n"
    stage.commit({"keys.yaml": secret})
    stage.once()
    begin = stage.audit.position()
    stage.commit({"keys.yaml": secret.replace("old: one, ", "")})

    view = stage.once()

    assert phase(view) is Phase.READY, view.problems
    assert stage.get("secrets", "keys")["data"] == {"new": base64.b64encode(b"two").decode()}
    assert written(stage, begin) == {"patch secrets/keys": 1}


def test_a_restart_by_hand_is_not_undone_and_rolls_the_pods_once(kept):
    with kept.daemon() as daemon:
        until("the daemon to know its environment", phase_is(daemon, Phase.READY))
        begin = kept.audit.position()
        kept.kubectl("rollout", "restart", "deployment/web")
        kept.kubectl("rollout", "status", "deployment/web", "--timeout=10s")
        restarted = _replica_sets(kept)
        until("a pass after it", _later_pass(daemon))

        assert written(kept, begin) == {}
        kept.commit({"web.yaml": deployment("web", replicas=3, note="a change that rolls nothing")})
        until("the commit to be there", lambda: "note" in kept.get("deployments", "web")["metadata"]["annotations"])
        until("it to be kept", phase_is(daemon, Phase.READY))

    assert "kubectl.kubernetes.io/restartedAt" in _pod_annotations(kept)
    assert len(restarted) == 2
    assert _replica_sets(kept) == restarted
    assert written(kept, begin) == {"patch deployments/web": 1}


def _web(image: str = "registry.example/app:1", replicas: int | None = None) -> str:
    """The Deployment; None leaves it to others how often it runs."""
    text = deployment("web", image=image, replicas=replicas or 0)
    return text if replicas else text.replace("  replicas: 0\n", "")


def _image(stage) -> str:
    return container(stage.get("deployments", "web"))["image"]


def _replicas(stage) -> int:
    return stage.get("deployments", "web")["spec"]["replicas"]


def _pod_annotations(stage) -> dict[str, str]:
    return stage.get("deployments", "web")["spec"]["template"]["metadata"].get("annotations", {})


def _replica_sets(stage) -> set[str]:
    """One for each time that the pods were rolled."""
    return {one["metadata"]["name"] for one in stage.api.get(stage.path("replicasets"))["items"]}


def _later_pass(daemon):
    serial = daemon.view().serial
    return lambda: daemon.view().serial > serial + 4

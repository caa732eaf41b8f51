"""Objects that change hands: between environments, and from people to gitopsd. Nobody's object is deleted by it."""

from __future__ import annotations

import json

import pytest

from gitopsd.core.status.facts import problems
from gitopsd.core.status.words import Phase, phase
from tests.cluster.oracles import container, dry_runs, identity, inhabitants, written
from tests.cluster.stage import SOAKLESS, configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

WEB, SHARED = deployment("web"), configmap("shared", a="1")
EITHER = ("staging", "heir")
ADOPTED = 'gitopsd.dev/adopt: "true"'


@pytest.fixture
def two(stage):
    """A stage with an heir: another environment, in the same namespace."""
    stage.others = ("heir",)
    stage.commit({"gitopsd.yaml": SOAKLESS, "own.yaml": configmap("own", a="1")}, environment="heir")
    stage.commit({"web.yaml": WEB, "shared.yaml": SHARED})
    return stage


def _move(stage, files) -> str:
    """Move files from one environment to the other in one commit."""
    gone = {f"environments/staging/{name}": None for name in files}
    there = {f"environments/heir/{name}": text for name, text in files.items()}
    return stage.repository.commit({**gone, **there}, "Move")


@pytest.mark.parametrize("runs", ["all along", "anew"])
def test_an_object_that_moves_to_another_environment_is_handed_over_and_not_deleted(two, runs):
    two.once_all()
    before = {name: identity(two.get(*name)) for name in (("deployments", "web"), ("configmaps", "shared"))}
    begin = two.audit.position()
    if runs == "all along":
        with two.daemon() as daemon:
            until("both to be known", lambda: _are(daemon, Phase.READY))
            moved = _move(two, {"shared.yaml": SHARED})
            until("it to be moved", lambda: _at(daemon, "heir") == moved and _are(daemon, Phase.READY))
            until("it to be forgotten", lambda: "shared" not in _names(shown(daemon)))
    else:
        _move(two, {"shared.yaml": SHARED})
        views = two.once_all()
        assert {phase(view) for view in views.values()} == {Phase.READY}
        assert "shared" not in _names(views["staging"])

    assert {name: identity(two.get(*name)) for name in before} == before
    assert two.get("configmaps", "shared")["metadata"]["labels"]["gitopsd.dev/environment"] == "heir"
    assert inhabitants(two) == {"deployments/web", "configmaps/shared", "configmaps/own"}
    assert written(two, begin) == {"patch configmaps/shared": 1}


def test_what_was_handed_over_follows_its_new_environment_alone(two):
    two.once_all()
    _move(two, {"shared.yaml": SHARED})
    two.once_all()
    begin = two.audit.position()

    two.commit({"shared.yaml": configmap("shared", a="2")}, environment="heir")
    two.once_all()
    assert two.get("configmaps", "shared")["data"] == {"a": "2"}
    two.commit({"shared.yaml": None}, environment="heir")
    two.once_all()

    assert inhabitants(two) == {"deployments/web", "configmaps/own"}
    assert written(two, begin) == {"patch configmaps/shared": 1, "delete configmaps/shared": 1}


def test_what_moves_with_a_bad_commit_outlives_its_revert(two):
    two.factor = 10.0
    two.once_all()
    before = identity(two.get("configmaps", "shared"))
    begin = two.audit.position()
    bad = {"environments/heir/bad.yaml": deployment("bad", image="rig.test/shop/bad:missing")}
    two.repository.commit(
        {**bad, "environments/staging/shared.yaml": None, "environments/heir/shared.yaml": SHARED}, "Move and break"
    )

    views = two.once_all()

    assert phase(views["heir"]) is Phase.REVERTED
    assert identity(two.get("configmaps", "shared")) == before
    assert written(two, begin) == {
        "patch configmaps/shared": 1, "patch deployments/bad": 1, "delete deployments/bad": 1,
    }  # fmt: skip


@pytest.mark.parametrize("runs", ["all along", "anew"])
def test_an_object_that_moves_to_where_nothing_can_be_read_stays_until_it_can(two, runs):
    two.once_all()
    before = identity(two.get("configmaps", "shared"))
    begin = two.audit.position()
    move = {"environments/staging/shared.yaml": None, "environments/heir/shared.yaml": SHARED}
    if runs == "anew":
        two.repository.commit({**move, "environments/heir/broken.yaml": "a: [\n"}, "Move and break")
        two.once_all()
    with two.daemon() as daemon:
        if runs == "all along":
            until("both to be known", lambda: _are(daemon, Phase.READY))
            two.repository.commit({**move, "environments/heir/broken.yaml": "a: [\n"}, "Move and break")
        until("it to be told", phase_is(daemon, Phase.FAILED, "heir"))
        until("the other to go on", lambda: _at(daemon, "staging") == two.repository.head())
        assert identity(two.get("configmaps", "shared")) == before
        assert [problem.code for problem in problems(shown(daemon))] == ["HANDOVER_UNCLEAR"]
        two.commit({"broken.yaml": None}, environment="heir")
        until("it to be handed over", lambda: _are(daemon, Phase.READY) and "shared" not in _names(shown(daemon)))

    assert identity(two.get("configmaps", "shared")) == before
    assert written(two, begin) == {"patch configmaps/shared": 1}


def test_an_object_of_one_environment_cannot_be_had_by_a_second_one_as_well(two):
    two.once_all()
    begin = two.audit.position()
    two.commit(
        {"web.yaml": deployment("web", image="registry.example/other:9"), "more.yaml": configmap("more", a="1")},
        environment="heir",
    )

    views = two.once_all()

    assert (phase(views["staging"]), phase(views["heir"])) == (Phase.READY, Phase.FAILED)
    problem = problems(views["heir"])[0]
    assert (problem.code, problem.where) == ("OWNERSHIP_CONFLICT", "environments/heir/web.yaml:1")
    assert "environment staging" in problem.message
    assert problem.hint
    assert container(two.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert inhabitants(two) == {"deployments/web", "configmaps/shared", "configmaps/own"}
    assert written(two, begin) == {}


def test_what_two_environments_bring_in_one_commit_is_made_by_one_of_them_once(two):
    names = [f"both-{number}" for number in range(6)]
    both = {f"{name}.yaml": configmap(name, a="1") for name in names}
    files = {f"environments/{each}/{file}": body for each in EITHER for file, body in both.items()}
    with two.daemon() as daemon:
        until("both to be known", lambda: _are(daemon, Phase.READY))
        begin = two.audit.position()
        commit = two.repository.commit(files, "Both at once")
        until("one to have them", lambda: commit in (_at(daemon, "staging"), _at(daemon, "heir")))
        until("the other to be refused", lambda: Phase.FAILED in (phase(shown(daemon, one)) for one in EITHER))

    assert written(two, begin) == {f"patch configmaps/{name}": 1 for name in names}


def test_what_somebody_applied_by_hand_is_left_to_them_unless_asked_for(stage):
    by_hand = deployment("web", image="registry.example/hand:1")
    stage.kubectl("apply", "-f", "-", stdin=by_hand)
    before = identity(stage.get("deployments", "web"))
    begin = stage.audit.position()
    stage.commit({"web.yaml": WEB, "settings.yaml": configmap("settings", a="1")})

    view = stage.once()

    assert phase(view) is Phase.FAILED
    problem = problems(view)[0]
    assert (problem.code, problem.where) == ("ADOPTION_REFUSED", "environments/staging/web.yaml:1")
    assert "gitopsd.dev/adopt" in problem.hint
    assert identity(stage.get("deployments", "web")) == before
    assert written(stage, begin) == {}
    assert dry_runs(stage, begin)


def test_what_somebody_applied_by_hand_is_adopted_when_asked_for_and_then_follows_git(stage):
    by_hand = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {"team": "hand"}},
        "data": {"colour": "red", "size": "1", "only-by-hand": "1"},
    }
    stage.kubectl("apply", "-f", "-", stdin=json.dumps(by_hand))
    before = identity(stage.get("configmaps", "settings"))
    begin = stage.audit.position()
    stage.commit({"settings.yaml": _adopting(configmap("settings", colour="red", size="1"))})

    view = stage.once()

    assert phase(view) is Phase.READY, problems(view)
    live = stage.get("configmaps", "settings")
    assert identity(live) == before
    assert live["data"] == {"colour": "red", "size": "1"}
    assert "team" not in live["metadata"]["labels"]
    assert written(stage, begin) == {"patch configmaps/settings": 2}

    stage.commit({"settings.yaml": _adopting(configmap("settings", colour="red"))})
    stage.once()
    assert stage.get("configmaps", "settings")["data"] == {"colour": "red"}
    stage.commit({"settings.yaml": None, "else.yaml": configmap("else", a="1")})
    stage.once()

    assert inhabitants(stage) == {"configmaps/else"}
    assert written(stage, begin) == {
        "patch configmaps/settings": 3, "patch configmaps/else": 1, "delete configmaps/settings": 1,
    }  # fmt: skip


def test_a_variable_of_a_deployment_that_was_applied_by_hand_goes_when_git_takes_it_out(stage):
    variables = "          env: [{name: A, value: '1'}, {name: B, value: '2'}]\n"
    stage.kubectl("apply", "-f", "-", stdin=WEB + variables)
    stage.commit({"web.yaml": _adopting(WEB + variables)})
    assert phase(stage.once()) is Phase.READY
    before = identity(stage.get("deployments", "web"))[0]
    begin = stage.audit.position()
    stage.commit({"web.yaml": _adopting(WEB + variables.replace(", {name: B, value: '2'}", ""))})

    view = stage.once()

    assert phase(view) is Phase.READY
    assert container(stage.get("deployments", "web"))["env"] == [{"name": "A", "value": "1"}]
    assert identity(stage.get("deployments", "web"))[0] == before
    assert written(stage, begin) == {"patch deployments/web": 1}


def _adopting(manifest: str) -> str:
    if "annotations: {}" in manifest:
        return manifest.replace("annotations: {}", f"annotations: {{{ADOPTED}}}", 1)
    return manifest.replace("metadata:\n", f"metadata:\n  annotations: {{{ADOPTED}}}\n", 1)


def _names(view) -> set[str]:
    return {ref.name for ref in view.known.inventory}


def _are(daemon, wanted: Phase) -> bool:
    return all(phase_is(daemon, wanted, name)() for name in EITHER)


def _at(daemon, name: str) -> str:
    record = shown(daemon, name).known
    return record.last_kept.revision.commit if record and record.last_kept else ""

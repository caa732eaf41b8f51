"""Charts on a real API server: synced whole, hooks in order and only ours, nothing written again for a random value."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, phase
from rig.binaries import build
from tests.cluster.asking import address, status
from tests.cluster.stage import Stage, until
from tests.git_server import Symlink

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "online-boutique" / "helm-chart"
PASSES = 10
NO_WRITES = {"create": 0, "patch": 0, "delete": 0}
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
SMOKE = """apiVersion: v1
kind: Pod
metadata: {name: smoke, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: app, image: "registry.example/app:1"}]}
"""
LEFT_ALONE = ("name: theirs", "name: theirs, annotations: {gitopsd.dev/reconcile: disabled}")


@pytest.fixture
def helm_stage(stage) -> Stage:
    stage.extra_config = f"render: {{helm: {build(('helm',))['helm']}}}\n"
    return stage


def settings(helm: str = "{}") -> str:
    return f"apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {{soak: 0s}}\nrender: {{helm: {helm}}}\n"


def a_map(name: str, value: str = "x", hook: str = "") -> str:
    annotations = f", annotations: {{helm.sh/hook: '{hook}'}}" if hook else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{annotations}}}\ndata: {{value: {value}}}\n"


def warnings(view: EnvironmentView) -> set[str]:
    look = view.latest.look if view.latest else None
    return {warning.code for warning in look.desired.warnings} if look else set()


def value_of(stage: Stage, name: str) -> object:
    found = stage.get("configmaps", name)
    return found["data"]["value"] if found else None


def test_a_real_chart_becomes_healthy_and_is_then_left_alone(helm_stage):
    if not REAL.is_dir():
        pytest.skip("the fixture online-boutique is not here")
    stage = helm_stage
    shop = {f"{path.relative_to(REAL)}": path.read_bytes() for path in sorted(REAL.rglob("*")) if path.is_file()}
    stage.commit({**shop, "gitopsd.yaml": settings("{values: {frontend: {externalService: false}}}")})

    first = stage.once(120)
    begin = stage.audit.position()
    second = stage.once()

    assert phase(first) is Phase.READY, first.problems
    assert first.writes == {"create": 35, "patch": 0, "delete": 0}
    assert (phase(second), second.writes) == (Phase.READY, NO_WRITES)
    assert list(stage.audit.writes(begin)) == []


def test_a_chart_beside_the_environments_is_rendered_anew_when_it_changes(helm_stage):
    stage = helm_stage
    stage.repository.commit(
        {"charts/web/Chart.yaml": CHART, "charts/web/templates/a.yaml": a_map("a", "{{ .Values.v }}")}
    )
    stage.commit({"gitopsd.yaml": settings("{chart: ../../charts/web, valuesFiles: [v.yaml]}"), "v.yaml": "v: one\n"})
    stage.once()
    stage.commit({"v.yaml": "v: two\n"})
    stage.once()
    by_values = value_of(stage, "a")
    stage.repository.commit({"charts/web/templates/a.yaml": a_map("a", "{{ .Values.v }}-three")})
    stage.once()

    assert (by_values, value_of(stage, "a")) == ("two", "two-three")


def test_hooks_go_in_their_order_and_what_only_helm_runs_is_never_applied(helm_stage):
    stage = helm_stage
    hooks = {
        "setup": "pre-install",
        "before": "pre-install,pre-upgrade",
        "after": "post-upgrade,post-install",
        "tests": "test",
    }
    stage.commit(
        {"Chart.yaml": CHART, "gitopsd.yaml": settings(), "templates/web.yaml": a_map("web", "{{ .Values.v }}")}
    )
    stage.commit({"values.yaml": "v: one\n", "templates/bye.yaml": a_map("bye", hook="pre-delete,post-delete")})
    stage.commit({f"templates/{name}.yaml": a_map(name, "{{ .Values.v }}", hook) for name, hook in hooks.items()})
    begin = stage.audit.position()
    first = stage.once()
    created = [ask.name for ask in stage.audit.requests(begin) if ask.is_write and ask.resource == "configmaps"]
    stage.commit({"values.yaml": "v: two\n"})
    second = stage.once()

    assert (phase(first), phase(second)) == (Phase.READY, Phase.READY), (first.problems, second.problems)
    assert [name for name in created if name in {*hooks, "web", "bye"}] in (
        ["setup", "before", "web", "after"],
        ["before", "setup", "web", "after"],
    )
    assert {name: value_of(stage, name) for name in (*hooks, "web", "bye")} == {
        "setup": "one",
        "before": "two",
        "after": "two",
        "web": "two",
        "tests": None,
        "bye": None,
    }
    assert warnings(second) == {"HELM_HOOK"}


def test_what_is_left_alone_costs_nothing_at_rest_and_is_not_missed(helm_stage):
    stage = helm_stage
    stage.commit({"Chart.yaml": CHART, "gitopsd.yaml": settings(), "templates/web.yaml": a_map("web")})
    stage.commit({"templates/smoke.yaml": SMOKE, "templates/theirs.yaml": a_map("theirs").replace(*LEFT_ALONE)})
    with stage.process():
        url = address(stage.folder / "gitopsd.log")
        until("the chart to be kept", lambda: status(url).get("phase") == "Ready")
        until("all that follows from it", lambda: at_rest(stage, 2) == [])
        absent = at_rest(stage, PASSES)
        stage.kubectl("apply", "-f", "-", stdin=SMOKE)
        by_hand = at_rest(stage, PASSES)
        shown = status(url)
        stage.commit({"templates/smoke.yaml": None})
        until("the chart without its test to be kept", lambda: kept(status(url)) != kept(shown))

    assert (absent, by_hand) == ([], [])
    assert [one["name"] for one in shown["objects"]] == ["web"]
    assert shown["health"] == {"status": "Healthy"}
    assert [one["code"] for one in shown["warnings"]].count("HELM_HOOK") == 1
    assert stage.get("pods", "smoke")


def kept(shown: dict[str, Any]) -> object:
    return shown["revision"]["lastHealthy"]["digest"]


def at_rest(stage: Stage, passes: int) -> list[str]:
    """What gitopsd asks while it makes so many passes."""
    begin, fetched = stage.audit.position(), len(stage.server.requests)
    until(f"{passes} passes", lambda: len(stage.server.requests) >= fetched + passes)
    return [f"{one.verb} {one.resource}/{one.name}" for one in stage.audit.requests(begin)]


@pytest.mark.parametrize("cache", ["the cache of the daemon before", "no cache"])
def test_a_random_value_is_written_once_for_equal_inputs(helm_stage, cache):
    stage = helm_stage
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: {{ randAlphaNum 16 }}}\n"
    stage.commit({"Chart.yaml": CHART, "gitopsd.yaml": settings(), "templates/s.yaml": secret})
    first = stage.once()
    before = stage.get("secrets", "s")
    if cache == "no cache":
        shutil.rmtree(stage.folder / "cache")
    stage.commit({"readme.txt": "nothing of this environment"}, environment="other")
    second = stage.once()

    assert (phase(first), phase(second)) == (Phase.READY, Phase.READY), (first.problems, second.problems)
    assert second.writes == NO_WRITES
    assert stage.get("secrets", "s")["data"] == before["data"]
    assert warnings(second) == {"RENDER_UNSTABLE"}


def test_a_chart_that_fails_touches_nothing_and_says_where(helm_stage):
    stage = helm_stage
    stage.commit({"Chart.yaml": CHART, "gitopsd.yaml": settings(), "templates/a.yaml": a_map("a")})
    stage.once()
    stage.commit({"templates/b.yaml": '\n{{ required "say who" .Values.who }}\n'})

    view = stage.once()

    assert [(one.code, one.where) for one in view.problems] == [
        ("HELM_TEMPLATE", "environments/staging/templates/b.yaml:2")
    ]
    assert view.writes == NO_WRITES
    assert value_of(stage, "a") == "x"


def test_r13_a_linked_lock_is_refused_and_nothing_is_touched(helm_stage):
    stage = helm_stage
    stage.repository.commit({"charts/web/Chart.yaml": CHART, "charts/web/templates/a.yaml": a_map("a")})
    stage.commit({"gitopsd.yaml": settings("{chart: ../../charts/web}")})
    stage.once()
    stage.repository.commit({"charts/web/Chart.lock": Symlink("/etc/passwd")})

    view = stage.once()

    assert [(one.code, one.file) for one in view.problems] == [("GIT_SYMLINK", "charts/web/Chart.lock")]
    assert (view.writes, value_of(stage, "a")) == (NO_WRITES, "x")

"""A commit reaches the cluster: nothing more is written than it changes, and nothing less."""

from __future__ import annotations

import pytest

from gitopsd.core.status.words import Phase, phase
from tests.cluster.oracles import container, identity, inhabitants, written
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


def test_an_update_writes_what_it_changes_and_nothing_else(stage):
    stage.commit({"web.yaml": deployment("web"), "settings.yaml": configmap("settings", colour="red", size="1")})
    stage.once()
    web = identity(stage.get("deployments", "web"))
    begin = stage.audit.position()
    commit = stage.commit({"settings.yaml": configmap("settings", colour="blue")})

    view = stage.once()

    assert phase(view) is Phase.READY, view.problems
    assert stage.get("configmaps", "settings")["data"] == {"colour": "blue"}
    assert identity(stage.get("deployments", "web")) == web
    assert written(stage, begin) == {"patch configmaps/settings": 1}
    assert stage.record().last_kept.revision.commit == commit


def test_a_renamed_object_is_made_under_its_new_name_before_the_old_one_goes(stage):
    stage.commit({"web.yaml": deployment("web"), "settings.yaml": configmap("settings", colour="red")})
    stage.once()
    begin = stage.audit.position()
    stage.commit({"web.yaml": deployment("shop")})

    view = stage.once()

    assert phase(view) is Phase.READY, view.problems
    assert inhabitants(stage) == {"deployments/shop", "configmaps/settings"}
    assert list(written(stage, begin).items()) == [("patch deployments/shop", 1), ("delete deployments/web", 1)]


def test_a_file_that_only_moves_causes_no_write_at_all(stage):
    stage.commit({"web.yaml": deployment("web"), "settings.yaml": configmap("settings", colour="red")})
    stage.once()
    begin = stage.audit.position()
    stage.commit({"web.yaml": None, "apps/frontend.yaml": deployment("web")})

    view = stage.once()

    assert phase(view) is Phase.READY, view.problems
    assert list(stage.audit.writes(begin)) == []


def test_a_namespace_and_what_lies_in_it_come_in_one_commit(stage):
    new = f"{stage.namespace}-new"
    stage.bounds = f"{stage.namespace}, {new}"
    begin = stage.audit.position()
    try:
        stage.commit(
            {
                "namespace.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {new}}}\n",
                "web.yaml": deployment("web").replace("name: web\n", f"name: web\n  namespace: {new}\n", 1),
                "a.yaml": configmap("a", key="1").replace("name: a\n", f"name: a\n  namespace: {new}\n"),
            }
        )

        view = stage.once()

        assert phase(view) is Phase.READY, view.problems
        assert stage.api.get(f"/apis/apps/v1/namespaces/{new}/deployments/web")["status"]["readyReplicas"] == 1
        assert written(stage, begin) == {
            f"patch namespaces/{new}": 1, "patch deployments/web": 1, "patch configmaps/a": 1,
        }  # fmt: skip
    finally:
        stage.api.delete(f"/api/v1/namespaces/{new}")


def test_a_definition_and_its_custom_resources_come_in_one_commit(stage):
    group = f"{stage.namespace}.example.com"
    definition = f"widgets.{group}"
    begin = stage.audit.position()
    try:
        stage.commit({"a-widget.yaml": _widget(group), "definition.yaml": _definition(group)})

        view = stage.once()

        assert phase(view) is Phase.READY, view.problems
        found = stage.api.get(f"/apis/{group}/v1/namespaces/{stage.namespace}/widgets/one")
        assert found["spec"] == {"size": 3}
        assert written(stage, begin) == {f"patch customresourcedefinitions/{definition}": 1, "patch widgets/one": 1}
    finally:
        stage.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}")


def test_a_newer_commit_does_not_wait_for_one_that_is_stuck(stage):
    stage.commit({"web.yaml": deployment("web")})
    stage.once()
    begin = stage.audit.position()
    with stage.daemon() as daemon:
        stuck = stage.commit({"web.yaml": deployment("web", image="rig.test/web:v2-never-ready")})
        until("the stuck commit to roll out", lambda: _image(stage) == "rig.test/web:v2-never-ready")
        until("its verdict to be awaited", phase_is(daemon, Phase.VERIFYING))
        fixed = stage.commit({"web.yaml": deployment("web", image="registry.example/app:3")})

        until("the newer commit to be kept", lambda: _kept(daemon) == fixed, deadline_s=8)

        view = shown(daemon)

    assert phase(view) is Phase.READY, view.problems
    assert _image(stage) == "registry.example/app:3"
    assert stuck not in {entry.revision.commit for entry in view.known.history}
    assert not view.known.held
    assert written(stage, begin) == {"patch deployments/web": 2}


def _image(stage) -> str:
    return container(stage.get("deployments", "web"))["image"]


def _kept(daemon) -> str:
    record = shown(daemon).known
    return record.last_kept.revision.commit if record and record.last_kept else ""


def _definition(group: str) -> str:
    return f"""apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.{group}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: widgets, singular: widget, kind: Widget}}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {{type: object, properties: {{size: {{type: integer}}}}}}
"""


def _widget(group: str) -> str:
    return f"apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: one}}\nspec: {{size: 3}}\n"

"""What is gone from Git goes from the cluster, if nothing speaks against it. Each test counts the deletes."""

from __future__ import annotations

import pytest

from gitopsd.core.status.facts import problems
from gitopsd.core.status.words import Phase, Sync, phase, sync
from tests.cluster.oracles import inhabitants, written
from tests.cluster.stage import SOAKLESS, configmap, deployment

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}
"""
STATEFUL_SET = (
    deployment("queue").replace("Deployment", "StatefulSet").replace("spec:\n", "spec:\n  serviceName: q\n", 1)
)
MANY = {f"{name}.yaml": configmap(name, a="1") for name in "abcdefghij"}


def test_what_is_gone_from_git_is_deleted_once_all_else_is_healthy(stage):
    stage.commit({"web.yaml": deployment("web"), "old.yaml": configmap("old", a="1")})
    stage.once()
    begin = stage.audit.position()
    stage.commit({"web.yaml": deployment("web", image="registry.example/app:2"), "old.yaml": None})

    view = stage.once()

    assert (phase(view), sync(view)) == (Phase.READY, Sync.SYNCED)
    assert inhabitants(stage) == {"deployments/web"}
    assert list(written(stage, begin).items()) == [("patch deployments/web", 1), ("delete configmaps/old", 1)]
    assert [ref.name for ref in stage.record().inventory] == ["web"]


def test_what_is_gone_already_is_not_deleted_again(stage):
    stage.commit({"keep.yaml": configmap("keep", a="1"), "old.yaml": configmap("old", a="1")})
    stage.once()
    stage.kubectl("delete", "configmap", "old")
    begin = stage.audit.position()
    stage.commit({"old.yaml": None})

    assert phase(stage.once()) is Phase.READY

    assert written(stage, begin) == {}
    assert [ref.name for ref in stage.record().inventory] == ["keep"]


def test_what_somebody_made_anew_under_the_same_name_is_not_deleted(stage):
    stage.commit({"keep.yaml": configmap("keep", a="1"), "old.yaml": configmap("old", a="1")})
    stage.once()
    stage.kubectl("delete", "configmap", "old")
    stage.kubectl("create", "configmap", "old", "--from-literal=mine=1")
    begin = stage.audit.position()
    stage.commit({"old.yaml": None})

    view = stage.once()

    assert phase(view) is Phase.READY
    assert _kept_back(view) == ["PRUNE_NOT_OURS"]
    assert stage.get("configmaps", "old")["data"] == {"mine": "1"}
    assert written(stage, begin) == {}


@pytest.mark.parametrize(
    ("manifest", "stays"),
    [(CLAIM, "persistentvolumeclaims/disk"), (STATEFUL_SET, "statefulsets/queue")],
    ids=["a claim on a disk", "a stateful set"],
)
def test_what_holds_what_cannot_be_made_again_stays_without_a_word_in_an_earlier_commit(stage, manifest, stays):
    stage.commit({"keep.yaml": configmap("keep", a="1"), "precious.yaml": _unjudged(manifest)})
    stage.once()
    begin = stage.audit.position()
    stage.commit({"precious.yaml": None})

    kept = stage.once()

    assert phase(kept) is Phase.READY
    assert _kept_back(kept) == ["PRUNE_PROTECTED"]
    assert inhabitants(stage) == {"configmaps/keep", stays}
    assert written(stage, begin) == {}

    stage.commit({"precious.yaml": _unjudged(manifest, "gitopsd.dev/prune: allow")})
    stage.once()
    stage.commit({"precious.yaml": None})
    assert phase(stage.once()) is Phase.READY

    assert inhabitants(stage) == {"configmaps/keep"}
    assert written(stage, begin) == {f"patch {stays}": 1, f"delete {stays}": 1}


def test_a_namespace_stays_although_it_is_gone_from_git(stage):
    new = f"{stage.namespace}-new"
    stage.bounds = f"{stage.namespace}, {new}"
    settings = f"{SOAKLESS}namespace: {stage.namespace}\n"
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {new}}}\n"
    try:
        stage.commit({"gitopsd.yaml": settings, "keep.yaml": configmap("keep", a="1"), "namespace.yaml": namespace})
        stage.once()
        begin = stage.audit.position()
        stage.commit({"namespace.yaml": None})

        view = stage.once()

        assert phase(view) is Phase.READY
        assert _kept_back(view) == ["PRUNE_PROTECTED"]
        assert stage.api.get(f"/api/v1/namespaces/{new}")["status"]["phase"] == "Active"
        assert written(stage, begin) == {}
    finally:
        stage.api.delete(f"/api/v1/namespaces/{new}")


def test_an_object_that_says_never_stays(stage):
    never = configmap("old", a="1").replace("name: old\n", "name: old\n  annotations: {gitopsd.dev/prune: never}\n")
    stage.commit({"keep.yaml": configmap("keep", a="1"), "old.yaml": never})
    stage.once()
    begin = stage.audit.position()
    stage.commit({"old.yaml": None})

    view = stage.once()

    assert phase(view) is Phase.READY
    assert _kept_back(view) == ["PRUNE_PROTECTED"]
    assert inhabitants(stage) == {"configmaps/keep", "configmaps/old"}
    assert written(stage, begin) == {}


def test_nothing_is_deleted_where_the_environment_does_not_want_it(stage):
    stage.commit(
        {
            "gitopsd.yaml": f"{SOAKLESS}prune: {{enabled: false}}\n",
            "keep.yaml": configmap("keep", a="1"),
            "old.yaml": configmap("old", a="1"),
        }
    )
    stage.once()
    begin = stage.audit.position()
    stage.commit({"old.yaml": None})

    view = stage.once()

    assert phase(view) is Phase.READY
    assert _kept_back(view) == ["PRUNE_DISABLED"]
    assert written(stage, begin) == {}


def test_too_many_deletes_at_once_are_refused_until_somebody_says_that_they_are_meant(stage):
    stage.commit(MANY)
    stage.once()
    begin = stage.audit.position()
    stage.commit(dict.fromkeys(list(MANY)[1:]))

    refused = stage.once()

    assert phase(refused) is Phase.READY
    assert sync(refused) is Sync.OUT_OF_SYNC
    problem = problems(refused)[0]
    assert (problem.code, problem.message) == (
        "PRUNE_BUDGET",
        "9 of 10 objects would be deleted at once; at most 3 may",
    )
    assert written(stage, begin) == {}
    assert len(inhabitants(stage)) == 10

    stage.commit({"gitopsd.yaml": f"{SOAKLESS}prune: {{budget: 90%}}\n"})
    meant = stage.once()

    assert (phase(meant), sync(meant)) == (Phase.READY, Sync.SYNCED)
    assert inhabitants(stage) == {"configmaps/a"}
    assert written(stage, begin) == {f"delete configmaps/{name}": 1 for name in "bcdefghij"}


def _kept_back(view) -> list[str]:
    return [problem.code for problem in view.latest.look.plan.kept_back]


def _unjudged(manifest: str, annotation: str = "example.com/note: none") -> str:
    """The manifest, its health left aside: nobody provides disks here."""
    annotations = f"annotations: {{gitopsd.dev/health: ignore, {annotation}}}"
    if "metadata: {" in manifest:
        return manifest.replace("metadata: {", f"metadata: {{{annotations}, ", 1)
    return manifest.replace("annotations: {}", annotations, 1)

"""The rows of the catalogue about going back that need a real API server: what it refuses, what it must not lose."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, phase
from rig.api import MERGE
from rig.faults import crashed
from tests.cluster.crashing import AFTER, BEFORE, HASTE, Fate, nursery, struck
from tests.cluster.oracles import container, dry_runs, inhabitants, written
from tests.cluster.revert_manifests import SETTINGS
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

MISSING = deployment("web", image="rig.test/web:v2-missing")
RECORD = "gitopsd-staging"
# Before and after the first write, and as what ails the pod is seen.
SAVES_BEFORE_THE_HOLD = 3
THERE_AND_BACK = {
    "patch deployments/web": 2,
    "patch configmaps/settings": 2,
    "patch configmaps/banner": 1,
    "delete configmaps/banner": 1,
}
BAD = {
    "web.yaml": MISSING,
    "settings.yaml": configmap("settings", colour="blue"),
    "banner.yaml": configmap("banner", text="sale"),
}
FAILED_ONCE = [Outcome.FAILED, Outcome.KEPT]
PUT_BACK_ONCE = [Outcome.REVERTED, *FAILED_ONCE]
WAIT_S = 60.0
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
IS_RED = "has(object.data) && 'colour' in object.data && object.data.colour == 'red'"
MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def kept(hasty_stage):
    """A stage, quick, at which a good commit is kept."""
    settings = configmap("settings", colour="red")
    hasty_stage.commit({"gitopsd.yaml": SETTINGS % "5m", "web.yaml": deployment("web"), "settings.yaml": settings})
    assert phase(hasty_stage.once()) is Phase.READY
    return hasty_stage


def test_v3_a_revert_needs_no_commit_that_a_force_push_took_away(kept):
    files = {
        "gitopsd.yaml": SETTINGS % "5m",
        "web.yaml": MISSING,
        "settings.yaml": configmap("settings", colour="blue"),
    }
    bad = kept.repository.force_push({f"environments/staging/{name}": text for name, text in files.items()})
    shutil.rmtree(kept.folder / "cache")

    view = kept.once()

    assert phase(view) is Phase.REVERTED
    assert [hold.revision.commit for hold in view.known.held.values()] == [bad]
    assert container(kept.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert kept.get("configmaps", "settings")["data"] == {"colour": "red"}


def test_v4_a_revert_that_an_immutable_field_blocks_says_so_and_writes_nothing(kept):
    begin = kept.audit.position()
    frozen = configmap("settings", colour="blue") + "immutable: true\n"
    bad = kept.commit({"web.yaml": MISSING, "settings.yaml": frozen})

    view = kept.once()

    problem = problems(view)[0]
    assert (phase(view), problem.code) == (Phase.FAILED, "IMMUTABLE_FIELD")
    assert problem.ref == f"ConfigMap {kept.namespace}/settings"
    assert "immutable: Forbidden: field is immutable" in problem.cause
    assert "data: Forbidden: field is immutable" in problem.cause
    assert problem.cause in why(view)
    assert [hold.revision.commit for hold in view.known.held.values()] == [bad]
    assert kept.get("configmaps", "settings")["data"] == {"colour": "blue"}
    assert written(kept, begin) == {"patch deployments/web": 1, "patch configmaps/settings": 1}

    fixed = kept.commit({"web.yaml": deployment("web", image="registry.example/app:3")})
    after = kept.once()

    assert (phase(after), after.known.last_kept.revision.commit) == (Phase.READY, fixed)


def test_v5_a_revert_of_a_crd_whose_objects_were_stored_anew_is_blocked_and_loses_none(kept):
    group = f"{kept.namespace}.example"
    kept.commit({"crd.yaml": _crd(group, "v1"), "gem.yaml": _gem(group, "v1")})
    assert phase(kept.once()) is Phase.READY
    begin = kept.audit.position()
    try:
        bad = kept.commit({"web.yaml": MISSING, "crd.yaml": _crd(group, "v1", "v2"), "gem.yaml": _gem(group, "v2")})

        view = kept.once()

        assert [hold.revision.commit for hold in view.known.held.values()] == [bad]
        assert "CustomResourceDefinition" in problems(view)[0].ref
        assert "storedVersions" in str(problems(view)[0]) + problems(view)[0].cause
        assert kept.api.get(f"/apis/{group}/v2/namespaces/{kept.namespace}/gems/one")["spec"] == {"cut": "v2"}
        assert not [write for write in written(kept, begin) if write.startswith("delete")]
    finally:
        kept.api.delete(f"{CRDS}/gems.{group}")


def test_v9_killed_after_any_write_of_a_revert_the_next_one_goes_on_and_reverts_once(kept, monkeypatch):
    monkeypatch.setenv(HASTE, str(time.monotonic()))
    good, trace = kept.repository.head(), kept.folder / "trace"
    bad = kept.commit(
        {"web.yaml": MISSING, "settings.yaml": configmap("settings", colour="blue"), "banner.yaml": configmap("banner")}
    )
    with nursery() as ready:
        assert ready.once(kept.config(), trace) == 0
        writes = [write for write in trace.read_text().splitlines() if _is_of_the_way_back(write)]
        assert {"PATCH deployments/web 2", "PATCH configmaps/settings 2", "DELETE configmaps/banner 1"} <= set(writes)
        for write in writes:
            _start_over(kept, ready, good)
            kept.repository.reset(bad)
            begin = kept.audit.position()

            ended = ready.once(kept.config(), trace, Fate("SIGKILL", AFTER, write))
            after = ready.once(kept.config(), trace)

            assert (ended, after) == (-signal.SIGKILL, 0), write
            record = kept.record()
            assert [entry.outcome for entry in record.history] == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT], (
                write
            )
            assert [hold.revision.commit for hold in record.held.values()] == [bad], write
            assert inhabitants(kept) == {"deployments/web", "configmaps/settings"}, write
            assert kept.get("configmaps", "settings")["data"] == {"colour": "red"}, write
            assert written(kept, begin) == THERE_AND_BACK, write


@pytest.mark.parametrize(
    "write",
    ["PATCH deployments/web 2", "DELETE configmaps/banner 1"],
    ids=["in its middle", "before its last write"],
)
def test_v10_an_api_server_that_goes_away_on_the_way_back_is_told_and_the_revert_is_made_once(kept, write):
    begin, due, gone = kept.audit.position(), threading.Event(), threading.Event()

    def strike(side: str, about: str) -> None:
        if (side, about) == (BEFORE, write):
            due.set()
            gone.wait(WAIT_S)

    kept.road = struck(strike)
    with kept.daemon() as daemon:
        bad = kept.commit(BAD)
        assert due.wait(WAIT_S), "the way back came to no such write"
        assert [hold.revision.commit for hold in kept.record().held.values()] == [bad]
        with crashed(kept.cluster.powers()):
            gone.set()
            _await_tries(daemon, "CLUSTER_UNREACHABLE")
        _await_put_back_once(kept, daemon, bad, begin)


def test_v10_a_way_back_that_a_policy_denies_writes_nothing_is_told_and_is_gone_once_it_may_be(kept):
    begin = kept.audit.position()
    with kept.daemon() as daemon:
        with barred(kept, _policy(kept.namespace)):
            bad = kept.commit(BAD)
            until("the denial to be told", lambda: "POLICY_DENIED" in _codes(daemon), WAIT_S)
            _await_more_questions(kept)
            view = shown(daemon)
            problem = problems(view)[0]
            assert (phase(view), problem.code) == (Phase.FAILED, "POLICY_DENIED")
            assert problem.ref == f"ConfigMap {kept.namespace}/settings"
            assert "denied request: no red today" in problem.cause
            assert problem.ref in why(view)
            assert problem.cause in why(view)
            assert [hold.revision.commit for hold in view.known.held.values()] == [bad]
            assert written(kept, begin) == dict.fromkeys(THERE_AND_BACK.keys() - {"delete configmaps/banner"}, 1)
        _await_put_back_once(kept, daemon, bad, begin)


def test_v10_a_way_back_that_waits_for_a_webhook_says_so_and_ends_once_that_answers(kept):
    begin = kept.audit.position()
    with kept.daemon() as daemon:
        with barred(kept, _silent_webhook(kept.namespace)):
            bad = kept.commit(BAD)
            until("the way back", phase_is(daemon, Phase.REVERTING), WAIT_S)
            said = f"ConfigMap {kept.namespace}/settings waits: an admission webhook does not answer"
            until("it to be told", lambda: said in why(shown(daemon)))
            _await_more_questions(kept)
            assert phase_is(daemon, Phase.REVERTING)()
            assert kept.get("configmaps", "settings")["data"] == {"colour": "blue"}
        _await_put_back_once(kept, daemon, bad, begin)


def test_v10_a_way_back_that_a_webhook_bars_beyond_its_deadline_is_loud_and_goes_on_once_that_answers(kept):
    kept.commit({"gitopsd.yaml": SETTINGS % "1m"})
    assert phase(kept.once()) is Phase.READY
    begin = kept.audit.position()
    with kept.daemon() as daemon:
        with barred(kept, _silent_webhook(kept.namespace)):
            bad = kept.commit(BAD)
            until("the deadline", lambda: "REVERT_FAILED" in _codes(daemon), WAIT_S)
            _await_more_questions(kept)
            assert "settings: its write is still to come: an admission webhook" in why(shown(daemon))
            assert kept.get("configmaps", "settings")["data"] == {"colour": "blue"}
        _await_put_back_once(kept, daemon, bad, begin, [Outcome.REVERTED, Outcome.REVERT_FAILED, *FAILED_ONCE])


def test_v11_what_the_bad_commit_added_goes_but_never_a_namespace_or_a_claim(kept):
    extra = f"{kept.namespace}-extra"
    kept.bounds = f"{kept.namespace}, {extra}"
    kept.commit({"gitopsd.yaml": SETTINGS % "5m" + f"namespace: {kept.namespace}\n"})
    assert phase(kept.once()) is Phase.READY
    begin = kept.audit.position()
    try:
        kept.commit(
            {
                "web.yaml": MISSING,
                "banner.yaml": configmap("banner", text="sale"),
                "disk.yaml": CLAIM,
                "extra.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {extra}}}\n",
            }
        )

        view = kept.once()

        assert phase(view) is Phase.REVERTED
        assert kept.get("configmaps", "banner") is None
        assert kept.get("persistentvolumeclaims", "disk")["metadata"].get("deletionTimestamp") is None
        assert kept.api.get(f"/api/v1/namespaces/{extra}")["status"]["phase"] == "Active"
        writes = written(kept, begin)
        assert {write for write in writes if write.startswith("delete")} == {"delete configmaps/banner"}
        protected = [one for one in view.latest.look.plan.kept_back if one.code == "PRUNE_PROTECTED"]
        assert sorted(one.ref.split()[0] for one in protected) == ["Namespace", "PersistentVolumeClaim"]
    finally:
        kept.api.delete(f"/api/v1/namespaces/{extra}")


def test_v12_two_environments_that_want_one_object_never_take_it_from_each_other(kept):
    kept.others = ("heir",)
    adopting = 'annotations: {gitopsd.dev/adopt: "true"}'
    ours = configmap("settings", colour="red").replace("name: settings\n", f"name: settings\n  {adopting}\n")
    kept.commit({"settings.yaml": ours})
    theirs = {"gitopsd.yaml": SETTINGS % "5m", "own.yaml": configmap("own", a="1")}
    kept.commit(theirs, environment="heir")
    kept.once_all()
    begin = kept.audit.position()
    with kept.daemon() as daemon:
        bad = {"settings.yaml": ours.replace("red", "blue"), "bad.yaml": deployment("bad", "rig.test/web:missing")}
        kept.commit(bad, environment="heir")
        until("the second to be refused", lambda: "OWNERSHIP_CONFLICT" in _codes(daemon, "heir"))
        fetches = len(kept.server.requests)
        until("more fetches", lambda: len(kept.server.requests) > fetches + 4)
        assert phase_is(daemon, Phase.READY)()

    assert kept.get("configmaps", "settings")["data"] == {"colour": "red"}
    assert inhabitants(kept) == {"deployments/web", "configmaps/settings", "configmaps/own"}
    assert written(kept, begin) == {}


@contextmanager
def barred(stage, obstacles):
    """For so long, admission lets no ConfigMap of the stage be red."""
    for collection, body in obstacles.items():
        stage.api.apply(f"{ADMISSION}/{collection}/{stage.namespace}", body)
    try:
        until("the bar to be down", lambda: not _may_be_red(stage))
        yield
    finally:
        for collection in reversed(obstacles):
            stage.api.delete(f"{ADMISSION}/{collection}/{stage.namespace}")


def _policy(namespace: str):
    """A policy that denies what is red, and the binding that puts it in force in this namespace."""
    version, name = "admissionregistration.k8s.io/v1", {"name": namespace}
    spec = {
        "matchConstraints": {"resourceRules": [MAPS]},
        "validations": [{"expression": f"!({IS_RED})", "message": "no red today"}],
    }
    binding = {"policyName": namespace, "validationActions": ["Deny"], "matchResources": _only(namespace)}
    kind = "ValidatingAdmissionPolicy"
    return {
        "validatingadmissionpolicies": {"apiVersion": version, "kind": kind, "metadata": name, "spec": spec},
        "validatingadmissionpolicybindings": {
            "apiVersion": version,
            "kind": f"{kind}Binding",
            "metadata": name,
            "spec": binding,
        },
    }


def _silent_webhook(namespace: str):
    """A webhook that must be asked about what is red, at a port where nobody is."""
    webhook = {
        "name": "colours.rig.test",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [MAPS],
        "matchConditions": [{"name": "red", "expression": IS_RED}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **_only(namespace),
    }
    return {
        "validatingwebhookconfigurations": {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": namespace},
            "webhooks": [webhook],
        }
    }


def _only(namespace: str):
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


def _may_be_red(stage) -> bool:
    path, red = f"{stage.path('configmaps')}/settings?dryRun=All", {"data": {"colour": "red", "by": "hand"}}
    code, _ = stage.api.exchange("PATCH", path, red, MERGE)
    return code < 400


def _await_tries(daemon, code: str) -> None:
    until(f"{code} to be told", lambda: code in _codes(daemon), WAIT_S)
    until("another try", lambda: shown(daemon).problem_count > 2)


def _await_more_questions(stage) -> None:
    """What is barred is asked about again and again, by dry-runs."""
    begin = stage.audit.position()
    until("further dry-runs", lambda: dry_runs(stage, begin)["patch configmaps/settings"] > 1)


def _await_put_back_once(stage, daemon, bad: str, begin: int, history=PUT_BACK_ONCE) -> None:
    """Put back, with exactly the writes that it takes, and nothing more after that."""
    until("the revert", phase_is(daemon, Phase.REVERTED), WAIT_S)
    fetches = len(stage.server.requests)
    until("more fetches", lambda: len(stage.server.requests) > fetches + 4)
    view = shown(daemon)
    assert phase(view) is Phase.REVERTED
    assert [entry.outcome for entry in view.known.history] == history
    assert [hold.revision.commit for hold in view.known.held.values()] == [bad]
    assert container(stage.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert stage.get("configmaps", "settings")["data"] == {"colour": "red"}
    assert inhabitants(stage) == {"deployments/web", "configmaps/settings"}
    assert written(stage, begin) == THERE_AND_BACK


def _is_of_the_way_back(write: str) -> bool:
    """The hold itself, and all that comes after it; the bad commit's own writes are the first of each object."""
    name, _, count = write.rpartition(" ")
    if RECORD in name:
        return int(count) > SAVES_BEFORE_THE_HOLD
    return name.startswith("DELETE configmaps") or (int(count) > 1 and "secrets" not in name)


def _start_over(stage, ready, good: str) -> None:
    """From nothing to the good commit, kept."""
    for kind in ("deployments", "configmaps", "secrets"):
        stage.api.delete(stage.path(kind))
    until("nothing to be left", lambda: not inhabitants(stage) and stage.get("configmaps", RECORD) is None)
    stage.repository.reset(good)
    assert ready.once(stage.config(), stage.folder / "trace") == 0


def _codes(daemon, name: str = "staging") -> list[str]:
    view = shown(daemon, name)
    return [problem.code for problem in problems(view)] if view else []


def _crd(group: str, *versions: str) -> str:
    schema = "{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}"
    listed = "".join(
        f"    - {{name: {one}, served: true, storage: {str(one == versions[-1]).lower()}, schema: {schema}}}\n"
        for one in versions
    )
    return f"""apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gems.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: gems, singular: gem, kind: Gem}}
  versions:
{listed}"""


def _gem(group: str, version: str) -> str:
    return f"apiVersion: {group}/{version}\nkind: Gem\nmetadata: {{name: one}}\nspec: {{cut: {version}}}\n"

"""What cannot be applied is refused whole: told with code, cause, hint and place, and nothing is written for it."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field

import pytest
from loguru import logger

from gitopsd.core.errors import GitopsdError
from gitopsd.core.status.environment import Fields, environment_json
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, phase
from gitopsd.daemon import Daemon
from rig.waiting import wait_for
from tests.cluster.oracles import dry_runs, inhabitants, written
from tests.cluster.stage import SOAKLESS, configmap, deployment, phase_is

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

CANARY = "canary-7f3a9c"
ENCODED = base64.b64encode(CANARY.encode()).decode()
WEB = deployment("web")
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
def calm(stage):
    """Two environments at rest."""
    stage.others = ("beside",)
    stage.commit({"web.yaml": WEB, "settings.yaml": configmap("settings", colour="red")})
    stage.commit({"gitopsd.yaml": SOAKLESS, "beside.yaml": configmap("beside", a="1")}, environment="beside")
    assert {phase(view) for view in stage.once_all().values()} == {Phase.READY}
    return stage


@dataclass(frozen=True)
class Bad:
    """A file that must not be applied, and how it is told. ``asks`` = only the API server can know."""

    code: str
    line: int
    text: str
    file: str = "web.yaml"
    asks: bool = False
    also: dict[str, str] = field(default_factory=dict)


def _web(old: str, new: str) -> str:
    assert old in WEB
    return WEB.replace(old, new, 1)


BAD = {
    "a tab that indents": Bad("YAML_SYNTAX", 4, _web("  name: web\n", "\tname: web\n")),
    "a key written twice": Bad("YAML_DUPLICATE_KEY", 8, _web("  replicas: 1\n", "  replicas: 1\n  replicas: 2\n")),
    "a document that is no object": Bad("NOT_AN_OBJECT", 1, "- just\n- a list\n"),
    "a variable named twice": Bad(
        "LIST_DUPLICATE_ENTRY", 19, f"{WEB}          env:\n            - {{name: A}}\n            - {{name: A}}\n"
    ),
    "an object written twice": Bad("DUPLICATE_OBJECT", 1, WEB, file="web2.yaml"),
    "a namespace that is not this environment's": Bad(
        "NAMESPACE_NOT_ALLOWED", 1, _web("  name: web\n", "  name: web\n  namespace: kube-system\n")
    ),
    "a kind that nobody serves": Bad("KIND_UNKNOWN", 1, _web("kind: Deployment", "kind: Deploymnet")),
    "a setting that is not known": Bad("SETTINGS_UNKNOWN_KEY", 4, f"{SOAKLESS}prunes: {{}}\n", file="gitopsd.yaml"),
    "a Secret that is not base64": Bad(
        "NOT_BASE64",
        4,
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ndata: {{token: '{CANARY}!'}}\n",
        file="keys.yaml",
    ),
    "a field that the kind does not have": Bad("FIELD_UNKNOWN", 1, _web("replicas", "replica"), asks=True),
    "a value of the wrong type": Bad("FIELD_TYPE", 1, _web("replicas: 1", "replicas: 'one'"), asks=True),
    "a value that is not allowed": Bad("FIELD_INVALID", 1, _web("replicas: 1", "replicas: -1"), asks=True),
    "a field that cannot be changed": Bad("IMMUTABLE_FIELD", 1, WEB.replace("{app: web}", "{app: shop}"), asks=True),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_it_is_refused_whole_and_told_and_the_others_carry_on(calm, bad):
    begin = calm.audit.position()
    calm.commit({bad.file: bad.text, "settings.yaml": configmap("settings", colour="blue")})
    calm.commit({"beside.yaml": configmap("beside", a="2")}, environment="beside")

    views = calm.once_all()

    view = views["staging"]
    assert phase(view) is Phase.FAILED
    problem = problems(view)[0]
    assert (problem.code, problem.where) == (bad.code, f"environments/staging/{bad.file}:{bad.line}")
    assert problem.message
    assert problem.hint
    assert bool(problem.cause) >= bad.asks
    assert f"{bad.file}:{bad.line}" in why(view)
    assert CANARY not in repr(problem) + why(view)
    assert phase(views["beside"]) is Phase.READY
    assert calm.get("configmaps", "settings")["data"] == {"colour": "red"}
    assert inhabitants(calm) == {"deployments/web", "configmaps/settings", "configmaps/beside"}
    assert written(calm, begin) == {"patch configmaps/beside": 1}
    assert ("patch deployments/web" in dry_runs(calm, begin)) is bad.asks


def test_what_runs_stays_healthy_for_people_while_a_new_object_is_refused(calm):
    calm.commit({"new.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {x: 1}\n"})

    shown = environment_json(calm.once(), Fields.FULL)

    healthy = next(one for one in shown["conditions"] if one["type"] == "Healthy")
    assert (shown["lastError"]["code"], shown["health"], healthy["status"]) == (
        "FIELD_TYPE",
        {"status": "Healthy"},
        "True",
    )
    assert {one["name"]: one["health"]["status"] for one in shown["objects"]} == {
        "web": "Healthy",
        "settings": "Healthy",
    }


def test_what_was_refused_is_forgotten_once_it_is_corrected(calm):
    calm.commit({"web.yaml": _web("replicas", "replica")})
    assert phase(calm.once()) is Phase.FAILED
    begin = calm.audit.position()
    calm.commit({"web.yaml": _web("replicas: 1", "replicas: 2")})

    view = calm.once()

    assert (phase(view), problems(view)) == (Phase.READY, ())
    assert written(calm, begin) == {"patch deployments/web": 1}


def test_what_a_policy_of_the_cluster_denies_is_refused_whole(calm):
    name = calm.namespace
    here = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}]
    calm.api.apply(
        f"{POLICIES}/{name}",
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": rules},
                "validations": [{"expression": "object.spec.replicas <= 5", "message": "five are enough"}],
            },
        },
    )
    calm.api.apply(
        f"{BINDINGS}/{name}",
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": here},
            },
        },
    )
    try:
        wait_for("the policy to act", lambda: not _may_scale(calm, 9))
        begin = calm.audit.position()
        calm.commit({"web.yaml": _web("replicas: 1", "replicas: 9"), "new.yaml": configmap("new", a="1")})

        view = calm.once()
    finally:
        calm.api.delete(f"{BINDINGS}/{name}")
        calm.api.delete(f"{POLICIES}/{name}")

    assert phase(view) is Phase.FAILED
    problem = problems(view)[0]
    assert (problem.code, problem.where) == ("POLICY_DENIED", "environments/staging/web.yaml:1")
    assert "five are enough" in problem.cause
    assert problem.hint
    assert inhabitants(calm) == {"deployments/web", "configmaps/settings", "configmaps/beside"}
    assert written(calm, begin) == {}


def test_what_does_not_fit_into_a_quota_waits_until_it_does(calm):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    full = {**quota, "spec": {"hard": {"count/deployments.apps": "1"}}}
    calm.api.apply(f"{calm.path('resourcequotas')}/few", full)
    used = {"count/deployments.apps": "1"}
    wait_for("the quota to count", lambda: calm.get("resourcequotas", "few").get("status", {}).get("used") == used)
    begin = calm.audit.position()
    calm.commit({"more.yaml": deployment("more")})

    with calm.daemon() as daemon:
        wait_for("it to wait", lambda: "quota" in _sentence(daemon))
        assert "Deployment" in _sentence(daemon)
        assert written(calm, begin) == {}
        calm.api.apply(
            f"{calm.path('resourcequotas')}/few", {**quota, "spec": {"hard": {"count/deployments.apps": "2"}}}
        )
        wait_for("it to go on", lambda: phase(daemon.view().named("staging")) is Phase.READY)

    assert inhabitants(calm) >= {"deployments/web", "deployments/more"}
    assert written(calm, begin) == {"patch deployments/more": 1}


def test_no_value_of_a_secret_is_ever_shown(stage):
    stage.commit({"keys.yaml": _secret(CANARY), "web.yaml": WEB})
    shown = [_planned(stage), repr(stage.once())]
    stage.kubectl("apply", "--force-conflicts", "--server-side", "-f", "-", stdin=_secret(f"{CANARY}-by-hand"))
    shown += [_planned(stage)]
    heard = io.StringIO()
    with stage.daemon() as daemon:
        sink = logger.add(heard, level="TRACE", serialize=True)
        wait_for("it to be put back", lambda: stage.get("secrets", "keys")["data"] == {"token": ENCODED})
        shown += [_shown(daemon)]
        _wait_for(daemon, Phase.READY)
        for broken in (f"  : {CANARY}\n", f"type: [{CANARY}]\n", f"immutable: {CANARY}\n"):
            stage.commit({"keys.yaml": _secret(CANARY) + broken})
            _wait_for(daemon, Phase.FAILED)
            shown += [_planned(stage), _shown(daemon)]
            stage.commit({"keys.yaml": _secret(CANARY)})
            _wait_for(daemon, Phase.READY)
        stage.commit({"keys.yaml": _secret(f"{CANARY}-2")})
        wait_for("the other value", lambda: stage.get("secrets", "keys")["data"] != {"token": ENCODED})
        shown += [_shown(daemon), heard.getvalue()]
        logger.remove(sink)
    shown += [json.dumps(stage.get("configmaps", "gitopsd-staging"))]

    everything = "\n".join(shown)
    for said in ("Secret", "/data/token", '"***"', "keys.yaml:5"):
        assert said in everything
    for value in (CANARY, ENCODED[:16]):
        assert value not in everything


def _planned(stage) -> str:
    """All that a plan could show."""
    look = Daemon(stage.house()).look("staging")["staging"]
    patches = [] if isinstance(look, GitopsdError) else [change.patch for change in look.look.plan.changes]
    return f"{look!r} {look} {json.dumps(patches)}"


def _shown(daemon) -> str:
    """All that is shown of an environment."""
    view = daemon.view().named("staging")
    return f"{view!r} {json.dumps(environment_json(view, Fields.FULL), default=str)} {why(view)}"


def _wait_for(daemon, wanted: Phase) -> None:
    wait_for(f"it to be {wanted}", phase_is(daemon, wanted))


def _secret(value: str) -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{token: {value}}}\n"


def _sentence(daemon) -> str:
    view = daemon.view().named("staging")
    return why(view) if view else ""


def _may_scale(stage, replicas: int) -> bool:
    path = f"{stage.path('deployments')}/web?dryRun=All"
    code, _ = stage.api.exchange("PATCH", path, {"spec": {"replicas": replicas}}, "application/merge-patch+json")
    return code < 400

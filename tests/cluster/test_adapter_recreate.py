"""Replacing what cannot be changed: only on opt-in, only when the replacement would be taken, never both gone."""

from __future__ import annotations

import pytest

from gitopsd.core.plan import Action, Cause, Change
from tests.cluster.adapter_world import desired, manifest

pytestmark = pytest.mark.cluster


def job(world, command="true", **metadata):
    container = {"name": "run", "image": "rig.test/web", "command": [command]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return world.named("batch/v1", "Job", "migrate", metadata) | {"spec": {"template": template}}


def recreate(world, body):
    one = manifest(body)
    sight = world.observe(desired(body)).sights[one.ref]
    change = Change(
        action=Action.RECREATE, cause=Cause.COMMIT, manifest=one, sight=sight, uid=sight.live.uid if sight.live else ""
    )
    (answer,) = world.cluster.apply(world.environment, [change])
    return answer


def test_a_changed_job_is_replaced(on_api):
    on_api.run(job(on_api))
    before = on_api.live(job(on_api))["metadata"]["uid"]
    on_api.run(job(on_api, "false"))

    live = on_api.live(job(on_api))
    assert live["spec"]["template"]["spec"]["containers"][0]["command"] == ["false"]
    assert live["metadata"]["uid"] != before


def test_a_replacement_that_would_be_refused_deletes_nothing(on_api):
    on_api.run(job(on_api))
    before = on_api.live(job(on_api))["metadata"]["uid"]
    bad = job(on_api, "false")
    bad["spec"]["template"]["spec"]["restartPolicy"] = "Sometimes"
    answer = recreate(on_api, bad)

    assert answer.problem.code == "FIELD_INVALID"
    assert on_api.live(job(on_api))["metadata"]["uid"] == before


def test_an_object_that_somebody_replaced_meanwhile_is_not_deleted(on_api):
    on_api.run(job(on_api))
    body = job(on_api, "false")
    sight = on_api.observe(desired(body)).sights[manifest(body).ref]
    change = Change(action=Action.RECREATE, cause=Cause.COMMIT, manifest=manifest(body), sight=sight, uid="another")
    (answer,) = on_api.cluster.apply(on_api.environment, [change])

    assert (answer.problem.code, answer.retry) == ("OBJECT_REPLACED", True)
    assert on_api.live(job(on_api))


def test_a_stateful_set_is_never_replaced(on_api):
    body = on_api.deployment() | {
        "kind": "StatefulSet",
        "spec": {**on_api.deployment()["spec"], "serviceName": "web"},
    }
    on_api.run(body)
    answer = recreate(on_api, body)

    assert answer.problem.code == "RECREATE_REFUSED"
    assert on_api.live(body)["metadata"]["uid"] == on_api.record.inventory[manifest(body).ref].uid


def test_the_old_object_is_put_back_when_the_new_one_is_refused_after_all(on_api):
    """A quota counts by name only what exists: the try passes, the real one meets a name that a policy forbids."""
    name = on_api.namespace
    admission = "/apis/admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}]
    scope = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}, "resourceRules": rules}
    expression = "object.metadata.name != 'migrate' || object.spec.template.spec.containers[0].command[0] == 'true'"
    on_api.run(job(on_api))
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {"matchConstraints": scope, "validations": [{"expression": expression}]},
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    on_api.api.create(f"{admission}/validatingadmissionpolicies", policy)
    on_api.api.create(f"{admission}/validatingadmissionpolicybindings", binding)
    try:
        _until_denied(on_api)
        sent = job(on_api, "false")
        sight = on_api.observe(desired(job(on_api))).sights[manifest(sent).ref]
        change = Change(
            action=Action.RECREATE, cause=Cause.COMMIT, manifest=manifest(sent), sight=sight, uid=sight.live.uid
        )
        (answer,) = on_api.cluster.apply(on_api.environment, [change])
        assert answer.problem.code == "POLICY_DENIED"
        assert on_api.live(sent)["spec"]["template"]["spec"]["containers"][0]["command"] == ["true"]
    finally:
        on_api.api.delete(f"{admission}/validatingadmissionpolicybindings/{name}")
        on_api.api.delete(f"{admission}/validatingadmissionpolicies/{name}")


def _until_denied(world):
    """The server learns a policy after a while; ask by dry-run until it says no."""
    denied = job(world, "false")
    path = f"{world.path(denied).rpartition('/')[0]}?dryRun=All"
    codes = (world.api.exchange("POST", path, denied, "application/json")[0] for _ in range(2_000))
    assert 422 in codes

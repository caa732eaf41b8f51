"""What an apply leaves behind on a real API server: equal to Git, nothing more, nothing less."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from gitopsd.core.errors import ClusterError, Problem, Stage, Superseded
from gitopsd.core.model import Accepted, Sight
from gitopsd.core.plan import Action, Cause, Change
from gitopsd.core.settings import IgnoreRule, Settings
from tests.cluster.adapter_world import desired, manifest

pytestmark = pytest.mark.cluster


def create(body, wave=0, **more):
    one = manifest(body)
    sight = Sight(ref=one.ref, live=None, preview=Accepted(body))
    return Change(action=Action.CREATE, cause=Cause.NEW, manifest=one, sight=sight, wave=wave, **more)


def codes(answers):
    return [answer.problem.code if answer.problem else "" for answer in answers]


def test_a_new_object_is_created_and_labelled(on_api):
    on_api.run(on_api.config_map())

    labels = on_api.live(on_api.config_map())["metadata"]["labels"]
    assert labels["applyset.kubernetes.io/part-of"] == on_api.environment.apply_set
    assert labels["gitopsd.dev/environment"] == on_api.environment.name


def test_the_second_pass_writes_nothing(on_api):
    on_api.run(on_api.config_map(), on_api.deployment())
    before = on_api.tally()
    generation = on_api.live(on_api.deployment())["metadata"]["generation"]
    on_api.run(on_api.config_map(), on_api.deployment())

    since = on_api.tally() - before
    assert (since.creates, since.patches, since.deletes) == (0, 0, 0)
    assert on_api.live(on_api.deployment())["metadata"]["generation"] == generation


def test_a_field_removed_from_git_goes(on_api):
    on_api.run(on_api.config_map(a="1", b="2"))
    on_api.run(on_api.config_map(a="1"))

    assert on_api.live(on_api.config_map())["data"] == {"a": "1"}


@pytest.mark.parametrize("writer", ["kubectl-edit", "k9s", "node-fetch", "kubectl-client-side-apply"])
def test_a_field_that_a_person_added_goes(on_api, writer):
    on_api.run(on_api.config_map(a="1"))
    on_api.edit(on_api.config_map(), {"data": {"b": "2"}}, writer)
    on_api.run(on_api.config_map(a="1"))

    assert on_api.live(on_api.config_map())["data"] == {"a": "1"}


def test_a_variable_that_kubectl_set_env_added_goes(on_api):
    on_api.run(on_api.deployment())
    containers = [{"name": "web", "image": "rig.test/web", "env": [{"name": "FOO", "value": "bar"}]}]
    on_api.edit(on_api.deployment(), {"spec": {"template": {"spec": {"containers": containers}}}}, "kubectl-set")
    on_api.run(on_api.deployment())

    (container,) = on_api.live(on_api.deployment())["spec"]["template"]["spec"]["containers"]
    assert "env" not in container


def test_a_value_that_a_person_changed_is_put_back(on_api):
    on_api.run(on_api.config_map(a="1"))
    on_api.edit(on_api.config_map(), {"data": {"a": "9"}})
    on_api.run(on_api.config_map(a="1"))

    assert on_api.live(on_api.config_map())["data"] == {"a": "1"}


def test_what_a_controller_added_stays_and_costs_no_write(on_api):
    on_api.run(on_api.config_map(a="1"))
    on_api.edit(on_api.config_map(), {"metadata": {"annotations": {"c": "x"}}}, "some-controller")
    before = on_api.tally()
    on_api.run(on_api.config_map(a="1"))

    assert (on_api.tally() - before).patches == 0
    assert on_api.live(on_api.config_map())["metadata"]["annotations"] == {"c": "x"}


def test_a_rollout_restart_is_no_drift(on_api):
    on_api.run(on_api.deployment())
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    on_api.edit(on_api.deployment(), {"spec": {"template": restarted}}, "kubectl-rollout")
    before = on_api.tally()
    on_api.run(on_api.deployment())

    assert (on_api.tally() - before).patches == 0


def test_an_object_of_client_side_apply_becomes_ours_whole(on_api):
    by_hand = on_api.config_map(a="1", old="x")
    by_hand["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    on_api.api.create(f"{on_api.path(by_hand).rpartition('/')[0]}?fieldManager=kubectl-client-side-apply", by_hand)
    on_api.run(on_api.config_map(metadata={"annotations": {"gitopsd.dev/adopt": "true"}}, a="1"))

    live = on_api.live(on_api.config_map())
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["annotations"] == {"gitopsd.dev/adopt": "true"}
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["gitopsd"]


def test_a_key_removed_from_a_secret_goes(on_api):
    def secret(**values):
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
        return on_api.named("v1", "Secret", "db") | {"type": "Opaque", "data": encoded}

    on_api.run(secret(a="1", b="2"))
    on_api.run(secret(a="1"))

    assert on_api.live(secret())["data"] == {"a": "MQ=="}


def autoscaler(world, target="web"):
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": 1,
        "maxReplicas": 9,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
    }
    spec["metrics"][0]["resource"]["target"]["averageUtilization"] = 50
    return world.named("autoscaling/v2", "HorizontalPodAutoscaler", target) | {"spec": spec}


def test_replicas_that_go_to_an_autoscaler_are_not_reset(on_api):
    on_api.run(on_api.deployment(replicas=3))
    on_api.run(on_api.deployment(replicas=3), autoscaler(on_api))

    live = on_api.live(on_api.deployment())
    (ours,) = [entry for entry in live["metadata"]["managedFields"] if entry["manager"] == "gitopsd"]
    assert live["spec"]["replicas"] == 3
    assert "f:replicas" not in ours["fieldsV1"]["f:spec"]


def test_what_an_autoscaler_sets_is_left_alone(on_api):
    on_api.run(on_api.deployment(replicas=3), autoscaler(on_api))
    on_api.edit(on_api.deployment(), {"spec": {"replicas": 7}}, "kube-controller-manager")
    on_api.run(on_api.deployment(replicas=3), autoscaler(on_api))

    assert on_api.live(on_api.deployment())["spec"]["replicas"] == 7


def test_an_autoscaler_that_is_not_in_git_counts_too(on_api):
    on_api.run(on_api.deployment(replicas=3))
    on_api.api.create(on_api.path(autoscaler(on_api)).rpartition("/")[0], autoscaler(on_api))
    on_api.run(on_api.deployment(replicas=3))
    on_api.edit(on_api.deployment(), {"spec": {"replicas": 7}}, "kube-controller-manager")
    on_api.run(on_api.deployment(replicas=3))

    assert on_api.live(on_api.deployment())["spec"]["replicas"] == 7


def test_an_ignored_field_is_given_up_and_left_alone(on_api):
    rules = Settings(ignore=(IgnoreRule(kind="ConfigMap", pointers=("/data/b",)),))
    on_api.run(on_api.config_map(a="1", b="2"))
    on_api.run(on_api.config_map(a="1", b="2"), settings=rules)
    on_api.edit(on_api.config_map(), {"data": {"b": "9"}})
    on_api.run(on_api.config_map(a="1", b="2"), settings=rules)

    assert on_api.live(on_api.config_map())["data"] == {"a": "1", "b": "9"}


def test_a_deployment_can_turn_to_recreate(on_api):
    on_api.run(on_api.deployment())
    on_api.run(on_api.deployment(strategy={"type": "Recreate"}))

    assert on_api.live(on_api.deployment())["spec"]["strategy"] == {"type": "Recreate"}


def test_a_deployment_can_turn_back_to_rolling_updates(on_api):
    on_api.run(on_api.deployment(strategy={"type": "Recreate"}))
    on_api.run(on_api.deployment())

    assert on_api.live(on_api.deployment())["spec"]["strategy"]["type"] == "RollingUpdate"


def test_a_stateful_set_can_turn_to_on_delete(on_api):
    def stateful_set(**spec):
        return on_api.deployment() | {
            "kind": "StatefulSet",
            "spec": {**on_api.deployment()["spec"], "serviceName": "web", **spec},
        }

    on_api.run(stateful_set())
    on_api.run(stateful_set(updateStrategy={"type": "OnDelete"}))

    assert on_api.live(stateful_set())["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_a_repair_of_a_known_object_never_recreates_it(on_api):
    body = on_api.config_map(a="1")
    on_api.run(body)
    on_api.edit(body, {"data": {"a": "9"}})
    plan = on_api.plan(desired(body))
    on_api.api.delete(on_api.path(body))
    (answer,) = on_api.cluster.apply(on_api.environment, plan.changes)

    assert (answer.problem.code, answer.retry) == ("OBJECT_REPLACED", True)
    assert on_api.api.find(on_api.path(body)) is None


def test_definitions_and_their_objects_go_in_one_run(on_api):
    group = f"{on_api.namespace}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    widget = on_api.named(f"{group}/v1", "Widget", "one") | {"spec": {"size": 1}}
    try:
        on_api.run(definition, widget)
        assert on_api.api.get(f"/apis/{group}/v1/namespaces/{on_api.namespace}/widgets/one")["spec"]["size"] == 1
    finally:
        on_api.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}")


def test_a_namespace_and_its_objects_go_in_one_run(on_api):
    name = f"{on_api.namespace}-more"
    elsewhere = replace(on_api, namespace=name)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    try:
        elsewhere.run(namespace, elsewhere.config_map())
        assert elsewhere.live(elsewhere.config_map())["data"] == {"a": "1"}
    finally:
        on_api.api.delete(f"/api/v1/namespaces/{name}")


def test_the_servers_warnings_are_passed_on(on_api):
    pods = on_api.deployment()
    pods["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    on_api.api.request(
        "PATCH",
        f"/api/v1/namespaces/{on_api.namespace}",
        {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}},
        "application/merge-patch+json",
    )
    (answer,) = on_api.cluster.apply(on_api.environment, [create(pods)])

    assert any("PodSecurity" in warning for warning in answer.warnings)


def test_one_bad_object_does_not_stop_its_wave_but_the_next(on_api):
    bad = on_api.config_map("bad") | {"data": {"a": 1}}
    good, later = on_api.config_map("good"), on_api.config_map("later")
    answers = on_api.cluster.apply(on_api.environment, [create(later, wave=1), create(bad), create(good)])

    assert codes(answers) == ["NOT_TRIED", "FIELD_TYPE", ""]
    assert [answer.retry for answer in answers] == [True, False, False]
    assert on_api.api.find(on_api.path(later)) is None


def test_a_problem_says_where_the_manifest_is_written(on_api):
    bad = on_api.config_map("bad") | {"data": {"a": 1}}
    (answer,) = on_api.cluster.apply(on_api.environment, [create(bad)])

    assert answer.problem.where == "bad.yaml:1"


def test_a_secrets_value_never_reaches_a_problem(on_api):
    bad = on_api.named("v1", "Secret", "db") | {"data": {"password": "hunter2 is not base64"}}
    (answer,) = on_api.cluster.apply(on_api.environment, [create(bad)])

    assert answer.problem.code in ("BASE64_INVALID", "FIELD_TYPE")
    assert "hunter2" not in repr(answer)


def test_a_field_that_strict_validation_would_refuse_is_refused(on_api):
    bad = on_api.deployment() | {"specc": {}}
    (answer,) = on_api.cluster.apply(on_api.environment, [create(bad)])

    assert answer.problem.code == "FIELD_UNKNOWN"


def test_nothing_is_written_when_somebody_else_leads(on_api):
    def fenced():
        raise Superseded(Problem(code="NOT_LEADING", stage=Stage.APPLY, message="somebody else leads"))

    on_api.cluster.api.fence = fenced
    with pytest.raises(Superseded):
        on_api.cluster.apply(on_api.environment, [create(on_api.config_map())])
    assert on_api.api.find(on_api.path(on_api.config_map())) is None


def test_an_account_without_rights_writes_nothing(on_api):
    poor = replace(on_api.environment, service_account="nobody", service_account_namespace=on_api.namespace)
    (answer,) = on_api.cluster.apply(poor, [create(on_api.config_map())])

    assert answer.problem.code == "FORBIDDEN"
    assert 'cannot patch resource "configmaps"' in answer.problem.cause
    assert on_api.api.find(on_api.path(on_api.config_map())) is None


def test_an_account_without_a_namespace_is_never_sent_as_ourselves(on_api):
    broken = replace(on_api.environment, service_account="deployer", service_account_namespace="")
    with pytest.raises(ClusterError) as refused:
        on_api.cluster.apply(broken, [create(on_api.config_map())])

    assert refused.value.problem.code == "IMPERSONATION_EMPTY"
    assert on_api.api.find(on_api.path(on_api.config_map())) is None


@pytest.mark.rig_power
def test_every_write_carries_the_environments_account(on_api, api_audit):
    account = replace(on_api.environment, service_account="deployer", service_account_namespace=on_api.namespace)
    begin = api_audit.position()
    on_api.cluster.apply(account, [create(on_api.config_map()), create(on_api.deployment())])

    sent = [request for request in api_audit.requests(begin) if request.verb != "get"]
    assert {request.impersonated_user for request in sent} == {f"system:serviceaccount:{on_api.namespace}:deployer"}


@pytest.mark.rig_power
def test_a_run_writes_each_object_exactly_once(on_api, api_audit):
    begin = api_audit.position()
    bodies = [on_api.config_map(f"c{n}") for n in range(15)]
    on_api.run(*bodies)

    writes = api_audit.writes(begin)
    assert sum(writes.values()) == 15
    assert {write.verb for write in writes} <= {"patch", "create"}
    assert {write.manager for write in writes} == {"gitopsd"}

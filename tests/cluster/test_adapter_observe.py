"""What one look at a real API server tells, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gitopsd.core.errors import ClusterError
from gitopsd.core.model import Accepted, Deferred, HealthStatus, Item, ObjectRef, Refused
from gitopsd.core.settings import IgnoreRule, Settings
from tests.cluster.adapter_world import NOON, desired, manifest

pytestmark = pytest.mark.cluster


def requests(world, *bodies):
    """How many requests one look takes."""
    before = world.tally()
    world.observe(desired(*bodies))
    return (world.tally() - before).requests


def test_an_absent_object_is_absent_and_would_be_created(on_api):
    sight = on_api.sight(on_api.config_map())

    assert sight.live is None
    assert isinstance(sight.preview, Accepted)


def test_an_object_as_we_applied_it_needs_no_preview(on_api):
    on_api.run(on_api.config_map())
    sight = on_api.sight(on_api.config_map())

    assert sight.preview is None
    assert (sight.live.part_of, sight.live.owner) == (on_api.environment.apply_set, "")


def test_a_changed_manifest_is_previewed_with_the_live_body_beside_it(on_api):
    on_api.run(on_api.config_map(a="1"))
    sight = on_api.sight(on_api.config_map(a="2"))

    assert sight.preview.body["data"] == {"a": "2"}
    assert sight.live.body["data"] == {"a": "1"}


def test_after_a_restart_an_unchanged_object_costs_one_read_and_no_dry_run(on_api):
    on_api.run(on_api.config_map())
    again = on_api.restarted()

    assert again.sight(on_api.config_map()).preview is None
    before = again.tally()
    again.observe(desired(on_api.config_map()))
    assert (again.tally() - before).requests == 1


def test_many_objects_of_a_kind_cost_one_list(on_api):
    bodies = [on_api.config_map(f"c{n}") for n in range(30)]
    on_api.run(*bodies)
    again = on_api.restarted()
    requests(again, *bodies)

    assert requests(again, *bodies) == 1


def test_a_list_of_several_pages_is_read_to_its_end(on_api):
    bodies = [on_api.config_map(f"c{n}") for n in range(620)]
    on_api.run(*bodies)
    again = on_api.restarted()
    sights = again.observe(desired(*bodies)).sights

    assert all(sight.live and sight.preview is None for sight in sights.values())
    assert requests(again, *bodies) == 2


def test_an_object_that_a_labelled_list_does_not_show_is_found(on_api):
    bodies = [on_api.config_map(f"c{n}") for n in range(20)]
    for body in bodies[:3]:
        on_api.api.create(f"{on_api.path(body).rpartition('/')[0]}?fieldManager=kubectl-create", body)
    sights = on_api.observe(desired(*bodies)).sights

    there = [sight for sight in sights.values() if sight.live]
    assert sorted(sight.ref.name for sight in there) == ["c0", "c1", "c2"]
    assert {sight.live.owner for sight in there} == {"nobody (made by kubectl-create)"}
    assert sum(isinstance(sight.preview, Accepted) for sight in sights.values() if not sight.live) == 17


def test_an_object_of_helm_is_helms(on_api):
    body = on_api.config_map()
    helms = {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"},
    }
    on_api.api.create(on_api.path(body).rpartition("/")[0], on_api.config_map(metadata=helms))

    assert on_api.sight(body).live.owner == "Helm release shop/web"


def test_an_object_of_another_environment_is_its(on_api):
    other = on_api.beside("other")
    other.run(on_api.config_map())

    assert on_api.sight(on_api.config_map()).live.owner == "environment other"


def test_a_kind_that_nobody_serves_is_refused(on_api):
    sight = on_api.sight(on_api.named("nowhere.example.com/v1", "Gadget", "one"))

    assert (sight.live, sight.preview.problem.code) == (None, "KIND_UNKNOWN")


def test_a_version_that_is_not_served_is_refused_and_the_served_ones_named(on_api):
    sight = on_api.sight(on_api.deployment() | {"apiVersion": "apps/v1beta1"})

    assert isinstance(sight.preview, Refused)
    assert "apps/v1" in sight.preview.problem.cause


def test_a_kind_that_comes_with_the_set_is_deferred(on_api):
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.later.example.com"},
        "spec": {
            "group": "later.example.com",
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    gadget = on_api.named("later.example.com/v1", "Gadget", "one")

    assert isinstance(on_api.sight(gadget, definition).preview, Deferred)


def test_a_namespace_that_comes_with_the_set_is_deferred(on_api):
    elsewhere = replace(on_api, namespace=f"{on_api.namespace}-later")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere.namespace}}

    sight = on_api.sight(elsewhere.config_map(), namespace)
    assert sight.live is None
    assert isinstance(sight.preview, Deferred)
    reads_and_the_namespaces_own_dry_run = 3
    assert requests(on_api, elsewhere.config_map(), namespace) == reads_and_the_namespaces_own_dry_run


def test_a_namespace_that_nobody_makes_is_refused(on_api):
    elsewhere = replace(on_api, namespace=f"{on_api.namespace}-nowhere")

    assert on_api.sight(elsewhere.config_map()).preview.problem.code == "NAMESPACE_ABSENT"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"replcas": 3}, "FIELD_UNKNOWN"),
        ({"replicas": "3"}, "FIELD_TYPE"),
        ({"replicas": -3}, "FIELD_INVALID"),
    ],
    ids=["an unknown field", "a wrong type", "an invalid value"],
)
def test_a_bad_manifest_is_refused(on_api, spec, code):
    refused = on_api.sight(on_api.deployment(**spec)).preview

    assert (refused.problem.code, refused.problem.where, refused.immutable) == (code, "web.yaml:1", False)


def test_a_duplicate_key_is_refused(on_api):
    body = on_api.deployment()
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A"}, {"name": "A"}]

    assert on_api.sight(body).preview.problem.code == "LIST_KEY_DUPLICATE"


def test_an_immutable_field_is_refused_as_such(on_api):
    on_api.run(on_api.deployment())
    changed = on_api.deployment(selector={"matchLabels": {"app": "other"}})
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    refused = on_api.sight(changed).preview

    assert (refused.problem.code, refused.immutable) == ("IMMUTABLE_FIELD", True)


def test_a_policy_that_says_no_refuses(on_api):
    name = on_api.namespace
    admission = "/apis/admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    scope = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}, "resourceRules": rules}
    api_version = "admissionregistration.k8s.io/v1"
    policy = {
        "apiVersion": api_version,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {"matchConstraints": scope, "validations": [{"expression": "false"}]},
    }
    binding = {
        "apiVersion": api_version,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    on_api.api.create(f"{admission}/validatingadmissionpolicies", policy)
    on_api.api.create(f"{admission}/validatingadmissionpolicybindings", binding)
    try:
        previews = (on_api.sight(on_api.config_map()).preview for _ in range(1_000))
        refused = next(preview for preview in previews if isinstance(preview, Refused))
        assert refused.problem.code == "POLICY_DENIED"
    finally:
        on_api.api.delete(f"{admission}/validatingadmissionpolicybindings/{name}")
        on_api.api.delete(f"{admission}/validatingadmissionpolicies/{name}")


def test_a_webhook_that_does_not_answer_is_waited_for(on_api):
    name = on_api.namespace
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    webhook = {
        "name": "down.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 1,
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }
    on_api.api.create(path, configuration)
    try:
        previews = (on_api.sight(on_api.config_map()).preview for _ in range(1_000))
        assert "webhook" in next(preview for preview in previews if isinstance(preview, Deferred)).why
    finally:
        on_api.api.delete(f"{path}/{name}")


def test_an_object_that_is_being_deleted_is_terminating(on_api):
    body = on_api.config_map(metadata={"finalizers": ["example.com/stay"]})
    on_api.run(body)
    on_api.api.delete(on_api.path(body))
    sight = on_api.sight(body)
    on_api.edit(body, {"metadata": {"finalizers": None}})

    assert sight.live.health.status is HealthStatus.TERMINATING
    assert sight.preview is None


def test_fields_that_must_be_given_up_are_named(on_api):
    rules = Settings(ignore=(IgnoreRule(kind="Deployment", pointers=("/spec/replicas",)),))
    on_api.run(on_api.deployment())
    sight = on_api.sight(on_api.deployment(), settings=rules)

    assert (sight.omit, sight.release) == (("/spec/replicas",), ("/spec/replicas",))
    assert sight.preview is None


def test_fields_that_a_person_added_are_named(on_api):
    on_api.run(on_api.config_map())
    on_api.edit(on_api.config_map(), {"data": {"b": "2"}})

    assert on_api.sight(on_api.config_map()).take_over == ("/data/b",)


def test_a_write_meant_for_an_account_without_rights_is_refused_beforehand(on_api):
    poor = replace(on_api.environment, service_account="nobody", service_account_namespace=on_api.namespace)
    live = on_api.cluster.observe(poor, desired(on_api.config_map()), {}, None)

    (sight,) = live.sights.values()
    assert sight.preview.problem.code == "FORBIDDEN"


class TestLeftovers:
    def test_an_object_that_git_has_no_more_is_a_leftover(self, on_api):
        on_api.run(on_api.config_map())
        ref = manifest(on_api.config_map()).ref
        found = on_api.observe(desired()).leftovers[ref]

        assert (found.uid, found.protection, found.owner) == (on_api.record.inventory[ref].uid, "", "")

    def test_an_object_that_is_gone_is_surely_gone(self, on_api):
        on_api.run(on_api.config_map())
        on_api.api.delete(on_api.path(on_api.config_map()))
        live = on_api.observe(desired())

        assert (dict(live.leftovers), live.unsure) == ({manifest(on_api.config_map()).ref: None}, frozenset())

    def test_an_object_whose_kind_is_gone_is_surely_gone(self, on_api):
        ref = ObjectRef("gone.example.com", "Gadget", on_api.namespace, "one")
        live = on_api.cluster.observe(on_api.environment, desired(), {ref: Item(uid="u")}, None)

        assert live.leftovers == {ref: None}

    def test_an_object_that_was_made_anew_is_protected(self, on_api):
        on_api.run(on_api.config_map())
        ref = manifest(on_api.config_map()).ref
        live = on_api.cluster.observe(on_api.environment, desired(), {ref: Item(uid="another")}, None)

        assert "UID" in live.leftovers[ref].protection

    def test_an_object_that_went_to_another_environment_is_its(self, on_api):
        on_api.run(on_api.config_map())
        adopted = on_api.config_map(metadata={"annotations": {"gitopsd.dev/adopt": "true"}})
        on_api.beside("other").run(adopted)
        (found,) = on_api.observe(desired()).leftovers.values()

        assert found.owner == "environment other"

    def test_a_definition_with_objects_is_protected_and_without_is_not(self, on_api):
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
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
                ],
            },
        }
        widget = on_api.named(f"{group}/v1", "Widget", "one")
        path = f"/apis/{group}/v1/namespaces/{on_api.namespace}/widgets/one"
        try:
            on_api.run(definition, widget)
            with_objects = on_api.observe(desired()).leftovers[manifest(definition).ref].protection
            on_api.api.delete(path)
            without = on_api.observe(desired()).leftovers[manifest(definition).ref].protection
            assert "objects of its kind exist" in with_objects
            assert without == ""
        finally:
            on_api.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}")


def test_a_server_that_does_not_answer_is_an_error_and_time_spent_blind(on_api):
    on_api.run(on_api.config_map())
    on_api.clock.at = NOON + timedelta(seconds=60)
    on_api.cluster.api.contact.lost(0.0)

    live = on_api.cluster.observe(on_api.environment, desired(on_api.config_map()), on_api.record.inventory, NOON)
    assert live.blind_s == pytest.approx(60, abs=1)


def test_scopes_are_the_servers(on_api):
    kinds = [("v1", "ConfigMap"), ("v1", "Namespace"), ("nowhere/v1", "Gadget")]

    assert on_api.cluster.scopes(kinds) == {("v1", "ConfigMap"): True, ("v1", "Namespace"): False}


@pytest.mark.rig_power
def test_a_look_writes_nothing(on_api, api_audit):
    begin = api_audit.position()
    on_api.observe(desired(on_api.config_map(), on_api.deployment()))

    assert not api_audit.writes(begin)


def test_after_the_end_there_are_errors_and_no_absences(on_api):
    on_api.run(on_api.config_map())
    on_api.cluster.stop()

    with pytest.raises(ClusterError):
        on_api.observe(desired(on_api.config_map()))


def test_an_ignored_field_that_is_ignored_no_more_is_put_back(on_api):
    rules = Settings(ignore=(IgnoreRule(kind="ConfigMap", pointers=("/data/b",)),))
    body = on_api.config_map(a="1", b="2")
    on_api.run(body, settings=rules)
    on_api.edit(body, {"data": {"b": "9"}})
    on_api.run(body | {"data": {"a": "3", "b": "2"}}, settings=rules)

    assert isinstance(on_api.sight(body | {"data": {"a": "3", "b": "2"}}).preview, Accepted)


def test_a_quantity_that_the_server_writes_otherwise_is_no_drift(on_api):
    body = on_api.deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "0.5", "memory": "1024Mi"}}
    on_api.run(body)
    before = on_api.tally()

    assert on_api.sight(body).preview is None
    assert on_api.restarted().sight(body).preview is None
    assert (on_api.tally() - before).patches == 0


def test_time_in_which_nobody_watched_is_blind(on_api):
    on_api.run(on_api.config_map())
    before_we_began = NOON - timedelta(minutes=10)

    live = on_api.cluster.observe(
        on_api.environment, desired(on_api.config_map()), on_api.record.inventory, before_we_began
    )

    assert live.blind_s == pytest.approx(600, abs=1)


def test_time_that_the_clock_leaps_over_is_blind_and_time_that_passes_is_not(on_api):
    on_api.run(on_api.config_map())
    on_api.clock.at += timedelta(seconds=100)
    on_api.clock.ahead_s = 3_600

    live = on_api.cluster.observe(on_api.environment, desired(on_api.config_map()), on_api.record.inventory, NOON)

    assert live.blind_s == pytest.approx(3_600, abs=1)

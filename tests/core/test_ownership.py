"""Whose an object and its fields are, read from labels and managedFields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gitopsd.core.ownership import (
    claimant,
    foreign_fields,
    is_applied_by_us,
    ownership_patch,
    protection,
    still_owned,
)

OURS = "applyset-ours-v1"
PART_OF = "applyset.kubernetes.io/part-of"


def entry(manager: str, fields: Mapping[str, Any], operation: str = "Update", **more: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def live(*entries: Mapping[str, Any], kind: str = "Deployment", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "resourceVersion": "7",
            "managedFields": list(entries),
            **metadata,
        },
        "spec": {"replicas": 5, "paused": True},
    }


def mine(fields: Mapping[str, Any]) -> dict[str, Any]:
    return entry("gitopsd", fields, "Apply")


REPLICAS = {"f:spec": {"f:replicas": {}}}
PAUSED = {"f:spec": {"f:paused": {}}}
SENT = {"spec": {"replicas": 3}}


@pytest.mark.parametrize(
    ("who", "found"),
    [
        (entry("kubectl-edit", PAUSED), ("/spec/paused",)),
        (entry("kubectl-client-side-apply", PAUSED), ("/spec/paused",)),
        (entry("kubectl", PAUSED, "Apply"), ("/spec/paused",)),
        (entry("k9s", PAUSED), ("/spec/paused",)),
        (entry("node-fetch", PAUSED), ("/spec/paused",)),
        (entry("helm", PAUSED), ("/spec/paused",)),
        (entry("kubectl-edit", REPLICAS), ()),
        (entry("kubectl-rollout", PAUSED), ()),
        (entry("kubectl", PAUSED, subresource="scale"), ()),
        (entry("kube-controller-manager", PAUSED), ()),
        (entry("istio-sidecar-injector", PAUSED), ()),
    ],
    ids=[
        "kubectl edit added it",
        "client-side apply brought it",
        "a person's own server-side apply",
        "k9s added it",
        "Lens added it",
        "Helm brought it",
        "we send it ourselves",
        "a rollout restart is left alone",
        "a subresource is left alone",
        "a controller is left alone",
        "a webhook is left alone",
    ],
)
def test_a_field_that_we_do_not_send(who, found):
    assert foreign_fields(live(mine(REPLICAS), who), SENT) == found


@pytest.mark.parametrize(
    "fields",
    [
        {"f:status": {"f:phase": {}}},
        {"f:metadata": {"f:finalizers": {".": {}, 'v:"a/b"': {}}}},
        {"f:metadata": {"f:ownerReferences": {'k:{"uid":"x"}': {}}}},
        {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}},
        {
            "f:spec": {
                "f:template": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}},
            }
        },
    ],
    ids=["status", "finalizers", "owners", "the revision", "a restart"],
)
def test_some_fields_of_hand_tools_are_left_alone(fields):
    seen = live(mine(REPLICAS), entry("kubectl-edit", fields))

    assert foreign_fields(seen, SENT) == ()


def test_an_omitted_field_is_left_to_the_hand_tool():
    assert foreign_fields(live(mine({}), entry("kubectl-edit", REPLICAS)), {}, ("/spec/replicas",)) == ()


def test_an_added_list_entry_is_told_once():
    env = {"f:env": {'k:{"name":"FOO"}': {".": {}, "f:name": {}, "f:value": {}}}}

    assert foreign_fields(live(entry("kubectl-set", env)), {"env": []}) == ("/env/name=FOO",)


def test_our_own_field_is_still_owned():
    assert still_owned(live(mine(REPLICAS)), ("/spec/replicas",)) == ("/spec/replicas",)


def test_a_field_that_another_owns_need_not_be_given_up():
    assert still_owned(live(mine(PAUSED), entry("kubectl", REPLICAS)), ("/spec/replicas",)) == ()


def test_taking_over_moves_the_fields_into_our_entry():
    (test, replace) = ownership_patch(live(mine(REPLICAS), entry("kubectl-edit", PAUSED)), SENT, (), take_over=True)

    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert replace["path"] == "/metadata/managedFields"
    assert replace["value"] == [mine({"f:spec": {"f:replicas": {}, "f:paused": {}}})]


def test_taking_over_an_object_that_we_never_applied_makes_our_entry():
    (_, replace) = ownership_patch(live(entry("kubectl-create", PAUSED)), SENT, (), take_over=True)

    assert replace["value"] == [mine(PAUSED)]


def test_taking_over_leaves_controllers_and_what_is_left_alone():
    controller = entry("kube-controller-manager", {"f:status": {}}, subresource="status")
    finalizers = {"f:metadata": {"f:finalizers": {'v:"a"': {}}}}
    hand = entry("kubectl-edit", {**PAUSED, **finalizers})
    (_, replace) = ownership_patch(live(mine(REPLICAS), hand, controller), SENT, (), take_over=True)

    assert replace["value"][1:] == [controller, entry("kubectl-edit", finalizers)]


def test_fields_of_another_version_are_not_taken_over():
    other = entry("kubectl-edit", PAUSED, apiVersion="apps/v1beta1")

    assert ownership_patch(live(mine(REPLICAS), other), SENT, (), take_over=True) == ()
    assert foreign_fields(live(mine(REPLICAS), other), SENT) == ()


def test_giving_up_a_field_drops_it_from_our_entry_only():
    other = entry("kubectl", REPLICAS, subresource="scale")
    both = mine({"f:spec": {"f:replicas": {}, "f:paused": {}}})
    (_, replace) = ownership_patch(live(both, other), SENT, ("/spec/replicas",), take_over=False)

    assert replace["value"] == [mine(PAUSED), other]


def test_nothing_to_hand_over_needs_no_patch():
    assert (
        ownership_patch(live(mine(PAUSED), entry("kubectl", REPLICAS)), SENT, ("/spec/replicas",), take_over=False)
        == ()
    )


@pytest.mark.parametrize(
    ("kind", "field", "kind_of_strategy"),
    [("Deployment", "strategy", "Recreate"), ("StatefulSet", "updateStrategy", "OnDelete")],
)
def test_a_default_that_forbids_our_strategy_goes_like_a_hand_tools_field(kind, field, kind_of_strategy):
    seen = live(mine(REPLICAS), kind=kind)
    seen["spec"][field] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    sent = {"kind": kind, "spec": {field: {"type": kind_of_strategy}}}
    (_, replace) = ownership_patch(seen, sent, (), take_over=True)

    assert foreign_fields(seen, sent) == (f"/spec/{field}/rollingUpdate",)
    assert replace["value"][0]["fieldsV1"]["f:spec"] == {
        "f:replicas": {},
        f"f:{field}": {"f:rollingUpdate": {"f:partition": {}}},
    }


@pytest.mark.parametrize(
    "strategy",
    [{}, {"type": "RollingUpdate"}, {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}],
    ids=["none", "the default one", "one that contradicts itself"],
)
def test_no_other_strategy_meets_an_obstacle(strategy):
    seen = live(mine(REPLICAS))
    seen["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}

    assert foreign_fields(seen, {"kind": "Deployment", "spec": {"strategy": strategy}}) == ()


CLAIMS = {
    "of our own set": ({PART_OF: OURS}, {}, ""),
    "of another environment": (
        {PART_OF: "applyset-x-v1", "gitopsd.dev/environment": "production--web"},
        {},
        "environment production/web",
    ),
    "of an environment with an odd name": (
        {PART_OF: "applyset-x-v1", "gitopsd.dev/environment": "odd---0123"},
        {},
        "environment odd---0123",
    ),
    "of kubectl's own apply set": ({PART_OF: "applyset-x-v1"}, {}, "apply set applyset-x-v1"),
    "of a Helm release": (
        {"app.kubernetes.io/managed-by": "Helm"},
        {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"},
        "Helm release shop/web",
    ),
    "with Helm's label alone": (
        {"app.kubernetes.io/managed-by": "Helm"},
        {},
        "nobody (made by kubectl-create)",
    ),
    "of a Flux Kustomization": (
        {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
        {},
        "Flux Kustomization flux-system/apps",
    ),
    "of a Flux HelmRelease": (
        {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"},
        {},
        "Flux HelmRelease shop/web",
    ),
    "tracked by Argo CD": (
        {},
        {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"},
        "Argo CD application shop",
    ),
    "labelled by Argo CD": ({"argocd.argoproj.io/instance": "shop"}, {}, "Argo CD application shop"),
    "of nobody": ({}, {}, "nobody (made by kubectl-create)"),
}


@pytest.mark.parametrize(("labels", "annotations", "owner"), CLAIMS.values(), ids=CLAIMS)
def test_an_object_is(labels, annotations, owner):
    seen = live(entry("kubectl-create", PAUSED), labels=labels, annotations=annotations)

    assert claimant(seen, OURS) == owner


def test_an_environment_without_an_apply_set_claims_nothing():
    assert claimant(live(labels={PART_OF: ""}), "") == "nobody (made by an unknown tool)"


def kept(kind: str = "ConfigMap", labels: Mapping[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    """One of ours that may go, unless said otherwise."""
    entries = metadata.pop("entries", [mine(REPLICAS)])
    return live(*entries, kind=kind, labels={PART_OF: OURS, **(labels or {})}, **metadata)


def annotated(name: str, value: str) -> dict[str, Any]:
    return kept(annotations={name: value})


PROTECTED = {
    "another uid": (kept(uid="u2"), "UID is another"),
    "without our label": (kept(labels={PART_OF: ""}), "apply-set label"),
    "of another set": (kept(labels={PART_OF: "other"}), "apply-set label"),
    "owned by a controller": (kept(ownerReferences=[{"uid": "x", "controller": True}]), "a controller owns it"),
    "never applied by us": (kept(entries=[entry("kubectl", REPLICAS)]), "we never applied it"),
    "updated by us, not applied": (kept(entries=[entry("gitopsd", REPLICAS)]), "we never applied it"),
    "prune: never": (annotated("gitopsd.dev/prune", "never"), "gitopsd.dev/prune"),
    "prune: disabled": (annotated("gitopsd.dev/prune", "disabled"), "gitopsd.dev/prune"),
    "Flux's word": (annotated("kustomize.toolkit.fluxcd.io/prune", "Disabled"), "kustomize.toolkit"),
    "Helm's word": (annotated("helm.sh/resource-policy", "keep"), "helm.sh"),
    "cli-utils' word": (annotated("cli-utils.sigs.k8s.io/on-remove", "keep"), "cli-utils"),
    "kpt's word": (annotated("client.lifecycle.config.k8s.io/deletion", "detach"), "client.lifecycle"),
    "kapp's word": (annotated("kapp.k14s.io/delete-strategy", "orphan"), "kapp"),
    "Argo CD's word": (annotated("argocd.argoproj.io/sync-options", "Validate=false, Prune=false"), "argocd"),
    "a Namespace": (kept("Namespace"), "a Namespace holds"),
    "a PersistentVolume": (kept("PersistentVolume"), "a PersistentVolume holds"),
    "a PersistentVolumeClaim": (kept("PersistentVolumeClaim"), "a PersistentVolumeClaim holds"),
    "a StatefulSet": (kept("StatefulSet"), "a StatefulSet holds"),
    "a namespace of the system, whatever it says": (
        kept("Namespace", name="kube-system", annotations={"gitopsd.dev/prune": "allow"}),
        "of the cluster itself",
    ),
}

FREE = {
    "an ordinary object": kept(),
    "owned by no controller": kept(ownerReferences=[{"uid": "x"}]),
    "a StatefulSet with the opt-in": kept("StatefulSet", annotations={"gitopsd.dev/prune": "allow"}),
    "a definition without instances": kept("CustomResourceDefinition"),
    "Argo CD's other options": annotated("argocd.argoproj.io/sync-options", "Validate=false"),
}


@pytest.mark.parametrize(("body", "why"), PROTECTED.values(), ids=PROTECTED)
def test_it_must_not_be_pruned(body, why):
    assert why in protection(body, OURS, "u1")


@pytest.mark.parametrize("body", FREE.values(), ids=FREE)
def test_it_may_be_pruned(body):
    assert protection(body, OURS, "u1") == ""


def test_a_definition_with_instances_must_not_be_pruned():
    assert "objects of its kind exist" in protection(kept("CustomResourceDefinition"), OURS, "u1", has_instances=True)


def test_nothing_is_pruned_for_an_environment_without_an_apply_set():
    assert protection(kept(labels={PART_OF: ""}), "", "u1")


def test_an_object_without_a_known_uid_is_not_pruned():
    assert protection(kept(), OURS, "")


def test_only_our_apply_counts_as_ours():
    assert is_applied_by_us(live(mine({})))
    assert not is_applied_by_us(live(entry("gitopsd", {}, "Apply", subresource="status")))

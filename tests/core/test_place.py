"""Where objects go, and the operator's bounds that nothing in the repository can widen."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gitopsd.core.errors import RenderError, Stage
from gitopsd.core.manifests.directory import desired_from
from gitopsd.core.manifests.place import place
from gitopsd.core.manifests.scopes import group_of, guessed_scopes
from gitopsd.core.model import Desired, Environment, File, Revision

SERVED = {
    ("v1", "ConfigMap"): True,
    ("v1", "Namespace"): False,
    ("apps/v1", "Deployment"): True,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): False,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): False,
    ("apiregistration.k8s.io/v1", "APIService"): False,
}
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: SCOPE
  names: {kind: Widget, plural: widgets}
  versions: [{name: v1, served: true, storage: true}, {name: v2, served: false, storage: false}]
"""


def written(version: str, kind: str, name: str, namespace: str = "") -> str:
    place = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{place}}}\n"


def rendered(*documents: str, settings: str = "") -> Desired:
    files = [File("env/a.yaml", "1", "---\n".join(documents).encode())]
    if settings:
        head = "apiVersion: gitopsd.dev/v1\nkind: Environment\n"
        files.append(File("env/gitopsd.yaml", "2", f"{head}{settings}\n".encode()))
    return desired_from(Revision(ref="main", commit="c"), "env", files)


def environment(**bounds) -> Environment:
    return Environment(name="staging", source="s", path="env", **bounds)


def placed(*documents: str, settings: str = "", scopes: Mapping = SERVED, **bounds) -> list[str]:
    desired = place(rendered(*documents, settings=settings), scopes, environment(**bounds))
    return [str(manifest.ref) for manifest in desired.manifests]


def refused(*documents: str, settings: str = "", **bounds):
    with pytest.raises(RenderError) as caught:
        placed(*documents, settings=settings, **bounds)
    return [(problem.code, problem.line) for problem in caught.value.problems]


MAP = written("v1", "ConfigMap", "a")


@pytest.mark.parametrize(
    ("settings", "namespaces", "expected"),
    [
        pytest.param("namespace: shop", (), "ConfigMap shop/a", id="from the settings"),
        pytest.param("", ("shop",), "ConfigMap shop/a", id="the only one of the environment"),
        pytest.param("", ("shop", "shop-*"), "ConfigMap shop/a", id="the only literal one of the environment"),
        pytest.param("namespace: shop-b", ("shop", "shop-*"), "ConfigMap shop-b/a", id="settings before environment"),
    ],
)
def test_O14_a_namespace_that_is_not_written_is_filled_in(settings, namespaces, expected):
    assert placed(MAP, settings=settings, namespaces=namespaces) == [expected]


@pytest.mark.parametrize("namespaces", [(), ("shop-*",), ("a", "b")])
def test_O14_without_any_word_on_the_namespace_the_set_is_refused(namespaces):
    assert refused(MAP, namespaces=namespaces) == [("NAMESPACE_MISSING", 1)]


def test_a_written_namespace_stays():
    assert placed(written("v1", "ConfigMap", "a", "own"), settings="namespace: shop") == ["ConfigMap own/a"]


def test_what_is_filled_in_is_in_the_body_and_the_digest_of_the_object_and_in_that_of_the_set():
    desired = rendered(MAP, settings="namespace: shop")
    found = place(desired, SERVED, environment())

    assert found.manifests[0].body["metadata"] == {"name": "a", "namespace": "shop"}
    assert found.manifests[0].digest == rendered(written("v1", "ConfigMap", "a", "shop")).manifests[0].digest
    assert found.digest != desired.digest
    assert desired.manifests[0].body["metadata"] == {"name": "a"}


@pytest.mark.parametrize("namespace", ["other", "sho", "shop2", "shop-", "xshop-a"])
def test_O12_S32_a_namespace_outside_the_environments_is_refused(namespace):
    assert refused(written("v1", "ConfigMap", "a", f"'{namespace.rstrip('-')}x'"), namespaces=("shop", "shop-*")) == [
        ("NAMESPACE_NOT_ALLOWED", 1)
    ]


def test_S32_the_settings_cannot_lead_outside():
    assert refused(MAP, settings="namespace: kube-system", namespaces=("shop",)) == [("NAMESPACE_NOT_ALLOWED", 1)]


def test_S32_a_namespace_object_must_be_one_of_the_environments():
    assert placed(written("v1", "Namespace", "shop-a"), namespaces=("shop-*",)) == ["Namespace shop-a"]
    assert refused(written("v1", "Namespace", "other"), namespaces=("shop-*",)) == [("NAMESPACE_NOT_ALLOWED", 1)]


def test_O13_a_namespace_on_a_cluster_scoped_object_is_refused():
    role = written("rbac.authorization.k8s.io/v1", "ClusterRole", "a", "shop")

    assert refused(role, namespaces=("shop",)) == [("NAMESPACE_NOT_WANTED", 1)]


def test_S32_other_cluster_scoped_objects_are_allowed_unless_denied():
    role = written("rbac.authorization.k8s.io/v1", "ClusterRole", "a")

    assert placed(role, namespaces=("shop",)) == ["ClusterRole a"]


def test_without_rights_in_the_whole_cluster_only_namespaces_live_in_no_namespace():
    role = written("rbac.authorization.k8s.io/v1", "ClusterRole", "a")
    bounds = {"namespaces": ("shop",), "cluster_scoped": False}

    assert refused(MAP, role, **bounds) == [("KIND_DENIED", 5)]
    assert placed(MAP, written("v1", "Namespace", "shop"), **bounds) == ["ConfigMap shop/a", "Namespace shop"]


@pytest.mark.parametrize("deny", ["ClusterRole", "clusterrole", "ClusterRole.rbac.authorization.k8s.io"])
def test_S32_a_denied_kind_is_refused_however_the_operator_spells_it(deny):
    role = written("rbac.authorization.k8s.io/v1", "ClusterRole", "a")

    assert refused(role, deny=("Secret", deny)) == [("KIND_DENIED", 1)]


def test_S32_a_denied_kind_of_one_group_is_not_that_of_another():
    assert placed(MAP, settings="namespace: shop", deny=("ConfigMap.example.com",)) == ["ConfigMap shop/a"]


def test_O05_all_unknown_kinds_are_told():
    documents = (MAP, written("apps/v1", "Deploymnt", "a"), written("example.com/v1", "Widget", "b"))

    assert refused(*documents, namespaces=("shop",)) == [("KIND_UNKNOWN", 5), ("KIND_UNKNOWN", 9)]


def test_O06_a_version_that_is_not_served_is_unknown():
    assert refused(written("extensions/v1beta1", "Deployment", "a", "shop")) == [("KIND_UNKNOWN", 1)]


@pytest.mark.parametrize(("scope", "expected"), [("Namespaced", "Widget shop/w"), ("Cluster", "Widget w")])
def test_O25_a_kind_that_comes_with_the_set_is_known(scope, expected):
    documents = (CRD.replace("SCOPE", scope), written("example.com/v1", "Widget", "w"))

    assert expected in placed(*documents, namespaces=("shop",))


def test_O25_a_version_that_the_definition_does_not_serve_is_unknown():
    documents = (CRD.replace("SCOPE", "Namespaced"), written("example.com/v2", "Widget", "w"))

    assert [code for code, _ in refused(*documents, namespaces=("shop",))] == ["KIND_UNKNOWN"]


def test_the_clusters_own_word_on_a_scope_comes_before_that_of_the_set():
    documents = (CRD.replace("SCOPE", "Cluster"), written("example.com/v1", "Widget", "w"))
    scopes = {**SERVED, ("example.com/v1", "Widget"): True}

    assert "Widget shop/w" in placed(*documents, scopes=scopes, namespaces=("shop",))


def test_a_kind_behind_an_api_service_of_the_set_is_where_it_is_written():
    service = written("apiregistration.k8s.io/v1", "APIService", "v1.x.io") + "spec: {group: x.io, version: v1}\n"
    documents = (service, written("x.io/v1", "Gadget", "g", "shop"), written("x.io/v1", "Gadget", "h", "shop"))

    assert placed(*documents) == ["APIService v1.x.io", "Gadget shop/g", "Gadget shop/h"]


def test_O07_two_manifests_that_become_one_object_are_refused():
    documents = (MAP, written("v1", "ConfigMap", "a", "shop"))

    assert [code for code, _ in refused(*documents, settings="namespace: shop")] == ["DUPLICATE_OBJECT"]


def test_problems_name_object_place_and_stage():
    with pytest.raises(RenderError) as caught:
        placed(written("v1", "ConfigMap", "a", "other"), namespaces=("shop",))

    problem = caught.value.problem
    assert (problem.stage, problem.ref, problem.where) == (Stage.VALIDATE, "ConfigMap other/a", "env/a.yaml:1")


def test_without_a_cluster_own_kinds_are_known_and_others_live_where_they_are_written():
    documents = (
        MAP,
        written("rbac.authorization.k8s.io/v1", "ClusterRole", "r"),
        written("example.com/v1", "Widget", "w", "shop"),
        written("example.com/v1", "Widget", "a"),
        written("example.com/v1", "ClusterWidget", "c"),
    )
    desired = rendered(*documents)

    assert guessed_scopes(desired.manifests) == {
        ("v1", "ConfigMap"): True,
        ("rbac.authorization.k8s.io/v1", "ClusterRole"): False,
        ("example.com/v1", "Widget"): True,
        ("example.com/v1", "ClusterWidget"): False,
    }


@pytest.mark.parametrize(("kind", "group"), [("Job", "batch"), ("Deployment", "apps"), ("Secret", ""), ("Widget", "")])
def test_the_group_of_kubernetes_own_kinds_is_known(kind, group):
    assert group_of(kind) == group

"""What goes first, and what must be there before: only what truly depends on readiness waits."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.model import Manifest, ObjectRef, Origin
from gitopsd.core.order import in_order, needs


def made(
    kind: str, name: str, *, group: str = "", namespace: str = "shop", spec: object = None, **asks: str
) -> Manifest:
    """A manifest; ``asks`` are annotations of ours, ``depends_on`` and ``wave``."""
    annotations = {f"gitopsd.dev/{key.replace('_', '-')}": value for key, value in asks.items()}
    body = {"kind": kind, "metadata": {"name": name, "annotations": annotations}, "spec": spec}
    ref = ObjectRef(group, kind, namespace, name)
    return Manifest(ref=ref, api_version="v1", body=body, digest=name, origin=Origin(f"{name}.yaml", 1))


def waits(*manifests: Manifest) -> dict[str, set[str]]:
    """For each that waits: what for, by name."""
    return {ref.name: {one.name for one in before} for ref, before in needs(manifests).items() if before}


ONE, TWO = made("ConfigMap", "one"), made("ConfigMap", "two")
NAMESPACE = made("Namespace", "shop", namespace="")
CRD = made("CustomResourceDefinition", "crd", namespace="", spec={"group": "example.com", "names": {"kind": "Widget"}})
SERVICE_OF_API = made("APIService", "api", namespace="", spec={"group": "metrics.example.com"})


@pytest.mark.parametrize(
    ("manifests", "expected"),
    [
        ([ONE, TWO], {}),
        ([NAMESPACE, ONE], {"one": {"shop"}}),
        ([CRD, made("Widget", "w", group="example.com")], {"w": {"crd"}}),
        ([SERVICE_OF_API, made("Metric", "m", group="metrics.example.com")], {"m": {"api"}}),
        ([made("ConfigMap", "late", depends_on="ConfigMap/one"), ONE], {"late": {"one"}}),
        ([made("ConfigMap", "self", depends_on="ConfigMap/self")], {}),
        ([made("ConfigMap", "first", wave="-1"), ONE, TWO], {"one": {"first"}, "two": {"first"}}),
        (
            [made("ConfigMap", "first", wave="-1"), ONE, made("ConfigMap", "last", wave="7")],
            {"one": {"first"}, "last": {"first", "one"}},
        ),
    ],
    ids=[
        "objects that have nothing to do with each other do not wait",
        "an object waits for its namespace when that comes with it",
        "a custom resource waits for its definition",
        "an object of an aggregated API waits for the APIService",
        "what depends on another waits for it",
        "what depends on itself waits for nothing",
        "what is in a later wave waits for all of the earlier one",
        "and for those before that one too",
    ],
)
def test_what_an_object_waits_for(manifests, expected):
    assert waits(*manifests) == expected


@pytest.mark.parametrize(
    ("manifests", "told"),
    [
        (
            [made("ConfigMap", "a", depends_on="ConfigMap/b"), made("ConfigMap", "b", depends_on="ConfigMap/a")],
            {"ConfigMap shop/a", "ConfigMap shop/b"},
        ),
        (
            [made("ConfigMap", "early", wave="-1", depends_on="ConfigMap/late"), made("ConfigMap", "late"), ONE],
            {"ConfigMap shop/early", "ConfigMap shop/late"},
        ),
        (
            [
                made("ConfigMap", "early", wave="-2", depends_on="ConfigMap/late"),
                made("ConfigMap", "between", wave="-1"),
                made("ConfigMap", "late"),
            ],
            {"ConfigMap shop/early", "ConfigMap shop/late"},
        ),
        (
            [made("Namespace", "shop", namespace="", wave="1"), made("ConfigMap", "early", wave="-1")],
            {"Namespace shop", "ConfigMap shop/early"},
        ),
    ],
    ids=[
        "two that depend on each other",
        "one that depends on a later wave",
        "one that depends on a wave after the next",
        "one that is asked to go before its own namespace",
    ],
)
def test_objects_that_wait_for_each_other_are_refused_by_name(manifests, told):
    with pytest.raises(RenderError) as refused:
        needs(manifests)

    problem = refused.value.problem
    words, _, names = problem.message.partition(": ")
    circle = names.split(" → ")
    assert (problem.code, words) == ("DEPENDS_ON_CIRCLE", "objects wait for each other")
    assert circle[0] == circle[-1]
    assert set(circle) >= told
    assert problem.file.removesuffix(".yaml") in problem.ref


def test_to_depend_on_what_is_not_there_is_refused():
    with pytest.raises(RenderError) as refused:
        needs([made("ConfigMap", "late", depends_on="ConfigMap/nobody"), ONE])

    assert (refused.value.problem.code, refused.value.problem.file) == ("DEPENDS_ON_UNKNOWN", "late.yaml")


def test_waves_come_first_then_kinds_that_others_refer_to_then_names():
    manifests = [
        made("ValidatingWebhookConfiguration", "hook", namespace=""),
        made("Deployment", "web", group="apps"),
        TWO,
        made("Widget", "w", group="example.com"),
        ONE,
        made("Deployment", "first", group="apps", wave="-1"),
        NAMESPACE,
    ]

    ordered = [(wave, manifest.ref.name) for wave, manifest in in_order(manifests)]

    assert ordered == [(0, "shop"), (1, "first"), (2, "one"), (2, "two"), (3, "web"), (4, "w"), (5, "hook")]


def test_definitions_and_namespaces_go_with_the_first_wave_of_all():
    early = made("Job", "migrate", group="batch", namespace="other", wave="-1")

    assert waits(CRD, NAMESPACE, early, ONE) == {"one": {"shop", "crd", "migrate"}}
    assert [manifest.ref.name for _, manifest in in_order([ONE, early, NAMESPACE, CRD])][:3] == [
        "crd",
        "shop",
        "migrate",
    ]


def test_a_namespace_goes_with_the_first_wave_in_it():
    early, late = made("ConfigMap", "early", wave="-1"), made("ConfigMap", "late", wave="7")

    assert waits(late, NAMESPACE, early, ONE) == {
        "early": {"shop"},
        "one": {"shop", "early"},
        "late": {"shop", "early", "one"},
    }

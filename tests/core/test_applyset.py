"""Every environment has a parent of its own, which kubectl recognises."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitopsd.core import applyset
from gitopsd.core.manifests.naming import key_fault, label_fault, name_fault
from gitopsd.core.model import ObjectRef

CONFIG_MAP = ObjectRef("", "ConfigMap", "shop", "web")
DEPLOYMENT = ObjectRef("apps", "Deployment", "gitopsd", "web")
NAMESPACE = ObjectRef("", "Namespace", "", "shop")


def test_the_id_is_the_one_that_kubectl_computes():
    assert (
        applyset.apply_set_id("my-set", "test", "Secret") == "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"
    )


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        pytest.param("staging", "gitopsd-staging", id="a plain name is kept"),
        pytest.param("production/web", "gitopsd-production--web", id="a slash becomes two dashes"),
        pytest.param("a--b", "gitopsd-a-b---90827a2e56361a8f", id="two dashes of one's own are no slash"),
        pytest.param("Größe", "gitopsd-gr-e---aedc3f80989a6546", id="letters that no name may have give way to a hash"),
        pytest.param("v1.2", "gitopsd-v1-2---0e4f5bced9416bf3", id="a dot gives way to a hash"),
        pytest.param("-", "gitopsd-x---3973e022e93220f9", id="nothing that can be said leaves the hash"),
    ],
)
def test_the_parents_name_can_be_read(environment, name):
    assert applyset.parent_name(environment) == name


@given(st.text(min_size=1, max_size=300))
@example("a" * 64)
@example("a/" * 31 + "a")
def test_every_name_and_id_is_one_that_the_api_server_takes(environment):
    name = applyset.parent_name(environment)

    assert name_fault("", "ConfigMap", name) == ""
    assert label_fault("gitopsd.dev/environment", applyset.slug(environment)) == ""
    assert [label_fault(*label) for label in applyset.parent_labels(environment, "gitopsd").items()] == [""]


@given(st.lists(st.text(alphabet="aA-/.", min_size=1, max_size=6), unique=True, max_size=50))
def test_two_environments_never_share_a_parent(environments):
    names = [applyset.parent_name(environment) for environment in environments]

    assert len(set(names)) == len(names)


def test_names_that_differ_after_the_longest_readable_part_differ():
    first, second = ("a" * 100 + end for end in "xy")

    assert applyset.parent_name(first) != applyset.parent_name(second)


def test_the_id_depends_on_the_namespace_and_on_the_environment():
    ids = {applyset.apply_set(*pair) for pair in itertools.product(("staging", "production"), ("gitopsd", "ops"))}

    assert len(ids) == 4


def test_the_parent_says_what_its_members_are_and_where():
    annotations = applyset.parent_annotations("1.2.3", [DEPLOYMENT, CONFIG_MAP, NAMESPACE], "gitopsd")

    assert annotations == {
        "applyset.kubernetes.io/tooling": "gitopsd/v1.2.3",
        "applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Deployment.apps,Namespace",
        "applyset.kubernetes.io/additional-namespaces": "shop",
    }
    assert [key_fault(key) for key in annotations] == ["", "", ""]


def test_a_set_without_members_says_so():
    annotations = applyset.parent_annotations("1.2.3", [], "gitopsd")

    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == ""


OURS = {"applyset.kubernetes.io/id": applyset.apply_set("staging", "gitopsd")}
BY_US = {"applyset.kubernetes.io/tooling": "gitopsd/v0.0.1"}


@pytest.mark.parametrize(
    ("labels", "annotations", "why"),
    [
        pytest.param(OURS, BY_US, "", id="another version of gitopsd is us"),
        pytest.param(OURS, {}, "it has no annotation", id="no tooling is not ours"),
        pytest.param(OURS, {**BY_US, applyset.TOOLING: "kubectl/v1.34"}, "says kubectl/v1.34", id="another tool's"),
        pytest.param(OURS, {**BY_US, applyset.TOOLING: "gitopsd"}, "says gitopsd", id="a tool without a version"),
        pytest.param({}, BY_US, "its label", id="no id is not ours"),
        pytest.param({applyset.ID: "applyset-x-v1"}, BY_US, "its label", id="the id of another parent is not ours"),
    ],
)
def test_only_our_own_parent_is_ours(labels, annotations, why):
    found = applyset.foreign_to("staging", "gitopsd", labels, annotations)

    assert why in found
    assert bool(found) is bool(why)

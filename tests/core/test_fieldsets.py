"""Trees of fields as managedFields writes them."""

from __future__ import annotations

import pytest

from gitopsd.core.fieldsets import fields_of, has, leaves, locate, only, sends, shown, union, without

WEB = 'k:{"name":"web"}'
TREE = fields_of({"f:spec": {"f:replicas": {}, "f:containers": {WEB: {".": {}, "f:image": {}, "f:env": {}}}}})
BODY = {"spec": {"replicas": 3, "containers": [{"name": "log"}, {"name": "web", "image": "a"}]}}


def test_a_union_has_the_fields_of_both():
    both = union({"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}, "f:d": {}})

    assert both == {"f:a": {"f:b": {}, "f:c": {}}, "f:d": {}}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (("f:a", "f:b"), {"f:a": {"f:c": {}}}),
        (("f:a",), {}),
        (("f:x",), {"f:a": {"f:b": {}, "f:c": {}}}),
        (("f:a", "f:b", "f:deeper"), {"f:a": {"f:b": {}, "f:c": {}}}),
    ],
    ids=["a field goes", "a branch goes", "an unknown field changes nothing", "what is below a leaf is not there"],
)
def test_without_a_path(path, left):
    assert without({"f:a": {"f:b": {}, "f:c": {}}}, path) == left


def test_a_branch_without_fields_goes_with_its_last_field():
    assert without({"f:a": {"f:b": {"f:c": {}}}}, ("f:a", "f:b", "f:c")) == {}


def test_a_place_that_is_owned_itself_stays_without_its_fields():
    assert without({"f:a": {".": {}, "f:b": {}}}, ("f:a", "f:b")) == {"f:a": {".": {}}}


def test_only_a_path_keeps_all_below_it():
    assert only({"f:a": {"f:b": {"f:c": {}}, "f:d": {}}}, ("f:a", "f:b")) == {"f:a": {"f:b": {"f:c": {}}}}


def test_leaves_are_named_parents_first():
    assert [shown(path) for path in leaves(TREE)] == [
        "/spec/replicas",
        "/spec/containers/name=web",
        "/spec/containers/name=web/image",
        "/spec/containers/name=web/env",
    ]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (("f:spec", "f:replicas"), True),
        (("f:spec", "f:containers", WEB, "f:image"), True),
        (("f:spec", "f:containers", WEB, "f:env"), False),
        (("f:spec", "f:containers", 'k:{"name":"other"}'), False),
        (("f:spec", "f:containers", 'k:{"name":"web","protocol":"TCP"}'), True),
        (("f:spec", "f:replicas", "f:deeper"), False),
    ],
    ids=[
        "a field",
        "a field of a list entry",
        "a field that the entry does not have",
        "another entry",
        "an entry that leaves one of its keys to the default",
        "below a number",
    ],
)
def test_a_body_sends(path, sent):
    assert sends(BODY, path) is sent


def test_a_value_of_a_list_used_as_a_set_is_found():
    assert sends({"finalizers": ["a/b"]}, ("f:finalizers", 'v:"a/b"'))
    assert not sends({"finalizers": ["a/b"]}, ("f:finalizers", 'v:"c"'))


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("/spec/replicas", ("f:spec", "f:replicas")),
        ("/spec/containers/1/image", ("f:spec", "f:containers", WEB, "f:image")),
        ("/spec/containers/0/image", None),
        ("/spec/containers/7/image", None),
        ("/spec/other", None),
        ("", None),
    ],
    ids=["a field", "an entry by its place", "an entry not owned", "no such entry", "a field not owned", "the whole"],
)
def test_a_pointer_is_located(pointer, path):
    assert locate(TREE, BODY, pointer) == path


def test_a_pointer_with_escapes_is_located():
    tree = fields_of({"f:metadata": {"f:annotations": {"f:a.b/c": {}}}})
    body = {"metadata": {"annotations": {"a.b/c": "x"}}}

    assert locate(tree, body, "/metadata/annotations/a.b~1c") == ("f:metadata", "f:annotations", "f:a.b/c")
    assert has(tree, ("f:metadata", "f:annotations"))

"""What will be otherwise than with helm is said: hooks, functions that find nothing, sets that are never the same."""

from __future__ import annotations

import json

import pytest

from gitopsd.core.helm.chart import chart_in
from gitopsd.core.helm.functions import function_warnings
from gitopsd.core.helm.hooks import hook_warnings, unknown_hook_warnings
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.manifests.unstable import OBJECTS_TOLD_MAX, instabilities, is_unstable, lasting
from gitopsd.core.model import Desired, File, Revision
from gitopsd.core.settings import Settings
from tests.core.charts import chart_yaml, reader


def written(*bodies: dict):
    text = "\n---\n".join(json.dumps(body) for body in bodies)
    return read_file(File("env/templates/a.yaml", "", text.encode())).objects


def a_map(name: str = "a", annotations: dict | None = None, **data: object) -> dict:
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def hook_message(annotations: dict) -> str:
    found = [problem.message for problem in hook_warnings([written(a_map("a", annotations))[0].manifest])]
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        (
            "pre-install,pre-upgrade",
            "it goes before everything else; it runs again only when it changes, not at each sync",
        ),
        ("post-install, post-upgrade", "it goes after everything else; it runs again only when it changes"),
        ("pre-install", "it goes before everything else; it is made once, and never changed"),
        ("post-upgrade", "it goes with the first sync too, and runs again only when it changes"),
        ("test", "never applied, only helm runs it"),
        ("pre-delete,post-rollback", "never applied, only helm runs it"),
        ("post-install,test", "it is made once, and never changed"),
    ],
)
def test_each_hook_is_told_what_becomes_of_it(hooks, words):
    assert words in hook_message({"helm.sh/hook": hooks})


def test_a_delete_policy_is_not_followed_and_that_is_said():
    policy = {"helm.sh/hook-delete-policy": "hook-succeeded"}

    assert "it stays when it is done" in hook_message({"helm.sh/hook": "pre-install,pre-upgrade", **policy})
    assert "it stays when it is done" not in hook_message({"helm.sh/hook": "test", **policy})


def test_an_object_without_a_hook_is_told_nothing():
    assert hook_message({"helm.sh/resource-policy": "keep", "a": "b"}) == ""


def test_what_helm_leaves_out_is_said_by_its_own_words():
    line = 'level=INFO msg="skipping unknown hooks" hookTypes='
    said = f'{line}crd-install\n{line}"a, b"\n'

    assert [(one.code, one.message) for one in unknown_hook_warnings(said, "env/Chart.yaml")] == [
        ("HELM_HOOK_UNKNOWN", "helm leaves out an object for its hook crd-install"),
        ("HELM_HOOK_UNKNOWN", "helm leaves out an object for its hook a, b"),
    ]


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ('{{ lookup "v1" "Secret" "a" "b" }}', [("HELM_LOOKUP_EMPTY", 1)]),
        ('a: b\n{{- $x := (lookup "v1"\n "Secret" "a" "b") }}', [("HELM_LOOKUP_EMPTY", 2)]),
        ("\n\n{{ if\n\ntrue | and (lookup) }}", [("HELM_LOOKUP_EMPTY", 5)]),
        ('{{ getHostByName "a" }}', [("HELM_LOOKUP_EMPTY", 1)]),
        ('{{ now | date "2006" }}\n{{ now }}', [("HELM_CLOCK", 1)]),
        ("{{ now }}\n{{ lookup }}", [("HELM_CLOCK", 1), ("HELM_LOOKUP_EMPTY", 2)]),
        ('{{/* lookup "v1" */}}{{- /* now */ -}}', []),
        ('{{ "lookup now" }}{{ `now` }}{{ .Values.now }}{{ $now }}{{ .lookup.now }}{{ include "x.now" . }}', []),
        ("lookup now { lookup } }} lookup", []),
        ("{{" * 1_000, []),
        ("", []),
    ],
)
def test_functions_that_find_nothing_are_found_where_they_are_called(template, found):
    files = {"env/Chart.yaml": chart_yaml(), "env/templates/a.yaml": template, "env/README.md": "{{ lookup }}"}
    warnings = function_warnings(chart_in("env", reader(files)))

    assert [(one.code, one.line) for one in warnings] == found


def test_functions_of_charts_within_are_found_too():
    files = {
        "env/Chart.yaml": chart_yaml(),
        "env/charts/sub/Chart.yaml": chart_yaml("sub"),
        "env/charts/sub/templates/_h.tpl": "{{ now }}",
    }

    assert [one.where for one in function_warnings(chart_in("env", reader(files)))] == [
        "env/charts/sub/templates/_h.tpl:1"
    ]


def test_the_same_twice_is_no_warning():
    assert instabilities(written(a_map(a="1")), written(a_map(a="1"))) == ()


def test_what_differs_is_told_by_object_and_place_and_never_by_value():
    one = {**a_map(password="hunter2", keep="x"), "spec": {"a/b": [{"c~d": "one"}, 1]}}
    other = {**a_map(password="hunter3", keep="x"), "spec": {"a/b": [{"c~d": "two"}, 1, 2]}}

    (problem,) = instabilities(written(one), written(other))

    assert (problem.code, problem.ref, problem.where) == ("RENDER_UNSTABLE", "ConfigMap a", "env/templates/a.yaml")
    assert problem.message.endswith(": /data/password, /spec/a~1b/0/c~0d, /spec/a~1b/2")
    assert "hunter" not in repr(problem)


def test_true_and_one_are_not_the_same():
    (problem,) = instabilities(written({**a_map(), "spec": {"a": True}}), written({**a_map(), "spec": {"a": 1}}))

    assert problem.message.endswith(": /spec/a")


def test_a_name_that_is_never_the_same_is_told_as_such():
    (problem,) = instabilities(written(a_map("a-x7"), a_map("b")), written(a_map("a-q2"), a_map("b")))

    assert (problem.ref, problem.message) == ("ConfigMap a-x7", "is called something else at each render")


def test_of_many_the_first_are_told():
    one, other = ([a_map(f"a{n}", **{f"k{k}": value for k in range(9)}) for n in range(99)] for value in "xy")

    found = instabilities(written(*one), written(*other))

    assert len(found) == OBJECTS_TOLD_MAX
    assert found[0].message.endswith(": /data/k0, /data/k1, /data/k2, /data/k3, /data/k4 and more")


def desired(body: dict, *warnings) -> Desired:
    (one,) = written(body)
    return Desired(
        revision=Revision(ref="main", commit="c"),
        digest=one.manifest.digest,
        manifests=(one.manifest,),
        settings=Settings(),
        warnings=tuple(warnings),
    )


def test_a_set_that_is_never_the_same_has_the_digest_of_its_inputs():
    (warning,) = instabilities(written(a_map(a="1")), written(a_map(a="2")))
    first, second = desired(a_map(a="1"), warning), desired(a_map(a="2"), warning)

    assert is_unstable(first)
    assert first.digest != second.digest
    assert lasting(first, "inputs").digest == lasting(second, "inputs").digest
    assert lasting(first, "inputs").digest != lasting(first, "other inputs").digest


def test_any_other_set_has_the_digest_of_its_content():
    assert lasting(desired(a_map(a="1")), "inputs") == desired(a_map(a="1"))
    assert not is_unstable(desired(a_map(a="1")))


def test_an_object_that_only_the_second_render_has_is_told():
    (problem,) = instabilities(written(a_map("a")), written(a_map("a"), a_map("b")))

    assert (problem.ref, problem.message) == ("ConfigMap b", "is not there at each render")


def test_calls_far_down_in_one_place_are_told_by_their_line():
    count = 20_000
    calls = "{{ if or " + "now\n" * count + "}}{{ end }}{{ lookup }}"
    files = {"env/Chart.yaml": chart_yaml(), "env/templates/a.yaml": calls}
    assert [one.line for one in function_warnings(chart_in("env", reader(files)))] == [1, count + 1]

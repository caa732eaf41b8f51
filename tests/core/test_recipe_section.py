"""What ``render`` in ``gitopsd.yaml`` may say, and every way to say it wrong."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.recipe_section import origin_of, recipe_written
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import File, Origin
from gitopsd.core.recipes import Helm, Kustomize, Plain

HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\n"


def settings(content: str) -> File:
    return File("env/gitopsd.yaml", "1", (HEAD + content).encode())


def refused(content: str):
    with pytest.raises(RenderError) as caught:
        recipe_written(settings(content))
    with pytest.raises(RenderError) as again:
        parse_settings(settings(content))
    assert again.value.problems == caught.value.problems
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "recipe"),
    [
        ("", None),
        ("namespace: shop\n", None),
        ("render:\n", None),
        ("render: plain\n", Plain()),
        ("render: {kustomize: {}}\n", Kustomize()),
        ("render: {kustomize: }\n", Kustomize()),
        ("render: {kustomize: {path: ../../base}}\n", Kustomize(path="../../base")),
        ("render: {helm: {}}\n", Helm()),
        ("render: {helm: {chart: ../../charts/web}}\n", Helm(chart="../../charts/web")),
    ],
)
def test_what_can_be_said(content, recipe):
    assert recipe_written(settings(content)) == recipe


def test_all_that_can_be_said_of_a_chart():
    content = """
render:
  helm:
    chart: chart
    release: web-1.x
    namespace: shop
    valuesFiles: [values.yaml, ../common.yaml]
    values: {country: NO, replicas: 3, list: [a, {b: null}], rate: 1e3, quoted: "no"}
    kubeVersion: v1.35.4
    apiVersions: [v1, monitoring.coreos.com/v1, monitoring.coreos.com/v1/ServiceMonitor]
"""
    assert recipe_written(settings(content)) == Helm(
        chart="chart",
        release="web-1.x",
        namespace="shop",
        values_files=("values.yaml", "../common.yaml"),
        values={"country": False, "replicas": 3, "list": ["a", {"b": None}], "rate": 1000, "quoted": "no"},
        kube_version="v1.35.4",
        api_versions=("v1", "monitoring.coreos.com/v1", "monitoring.coreos.com/v1/ServiceMonitor"),
    )


def test_inline_values_are_in_no_repr():
    recipe = recipe_written(settings("render: {helm: {values: {password: hunter2}}}\n"))

    assert "hunter2" not in repr(recipe)


@pytest.mark.parametrize(
    ("content", "path", "words"),
    [
        ("render: helm\n", "render", "either kustomize or helm"),
        ("render: 1\n", "render", "either kustomize or helm"),
        ("render: []\n", "render", "either kustomize or helm"),
        ("render: {}\n", "render", "either kustomize or helm"),
        ("render: {helm: {}, kustomize: {}}\n", "render", "either kustomize or helm"),
        ("render: {helm: chart}\n", "render.helm", "mapping"),
        ("render: {kustomize: [a]}\n", "render.kustomize", "mapping"),
        ("render: {kustomize: {path: 1}}\n", "render.kustomize.path", "text"),
        ("render: {kustomize: {path: /base}}\n", "render.kustomize.path", "relative"),
        ("render: {kustomize: {path: 'https://a/b'}}\n", "render.kustomize.path", "address"),
        ("render: {helm: {chart: 'oci://a/b'}}\n", "render.helm.chart", "address"),
        ("render: {helm: {chart: 'C:/a'}}\n", "render.helm.chart", "address"),
        ("render: {helm: {chart: 'a\\b'}}\n", "render.helm.chart", "plain path"),
        ('render: {helm: {chart: "a\\nb"}}\n', "render.helm.chart", "plain path"),
        ("render: {helm: {chart: a/.git/b}}\n", "render.helm.chart", ".git"),
        ("render: {helm: {release: Web}}\n", "render.helm.release", "a-z"),
        ("render: {helm: {release: --debug}}\n", "render.helm.release", "a-z"),
        (f"render: {{helm: {{release: {'a' * 54}}}}}\n", "render.helm.release", "53"),
        ("render: {helm: {namespace: A_b}}\n", "render.helm.namespace", "a-z"),
        ("render: {helm: {valuesFiles: a.yaml}}\n", "render.helm.valuesFiles", "list"),
        ("render: {helm: {valuesFiles: [a.yaml, /etc/passwd]}}\n", "render.helm.valuesFiles", "relative"),
        ("render: {helm: {valuesFiles: ['http://a/b.yaml']}}\n", "render.helm.valuesFiles", "address"),
        (f"render: {{helm: {{valuesFiles: [{'a,' * 51}]}}}}\n", "render.helm.valuesFiles", "at most 50"),
        ("render: {helm: {values: [a]}}\n", "render.helm.values", "mapping"),
        ("render: {helm: {kubeVersion: 1.35}}\n", "render.helm.kubeVersion", "text"),
        ("render: {helm: {kubeVersion: latest}}\n", "render.helm.kubeVersion", "version"),
        ("render: {helm: {apiVersions: ['a/b/c/d']}}\n", "render.helm.apiVersions", "group"),
        ("render: {helm: {apiVersions: ['v1,v2']}}\n", "render.helm.apiVersions", "group"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_and_line(content, path, words):
    (problem,) = refused(content)

    assert (problem.code, problem.file, problem.line) == ("SETTINGS_INVALID", "env/gitopsd.yaml", 3)
    assert problem.message.startswith(f"{path} ")
    assert words in problem.message


@pytest.mark.parametrize(
    ("content", "path", "line", "hint"),
    [
        ("render: {hlem: {}}\n", "render.hlem", 3, "did you mean helm?"),
        ("render:\n  helm:\n    valueFiles: []\n", "render.helm.valueFiles", 5, "did you mean valuesFiles?"),
        ("render:\n  helm:\n    postRenderer: sh\n", "render.helm.postRenderer", 5, "known are"),
        ("render:\n  kustomize:\n    pth: a\n", "render.kustomize.pth", 5, "did you mean path?"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_line_and_the_likely_word(content, path, line, hint):
    (problem,) = refused(content)

    assert (problem.code, problem.line) == ("SETTINGS_UNKNOWN_KEY", line)
    assert problem.message.startswith(f"{path} ")
    assert hint in problem.hint


def test_where_a_word_of_the_recipe_stands_can_be_asked_for():
    written = settings("render:\n  helm:\n    valuesFiles:\n    - a.yaml\n    - b.yaml\n")

    assert origin_of(written, "helm", "valuesFiles", 1) == Origin("env/gitopsd.yaml", 7)
    assert origin_of(written, "helm", "chart") == Origin("env/gitopsd.yaml", 4)


def test_the_charts_namespace_is_that_of_what_names_none():
    assert parse_settings(settings("render: {helm: {namespace: shop}}\n")).namespace == "shop"
    assert parse_settings(settings("namespace: shop\nrender: {helm: {namespace: shop}}\n")).namespace == "shop"
    assert parse_settings(settings("namespace: shop\nrender: {helm: {}}\n")).namespace == "shop"
    assert parse_settings(settings("render: {kustomize: {}}\n")).namespace == ""


def test_two_namespaces_are_one_too_many():
    with pytest.raises(RenderError) as caught:
        parse_settings(settings("namespace: shop\nrender: {helm: {namespace: web}}\n"))

    assert (caught.value.problem.code, caught.value.problem.line) == ("SETTINGS_INVALID", 3)

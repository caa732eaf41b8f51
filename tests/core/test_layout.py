"""What is in a directory says what renders it, unless gitopsd.yaml does."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.directory import read_directory
from gitopsd.core.manifests.layout import lay_out
from gitopsd.core.manifests.paths import inside, is_below
from gitopsd.core.model import File
from gitopsd.core.recipes import Helm, Kustomize, Plain

SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nrender: "
FLUX = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: k}\n"


def files(**texts: str) -> list[File]:
    return [File(f"env/{name.replace('__', '/')}", name, text.encode()) for name, text in texts.items()]


@pytest.mark.parametrize(
    ("texts", "recipe"),
    [
        ({}, Plain()),
        ({"a.yaml": "a: 1"}, Plain()),
        ({"kustomization.yaml": "resources: []"}, Kustomize()),
        ({"kustomization.yml": ""}, Kustomize()),
        ({"Kustomization": "resources: ["}, Kustomize()),
        ({"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component"}, Kustomize()),
        ({"kustomization.yaml": FLUX}, Plain()),
        ({"sub__kustomization.yaml": "resources: []", "sub__Chart.yaml": "name: x"}, Plain()),
        ({"Chart.yaml": "name: x"}, Helm()),
        ({"Chart.yaml": "name: x", "kustomization.yaml": FLUX}, Helm()),
        ({"gitopsd.yaml": f"{SETTINGS}plain", "Chart.yaml": "name: x"}, Plain()),
        ({"gitopsd.yaml": f"{SETTINGS}{{kustomize: {{path: ../base}}}}"}, Kustomize(path="../base")),
        (
            {
                "gitopsd.yaml": f"{SETTINGS}{{helm: {{}}}}",
                "Chart.yaml": "name: x",
                "kustomization.yaml": "resources: []",
            },
            Helm(),
        ),
    ],
)
def test_the_recipe_is_what_the_directory_says(texts, recipe):
    assert lay_out("env", files(**texts)).recipe == recipe


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({"Chart.yaml": "name: x", "kustomization.yaml": "resources: []"}, "RECIPE_AMBIGUOUS"),
        ({"Kustomization": "resources: []", "kustomization.yml": "resources: []"}, "KUSTOMIZATION_TWICE"),
        ({"gitopsd.yaml": "a: 1", "gitopsd.yml": "a: 1"}, "SETTINGS_TWICE"),
    ],
)
def test_a_directory_that_says_two_things_is_refused(texts, code):
    with pytest.raises(RenderError, match=code):
        lay_out("env", files(**texts))


@pytest.mark.parametrize("name", ["sub__kustomization.yaml", "kustomization.YAML"])
def test_a_kustomization_where_none_is_looked_for_is_refused(name):
    text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n"

    found = read_directory("env", files(**{name: text}))

    assert [(one.code, one.line) for one in found.problems] == [("KUSTOMIZATION_MISPLACED", 1)]


def test_a_kustomization_of_another_tool_is_a_manifest_like_any_other():
    found = read_directory("env", files(**{"kustomization.yaml": FLUX}))

    assert [one.manifest.ref.kind for one in found.objects] == ["Kustomization"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("directory", "path", "leads_to"),
    [
        ("a/b", "c", "a/b/c"),
        ("a/b", "./c/", "a/b/c"),
        ("a/b", "../c", "a/c"),
        ("a/b", "../..", ""),
        ("", "c", "c"),
        ("a/b", "../../..", None),
        ("", "..", None),
        ("a", "/etc", None),
        ("a", "b\\c", None),
        ("a", "b\0", None),
        ("a", "../.git/config", None),
        ("a", ".GIT/config", None),
        ("a", "..b", "a/..b"),
        ("a/b", "../../a/b", "a/b"),
    ],
)
def test_a_path_leads_to_a_place_in_the_repository_or_nowhere(directory, path, leads_to):
    assert inside(directory, path) == leads_to


@pytest.mark.parametrize(
    ("path", "directory", "below"),
    [("a/b", "a", True), ("a", "a", True), ("ab", "a", False), ("a", "a/b", False), ("x", "", True)],
)
def test_paths_are_compared_by_their_parts(path, directory, below):
    assert is_below(path, directory) is below

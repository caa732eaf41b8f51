"""A kustomization that only lists files is a list of files; everything that needs another renderer is refused."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.directory import desired_from
from gitopsd.core.model import File, Revision

REVISION = Revision(ref="main", commit="c" * 40)
GROUP = "kustomize.config.k8s.io"
HEAD = f"apiVersion: {GROUP}/v1beta1\nkind: Kustomization\n"


def a_file(path: str, content: str) -> File:
    return File(f"env/{path}", path, content.encode())


def a_map(name: str) -> File:
    return a_file(f"{name}.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name.replace('/', '-')}}}\n")


MAPS = (a_map("a"), a_map("b"), a_map("sub/c"))


def refused(*files: File) -> tuple[str, str, str]:
    with pytest.raises(RenderError) as caught:
        desired_from(REVISION, "env", files)
    (problem,) = caught.value.problems
    return problem.code, problem.file, problem.message


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_exactly_the_listed_files_are_read_and_that_is_told(name):
    listed = a_file(name, f"{HEAD}resources:\n- a.yaml\n- ./sub/c.yaml\n")
    desired = desired_from(REVISION, "env", (*MAPS, listed))

    assert [manifest.ref.name for manifest in desired.manifests] == ["a", "sub-c"]
    assert [(warning.code, warning.file) for warning in desired.warnings] == [("KUSTOMIZATION_IGNORED", f"env/{name}")]


def test_the_result_is_that_of_the_plain_directory():
    listed = a_file("kustomization.yaml", "resources: [a.yaml, b.yaml, sub/c.yaml]\n")

    with_it = desired_from(REVISION, "env", (*MAPS, listed))

    assert with_it.digest == desired_from(REVISION, "env", MAPS).digest


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{HEAD}resources: [a.yaml]\nnamePrefix: x-\n", id="another field"),
        pytest.param(f"{HEAD}resources: [a.yaml]\nimages: []\n", id="an empty field"),
        pytest.param(f"{HEAD}resources: [sub]\n", id="a directory"),
        pytest.param(f"{HEAD}resources: [../other/a.yaml]\n", id="outside"),
        pytest.param(f"{HEAD}resources: [missing.yaml]\n", id="a missing file"),
        pytest.param(f"{HEAD}resources: ['https://example.com/a.yaml']\n", id="a URL"),
        pytest.param(f"{HEAD}resources: [1]\n", id="a number"),
        pytest.param(f"{HEAD}resources: a.yaml\n", id="no list"),
        pytest.param(f"{HEAD}resources: [kustomization.yaml, a.yaml]\n---\n{HEAD}", id="two of them"),
        pytest.param(f"apiVersion: {GROUP}/v1alpha1\nkind: Component\nresources: [a.yaml]\n", id="a component"),
        pytest.param("- a.yaml\n", id="no mapping"),
    ],
)
def test_R1_R2_R3_a_kustomization_that_does_more_is_refused(content):
    code, file, _ = refused(*MAPS, a_file("kustomization.yaml", content))

    assert (code, file) == ("RENDERER_UNSUPPORTED", "env/kustomization.yaml")


def test_R1_a_kustomization_that_cannot_be_read_is_refused():
    assert refused(*MAPS, a_file("kustomization.yaml", "a: ["))[0] == "YAML_SYNTAX"


def test_R1_two_kustomizations_are_refused():
    twice = (a_file("kustomization.yaml", HEAD), a_file("Kustomization", HEAD))

    assert refused(*MAPS, *twice)[0] == "KUSTOMIZATION_TWICE"


@pytest.mark.parametrize("resources", ["", "resources: []\n", "resources: null\n"])
def test_C1_a_kustomization_that_lists_nothing_is_an_empty_environment(resources):
    assert refused(*MAPS, a_file("kustomization.yaml", HEAD + resources))[0] == "EMPTY_ENVIRONMENT"


def test_a_kustomization_of_another_tool_is_a_manifest_like_any_other():
    of_flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: k}\n"
    desired = desired_from(REVISION, "env", (*MAPS, a_file("kustomization.yaml", of_flux)))

    assert [manifest.ref.kind for manifest in desired.manifests].count("Kustomization") == 1
    assert desired.warnings == ()


def test_a_kustomization_further_down_is_refused():
    nested = a_file("sub/kustomization.yaml", f"{HEAD}resources: [c.yaml]\n")

    assert refused(*MAPS, nested)[:2] == ("RENDERER_UNSUPPORTED", "env/sub/kustomization.yaml")


@pytest.mark.parametrize("name", ["Chart.yaml", "chart.yml"])
def test_a_chart_is_refused(name):
    code, _, message = refused(*MAPS, a_file(name, "apiVersion: v2\nname: x\n"))

    assert code == "RENDERER_UNSUPPORTED"
    assert "plain directories only" in message

"""What helm prints leads back to where it was written: the template, and its line only where it is surely that line."""

from __future__ import annotations

import pytest

from gitopsd.core.helm import output as helm_output
from gitopsd.core.helm.chart import chart_in
from gitopsd.core.helm.output import complaint_of, objects_in
from gitopsd.core.manifests.objects import OUTPUT_BYTES_MAX
from tests.core.charts import chart_yaml, depends_on, reader

FILES = {
    "env/Chart.yaml": chart_yaml("web", depends_on("name: packed, repository: 'https://x'")),
    "env/values.schema.json": "{}",
    "env/values.yaml": "",
    "env/crds/c.yaml": "",
    "env/templates/a.yaml": "",
    "env/templates/b.json": "",
    "env/templates/_h.tpl": "",
    "env/charts/sub/Chart.yaml": chart_yaml("sub"),
    "env/charts/sub/templates/a.yaml": "",
    "env/charts/sub/values.schema.json": "",
    "env/charts/packed-1.0.0.tgz": "",
}
CHART = chart_in("env", reader(FILES))


def printed(*documents: tuple[str, str]) -> bytes:
    return "".join(f"---\n# Source: {source}\n{text}\n" for source, text in documents).encode()


def a_map(name: str, more: str = "") -> str:
    return f"# Source: web/crds/c.yaml\n\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{more}"


def origins(stdout: bytes) -> dict[str, str]:
    content = objects_in(stdout, CHART)
    assert content.problems == ()
    return {written.manifest.ref.name: str(written.manifest.origin) for written in content.objects}


def test_each_object_is_of_its_template_and_of_no_line():
    found = origins(
        printed(
            ("web/templates/a.yaml", a_map("a")),
            ("web/templates/a.yaml", a_map("b")),
            ("web/charts/sub/templates/a.yaml", a_map("c")),
            ("web/charts/packed/templates/x.yaml", a_map("d")),
            ("web/templates/b.json", '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e"}}'),
        )
    )

    assert found == {
        "a": "env/templates/a.yaml",
        "b": "env/templates/a.yaml",
        "c": "env/charts/sub/templates/a.yaml",
        "d": "env/charts/packed-1.0.0.tgz",
        "e": "env/templates/b.json",
    }


def test_many_documents_of_one_file_of_crds_are_all_of_it_whatever_their_comments_say():
    crds = a_map(
        "a", "---\n" + a_map("b").replace("web/crds", "other/crds") + "---\n# Source: elsewhere/x.yaml\n" + a_map("c")
    )

    found = origins(printed(("web/crds/c.yaml", crds), ("web/templates/a.yaml", a_map("d"))))

    assert found == {**dict.fromkeys("abc", "env/crds/c.yaml"), "d": "env/templates/a.yaml"}


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\r", "\r\n"])
def test_odd_line_ends_move_nothing(odd):
    first = a_map("a", f'data: {{a: "x{odd}y"}}\n#{f"{odd}# " * 20}')
    sources = ("web/templates/a.yaml", "web/charts/sub/templates/a.yaml", "web/templates/b.json")

    assert origins(printed(*zip(sources, (first, a_map("b"), a_map("c")), strict=True))) == {
        "a": "env/templates/a.yaml",
        "b": "env/charts/sub/templates/a.yaml",
        "c": "env/templates/b.json",
    }


def test_text_that_looks_like_a_template_is_text():
    data = "data:\n  a: |\n    ---\n    # Source: web/templates/b.json\n    x\n"

    assert origins(printed(("web/templates/a.yaml", a_map("a", data)))) == {"a": "env/templates/a.yaml"}


def test_what_is_wrong_with_an_object_is_told_at_its_template():
    stdout = printed(
        ("web/templates/a.yaml", a_map("a")),
        ("web/charts/sub/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
        ("web/templates/b.json", '{"apiVersion": "v1", "kind": "ConfigMap"}'),
    )
    problems = objects_in(stdout, CHART).problems

    assert [(problem.code, problem.where) for problem in problems] == [
        ("FIELDS_MISSING", "env/charts/sub/templates/a.yaml"),
        ("FIELDS_MISSING", "env/templates/b.json"),
    ]


def test_a_key_that_is_printed_twice_is_told_at_its_template():
    stdout = printed(("web/templates/a.yaml", a_map("a", "data: {}\ndata: {}\n")))

    assert [(one.code, one.where) for one in objects_in(stdout, CHART).problems] == [
        ("YAML_DUPLICATE_KEY", "env/templates/a.yaml")
    ]


@pytest.mark.parametrize("stdout", [b"", b"\n", b"---\n", b"---\n# Source: web/templates/a.yaml\n\n"])
def test_nothing_is_nothing(stdout):
    content = objects_in(stdout, CHART)

    assert (content.objects, content.problems) == ((), ())


@pytest.mark.parametrize(
    ("said", "code", "where"),
    [
        (
            (
                "level=INFO msg=x\nError: execution error at (web/templates/a.yaml:12:3): no way\n\n"
                "Use --debug flag to render out invalid YAML"
            ),
            "HELM_TEMPLATE",
            "env/templates/a.yaml:12",
        ),
        (
            'Error: parse error at (web/templates/_h.tpl:2): unexpected "}" in operand\n',
            "HELM_TEMPLATE",
            "env/templates/_h.tpl:2",
        ),
        (
            (
                'Error: web/templates/a.yaml:1:3\n  executing "web/templates/a.yaml" at <include "web.x" .>:\n'
                '    error calling include:\nweb/templates/_h.tpl:7:10\n  executing "web.x" at <.Values.a.b>:\n'
                "    nil pointer\n"
            ),
            "HELM_TEMPLATE",
            "env/templates/_h.tpl:7",
        ),
        (
            "Error: execution error at (web/charts/packed/templates/a.yaml:3:1): no",
            "HELM_TEMPLATE",
            "env/charts/packed-1.0.0.tgz",
        ),
        ("Error: execution error at (other/templates/a.yaml:3:1): no", "HELM_FAILED", "env/Chart.yaml"),
        (
            "Error: YAML parse error on web/templates/a.yaml: error converting YAML to JSON: yaml: line 2: no",
            "HELM_TEMPLATE",
            "env/templates/a.yaml",
        ),
        (
            "Error: failed to parse values/0.yaml: cannot unmarshal yaml document: yaml: line 1: no",
            "HELM_VALUES_INVALID",
            "values/staging.yaml",
        ),
        (
            (
                "Error: values don't meet the specifications of the schema(s) in the following chart(s):\n"
                "sub:\n- at '/a': no\n"
            ),
            "HELM_VALUES_INVALID",
            "env/charts/sub/values.schema.json",
        ),
        (
            "Error: you may need helm dependency build: found in Chart.yaml, but missing in charts/ directory: x",
            "HELM_DEPENDENCY_MISSING",
            "env/Chart.yaml",
        ),
        (
            "Error: chart requires kubeVersion: >=1.99 which is incompatible with Kubernetes v1.37.0",
            "HELM_KUBE_VERSION",
            "env/Chart.yaml",
        ),
        ("Error: cannot load values.yaml: yaml: no", "HELM_CHART_INVALID", "env/values.yaml"),
        ("Error: cannot load Chart.lock: yaml: no", "HELM_FAILED", "env/Chart.yaml"),
        ("", "HELM_FAILED", "env/Chart.yaml"),
        ("panic: boom", "HELM_FAILED", "env/Chart.yaml"),
    ],
)
def test_what_helm_complains_of_is_told_at_its_place(said, code, where):
    problem = complaint_of(said, CHART, {"values/0.yaml": "values/staging.yaml"})

    assert (problem.code, problem.where) == (code, where)
    assert "Use --debug" not in problem.cause
    assert not problem.cause.startswith(("Error", "level"))


def test_output_that_is_too_large_to_be_read_is_not_taken_apart(monkeypatch):
    class LineEnd:
        def split(self, text: str) -> list[str]:
            assert text == ""
            return [text]

    monkeypatch.setattr(helm_output, "_LINE_END", LineEnd())
    content = objects_in(b"#\n" * (OUTPUT_BYTES_MAX // 2 + 1), CHART)
    assert [(one.code, one.file) for one in content.problems] == [("FILE_TOO_LARGE", "env/Chart.yaml")]

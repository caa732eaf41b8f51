"""Rows R13 to R16 of the catalogue of bad inputs: charts that would do harm, that never are the same, that surprise."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import socket
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitopsd.adapters.render.helm import HelmTool
from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.intents import intents_of
from tests.adapters.render.helmed import CHART, HEAD, a_map, a_tool, helm_alone, objects, render
from tests.adapters.render.jailed import needs_linux

pytestmark = needs_linux

MIB = 1024 * 1024
PLAIN = {"env/Chart.yaml": CHART, "env/templates/a.yaml": a_map("a")}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("jail")


@pytest.fixture(scope="module")
def tool(base) -> HelmTool:
    return a_tool(base)


def packed(files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> bytes:
    """Return a chart as helm packs it."""
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w:gz", compresslevel=1) as archive:
        for path, content in files.items():
            body = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(path)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        for path, target in (links or {}).items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return tape.getvalue()


def refused(tool: HelmTool, files: Mapping[str, str | bytes]):
    with pytest.raises(RenderError) as caught:
        render(tool, files)
    return caught.value.problem


def sub(name: str = "sub") -> str:
    return CHART.replace("web", name)


# R13


def test_r13_a_link_in_a_packed_chart_is_followed_by_nobody(tool, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    links = {"sub/Chart.lock": str(secret), "sub/files/x": str(secret), "sub/templates/b.yaml": str(secret)}
    reading = a_map("a", '{{ .Files.Get "files/x" | quote }}')
    archive = packed({"sub/Chart.yaml": sub(), "sub/templates/a.yaml": reading}, links)

    (body, _) = objects(render(tool, PLAIN | {"env/charts/sub-1.0.0.tgz": archive, "env/templates/a.yaml": a_map("b")}))

    assert body["data"] == {"value": ""}
    assert secret.read_text() == "hunter2"


@pytest.mark.parametrize("path", ["../../escape", "sub/../../escape", "/escape", "sub/\\..\\..\\escape"])
def test_r13_a_packed_chart_never_leads_out_of_itself(tool, base, path):
    archive = packed({"sub/Chart.yaml": sub(), path: "x", "sub/templates/a.yaml": a_map("b")})
    with contextlib.suppress(RenderError):
        render(tool, PLAIN | {"env/charts/sub-1.0.0.tgz": archive})

    assert list(base.rglob("escape")) == list(base.parent.glob("escape")) == []


@pytest.mark.parametrize("zeros", [101 * MIB, 400 * MIB], ids=["just", "far"])
def test_r13_a_chart_that_unpacks_to_too_much_is_refused(tool, zeros):
    tape = io.BytesIO()
    with gzip.GzipFile(fileobj=tape, mode="wb", compresslevel=1) as compressed:
        entry = tarfile.TarInfo("sub/templates/a.yaml")
        entry.size = zeros
        compressed.write(entry.tobuf())
        for _ in range(zeros // MIB):
            compressed.write(bytes(MIB))
    problem = refused(tool, PLAIN | {"env/charts/sub-1.0.0.tgz": tape.getvalue()})

    assert (problem.code, problem.where) == ("HELM_FAILED", "env/Chart.yaml")
    assert "larger than the maximum size" in problem.cause


def test_r13_charts_that_unpack_to_charts_end_within_bounds(base):
    inner = packed({"sub/Chart.yaml": sub(), "sub/templates/a.yaml": b"#" + bytes(60 * MIB)})
    for _ in range(2):
        inner = packed({"sub/Chart.yaml": sub()} | {f"sub/charts/c{n}-1.0.0.tgz": inner for n in range(8)})
    problem = refused(a_tool(base, memory_bytes=512 * MIB), PLAIN | {"env/charts/sub-1.0.0.tgz": inner})

    assert problem.code in {"RENDER_KILLED", "HELM_FAILED"}


@pytest.mark.parametrize("name", ["..", ".", "../web", "a/b"])
def test_r13_a_name_that_is_a_place_is_refused_in_every_chart(tool, name):
    named = CHART.replace("web", f"'{name}'")
    dependency = f"{CHART}dependencies:\n- {{name: '{name}', repository: 'file://../sub'}}\n"

    assert refused(tool, {"env/Chart.yaml": named}).where == "env/Chart.yaml:2"
    assert refused(tool, {"env/Chart.yaml": dependency, "sub/Chart.yaml": sub()}).where == "env/Chart.yaml:5"
    assert refused(tool, PLAIN | {"env/charts/sub/Chart.yaml": named}).where == "env/charts/sub/Chart.yaml:2"
    assert refused(tool, PLAIN | {"env/charts/x-1.0.0.tgz": packed({"x/Chart.yaml": named})}).code == "HELM_FAILED"


def schema_that_doubles(times: int) -> str:
    steps = {f"a{n}": {"allOf": [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(times)}
    return json.dumps({"definitions": {**steps, f"a{times}": {}}, "$ref": "#/definitions/a0"})


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"env/values.schema.json": schema_that_doubles(60)}, id="schema that doubles"),
        pytest.param({"env/values.schema.json": '{"not":' * 100_000 + "{}" + "}" * 100_000}, id="deep schema"),
        pytest.param({"env/values.yaml": '{"a":' * 100_000 + "{}" + "}" * 100_000}, id="deep values"),
        pytest.param({"env/templates/b.yaml": "{{ until 2000000000 | len }}"}, id="endless list"),
        pytest.param({"env/templates/b.yaml": '# {{ repeat 2000000000 "x" }}'}, id="endless text"),
        pytest.param(
            {"env/templates/b.yaml": '{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}'}, id="itself"
        ),
        pytest.param({"env/templates/_b.tpl": "{{ if" * 10_000}, id="unclosed"),
    ],
)
def test_r13_a_bomb_ends_in_a_refusal(base, more):
    problem = refused(a_tool(base, cpu_s=3, memory_bytes=512 * MIB), PLAIN | more)

    assert problem.code in {
        "RENDER_KILLED",
        "HELM_TEMPLATE",
        "HELM_FAILED",
        "HELM_CHART_INVALID",
        "HELM_VALUES_INVALID",
    }
    assert len(problem.cause) < 4_096


def test_r13_a_schema_that_lies_elsewhere_is_not_fetched(tool):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"
        problem = refused(tool, PLAIN | {"env/values.schema.json": json.dumps({"$ref": address})})

        assert problem.code == "HELM_VALUES_INVALID"
        with pytest.raises(TimeoutError):
            listener.accept()


def test_r13_a_million_values_are_values(base):
    values = "list: [" + "1," * 1_000_000 + "1]\n"

    (body,) = objects(
        render(
            a_tool(base),
            PLAIN | {"env/values.yaml": values, "env/templates/a.yaml": a_map("a", "{{ len .Values.list | quote }}")},
        )
    )

    assert body["data"] == {"value": "1000001"}


# R14


def test_r14_neither_cluster_nor_network_is_there_and_that_is_said(tool):
    template = a_map("a", '{{ lookup "v1" "Secret" "shop" "db" | len | quote }}') + (
        '  dns: {{ getHostByName "kubernetes.default.svc" | quote }}\n'
    )
    product = render(tool, PLAIN | {"env/templates/a.yaml": template})

    assert objects(product)[0]["data"] == {"value": "0", "dns": ""}
    assert [(one.code, one.where) for one in product.warnings] == [
        ("HELM_LOOKUP_EMPTY", "env/templates/a.yaml:5"),
        ("HELM_LOOKUP_EMPTY", "env/templates/a.yaml:6"),
    ]


@pytest.mark.parametrize(
    "function",
    ["randAlphaNum 16", "now | toString", "uuidv4", '(genCA "ca" 365).Cert', 'htpasswd "a" "b"', "randBytes 8"],
)
def test_r14_what_is_never_the_same_is_told_by_object_and_place(tool, function):
    files = PLAIN | {"env/templates/b.yaml": a_map("b", f"{{{{ {function} | quote }}}}")}

    found = [one for one in render(tool, files).warnings if one.code == "RENDER_UNSTABLE"]

    assert [(one.ref, one.where, one.message) for one in found] == [
        ("ConfigMap b", "env/templates/b.yaml", "is not the same at each render: /data/value")
    ]


def test_r14_what_is_the_same_is_told_nothing(tool):
    assert render(tool, PLAIN).warnings == ()


def test_r14_no_power_is_left_to_a_template(tool):
    answers = {
        "env": '{{ env "PATH" }}',
        "expandenv": '{{ expandenv "$HOME" }}',
    }
    for name, call in answers.items():
        problem = refused(tool, PLAIN | {"env/templates/b.yaml": call})
        assert (problem.code, problem.where) == ("HELM_TEMPLATE", "env/templates/b.yaml:1"), name
    read = (
        a_map("b", '{{ .Files.Get "../../../etc/passwd" | quote }}')
        + '  glob: {{ (.Files.Glob "/etc/*") | len | quote }}\n'
    )
    assert objects(render(tool, {"env/Chart.yaml": CHART, "env/templates/b.yaml": read}))[0]["data"] == {
        "value": "",
        "glob": "0",
    }


# R15


def hooked(name: str, hook: str, kind: str = "ConfigMap") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, annotations: {{helm.sh/hook: '{hook}'}}}}\n"


def test_r15_hooks_are_put_in_order_and_what_only_helm_runs_is_left_alone(tool):
    hooks = {
        "before": "pre-install,pre-upgrade",
        "after": "post-install,post-upgrade",
        "once": "pre-install",
        "test": "test",
        "goodbye": "pre-delete",
    }
    files = PLAIN | {f"env/templates/{name}.yaml": hooked(name, hook) for name, hook in hooks.items()}
    product = render(tool, files)
    wishes = {one.manifest.ref.name: intents_of(one.manifest) for one in product.content.objects}

    assert wishes["before"].wave < wishes["a"].wave == 0 < wishes["after"].wave
    assert wishes["once"].create_only
    assert {name for name, wish in wishes.items() if wish.unmanaged} == {"test", "goodbye"}
    assert {one.ref: one.where for one in product.warnings if one.code == "HELM_HOOK"} == {
        f"ConfigMap {name}": f"env/templates/{name}.yaml" for name in hooks
    }


def test_r15_an_object_that_helm_leaves_out_is_missed(tool):
    product = render(tool, PLAIN | {"env/templates/b.yaml": hooked("b", "crd-install")})

    assert [body["metadata"]["name"] for body in objects(product)] == ["a"]
    assert [(one.code, one.where) for one in product.warnings] == [("HELM_HOOK_UNKNOWN", "env/Chart.yaml")]


def test_r15_the_directory_of_crds_is_part_of_the_set_as_it_is_written(tool):
    crd = (
        "# {{ not a template }}\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: widgets.example.com}\n"
    )
    files = PLAIN | {
        "env/crds/widget.yaml": crd,
        "env/charts/sub/Chart.yaml": sub(),
        "env/charts/sub/crds/b.yaml": a_map("b"),
    }
    product = render(tool, files)

    assert {one.manifest.ref.name: str(one.manifest.origin) for one in product.content.objects} == {
        "a": "env/templates/a.yaml",
        "b": "env/charts/sub/crds/b.yaml",
        "widgets.example.com": "env/crds/widget.yaml",
    }


def test_r15_notes_are_for_people(tool):
    product = render(
        tool, PLAIN | {"env/templates/NOTES.txt": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\n"}
    )

    assert len(objects(product)) == 1


# R16


@pytest.mark.parametrize(("written", "line"), [("values.yaml", 0), ("none.yaml", 5), ("../elsewhere/none.yaml", 5)])
def test_r16_a_file_of_values_that_is_not_there_is_told_where_it_is_asked_for(tool, written, line):
    files = PLAIN | {
        "env/values.yaml": "a: 1\n",
        "env/gitopsd.yaml": f"{HEAD}render:\n  helm:\n    valuesFiles: [{written}]\n",
    }
    if not line:
        assert render(tool, files).content.problems == ()
        return
    problem = refused(tool, files)

    assert (problem.code, problem.where) == ("HELM_VALUES_MISSING", f"env/gitopsd.yaml:{line}")


ODD_VALUES = """
norway: NO
yes: yes
exponent: 1e3
octal: 0644
octal2: 0o644
date: 2026-11-21
time: 22:22
version: 1.10
big: 12345678901234567890
million: 1000000
long: 1234567
float: 1.5
negative: -0.0
null1: ~
empty:
text: "NO"
commit: 1234e56
list: [y, n, on, off, .5, 0x1F, +1]
"""


def test_r16_values_mean_what_they_mean_to_helm(tool, tmp_path):
    files = PLAIN | {"env/templates/a.yaml": a_map("a", "{{ .Values | toJson | quote }}")}
    odd = {"env/odd.yaml": ODD_VALUES, "env/gitopsd.yaml": f"{HEAD}render: {{helm: {{valuesFiles: [odd.yaml]}}}}\n"}

    assert objects(render(tool, files | odd)) == helm_alone(tmp_path, files | odd, "--values", "env/odd.yaml")


@pytest.mark.parametrize(
    "word", ["NO", "yes", "1e3", "0644", "2026-11-21", "22:22", "1.10", "~", "'NO'", "1000000", "[y, .5]"]
)
def test_r16_inline_values_mean_what_they_mean_to_helm(tool, tmp_path, word):
    files = PLAIN | {
        "env/templates/a.yaml": a_map("a", "{{ .Values.word | toJson | quote }}"),
        "env/word.yaml": f"word: {word}\n",
    }
    inline = {"env/gitopsd.yaml": f"{HEAD}render:\n  helm:\n    values:\n      word: {word}\n"}

    assert objects(render(tool, files | inline)) == helm_alone(tmp_path, files, "--values", "env/word.yaml")


def test_r16_later_files_win_and_inline_values_win_over_all(tool):
    template = a_map("a", "{{ .Values.value }}") + "  deep: {{ .Values.deep | toJson | quote }}\n"
    files = {
        "env/Chart.yaml": CHART,
        "env/templates/a.yaml": template,
        "env/values.yaml": "value: chart\ndeep: {chart: 1, one: 1, two: 1, inline: 1, gone: 1}\n",
        "env/one.yaml": "value: one\ndeep: {one: 2, two: 2, inline: 2}\n",
        "shared/two.yaml": "value: two\ndeep: {two: 3, inline: 3}\n",
        "env/gitopsd.yaml": (
            f"{HEAD}render:\n  helm:\n    valuesFiles: [one.yaml, ../shared/two.yaml]\n"
            "    values: {value: inline, deep: {inline: 4, gone: null}}\n"
        ),
    }

    (body,) = objects(render(tool, files))

    assert body["data"]["value"] == "inline"
    assert json.loads(body["data"]["deep"]) == {"chart": 1, "one": 2, "two": 3, "inline": 4}


# What was encrypted


def test_what_helm_says_of_files_that_were_opened_is_not_shown_but_the_place_is(tool):
    files = PLAIN | {"env/templates/b.yaml": "\n{{ fail .Values.password }}", "env/values.yaml": "password: hunter2\n"}

    with pytest.raises(RenderError) as caught:
        render(tool, files, frozenset({"env/values.yaml"}))

    assert "hunter2" in refused(tool, files).cause
    assert "hunter2" not in repr(caught.value.problems)
    assert caught.value.problem.where == "env/templates/b.yaml:2"

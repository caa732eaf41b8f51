"""Rows R1 to R6, R10 to R12 and R17 of the catalogue of bad inputs, with the real kustomize in the real jail."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gitopsd.adapters.render import DirectoryRenderer, Larder
from gitopsd.adapters.render.kustomize import KustomizeTool
from gitopsd.adapters.render.programs import HELM, KUSTOMIZE, Found, Program
from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.place import place
from rig.binaries import build
from tests.adapters.render.jailed import PYTHON, make_jail, needs_linux
from tests.adapters.render.repository import PRODUCTION, STAGING, Repository, a_map
from tests.fakes.decryptor import Unopened

pytestmark = needs_linux

SCOPES = {("v1", "ConfigMap"): True, ("v1", "Namespace"): False}


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path)


def kustomization(**files: str) -> dict[str, str | None]:
    """An environment with these files; ``k`` is its kustomization."""
    return {f"env/staging/{name}": text for name, text in {"kustomization.yaml": files.pop("k"), **files}.items()}


def names(desired) -> list[str]:
    return [manifest.ref.name for manifest in desired.manifests]


@pytest.mark.parametrize(
    ("files", "code", "file"),
    [
        ({"k": "resources: [../none]"}, "KUSTOMIZE_MISSING", "env/staging/kustomization.yaml"),
        ({"k": "resources: [sub]", "sub/a.yaml": a_map("a")}, "KUSTOMIZE_MISSING", "env/staging/kustomization.yaml"),
        ({"k": "resources: [none.yaml]"}, "KUSTOMIZE_MISSING", "env/staging/kustomization.yaml"),
        (
            {"k": "resources: []", "kustomization.yml": "resources: []"},
            "KUSTOMIZATION_TWICE",
            "env/staging/kustomization.yml",
        ),
        ({"k": "resources: ["}, "YAML_SYNTAX", "env/staging/kustomization.yaml"),
        ({"k": "- a.yaml"}, "KUSTOMIZE_INVALID", "env/staging/kustomization.yaml"),
        ({"k": "resources: []\n---\nresources: []"}, "KUSTOMIZE_INVALID", "env/staging/kustomization.yaml"),
        ({"k": "resorces: [a.yaml]"}, "KUSTOMIZE_FAILED", "env/staging/kustomization.yaml"),
        ({"k": "resources: [a.yaml]", "a.yaml": "a: 1"}, "KUSTOMIZE_FAILED", "env/staging/kustomization.yaml"),
    ],
)
def test_R1_a_kustomization_that_is_missing_double_or_bad_is_named(repository, files, code, file):
    repository.commit(kustomization(**files))

    problem = repository.refusal()

    assert (problem.code, problem.file) == (code, file)


def test_R1_what_the_tool_says_is_the_cause_and_no_more_than_2_kb_of_it(repository):
    repository.commit(kustomization(k="resources: [a.yaml]", **{"a.yaml": f"kind: {'x' * 9000}\n"}))

    problem = repository.refusal()

    assert "accumulating resources" in problem.cause
    assert len(problem.cause) <= 2048
    assert "gitopsd-jail" not in problem.cause


@contextmanager
def listener() -> Iterator[tuple[str, list[object]]]:
    """Somebody on this machine who would answer, and who came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, peer = server.accept()
                except OSError:
                    return
                came.append(peer)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", came
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


PREFIXER = """\
apiVersion: builtin
kind: PrefixTransformer
metadata: {name: p}
prefix: x-
fieldSpecs: [{path: metadata/name}]
"""
PATCHER = '{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: p}}, path: "{url}"}}'
PLUGIN = "apiVersion: builtin\nkind: {kind}\nmetadata: {{name: p}}\n"
PLACES = {
    "resources": "resources: ['{url}']",
    "resources, in another case": "Resources: ['{url}']",
    "bases": "bases: ['{url}']",
    "components": "components: ['{url}']",
    "crds": "crds: ['{url}']",
    "configurations": "configurations: ['{url}']",
    "openapi": "openapi: {{path: '{url}'}}",
    "patches": "patches: [{{path: '{url}'}}]",
    "patchesJson6902": "patchesJson6902: [{{path: '{url}', target: {{kind: ConfigMap}}}}]",
    "patchesStrategicMerge": "patchesStrategicMerge: ['{url}']",
    "replacements": "replacements: [{{path: '{url}'}}]",
    "configMapGenerator, files": "configMapGenerator: [{{name: x, files: ['a={url}']}}]",
    "configMapGenerator, envs": "configMapGenerator: [{{name: x, envs: ['{url}']}}]",
    "configMapGenerator, env": "configMapGenerator: [{{name: x, env: '{url}'}}]",
    "secretGenerator, files": "secretGenerator: [{{name: x, files: ['{url}']}}]",
    "secretGenerator, envs": "secretGenerator: [{{name: x, envs: ['{url}']}}]",
    "generators": "generators: ['{url}']",
    "transformers": "transformers: ['{url}']",
    "validators": "validators: ['{url}']",
    "a plugin's path": f"transformers: ['{PATCHER}']",
}


@pytest.mark.parametrize("field", PLACES)
def test_R2_an_address_is_refused_in_every_field_and_nobody_is_asked(repository, field):
    with listener() as (address, came):
        text = f"namePrefix: a-\n{PLACES[field].format(url=f'http://{address}/a.yaml')}\n"
        repository.commit(kustomization(k=text))
        problem = repository.refusal()

    assert (problem.code, problem.file, problem.line) == ("KUSTOMIZE_REMOTE", "env/staging/kustomization.yaml", 2)
    assert came == []
    assert repository.workshop.made == []


def test_R2_outside_of_the_jail_the_tool_would_ask(tmp_path):
    with listener() as (address, came):
        (tmp_path / "kustomization.yaml").write_text(f"resources: ['http://{address}/a.yaml']\n")
        subprocess.run([build(("kustomize",))["kustomize"], "build", tmp_path], capture_output=True, check=False)

    assert came


@pytest.mark.parametrize("field", PLACES)
def test_R2_even_unread_the_tool_would_reach_nobody(tmp_path, field):
    """The reading before is not the only wall: the jail has no network."""
    jail = make_jail(tmp_path)
    with listener() as (address, came):
        text = PLACES[field].format(url=f"http://{address}/a.yaml")
        files = [
            ("env/kustomization.yaml", f"namePrefix: a-\n{text}\n".encode()),
            ("env/a.yaml", a_map("a").encode()),
        ]
        ran = jail.run([str(build(("kustomize",))["kustomize"]), "build", "."], files, directory="env")

    assert came == []
    assert ran.code != 0


@pytest.mark.parametrize(
    "path",
    [
        "https://example.com/a.yaml",
        "HTTP://example.com/a.yaml",
        "https:a.yaml",
        "git::https://example.com/a.git",
        "git@example.com:acme/base.git",
        "ssh://git@example.com/base",
        "file:///etc",
        "github.com/acme/base?ref=v1",
        "GitHub.com:acme/base",
        "s3::https://example.com/base",
    ],
)
def test_R2_an_address_is_known_in_every_shape(repository, path):
    repository.commit(kustomization(k=f"resources: ['{path}']"))

    assert repository.refusal().code == "KUSTOMIZE_REMOTE"


def test_R3_a_base_may_lie_anywhere_in_the_repository(repository):
    repository.commit({"base/kustomization.yaml": "resources: [a.yaml]", "base/a.yaml": a_map("a")})
    repository.commit(kustomization(k="resources: [../../base]\nnamePrefix: x-"))

    (manifest,) = repository.render().manifests

    assert (manifest.ref.name, str(manifest.origin)) == ("x-a", "base/a.yaml:1")


@pytest.mark.parametrize(
    "text",
    [
        "resources: [../../../a.yaml]",
        "resources: [../../../../base]",
        "resources: [/etc/passwd]",
        "components: [../../..]",
        "patches: [{path: ../shared/patch.yaml}]",
        "configMapGenerator: [{name: x, files: [../production/a.yaml]}]",
        "secretGenerator: [{name: x, files: [token=/var/run/secrets/kubernetes.io/serviceaccount/token]}]",
        "configMapGenerator: [{name: x, envs: [../../../../proc/self/environ]}]",
        "openapi: {path: ../schema.json}",
        "resources: ['..\\..\\a.yaml']",
        "resources: [../../.git/config]",
    ],
)
def test_R3_no_path_leads_out(repository, text):
    repository.commit({"env/production/a.yaml": a_map("a"), "env/shared/patch.yaml": a_map("a")})
    repository.commit(kustomization(k=f"namePrefix: x-\n{text}"))

    problem = repository.refusal()

    assert problem.code == "KUSTOMIZE_OUTSIDE"
    assert (problem.file, problem.line) == ("env/staging/kustomization.yaml", 2)


FUNCTION = """\
apiVersion: example.com/v1
kind: Anything
metadata:
  name: x
  annotations:
    config.kubernetes.io/function: |
      exec: {path: ./run.sh}
"""


@pytest.mark.parametrize(
    ("text", "plugin"),
    [
        ("helmCharts: [{name: web, repo: 'https://charts.example.com'}]", ""),
        ("HelmCharts: [{name: web}]", ""),
        ("helmGlobals: {chartHome: charts}", ""),
        ("helmChartInflationGenerator: [{chartName: web}]", ""),
        ("generators: [plugin.yaml]", FUNCTION),
        ("transformers: [plugin.yaml]", FUNCTION.replace("exec: {path: ./run.sh}", "container: {image: x}")),
        ("validators: [plugin.yaml]", FUNCTION),
        ("generators: [plugin.yaml]", PLUGIN.format(kind="HelmChartInflationGenerator")),
        ("transformers: [plugin.yaml]", "apiVersion: someteam.example.com/v1\nkind: Sed\nmetadata: {name: x}\n"),
        ("generators: [plugins]", FUNCTION),
        ("generators:\n- |-\n" + "".join(f"  {line}\n" for line in FUNCTION.splitlines()), ""),
    ],
)
def test_R4_nothing_makes_kustomize_run_another_program(repository, text, plugin):
    files = {"plugin.yaml": plugin or a_map("a"), "run.sh": "#!/bin/sh\ntouch /tmp/pwned\n"}
    files |= {"plugins/kustomization.yaml": "resources: [plugin.yaml]", "plugins/plugin.yaml": plugin or a_map("a")}
    repository.commit(kustomization(k=f"{text}\n", **files))

    assert repository.refusal().code == "KUSTOMIZE_POWER"
    assert repository.workshop.made == []


@pytest.mark.parametrize("form", ["file", "directory", "inline"])
def test_R4_kustomizes_own_plugins_are_used(repository, form):
    inline = "\n- |-\n" + "".join(f"  {line}\n" for line in PREFIXER.splitlines())
    named = {"file": "[plugin.yaml]", "directory": "[plugins]", "inline": inline}[form]
    files = {"a.yaml": a_map("a"), "plugin.yaml": PREFIXER}
    files |= {"plugins/kustomization.yaml": "resources: [plugin.yaml]", "plugins/plugin.yaml": PREFIXER}
    repository.commit(kustomization(k=f"resources: [a.yaml]\ntransformers: {named}\n", **files))

    assert names(repository.render()) == ["x-a"]


MERGED = {"type": "array", "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}
SCHEMA = {
    "definitions": {
        "v1.Shop": {
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": {"properties": {"doors": {**MERGED, "items": {"type": "object"}}}, "type": "object"},
            },
            "type": "object",
            "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Shop", "version": "v1"}],
        }
    }
}


def test_R5_the_schema_of_one_environment_does_not_change_the_next(repository):
    shop = "apiVersion: example.com/v1\nkind: Shop\nmetadata: {name: a}\nspec: {doors: [{name: one}]}\n"
    patch = f"patches:\n- patch: |-\n    {json.dumps(yaml.safe_load(shop.replace('one', 'two')))}\n"
    repository.commit(
        {"env/production/kustomization.yaml": f"resources: [a.yaml]\n{patch}", "env/production/a.yaml": shop}
    )
    before = repository.render(PRODUCTION, repository.started())
    with_schema = f"resources: [a.yaml]\nopenapi: {{path: s.json}}\n{patch}"
    repository.commit(kustomization(k=with_schema, **{"a.yaml": shop, "s.json": json.dumps(SCHEMA)}))
    polluted = repository.render()

    after = repository.render(PRODUCTION, repository.started())

    assert after.digest == before.digest
    assert polluted.digest != before.digest


@pytest.mark.parametrize("path", ["../staging", ".", "..", "../..", "../other"])
def test_R6_a_base_that_leads_back_is_refused(repository, path):
    repository.commit({"env/other/kustomization.yaml": "resources: [../staging]"})
    repository.commit({"kustomization.yaml": "resources: [env]", "env/kustomization.yaml": "resources: [staging]"})
    repository.commit(kustomization(k=f"resources: ['{path}']"))

    assert repository.refusal().code == "KUSTOMIZE_CIRCLE"
    assert repository.workshop.made == []


def test_R6_a_thousand_overlays_are_refused_before_they_are_rendered(repository):
    layers = {f"base/{n}/kustomization.yaml": f"resources: [../{n + 1}]" for n in range(1000)}
    repository.commit({**layers, "base/1000/kustomization.yaml": "resources: [a.yaml]", "base/1000/a.yaml": a_map("a")})
    repository.commit(kustomization(k="resources: [../../base/0]"))

    assert repository.refusal().code == "KUSTOMIZE_TOO_LARGE"
    assert repository.workshop.made == []


def test_R6_a_base_that_doubles_with_every_step_is_refused_and_told_once(repository):
    twice = {f"base/{n}/kustomization.yaml": f"resources: [../{n + 1}, ../{n + 1}]" for n in range(25)}
    repository.commit({**twice, "base/25/kustomization.yaml": "resources: [a.yaml]", "base/25/a.yaml": a_map("a")})
    repository.commit(kustomization(k="resources: [../../base/0]"))

    with pytest.raises(RenderError) as caught:
        repository.render()

    assert [problem.code for problem in caught.value.problems] == ["KUSTOMIZE_TOO_LARGE"]


GONE = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, $patch: delete}"
DELETED = f"resources: [a.yaml]\npatches: [{{patch: '{GONE}'}}]\n"


def test_R10_exit_code_0_and_no_output_is_an_empty_environment(repository):
    repository.commit(kustomization(k=DELETED, **{"a.yaml": a_map("a")}))

    problem = repository.refusal()

    assert (problem.code, problem.file) == ("EMPTY_ENVIRONMENT", "env/staging")
    assert repository.workshop.made == ["staging"]


def test_R11_warnings_do_not_spoil_a_render_and_are_told(repository):
    repository.commit(kustomization(k="resources: [a.yaml]\ncommonLabels: {app: a}", **{"a.yaml": a_map("a")}))

    desired = repository.render()

    assert names(desired) == ["a"]
    assert [(one.code, one.file) for one in desired.warnings] == [
        ("KUSTOMIZE_WARNING", "env/staging/kustomization.yaml")
    ]
    assert "commonLabels" in desired.warnings[0].message


class Posing(Program):
    """Python, taken for kustomize: ``build`` is then a script beside the kustomization."""

    def found(self) -> Found:
        return Found(Path(PYTHON), "v5.8.1")


class OneTool:
    def __init__(self, tool: KustomizeTool) -> None:
        self.tool = tool

    def tool_for(self, recipe: type) -> KustomizeTool:
        return self.tool


@pytest.mark.parametrize(("code", "made"), [(0, ["a"]), (1, []), (3, [])])
def test_R11_the_exit_code_decides_and_not_the_output(repository, tmp_path, code, made):
    jail = make_jail(tmp_path / "posing")
    tool = KustomizeTool(jail, Posing(jail, KUSTOMIZE))
    renderer = DirectoryRenderer(Larder(repository.source, Unopened(), OneTool(tool)))
    script = f"import sys\nprint(open('a.yaml').read())\nprint('what is wrong', file=sys.stderr)\nsys.exit({code})"
    repository.commit(kustomization(k="resources: [a.yaml]", build=script, **{"a.yaml": a_map("a")}))

    if made:
        assert names(repository.render(renderer=renderer)) == made
        return
    with pytest.raises(RenderError) as caught:
        repository.render(renderer=renderer)
    assert (caught.value.problem.code, caught.value.problem.cause) == ("KUSTOMIZE_FAILED", "what is wrong")


@pytest.mark.parametrize(
    ("text", "environment", "code", "origin"),
    [
        ("resources: [a.yaml]\nnamespace: kube-system", STAGING, "NAMESPACE_NOT_ALLOWED", "env/staging/a.yaml:2"),
        ("resources: [a.yaml]", replace(STAGING, deny=("ConfigMap",)), "KIND_DENIED", "env/staging/a.yaml:2"),
    ],
)
def test_R12_what_a_tool_makes_has_the_same_bounds_as_what_people_write(repository, text, environment, code, origin):
    repository.commit(kustomization(k=text, **{"a.yaml": "# a comment\n" + a_map("a")}))
    desired = repository.render(environment)

    with pytest.raises(RenderError) as caught:
        place(desired, SCOPES, environment)

    assert (caught.value.problem.code, caught.value.problem.where) == (code, origin)


UID = "apiVersion: v1, kind: ConfigMap, metadata: {name: a, uid: x}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("labels: [{pairs: {gitopsd.dev/x: yes-it-is}}]", "APPLY_SET_LABEL"),
        ("commonAnnotations: {gitopsd.dev/none: x}", "ANNOTATION_INVALID"),
        ("nameSuffix: _", "NAME_INVALID"),
        (f"patches: [{{patch: '{{{UID}}}'}}]", "SERVER_FIELD"),
    ],
)
def test_R12_what_a_tool_makes_is_checked_as_what_people_write(repository, text, code):
    repository.commit(kustomization(k=f"resources: [a.yaml]\n{text}", **{"a.yaml": a_map("a")}))

    assert repository.refusal().code == code


def a_program(base: Path, prints: str) -> Program:
    """A program that prints this when it is asked for its version."""
    wish = replace(KUSTOMIZE, asks=("-I", "-S", "-c", f"print({prints!r})"), path=Path(PYTHON))
    return Program(make_jail(base), wish)


@pytest.mark.parametrize(
    ("prints", "code"),
    [
        ("v4.5.7", "TOOL_TOO_OLD"),
        ("{Version:kustomize/v3.8.1}", "TOOL_TOO_OLD"),
        ("nothing to say", "TOOL_BROKEN"),
        ("", "TOOL_BROKEN"),
    ],
)
def test_R17_a_program_of_the_wrong_version_is_refused_with_a_reason(tmp_path, prints, code):
    with pytest.raises(RenderError) as caught:
        a_program(tmp_path, prints).found()

    assert caught.value.problem.code == code
    assert "render.kustomize" in caught.value.problem.hint


@pytest.mark.parametrize("prints", ["v5.0.0", "5.8.1", "{kustomize/v5.4.3  2024-07-19T16:40:33Z  }", "v6.0.0"])
def test_R17_a_program_of_the_right_version_is_taken(tmp_path, prints):
    assert a_program(tmp_path, prints).found().version in prints


@pytest.mark.parametrize(
    ("prints", "taken"),
    [("v3.20.1", False), ("v3.20.2", True), ("v4.1.3", False), ("v4.1.4", True), ("v4.3", True), ("v5.0.0", True)],
)
def test_R17_helm_has_a_least_version_of_each_kind(tmp_path, prints, taken):
    wish = replace(HELM, asks=("-I", "-S", "-c", f"print({prints!r})"), path=Path(PYTHON))
    program = Program(make_jail(tmp_path), wish)

    if taken:
        assert program.found().version == prints
    else:
        with pytest.raises(RenderError, match="TOOL_TOO_OLD"):
            program.found()


def test_R17_a_missing_program_stops_only_the_environments_that_need_it(tmp_path):
    repository = Repository(tmp_path, dict.fromkeys(("kustomize", "helm", "sops"), tmp_path / "none"))
    repository.commit(
        {**kustomization(k="resources: [a.yaml]", **{"a.yaml": a_map("a")}), "env/production/a.yaml": a_map("a")}
    )

    assert repository.refusal().code == "TOOL_MISSING"
    assert names(repository.render(PRODUCTION)) == ["a"]
    assert [problem.code for problem in repository.workshop.troubles(with_sops=False)] == ["TOOL_MISSING"] * 2
    assert [problem.code for problem in repository.workshop.troubles(with_sops=True)] == ["TOOL_MISSING"] * 3


def test_R17_nothing_is_said_of_programs_that_can_be_used(repository):
    assert repository.workshop.troubles(with_sops=False) == ()


def test_R17_a_program_that_came_later_is_found_without_a_restart(tmp_path):
    place = tmp_path / "kustomize"
    repository = Repository(tmp_path, {"kustomize": place})
    repository.commit(kustomization(k="resources: [a.yaml]", **{"a.yaml": a_map("a")}))
    assert repository.refusal().code == "TOOL_MISSING"

    place.symlink_to(build(("kustomize",))["kustomize"])

    assert names(repository.render()) == ["a"]

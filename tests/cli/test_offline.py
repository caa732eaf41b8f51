"""The offline commands as a person runs them: whole, in a process of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gitopsd.cli.app import run_command
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import parse
from rig.binaries import build
from tests.cli.terminal import on_a_terminal

FIXTURES = Path(__file__).parent.parent.parent.parent / "shared" / "fixtures"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/fixtures is not there")

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations: {argocd.argoproj.io/sync-wave: "-1", argocd.argoproj.io/compare-options: IgnoreExtraneous}
spec: {replicas: 1}
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\ndata:\n  a: b\n"


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys) -> Callable[..., Ended]:
    """Run a command in this process, as ``main`` does."""

    def run(*arguments: str) -> Ended:
        code = run_command(arguments)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def program(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a person does."""
    command = [sys.executable, "-m", "gitopsd", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "settings.yaml").write_text(CONFIG)
    return tmp_path


def test_render_prints_one_canonical_array(run, directory):
    printed = run("render", str(directory), "-o", "json").stdout
    objects = json.loads(printed)

    assert [one["kind"] for one in objects] == ["ConfigMap", "Deployment"]
    assert printed.strip() == json.dumps(objects, sort_keys=True, separators=(",", ":"))


def test_render_prints_the_same_whatever_the_files_are_called(run, directory):
    before = run("render", str(directory), "-o", "json").stdout
    (directory / "web.yaml").rename(directory / "a.yaml")

    assert run("render", str(directory), "-o", "json").stdout == before


def test_render_prints_yaml_and_names(run, directory):
    assert [one["kind"] for one in yaml.safe_load_all(run("render", str(directory)).stdout)] == [
        "ConfigMap",
        "Deployment",
    ]
    assert run("render", str(directory), "-o", "name").stdout == "ConfigMap shop/settings\nDeployment shop/web\n"


@pytest.mark.parametrize(
    "text", ["1e3", "0o644", "0b1", "1_000", "y", "N", "on", "~", "", "2024-01-01", "=", "a\n\nb\n"]
)
def test_text_that_is_printed_as_yaml_is_read_as_text_again(run, directory, text):
    body = {**yaml.safe_load(CONFIG), "data": {"value": text, "N": "a key that is a boolean to kubectl"}}
    (directory / "more" / "settings.yaml").write_text(json.dumps(body))

    printed = run("render", str(directory)).stdout

    assert parse(TextFile("printed.yaml", printed))[0].value["data"] == body["data"]


def test_render_of_a_bad_directory_prints_no_object_and_says_why(run, directory):
    (directory / "bad.yaml").write_text("a: 1\na: 2\n")
    ended = run("render", str(directory))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"{directory}/bad.yaml:2" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_validate_of_a_good_directory_says_so_and_which_annotations_act(run, directory):
    ended = run("validate", str(directory))

    assert ended.returncode == 0
    assert "2 objects, valid" in ended.stdout
    assert any("sync-wave" in line and "goes in wave -1" in line for line in ended.stdout.splitlines())
    assert any("compare-options" in line and "changes nothing here" in line for line in ended.stdout.splitlines())


def test_validate_finds_every_problem_with_its_place_and_a_hint(run, directory):
    (directory / "one.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: x-\n")
    (directory / "two.yaml").write_text("a: 1\n\ta: 2\n")
    ended = run("validate", str(directory), "-o", "json")
    problems = json.loads(ended.stdout)["problems"]

    assert ended.returncode == 1
    assert {Path(problem["file"]).name for problem in problems} == {"one.yaml", "two.yaml"}
    assert all(problem["code"] and problem["line"] and problem["docsUrl"] for problem in problems)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda at: (at / "link.yaml").symlink_to(at / "web.yaml"), "GIT_SYMLINK", id="a symlink"),
        pytest.param(lambda at: [one.unlink() for one in at.rglob("*.yaml")], "EMPTY_ENVIRONMENT", id="nothing in it"),
        pytest.param(
            lambda at: (at / "kustomization.yaml").write_text("resources: [https://example.com/a.yaml]\n"),
            "KUSTOMIZE_REMOTE",
            id="a remote base",
        ),
        pytest.param(lambda at: (at / "again.yaml").write_text(CONFIG), "DUPLICATE_OBJECT", id="an object twice"),
    ],
)
def test_validate_refuses_what_would_be_refused_in_git(run, directory, make, code):
    make(directory)
    ended = run("validate", str(directory))

    assert (ended.returncode, code in ended.stdout + ended.stderr) == (1, True)


def test_a_directory_that_is_not_there_is_a_usage_error(run, tmp_path):
    ended = run("validate", str(tmp_path / "nowhere"))

    assert ended.returncode == 2
    assert "DIRECTORY_MISSING" in ended.stderr


@needs_fixtures
@pytest.mark.parametrize("name", ["online-boutique/kubernetes-manifests", "kube-prometheus/manifests"])
def test_real_directories_render(run, name, monkeypatch):
    monkeypatch.setenv("GITOPSD_RENDER__KUSTOMIZE", str(build(("kustomize",))["kustomize"]))
    ended = run("render", str(FIXTURES / "real" / name), "-o", "json")

    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(ended.stdout)) > 30


READY = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}, "status": {"phase": "Active"}}
GOING = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "b", "deletionTimestamp": "2026-01-01T12:00:00Z"},
}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(json.dumps(READY) + "\n" + json.dumps(GOING) + "\n", id="JSON lines"),
        pytest.param(json.dumps([READY, GOING]), id="a JSON array"),
        pytest.param(json.dumps({"apiVersion": "v1", "kind": "List", "items": [READY, GOING]}), id="a List in JSON"),
        pytest.param(yaml.safe_dump_all([READY, GOING]), id="YAML documents"),
        pytest.param(
            yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [READY, GOING]}), id="a List in YAML"
        ),
        pytest.param(
            "\n".join(json.dumps({"type": "ADDED", "object": one}) for one in (READY, GOING)), id="an event stream"
        ),
    ],
)
def test_health_reads_objects_in_every_form_in_their_order(run, written, tmp_path):
    (tmp_path / "objects").write_text(written)
    ended = run("health", "-f", str(tmp_path / "objects"), "-o", "json")

    assert ended.returncode == 0, ended.stderr
    assert [(one["object"]["name"], one["status"], one["health"]) for one in json.loads(ended.stdout)] == [
        ("a", "Current", "Healthy"),
        ("b", "Terminating", "Progressing"),
    ]


def test_health_reads_a_file_and_prints_a_table(run, tmp_path):
    (tmp_path / "objects.json").write_text(json.dumps(READY))
    ended = run("health", "-f", str(tmp_path / "objects.json"))

    assert [line.split()[:3] for line in ended.stdout.splitlines()][1] == ["Namespace", "a", "Current"]


@pytest.mark.parametrize(
    ("written", "code", "line"),
    [
        pytest.param('{"a": 1}\n{"b": \n', "INPUT_NOT_JSON", 2, id="half a line"),
        pytest.param("[1]", "INPUT_NOT_AN_OBJECT", 1, id="a number"),
        pytest.param("a: 1\na: 2\n", "YAML_DUPLICATE_KEY", 2, id="bad YAML"),
    ],
)
def test_health_says_where_its_input_is_wrong(run, written, code, line, tmp_path):
    (tmp_path / "objects").write_text(written)
    ended = run("health", "-f", str(tmp_path / "objects"))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"{code} {tmp_path}/objects:{line}" in ended.stderr


@needs_fixtures
def test_health_judges_every_fixture_of_kstatus_in_order():
    lines = (FIXTURES / "health" / "kstatus.jsonl").read_text()
    found = json.loads(program("health", "-f", "-", "-o", "json", stdin=lines).stdout)

    assert len(found) == len(lines.splitlines())
    assert [one["object"]["kind"] for one in found] == [json.loads(one)["object"]["kind"] for one in lines.splitlines()]


def test_no_text_of_an_object_can_command_a_terminal(run, tmp_path):
    evil = {**READY, "metadata": {"name": "a\x1b[2J\x1b]0;gone\x07"}}

    (tmp_path / "objects").write_text(json.dumps(evil))

    assert "\x1b" not in run("health", "-f", str(tmp_path / "objects")).stdout


def test_colours_are_for_a_terminal_only_and_not_for_no_color(run, tmp_path):
    (tmp_path / "objects.json").write_text(json.dumps(READY))
    asked = ("health", "-f", str(tmp_path / "objects.json"))

    assert "\x1b[" in on_a_terminal(*asked, NO_COLOR="")
    assert "\x1b[3" not in on_a_terminal(*asked, NO_COLOR="1")
    assert "\x1b[" not in run(*asked).stdout


def test_the_version_is_printed(run):
    assert run("version").stdout.startswith("gitopsd ")
    assert json.loads(run("version", "-o", "json").stdout)["name"] == "gitopsd"


@pytest.mark.parametrize(
    "arguments", [("nosuch",), ("health",), ("render", "--nosuch", "x"), ("once", "--timeout", "soon")]
)
def test_a_wrong_command_line_ends_with_2(run, arguments):
    assert run(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["once", "plan", "diff", "status", "run"])
def test_a_missing_configuration_ends_with_2_and_a_hint(run, command, tmp_path):
    ended = run(command, "--config", str(tmp_path / "nowhere.yaml"))

    assert ended.returncode == 2
    assert "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_own_code(number, code):
    program = subprocess.Popen([sys.executable, "-m", "gitopsd", "health", "-f", "-"], stdin=subprocess.PIPE)
    _wait_until_it_reads(program.pid)
    program.send_signal(number)

    assert program.wait(20) == code


def _wait_until_it_reads(pid: int) -> None:
    """Only when it blocks on its input has it set its own ways with signals."""
    caught = 0
    while not caught & (1 << (signal.SIGTERM - 1)):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)


def test_validate_finds_what_is_no_expression(run, directory):
    probes = "health: {probes: [{cel: {kind: Certificate, expr: 'object.('}}]}\n"
    (directory / "gitopsd.yaml").write_text(f"apiVersion: gitopsd.dev/v1\nkind: Environment\n{probes}")
    ended = run("validate", str(directory))

    assert ended.returncode == 1
    assert "CEL_INVALID" in ended.stdout
    assert "Syntax error" in ended.stdout


def test_validate_finds_objects_that_wait_for_each_other(run, directory):
    waits = "metadata:\n  annotations: {gitopsd.dev/depends-on: Deployment.apps/web}\n"
    (directory / "more" / "settings.yaml").write_text(CONFIG.replace("metadata:\n", waits))
    on_settings = "  annotations: {gitopsd.dev/depends-on: ConfigMap/settings}\n"
    (directory / "web.yaml").write_text("\n".join(DEPLOYMENT.splitlines()[:5]) + "\n" + on_settings)
    ended = run("validate", str(directory), "-o", "name")

    assert (ended.returncode, ended.stdout) == (1, "DEPENDS_ON_CIRCLE\n")

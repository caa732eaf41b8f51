"""``gitopsd render`` of a chart is what ``helm template`` prints, object for object, however the chart is asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from rig.binaries import build

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "online-boutique" / "helm-chart"
HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\n"
LEAN = "loadGenerator: {create: false}\nfrontend: {platform: onprem, externalService: false}\n"
FULL = (
    "opentelemetryCollector: {create: true}\ngoogleCloudOperations: {tracing: true, metrics: true}\n"
    "networkPolicies: {create: true}\nsidecars: {create: true}\nauthorizationPolicies: {create: true}\n"
    "frontend: {virtualService: {create: true, hosts: ['*'], gateway: {name: a, namespace: b}}}\n"
)


@pytest.fixture
def repository(tmp_path) -> Path:
    if not REAL.is_dir():
        pytest.skip("the fixture online-boutique is not here")
    (tmp_path / ".git").mkdir()
    shutil.copytree(REAL, tmp_path / "charts" / "shop")
    for file in (tmp_path / "charts").rglob("*"):
        file.chmod(0o755)
    return tmp_path


def helm() -> str:
    return str(build(("helm",))["helm"])


def by_gitopsd(directory: Path) -> list[dict]:
    command = [sys.executable, "-m", "gitopsd", "render", str(directory), "-o", "json"]
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=120, env={**os.environ, "GITOPSD_RENDER__HELM": helm()}
    )
    assert done.returncode == 0, done.stderr.decode()
    return in_order(json.loads(done.stdout))


def by_helm(release: str, chart: Path, *arguments: str) -> list[dict]:
    command = [helm(), "template", release, str(chart), "--include-crds", *arguments]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    return in_order([body for body in yaml.load_all(printed, Loader=yaml.CSafeLoader) if body])


def in_order(bodies: list[dict]) -> list[dict]:
    return sorted(bodies, key=lambda body: json.dumps(body, sort_keys=True))


def environment(repository: Path, files: Mapping[str, str]) -> Path:
    directory = repository / "environments" / "staging"
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    return directory


def test_a_directory_that_is_a_chart(repository):
    chart = repository / "charts" / "shop"

    assert by_gitopsd(chart) == by_helm("shop", chart)
    assert len(by_helm("shop", chart)) == 36


@pytest.mark.parametrize("values", [LEAN, FULL], ids=["lean", "full"])
def test_a_chart_that_lies_elsewhere_with_values_of_its_own(repository, values):
    chart = repository / "charts" / "shop"
    recipe = (
        "render: {helm: {chart: ../../charts/shop, release: boutique, namespace: shop, valuesFiles: [mine.yaml]}}\n"
    )
    directory = environment(repository, {"gitopsd.yaml": HEAD + recipe, "mine.yaml": values})

    expected = by_helm("boutique", chart, "--namespace", "shop", "--values", str(directory / "mine.yaml"))

    assert by_gitopsd(directory) == expected
    assert expected != by_helm("boutique", chart, "--namespace", "shop")


def test_a_chart_that_depends_on_others_is_rendered_as_helm_does_when_they_are_built(repository):
    """Helm packs each local dependency into ``charts/``; ``.helmignore`` counts there, and values reach all of them."""
    files = {
        "gitopsd.yaml": HEAD
        + "render: {helm: {values: {global: {team: shop}, sub: {word: 1e3}, again: {word: NO}}}}\n",
        "Chart.yaml": (
            "apiVersion: v2\nname: staging\nversion: 1.0.0\ndependencies:\n"
            "- {name: sub, version: 1.x, repository: 'file://../../charts/sub'}\n"
            "- {name: sub, version: 1.x, repository: 'file://../../charts/sub', alias: again}\n"
            "- {name: quiet, version: 1.x, repository: 'file://../../charts/quiet', condition: quiet.enabled}\n"
        ),
        "values.yaml": "quiet: {enabled: false}\n",
        "../../charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.2.3\n",
        "../../charts/sub/.helmignore": "ignored*\n/templates/draft/\n",
        "../../charts/sub/templates/draft/a.yaml": "{{ fail }}",
        "../../charts/sub/templates/ignored.yaml": "{{ fail }}",
        "../../charts/quiet/Chart.yaml": "apiVersion: v2\nname: quiet\nversion: 1.0.0\n",
        "../../charts/quiet/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: quiet}\n",
    }
    files["../../charts/sub/templates/a.yaml"] = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\n"
        "data: {word: {{ .Values.word | quote }}, team: {{ .Values.global.team }}}\n"
    )
    directory = environment(repository, files)
    built = repository / "built" / "environments" / "staging"
    shutil.copytree(repository / "charts", repository / "built" / "charts")
    shutil.copytree(directory, built)
    subprocess.run([helm(), "dependency", "build", str(built)], check=True, capture_output=True, timeout=120)
    (repository / "inline.yaml").write_text("global: {team: shop}\nsub: {word: 1e3}\nagain: {word: NO}\n")

    ours = by_gitopsd(directory)

    assert ours == by_helm("staging", built, "--values", str(repository / "inline.yaml"))
    assert {body["metadata"]["name"] for body in ours} == {"again", "sub"}


def test_validate_says_what_will_be_otherwise_than_with_helm(repository):
    files = {
        "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "templates/a.yaml": (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}\n"
            "stringData: {password: {{ randAlphaNum 8 }}}\n"
        ),
    }
    command = [sys.executable, "-m", "gitopsd", "validate", str(environment(repository, files)), "-o", "json"]
    done = subprocess.run(
        command, capture_output=True, check=True, timeout=120, env={**os.environ, "GITOPSD_RENDER__HELM": helm()}
    )
    warnings = {one["code"]: one for one in json.loads(done.stdout)["warnings"]}

    assert "/data/password" in warnings["RENDER_UNSTABLE"]["message"]
    assert warnings["RENDER_UNSTABLE"]["ref"] == warnings["HELM_HOOK"]["ref"] == "Secret a"


def test_a_link_in_a_chart_is_followed_by_nobody(repository):
    """Row R13: writing through a linked ``Chart.lock`` was CVE-2025-53547."""
    (repository / "charts" / "shop" / "Chart.lock").symlink_to("/etc/passwd")
    directory = environment(repository, {"gitopsd.yaml": HEAD + "render: {helm: {chart: ../../charts/shop}}\n"})
    command = [sys.executable, "-m", "gitopsd", "render", str(directory)]
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=120, env={**os.environ, "GITOPSD_RENDER__HELM": helm()}
    )

    assert done.returncode == 1
    assert b"GIT_SYMLINK" in done.stderr
    assert b"root:" not in done.stdout + done.stderr

"""What ``gitopsd.yaml`` may say, and every way to say it wrong."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.directory import desired_from
from gitopsd.core.manifests.durations import seconds
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import File, Revision
from gitopsd.core.settings import IgnoreRule, OnFailure, PruneSettings, Settings

HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\n"
A_MAP = File("env/a.yaml", "1", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")


def parse(content: str) -> Settings:
    return parse_settings(File("env/gitopsd.yaml", "1", content.encode()))


def refused(content: str):
    with pytest.raises(RenderError) as caught:
        parse(content)
    return caught.value.problems


def test_a_file_that_wishes_nothing_gives_the_defaults():
    assert parse(HEAD) == Settings()


def test_everything_that_can_be_said():
    content = """
namespace: shop
dependsOn: [staging/database, staging-cache]
health: {timeout: 10m, soak: 1m30s}
onFailure: freeze
prune: {enabled: false, budget: 50%}
ignore:
  - {kind: Deployment, name: web, namespace: shop, pointers: [/spec/replicas, /metadata/annotations/a~1b]}
  - {kind: Secret, pointers: [/data]}
"""
    assert parse(HEAD + content) == Settings(
        namespace="shop",
        depends_on=("staging/database", "staging-cache"),
        deadline_s=600.0,
        soak_s=90.0,
        on_failure=OnFailure.FREEZE,
        prune=PruneSettings(enabled=False, budget_percent=50),
        ignore=(
            IgnoreRule(
                kind="Deployment",
                name="web",
                namespace="shop",
                pointers=("/spec/replicas", "/metadata/annotations/a~1b"),
            ),
            IgnoreRule(kind="Secret", pointers=("/data",)),
        ),
    )


def test_a_short_timeout_shortens_the_soak_that_nobody_chose():
    assert parse(HEAD + "health: {timeout: 10s}\n").soak_s < 10


@pytest.mark.parametrize(
    ("content", "path", "line", "hint"),
    [
        ("namespce: shop\n", "namespce", 3, "did you mean namespace?"),
        ("health:\n  timeuot: 5m\n", "health.timeuot", 4, "did you mean timeout?"),
        ("prune: {budgets: 5%}\n", "prune.budgets", 3, "did you mean budget?"),
        ("ignore:\n- kind: A\n  pointers: [/a]\n  pointer: /b\n", "ignore[0].pointer", 6, "did you mean pointers?"),
        ("zzz: 1\n", "zzz", 3, "known are"),
        ("metadata: {name: a}\n", "metadata", 3, "known are"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_line_and_the_likely_word(content, path, line, hint):
    (problem,) = refused(HEAD + content)

    assert (problem.code, problem.line) == ("SETTINGS_UNKNOWN_KEY", line)
    assert problem.message.startswith(f"{path} ")
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("promote: {from: staging}\n", "promote"),
        ("rollout: {}\n", "rollout"),
    ],
)
def test_a_feature_that_this_build_lacks_is_refused_by_name(content, path):
    (problem,) = refused(HEAD + content)

    assert (problem.code, problem.line) == ("FEATURE_NOT_AVAILABLE", 3)
    assert problem.message.startswith(f"{path} ")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("namespace: 1\n", "namespace"),
        ("namespace: A_b\n", "namespace"),
        ("dependsOn: staging\n", "dependsOn"),
        ("dependsOn: [1]\n", "dependsOn"),
        ("dependsOn: ['']\n", "dependsOn"),
        ("health: 5m\n", "health"),
        ("health: {timeout: 300}\n", "health.timeout"),
        ("health: {timeout: '300'}\n", "health.timeout"),
        ("health: {timeout: 5 m}\n", "health.timeout"),
        ("health: {timeout: -5m}\n", "health.timeout"),
        ("health: {timeout: 0s}\n", "health.timeout"),
        ("health: {timeout: 1ms}\n", "health.timeout"),
        ("health: {timeout: 25h}\n", "health.timeout"),
        ("health: {soak: 5m}\n", "health.soak"),
        ("health: {timeout: 1m, soak: 2m}\n", "health.soak"),
        ("onFailure: explode\n", "onFailure"),
        ("onFailure: no\n", "onFailure"),
        ("prune: {enabled: 'false'}\n", "prune.enabled"),
        ("prune: {budget: 20}\n", "prune.budget"),
        ("prune: {budget: 101%}\n", "prune.budget"),
        ("prune: {budget: -1%}\n", "prune.budget"),
        ("prune: []\n", "prune"),
        ("ignore: {kind: A}\n", "ignore"),
        ("ignore: [A]\n", "ignore[0]"),
        ("ignore: [{pointers: [/a]}]\n", "ignore[0].kind"),
        ("ignore: [{kind: A}]\n", "ignore[0].pointers"),
        ("ignore: [{kind: A, pointers: [spec]}]\n", "ignore[0].pointers"),
        ("ignore: [{kind: A, pointers: ['']}]\n", "ignore[0].pointers"),
        ("ignore: [{kind: A, pointers: [/a~2]}]\n", "ignore[0].pointers"),
        ("ignore: [{kind: A, pointers: [/metadata/name]}]\n", "ignore[0].pointers"),
        ("ignore: [{kind: A, pointers: [/kind]}]\n", "ignore[0].pointers"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused(content, path):
    problem = refused(HEAD + content)[0]

    assert (problem.code, problem.line) == ("SETTINGS_INVALID", 3)
    assert problem.message.startswith(f"{path} ")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "---\n",
        "text",
        HEAD + "---\n" + HEAD,
        "kind: Environment\n",
        HEAD.replace("v1", "v2"),
        HEAD.replace("Env", "X"),
    ],
)
def test_what_is_no_settings_file_is_refused(content):
    assert refused(content)[0].code == "SETTINGS_INVALID"


def test_all_problems_are_told_at_once():
    problems = refused("kind: Environment\nnamespce: a\nonFailure: x\nhealth: {timeout: 1}\n")

    assert [problem.line for problem in problems] == [2, 1, 4, 3]


def test_a_key_written_twice_is_refused():
    assert refused(HEAD + "namespace: a\nnamespace: b\n")[0].code == "YAML_DUPLICATE_KEY"


def test_a_bad_settings_file_rejects_the_commit():
    with pytest.raises(RenderError) as caught:
        desired_from(Revision(ref="main", commit="c"), "env", (A_MAP, File("env/gitopsd.yml", "2", b"a: 1")))

    assert {problem.file for problem in caught.value.problems} == {"env/gitopsd.yml"}


def test_two_settings_files_are_refused():
    files = (A_MAP, File("env/gitopsd.yml", "2", HEAD.encode()), File("env/gitopsd.yaml", "2", HEAD.encode()))

    with pytest.raises(RenderError) as caught:
        desired_from(Revision(ref="main", commit="c"), "env", files)

    assert caught.value.problem.code == "SETTINGS_TWICE"


def test_a_settings_file_further_down_is_refused_rather_than_ignored():
    with pytest.raises(RenderError) as caught:
        desired_from(
            Revision(ref="main", commit="c"),
            "env",
            (A_MAP, File("env/sub/gitopsd.yaml", "2", HEAD.encode())),
        )

    assert caught.value.problem.code == "SETTINGS_MISPLACED"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("1m0.5s", 60.5),
        ("10us", 1e-5),
        ("10µs", 1e-5),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5d", "5M", "1h 30m", "1e3s", "٣s", "5m" * 100])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        seconds(text)

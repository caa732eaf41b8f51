"""What helm is told: a command line of ours, files under names of ours, values that mean what was written."""

from __future__ import annotations

import json

import pytest
import yaml

from gitopsd.core.errors import RenderError
from gitopsd.core.helm import order as helm_order
from gitopsd.core.helm.chart import chart_in
from gitopsd.core.helm.order import Order, Wish, as_yaml, order_of
from gitopsd.core.manifests.recipe_section import recipe_written
from gitopsd.core.model import Environment, File
from gitopsd.core.recipes import Helm
from gitopsd.core.settings import Settings
from tests.core.charts import chart_yaml, depends_on, reader

HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\n"
FILES = {
    "envs/staging/web/Chart.yaml": chart_yaml(),
    "envs/staging/web/values.yaml": "a: 1\n",
    "envs/staging/web/-x,y.yaml": "a: 2\n",
    "envs/staging/other.yaml": "a: 3\n",
    "charts/web/Chart.yaml": chart_yaml(),
    "shared/values.yaml": "a: NO\n",
}
STAGING = Environment(name="staging/web", source="s", path="envs/staging/web", namespaces=("shop", "shop-*"))


def order(content: str = "", environment: Environment = STAGING, settings: Settings | None = None) -> Order:
    written = File(f"{environment.path}/gitopsd.yaml", "", (HEAD + content).encode())
    recipe = recipe_written(written)
    wish = Wish(
        environment=environment,
        recipe=recipe if isinstance(recipe, Helm) else Helm(),
        settings=settings or Settings(),
        written=written,
    )
    return order_of(wish, reader(FILES))


def refused(content: str, environment: Environment = STAGING) -> tuple[str, str]:
    with pytest.raises(RenderError) as caught:
        order(content, environment)
    return caught.value.problem.code, caught.value.problem.where


def test_without_a_word_it_is_the_chart_of_the_directory_under_the_environments_name():
    assert order().arguments == ("template", "staging-web", "chart", "--namespace=shop", "--include-crds")


def test_all_words_of_the_recipe_reach_helm():
    content = """
render:
  helm:
    chart: ../../../charts/web
    release: web
    namespace: shop-a
    valuesFiles: [values.yaml, "-x,y.yaml", ../../../shared/values.yaml]
    values: {a: 4}
    kubeVersion: v1.35.4
    apiVersions: [v1, example.com/v1/Widget]
"""
    made = order(content)

    assert made.arguments == (
        *("template", "web", "chart", "--namespace=shop-a", "--include-crds"),
        *("--values=values/0.yaml", "--values=values/1.yaml", "--values=values/2.yaml", "--values=values/inline.json"),
        *("--kube-version=v1.35.4", "--api-versions=v1", "--api-versions=example.com/v1/Widget"),
    )
    assert dict(made.files()) == {
        "chart/Chart.yaml": chart_yaml().encode(),
        "values/0.yaml": b"a: 1\n",
        "values/1.yaml": b"a: 2\n",
        "values/2.yaml": b"a: NO\n",
        "values/inline.json": b'{"a": 4}',
    }
    assert set(made.directories) == {"charts/web", "envs/staging/web", "shared"}


@pytest.mark.parametrize(
    ("settings", "namespaces", "namespace"),
    [
        (Settings(namespace="own"), ("shop",), "own"),
        (Settings(), ("shop",), "shop"),
        (Settings(), ("shop", "other"), "default"),
        (Settings(), ("shop-*",), "default"),
        (Settings(), (), "default"),
    ],
)
def test_the_namespace_is_the_environments_own(settings, namespaces, namespace):
    environment = Environment(name="web", source="s", path="charts/web", namespaces=namespaces)

    assert order("", environment, settings).namespace == namespace


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("render:\n  helm:\n    valuesFiles:\n    - values.yaml\n    - none.yaml\n", "HELM_VALUES_MISSING", 7),
        ("render:\n  helm:\n    valuesFiles: [../../../../x.yaml]\n", "HELM_OUTSIDE", 5),
        ("render:\n  helm:\n    valuesFiles: [../other.yaml]\n", "HELM_VALUES_PLACE", 5),
        ("render:\n  helm:\n    valuesFiles: [../../../shared]\n", "HELM_VALUES_PLACE", 5),
        ("render:\n  helm:\n    chart: ../../../../web\n", "HELM_OUTSIDE", 5),
        ("render:\n  helm:\n    chart: none\n", "HELM_CHART_MISSING", 5),
        ("render:\n  helm:\n    chart: ../../../charts\n", "HELM_CHART_MISSING", 5),
    ],
)
def test_what_is_not_there_is_told_where_it_is_asked_for(content, code, line):
    assert refused(content) == (code, f"envs/staging/web/gitopsd.yaml:{line}")


def test_all_files_of_values_that_are_not_there_are_told_at_once():
    lines = "".join(f"    - {name}\n" for name in ("none.yaml", "values.yaml", "../other.yaml", "gone.yaml"))

    with pytest.raises(RenderError) as error:
        order(f"render:\n  helm:\n    valuesFiles:\n{lines}")

    assert [(problem.code, problem.line) for problem in error.value.problems] == [
        ("HELM_VALUES_MISSING", 6),
        ("HELM_VALUES_PLACE", 8),
        ("HELM_VALUES_MISSING", 9),
    ]


@pytest.mark.parametrize("name", ["Web", "a" * 54, "web_1", "-debug"])
def test_an_environment_whose_name_is_none_for_a_release_is_asked_for_one(name):
    environment = Environment(name=name, source="s", path="charts/web")

    assert refused("", environment)[0] == "HELM_RELEASE_INVALID"


@pytest.mark.parametrize(
    "value",
    [
        "NO",
        "1e3",
        "plain",
        'quote " and \\ backslash',
        "line\nend\ttab",
        "\x7f\x80\x85\x9f",
        "\u2028\u2029\ufeff",
        "é ☃ 🚀",
        "\x01",
        "",
        True,
        None,
        10**18,
        -0.5,
        1e22,
        [],
        {},
        [{"a": [1, {"b": None}]}],
    ],
)
def test_inline_values_mean_to_yaml_what_was_written(value):
    written = as_yaml({"value": value})

    assert json.loads(written) == {"value": value}
    assert yaml.safe_load(written) == {"value": value} or value == 1e22


def test_a_chart_that_is_copied_into_many_others_counts_as_often(monkeypatch):
    monkeypatch.setattr(helm_order, "COPIED_BYTES_MAX", 5_000)
    files = {
        "env/Chart.yaml": chart_yaml(
            "web", depends_on(*(f"name: a{n}, repository: 'file://../a{n}'" for n in range(9)))
        ),
        **{
            f"a{n}/Chart.yaml": chart_yaml(f"a{n}", depends_on("name: big, repository: 'file://../big'"))
            for n in range(9)
        },
        "big/Chart.yaml": chart_yaml("big"),
        "big/values.yaml": "#" * 1_000,
    }
    chart = chart_in("env", reader(files))
    with pytest.raises(RenderError) as refused:
        list(Order(chart=chart, release="a", namespace="a").files())
    assert (refused.value.problem.code, refused.value.problem.file) == ("ENVIRONMENT_TOO_LARGE", "env/Chart.yaml")
    assert list(Order(chart=chart_in("a1", reader(files)), release="a", namespace="a").files())

"""A chart and what it is made of: what is there is found, what is not committed or leads elsewhere is refused."""

from __future__ import annotations

import pytest
import yaml

from gitopsd.core.errors import RenderError
from gitopsd.core.helm.chart import CHARTS_MAX, DEPTH_MAX, chart_in, directories_of
from gitopsd.core.helm.places import copied_files, written_at
from tests.core.charts import chart_yaml, depends_on, reader

A_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def refused(files: dict[str, str], directory: str = "env"):
    with pytest.raises(RenderError) as caught:
        chart_in(directory, reader(files))
    return caught.value.problem


def copied(files: dict[str, str], directory: str = "env") -> list[str]:
    return sorted(path for path, _ in copied_files(chart_in(directory, reader(files))))


def test_a_chart_is_its_directory():
    files = {"env/Chart.yaml": chart_yaml(), "env/templates/a.yaml": A_MAP, "other/b.yaml": A_MAP}

    assert copied(files) == ["Chart.yaml", "templates/a.yaml"]


def test_a_chart_may_be_the_repository():
    assert copied({"Chart.yaml": chart_yaml(), "templates/a.yaml": A_MAP}, "") == ["Chart.yaml", "templates/a.yaml"]


@pytest.mark.parametrize("repository", ["", "https://charts.example.com", "oci://r/c", "@alias", "file://../nowhere"])
@pytest.mark.parametrize("there", ["charts/redis/Chart.yaml", "charts/other/Chart.yaml", "charts/redis-18.0.1.tgz"])
def test_a_vendored_dependency_is_not_asked_for_its_repository(repository, there):
    files = {
        "env/Chart.yaml": chart_yaml("web", depends_on(f"name: redis, version: ^18, repository: '{repository}'")),
        f"env/{there}": chart_yaml("redis"),
    }

    assert copied(files) == ["Chart.yaml", there]


@pytest.mark.parametrize("repository", ["", "https://charts.example.com", "oci://registry.example.com/c", "alias:x"])
@pytest.mark.parametrize("there", ["charts/README.md", "charts/redis-ha-1.0.0.tgz", "charts/_redis/Chart.yaml"])
def test_a_dependency_that_is_not_committed_is_refused_where_it_is_written(repository, there):
    more = depends_on("name: sub, repository: 'file://../sub'", f"name: redis, repository: '{repository}'")
    files = {
        "env/Chart.yaml": chart_yaml("web", more),
        f"env/{there}": chart_yaml("redis"),
        "sub/Chart.yaml": chart_yaml("sub"),
    }
    problem = refused(files)

    assert (problem.code, problem.where) == ("HELM_DEPENDENCY_MISSING", "env/Chart.yaml:6")
    assert "redis" in problem.message
    assert "helm dependency build" in problem.hint


def test_a_local_dependency_is_copied_with_all_that_it_depends_on():
    files = {
        "env/Chart.yaml": chart_yaml("web", depends_on("name: sub, repository: 'file://../charts/sub'")),
        "charts/sub/Chart.yaml": chart_yaml("sub", depends_on("name: leaf, repository: 'file://../../leaf/'")),
        "charts/sub/templates/a.yaml": A_MAP,
        "leaf/Chart.yaml": chart_yaml("leaf"),
    }

    assert copied(files) == [
        "Chart.yaml",
        "charts/sub/Chart.yaml",
        "charts/sub/charts/leaf/Chart.yaml",
        "charts/sub/templates/a.yaml",
    ]
    assert sorted(directories_of(chart_in("env", reader(files)))) == ["charts/sub", "env", "leaf"]


def test_an_unpacked_chart_gets_its_local_dependencies_where_it_lies():
    files = {
        "env/Chart.yaml": chart_yaml(),
        "env/charts/place/Chart.yaml": chart_yaml("sub", depends_on("name: leaf, repository: 'file://../../../leaf'")),
        "leaf/Chart.yaml": chart_yaml("leaf"),
    }

    assert copied(files) == ["Chart.yaml", "charts/place/Chart.yaml", "charts/place/charts/leaf/Chart.yaml"]


def test_a_vendored_chart_may_lack_what_it_does_not_use():
    lacking = chart_yaml("sub", depends_on("name: redis, repository: 'https://charts.example.com'"))

    assert copied({"env/Chart.yaml": chart_yaml(), "env/charts/sub/Chart.yaml": lacking}) == [
        "Chart.yaml",
        "charts/sub/Chart.yaml",
    ]


def test_dependencies_of_the_first_version_are_written_apart():
    files = {
        "env/Chart.yaml": "apiVersion: v1\nname: web\nversion: 1.0.0\n",
        "env/requirements.yaml": depends_on("name: sub, repository: 'file://../sub'"),
        "sub/Chart.yaml": chart_yaml("sub"),
    }

    assert "charts/sub/Chart.yaml" in copied(files)


def test_a_chart_that_is_used_twice_is_copied_once():
    more = depends_on(*(f"name: sub, alias: {alias}, repository: 'file://../sub'" for alias in "ab"))
    files = {"env/Chart.yaml": chart_yaml("web", more), "sub/Chart.yaml": chart_yaml("sub")}

    assert copied(files) == ["Chart.yaml", "charts/sub/Chart.yaml"]


@pytest.mark.parametrize(
    "path", ["../../out", "/etc", "../../../etc", "..\\sub", "../.git/hooks", "../x/../../../out", "//host/share"]
)
def test_a_local_dependency_never_leads_out_of_the_repository(path):
    problem = refused({"env/Chart.yaml": chart_yaml("web", depends_on(f"name: sub, repository: 'file://{path}'"))})

    assert (problem.code, problem.where) == ("HELM_OUTSIDE", "env/Chart.yaml:5")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../x", "-x", "_x", "x" * 251, ""])
def test_a_name_that_could_be_a_place_is_refused(name):
    own = refused({"env/Chart.yaml": f"apiVersion: v2\nversion: 1.0.0\nname: '{name}'\n"})
    dependency = refused(
        {"env/Chart.yaml": chart_yaml("web", depends_on(f"name: '{name}', repository: 'file://../a'"))}
    )

    assert (own.code, own.where) == ("HELM_CHART_INVALID", "env/Chart.yaml:3")
    assert (dependency.code, dependency.where) == ("HELM_CHART_INVALID", "env/Chart.yaml:5")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("- a\n", 0),
        ("apiVersion: v2\n", 1),
        ("name: 1\n", 1),
        ("name: web\ndependencies: {a: b}\n", 2),
        ("name: web\ndependencies: [sub]\n", 2),
        ("name: web\ndependencies:\n- {name: sub, repository: 1}\n", 3),
        ("name: web\ndependencies:\n- {name: sub, alias: [a]}\n", 3),
    ],
)
def test_a_chart_that_is_none_is_refused_with_its_line(content, line):
    problem = refused({"env/Chart.yaml": content})

    assert (problem.code, problem.file, problem.line) == ("HELM_CHART_INVALID", "env/Chart.yaml", line)


def test_a_library_is_not_rendered_but_may_be_used():
    library = {"lib/Chart.yaml": chart_yaml("lib", "type: library")}
    using = {"env/Chart.yaml": chart_yaml("web", depends_on("name: lib, repository: 'file://../lib'"))}

    assert (refused(library, "lib").code, refused(library, "lib").where) == ("HELM_LIBRARY_CHART", "lib/Chart.yaml:4")
    assert "charts/lib/Chart.yaml" in copied(library | using)


def test_no_chart_is_told_at_the_place_that_names_it():
    assert refused({"env/a.yaml": A_MAP}).code == "HELM_CHART_MISSING"
    problem = refused({"env/Chart.yaml": chart_yaml("web", depends_on("name: sub, repository: 'file://../sub'"))})

    assert (problem.code, problem.where) == ("HELM_DEPENDENCY_MISSING", "env/Chart.yaml:5")


def test_another_name_than_the_charts_own_is_refused():
    more = depends_on("name: sub, repository: 'file://../sub'")
    problem = refused({"env/Chart.yaml": chart_yaml("web", more), "sub/Chart.yaml": chart_yaml("bus")})

    assert problem.code == "HELM_CHART_INVALID"
    assert "bus" in problem.message


def test_two_charts_of_one_name_are_refused():
    more = depends_on("name: sub, repository: 'file://../a'", "name: sub, alias: b, repository: 'file://../b'")
    files = {path: chart_yaml("sub") for path in ("a/Chart.yaml", "b/Chart.yaml")}

    assert refused({"env/Chart.yaml": chart_yaml("web", more), **files}).where == "env/Chart.yaml:5"


def test_a_copy_never_lands_among_other_files():
    files = {
        "env/Chart.yaml": chart_yaml("web", depends_on("name: sub, repository: 'file://../sub'")),
        "env/charts/sub/Chart.yaml": chart_yaml("another"),
        "sub/Chart.yaml": chart_yaml("sub"),
    }

    assert refused(files).code == "HELM_CHART_INVALID"


def test_a_circle_is_told_with_its_stations():
    files = {
        "env/Chart.yaml": chart_yaml("web", depends_on("name: b, repository: 'file://../b'")),
        "b/Chart.yaml": chart_yaml("b", depends_on("name: c, repository: 'file://../c'")),
        "c/Chart.yaml": chart_yaml("c", depends_on("name: b, repository: 'file://../b'")),
    }
    problem = refused(files)

    assert (problem.code, problem.where) == ("HELM_DEPENDENCY_CIRCLE", "c/Chart.yaml:5")
    assert "b → c → b" in problem.message


def test_a_chart_that_depends_on_itself_is_a_circle():
    itself = chart_yaml("web", depends_on("name: web, repository: 'file://.'"))

    assert refused({"env/Chart.yaml": itself}).code == "HELM_DEPENDENCY_CIRCLE"


def test_depth_and_count_are_bounded():
    def chain(length: int) -> dict[str, str]:
        last = {f"c{length}/Chart.yaml": chart_yaml(f"c{length}")}
        return last | {
            f"c{number}/Chart.yaml": chart_yaml(
                f"c{number}", depends_on(f"name: c{number + 1}, repository: 'file://../c{number + 1}'")
            )
            for number in range(length)
        }

    many = {f"env/charts/c{number}/Chart.yaml": chart_yaml(f"c{number}") for number in range(CHARTS_MAX)}

    assert len(copied(chain(DEPTH_MAX), "c0")) == DEPTH_MAX + 1
    assert refused(chain(DEPTH_MAX + 1), "c0").code == "ENVIRONMENT_TOO_LARGE"
    assert refused({"env/Chart.yaml": chart_yaml(), **many}).code == "ENVIRONMENT_TOO_LARGE"


def test_charts_that_double_at_each_step_end_at_once():
    def twice(level: int) -> str:
        return depends_on(*(f"name: {side}{level}, repository: 'file://../{side}{level}'" for side in "ab"))

    files = {
        f"{side}{level}/Chart.yaml": chart_yaml(f"{side}{level}", twice(level + 1))
        for level in range(DEPTH_MAX)
        for side in "ab"
    }
    leaves = {f"{side}{DEPTH_MAX}/Chart.yaml": chart_yaml(f"{side}{DEPTH_MAX}") for side in "ab"}

    assert refused(files | leaves, "a0").code == "ENVIRONMENT_TOO_LARGE"


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("web/templates/a.yaml", "env/templates/a.yaml"),
        ("web/crds/b.yaml", "env/crds/b.yaml"),
        ("web/charts/sub/templates/a.yaml", "env/charts/place/templates/a.yaml"),
        ("web/charts/again/templates/a.yaml", "env/charts/place/templates/a.yaml"),
        ("web/charts/local/templates/a.yaml", "local/templates/a.yaml"),
        ("web/charts/packed/templates/a.yaml", "env/charts/packed-1.0.0.tgz"),
        ("web/charts/packed/charts/deeper/templates/a.yaml", "env/charts/packed-1.0.0.tgz"),
        ("web/charts/nobody/templates/a.yaml", ""),
        ("web/templates/none.yaml", ""),
        ("other/templates/a.yaml", ""),
        ("web/../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_what_helm_calls_a_template_leads_back_to_its_file(source, path):
    more = depends_on(
        "name: sub, alias: again, repository: ''",
        "name: local, repository: 'file://../local'",
        "name: packed, repository: 'https://x'",
    )
    files = {
        "env/Chart.yaml": chart_yaml("web", more),
        "env/templates/a.yaml": A_MAP,
        "env/crds/b.yaml": A_MAP,
        "env/charts/place/Chart.yaml": chart_yaml("sub"),
        "env/charts/place/templates/a.yaml": A_MAP,
        "env/charts/packed-1.0.0.tgz": "",
        "local/Chart.yaml": chart_yaml("local"),
        "local/templates/a.yaml": A_MAP,
    }

    assert written_at(chart_in("env", reader(files)), source) == path


def test_a_chart_is_searched_for_lines_once_however_much_it_depends_on(monkeypatch):
    found: list[str] = []
    compose_all = yaml.compose_all

    def composed(content, Loader):  # noqa: N803 - the library's name
        found.append(content)
        return compose_all(content, Loader=Loader)

    monkeypatch.setattr(yaml, "compose_all", composed)
    names = [f"a{number}" for number in range(100)]
    chart = chart_yaml("web", depends_on(*(f"name: {name}" for name in names)))
    packed = {f"env/charts/{name}-1.0.0.tgz": "" for name in names}
    assert len(chart_in("env", reader({"env/Chart.yaml": chart, **packed})).archives) == len(names)
    assert found == [chart]

"""Walking a kustomization costs what its files are large, never how often they name each other or what they lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
import yaml as libyaml

from gitopsd.core.errors import RenderError
from gitopsd.core.kustomize.origins import placed_by
from gitopsd.core.kustomize.walk import NAMES_MAX, Walk, walk
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.manifests.paths import is_below
from gitopsd.core.manifests.text import TextFile
from gitopsd.core.manifests.yaml import Document
from gitopsd.core.model import File, Origin

PLUGIN = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npatch: '[]'\n"
MANY = 300


def walked(texts: Mapping[str, str]) -> Walk:
    files = [File(path, path, text.encode()) for path, text in texts.items()]
    return walk("env", lambda place: [one for one in files if is_below(one.path, place)] or None, Origin("env"))


@pytest.fixture
def reads(monkeypatch) -> Counter[str]:
    """How often a text was parsed, and how often searched for lines."""
    counted: Counter[str] = Counter()
    parse, compose_all = yaml.parse, libyaml.compose_all

    def parsed(text: TextFile) -> tuple[Document, ...]:
        counted[text.content] += 1
        return parse(text)

    def composed(content, Loader):  # noqa: N803 - the library's name
        counted["lines"] += 1
        return compose_all(content, Loader=Loader)

    monkeypatch.setattr(yaml, "parse", parsed)
    monkeypatch.setattr(libyaml, "compose_all", composed)
    return counted


def test_a_kustomization_is_searched_for_lines_once_however_much_it_generates(reads):
    top = "configMapGenerator:\n" + "".join(f"- {{name: a{number}}}\n" for number in range(MANY))
    assert len(walked({"env/kustomization.yaml": top}).generated) == MANY
    assert reads["lines"] == 1


def test_a_base_that_is_named_often_is_parsed_no_more_often(reads):
    base = "resources: [a.yaml]\n"
    top = "resources:\n" + "- ../base\n" * MANY
    texts = {"env/kustomization.yaml": top, "base/kustomization.yaml": base, "base/a.yaml": "# nothing\n"}
    found = walked(texts)
    assert len(found.resources) == MANY
    # Once to see whether it is kustomize's own, once to follow it.
    assert reads[base] == reads[top] == 2

    asked: list[str] = []
    placed_by(found, lambda file: asked.append(file.path) or read_file(file))
    assert asked == ["base/a.yaml"]


@pytest.mark.parametrize("place", ["- a.yaml\n", "- |\n  " + PLUGIN.replace("\n", "\n  ").rstrip(" ")])
def test_a_plugin_that_is_named_often_is_parsed_no_more_often(reads, place):
    walked({"env/kustomization.yaml": "transformers:\n" + place * MANY, "env/a.yaml": PLUGIN})
    assert reads[PLUGIN] == 1


def test_more_plugins_than_kustomizations_may_be_are_refused():
    top = "transformers:\n" + "- a.yaml\n" * 1_001
    with pytest.raises(RenderError) as refused:
        walked({"env/kustomization.yaml": top, "env/a.yaml": PLUGIN})
    assert refused.value.problem.code == "KUSTOMIZE_TOO_LARGE"
    assert refused.value.problem.line == 1_001


@pytest.mark.parametrize(
    ("one", "lists"), [("[a.yaml]", "resources"), ("[{name: a}]", "secretGenerator")], ids=["files", "objects"]
)
def test_more_names_than_anybody_writes_are_refused(one, lists):
    names = ", ".join([one.strip("[]")] * (NAMES_MAX // 2))
    texts = {
        "env/kustomization.yaml": "resources: [../base, ../base, ../base]",
        "base/kustomization.yaml": f"{lists}: [{names}]",
        "base/a.yaml": "# nothing\n",
    }
    with pytest.raises(RenderError) as refused:
        walked(texts)
    assert (refused.value.problem.code, refused.value.problem.file) == (
        "KUSTOMIZE_TOO_LARGE",
        "base/kustomization.yaml",
    )


def test_no_more_is_told_of_what_is_missing_than_anybody_reads():
    names = "".join(f"- a{number}.yaml\n" for number in range(MANY))
    with pytest.raises(RenderError) as refused:
        walked({"env/kustomization.yaml": f"resources:\n{names}"})
    assert {problem.code for problem in refused.value.problems} == {"KUSTOMIZE_MISSING"}
    assert len(refused.value.problems) == yaml.PROBLEMS_PER_FILE_MAX


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("resources: [none.yaml]", "there is neither a file nor a directory env/none.yaml"),
        ("generators: [none.yaml]", "there is neither a file nor a directory env/none.yaml"),
        ("components: [../none]", "there is no directory none"),
        ("patches: [{path: none.yaml}]", "patches[0].path names env/none.yaml, which is no file"),
    ],
)
def test_what_is_missing_is_called_what_it_may_have_been(field, said):
    with pytest.raises(RenderError) as refused:
        walked({"env/kustomization.yaml": field})
    assert (refused.value.problem.code, refused.value.problem.message) == ("KUSTOMIZE_MISSING", said)

"""Objects that kustomize printed are found again where they were written, or said to be of the kustomization."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gitopsd.core.kustomize.origins import placed_by
from gitopsd.core.kustomize.walk import walk
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.manifests.paths import is_below
from gitopsd.core.model import File, Origin


def an_object(kind: str, name: str, namespace: str = "") -> str:
    placed = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}{placed}}}\n"


def origin(texts: Mapping[str, str], words: str) -> str:
    files = [File(path, path, text.encode()) for path, text in texts.items()]
    walked = walk(
        "env", lambda directory: [one for one in files if is_below(one.path, directory)] or None, Origin("env")
    )
    return str(placed_by(walked, read_file)(words, 1))


TWO = f"# two objects\n{an_object('ConfigMap', 'a')}---\n{an_object('Service', 'a')}"


@pytest.mark.parametrize(
    ("texts", "words", "where"),
    [
        ({"env/kustomization.yaml": "resources: [a.yaml]", "env/a.yaml": TWO}, "Service shop/a", "env/a.yaml:6"),
        (
            {
                "env/kustomization.yaml": "resources: [../b]\nnamePrefix: x-\nnameSuffix: -y",
                "b/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: z-",
                "b/a.yaml": TWO,
            },
            "ConfigMap shop/x-z-a-y",
            "b/a.yaml:2",
        ),
        (
            {
                "env/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: x-",
                "env/a.yaml": an_object("Namespace", "a"),
            },
            "Namespace a",
            "env/a.yaml:1",
        ),
        (
            {"env/kustomization.yaml": "namePrefix: x-\nconfigMapGenerator:\n- {name: b}\n- {name: a}\n"},
            "ConfigMap shop/x-a-9hk5f7kgcb",
            "env/kustomization.yaml:4",
        ),
        (
            {
                "env/kustomization.yaml": "resources: [a.yaml, b.yaml]",
                "env/a.yaml": an_object("ConfigMap", "a", "one"),
                "env/b.yaml": an_object("ConfigMap", "a", "two"),
            },
            "ConfigMap two/a",
            "env/b.yaml:1",
        ),
        (
            {
                "env/kustomization.yaml": "resources: [a.yaml, b.yaml]",
                "env/a.yaml": an_object("ConfigMap", "a", "one"),
                "env/b.yaml": an_object("ConfigMap", "a", "two"),
            },
            "ConfigMap three/a",
            "env/kustomization.yaml",
        ),
        (
            {"env/kustomization.yaml": "resources: [a.yaml]", "env/a.yaml": an_object("ConfigMap", "a")},
            "ConfigMap shop/renamed",
            "env/kustomization.yaml",
        ),
        ({"env/kustomization.yaml": "resources: [a.yaml]", "env/a.yaml": TWO}, "", "env/kustomization.yaml"),
    ],
    ids=[
        "by its line",
        "under the names of all kustomizations on the way",
        "a kind whose name stays",
        "a generator, under its hash",
        "the one of its namespace",
        "none of several",
        "none at all",
        "something without a name",
    ],
)
def test_an_object_is_told_where_it_was_written_and_never_where_it_was_not(texts, words, where):
    assert origin(texts, words) == where

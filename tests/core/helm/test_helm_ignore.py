"""``.helmignore`` lets through of a copied chart what helm would: patterns of Go, rules by helm's own logic."""

from __future__ import annotations

import time

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.helm.ignore import kept
from gitopsd.core.model import File

PATHS = ("Chart.yaml", "a.txt", "b/a.txt", "b/c/a.txt", "b/c/d.md", "templates/.hidden", "templates/x.yaml", "é.txt")


def left_of(rules: str, paths: tuple[str, ...] = PATHS) -> set[str]:
    files = {path: File(path, "", b"") for path in paths}
    files[".helmignore"] = File(".helmignore", "", rules.encode())
    return set(kept(files)) - {".helmignore"}


@pytest.mark.parametrize(
    ("rules", "ignored"),
    [
        ("", set()),
        ("# *.txt\n\n   \n", set()),
        ("a.txt", {"a.txt", "b/a.txt", "b/c/a.txt"}),
        ("\ufeffa.txt", {"a.txt", "b/a.txt", "b/c/a.txt"}),
        ("/a.txt", {"a.txt"}),
        ("b/a.txt", {"b/a.txt"}),
        ("b/", {"b/a.txt", "b/c/a.txt", "b/c/d.md"}),
        ("a.txt/", set()),
        ("c", {"b/c/a.txt", "b/c/d.md"}),
        ("*.md", {"b/c/d.md"}),
        ("*/a.txt", {"b/a.txt"}),
        ("b/*", {"b/a.txt", "b/c/a.txt", "b/c/d.md"}),
        ("?.txt", {"a.txt", "b/a.txt", "b/c/a.txt", "é.txt"}),
        ("[ab].txt", {"a.txt", "b/a.txt", "b/c/a.txt"}),
        ("[^ab].txt", {"é.txt"}),
        ("[a-c].txt", {"a.txt", "b/a.txt", "b/c/a.txt"}),
        (r"\a.txt", {"a.txt", "b/a.txt", "b/c/a.txt"}),
        (r"\*.txt", set()),
        ("*a*t*", {"a.txt", "b/a.txt", "b/c/a.txt", "Chart.yaml", "templates/x.yaml"}),
        ("!Chart.yaml", set(PATHS) - {"Chart.yaml"}),
    ],
)
def test_a_rule_takes_what_it_matches(rules, ignored):
    assert left_of(rules) == set(PATHS) - ignored - {"templates/.hidden"}


@pytest.mark.parametrize("rule", ["**/a.txt", "[a.txt", "a[", "[]", "a\\", "a]b["])
def test_a_rule_that_helm_does_not_take_is_refused_with_its_line(rule):
    with pytest.raises(RenderError) as caught:
        left_of(f"# first\n{rule}\n")

    assert (caught.value.problem.code, caught.value.problem.line) == ("HELM_CHART_INVALID", 2)


def test_no_rule_takes_long():
    began = time.process_time()
    left_of("*a" * 500 + "b\n", ("a" * 4_000,))

    assert time.process_time() - began < 1

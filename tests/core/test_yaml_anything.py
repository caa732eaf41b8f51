"""Whatever bytes a file holds, reading it ends in manifests or in problems with their place. Never in anything else."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitopsd.core.manifests.objects import read_file
from gitopsd.core.model import File

PIECES = (
    *(
        "a",
        "b: ",
        "- ",
        "? ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "---\n",
        "...\n",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&x ",
        "*x",
        "<<: ",
    ),
    *(
        "!t ",
        '"',
        "'",
        "|\n  ",
        ">-\n  ",
        "# c",
        "%YAML 1.1\n",
        "\t",
        "\ufeff",
        "\\ud800",
        "\0",
        "0x1",
        "1e400",
        ".nan",
        "~",
    ),
    *("apiVersion: v1\n", "kind: List\n", "kind: Secret\n", "metadata: {name: a}\n", "items: ", "data: {a: b}\n"),
    *("spec: {template: {spec: {containers: [{name: a}]}}}\n", "stringData: ", "metadata:\n  labels: ", "{{ x }}"),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.sampled_from(["a.yaml", "a.json"]))
@example("kind: List\nitems: {a: *x}", "a.yaml")
@example(".nan: ", "a.yaml")
def test_any_pieces_of_yaml_give_objects_or_problems(text, name):
    content = read_file(File(name, "1", text.encode()))

    assert all(problem.file == name and problem.line >= 0 and problem.message for problem in content.problems)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["a.yaml", "a.json"]))
def test_any_bytes_give_objects_or_problems(raw, name):
    read_file(File(name, "1", raw))


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.sampled_from(["name", "namespace", "labels", "annotations", "containers", "ports", "port", "spec", "a"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {"apiVersion": st.just("v1") | VALUES, "kind": st.sampled_from(["Pod", "Secret", "Service", "List"]) | VALUES},
        optional=dict.fromkeys(("metadata", "spec", "data", "stringData", "items", "status", "sops"), VALUES),
    )
)
def test_an_object_of_any_shape_gives_a_manifest_or_problems(body):
    content = read_file(File("a.json", "1", json.dumps(body).encode()))

    assert content.objects or content.problems or body.get("items") == []

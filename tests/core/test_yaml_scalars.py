"""Plain words become the values that kubectl reads; where kubectl is at hand, it is asked."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.scalars import NotJson, is_text, resolve
from gitopsd.core.manifests.text import read_text

ALIKE = {
    "Y16 Norway": {
        **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
        **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
        **{word: word for word in ["yEs", "tRUE", "oN", "nO", "t", "f", "T", "F", "yes1"]},
        **dict.fromkeys(["~", "null", "Null", "NULL", ""]),
        **{word: word for word in ["nULL", "nil", "None", "NONE", "none"]},
    },
    "Y17 octal, hex, binary, underscores": {
        "0777": 511,
        "0o777": 511,
        "0O17": 15,
        "08": 8,
        "0o8": "0o8",
        "0x1F": 31,
        "0X1f": 31,
        "-0x1F": -31,
        "+0x1F": 31,
        "0x": "0x",
        "0xg": "0xg",
        "0b11": 3,
        "0B11": 3,
        "-0b11": -3,
        "0b-101": -5,
        "0b+1": 1,
        "0b2": "0b2",
        "1_000": 1000,
        "0_7": 7,
        "_1": "_1",
        "1_0.5": 10.5,
        "1__": 1,
        "00": 0,
        "-0": 0,
        "+1": 1,
        "+-1": "+-1",
        "0644": 420,
        "0777777777777777777777777": 7.777777777777778e23,
        "0xFFFFFFFFFFFFFFFF": 18446744073709551615.0,
        "0xFFFFFFFFFFFFFFFFF": "0xFFFFFFFFFFFFFFFFF",
        "-0xFFFFFFFFFFFFFFFF": "-0xFFFFFFFFFFFFFFFF",
        "\u0661": "\u0661",
    },
    "Y18 base 60": {"22:22": "22:22", "12:30:45": "12:30:45", "1:30:00.5": "1:30:00.5"},
    "Y19 dates": {
        word: word for word in ["2001-01-01", "2001-99-99", "2026-01-01T10:00:00Z", "2001-12-14 21:59:43.10 -5"]
    },
    "Y20 floats and large numbers": {
        "1e3": 1000,
        "1E3": 1000,
        "1e+3": 1000,
        "1234e56": 1.234e59,
        "1e-7": 1e-7,
        "1e": "1e",
        "e1": "e1",
        "1.": 1,
        ".5": 0.5,
        "+.5": 0.5,
        "-.5": -0.5,
        ".": ".",
        "..": "..",
        "+": "+",
        ".e1": ".e1",
        ".5_0": 0.5,
        ".5__0": ".5__0",
        ".5_": ".5_",
        "._5": "._5",
        ".5e1_0": 5_000_000_000,
        ".5e400": ".5e400",
        "1.0": 1,
        "-0.0": 0,
        "0.1": 0.1,
        "1.5e3": 1500,
        "9223372036854775807": 9223372036854775807,
        "9223372036854775808": 9223372036854775808.0,
        "-9223372036854775808": -9223372036854775808,
        "-9223372036854775809": -9223372036854775809.0,
        "12345678901234567890": 12345678901234567890.0,
        "99999999999999999999": 1e20,
        "1e400": "1e400",
        "-1e400": "-1e400",
        "1e-400": 0,
        "1.2.3": "1.2.3",
        "1e3.5": "1e3.5",
        "0x1p-2": "0x1p-2",
        "+.nan": "+.nan",
        "inf": "inf",
        "NaN": "NaN",
    },
    "Y22 lone signs": {"=": "=", "<<": "<<", "<": "<"},
}
CASES = {word: expected for table in ALIKE.values() for word, expected in table.items()}

# Neither an anchor, tag, comment nor punctuation of YAML, so that a word of these is always one plain word.
NUMBERISH = st.text(alphabet="0123456789+-._eExXoObBaf", min_size=1, max_size=12).filter(
    lambda word: word[0] != "-" or len(word) > 1
)


def same(ours: object, theirs: object) -> bool:
    """Equal in type too; 1 is not True, and not 1.0."""
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        pytest.param(word, expected, id=f"{row}: {word}")
        for row, table in ALIKE.items()
        for word, expected in table.items()
    ],
)
def test_Y16_to_Y22_a_plain_word_is_what_kubectl_reads(word, expected):
    (document,) = yaml.parse(read_text("a.yaml", f"a: {word}\n".encode()))

    assert same(document.value["a"], expected)


@pytest.mark.parametrize("quoted", ["'0777'", '"1e3"', "'yes'", '""', "'~'", "'.inf'", "|-\n  1e3", ">-\n  true"])
def test_Y20_a_quoted_word_is_always_text(quoted):
    (document,) = yaml.parse(read_text("a.yaml", f"a: {quoted}\n".encode()))

    assert isinstance(document.value["a"], str)


@given(NUMBERISH)
def test_a_word_is_text_exactly_if_it_resolves_to_itself(word):
    try:
        resolved = resolve(word)
    except NotJson:
        return
    assert is_text(word) == (resolved == word and isinstance(resolved, str))


def kubectl(words: list[str]) -> list[object]:
    """Ask kubectl, which needs no cluster for this, what a list of plain words is."""
    program = shutil.which("kubectl")
    if not program:
        pytest.skip("kubectl is not on PATH")
    items = "\n".join(f"- {word}" for word in words)
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nwords:\n{items}\n"
    command = [program, "annotate", "--local", "-o", "json", "-f", "-", "a=b"]
    answer = subprocess.run(command, input=manifest.encode(), capture_output=True, check=True, timeout=30)
    return json.loads(answer.stdout)["words"]


def alike(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, int) and not isinstance(theirs, bool):
        return ours == float(theirs)
    return same(ours, theirs)


def test_kubectl_itself_agrees_with_the_table():
    answers = kubectl(list(CASES))

    assert [
        (word, expected, answer)
        for (word, expected), answer in zip(CASES.items(), answers, strict=True)
        if not alike(expected, answer)
    ] == []


@settings(max_examples=15, deadline=None)
@given(st.lists(NUMBERISH, min_size=50, max_size=50))
def test_kubectl_itself_agrees_on_made_up_numbers(words):
    ours = {}
    for word in words:
        try:
            ours[word] = resolve(word)
        except NotJson:
            continue

    answers = dict(zip(ours, kubectl(list(ours)), strict=True))

    assert {word: (ours[word], answers[word]) for word in ours if not alike(ours[word], answers[word])} == {}


def test_kubectl_itself_agrees_on_merges():
    kubectl(["1"])
    text = "x: &x {p: 1, q: 2}\nw: &w {p: 3, r: 4}\na: {<<: *x, p: 9}\nb: {<<: [*x, *w]}\nc: {'<<': 5}\n"
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {{a: b}}}}\n{text}"
    command = ["kubectl", "annotate", "--local", "-o", "json", "--overwrite", "-f", "-", "a=b"]
    answer = subprocess.run(command, input=manifest.encode(), capture_output=True, check=True, timeout=30)

    (document,) = yaml.parse(read_text("a.yaml", manifest.encode()))
    assert document.value == json.loads(answer.stdout)

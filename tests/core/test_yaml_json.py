"""JSON files, by the letter of JSON (row Y34), with the values that YAML would give."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import strict_json, yaml
from gitopsd.core.manifests.text import read_text


def value(content: str) -> object:
    (document,) = strict_json.parse(read_text("a.json", content.encode()))
    return document.value


def refused(content: str):
    with pytest.raises(RenderError) as caught:
        strict_json.parse(read_text("a.json", content.encode()))
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        pytest.param('{"a": 1,\n "a": 2}', "YAML_DUPLICATE_KEY", 2, id="duplicate key"),
        pytest.param('{"x": [{"a": 1,\n\t"a": 2}]}', "YAML_DUPLICATE_KEY", 2, id="nested duplicate key, tabs"),
        pytest.param('{"a": "\\ud83d\\ude00",\n "a": 2}', "YAML_DUPLICATE_KEY", 2, id="duplicate key, surrogates"),
        pytest.param('{"a": 1,\n}', "JSON_SYNTAX", 2, id="trailing comma"),
        pytest.param('{"a": 1}\n{"b": 2}', "JSON_SYNTAX", 2, id="a second value"),
        pytest.param('{"a": 1} # x', "JSON_SYNTAX", 1, id="comment"),
        pytest.param("{'a': 1}", "JSON_SYNTAX", 1, id="single quotes"),
        pytest.param('{"a": "x\ty"}', "JSON_SYNTAX", 1, id="raw tab in text"),
        pytest.param('{"a": NaN}', "JSON_NUMBER", 0, id="NaN"),
        pytest.param('{"a": -Infinity}', "JSON_NUMBER", 0, id="Infinity"),
        pytest.param('{"a": 1e400}', "JSON_NUMBER", 0, id="out of range"),
        pytest.param('{"a": ' + "9" * 5_000 + "}", "JSON_NUMBER", 0, id="5,000 digits"),
        pytest.param('{\n"a": "\\ud800"}', "YAML_CHARACTER", 2, id="half a character"),
        pytest.param('{\n"a": "\\ud800\\u0041"}', "YAML_CHARACTER", 2, id="half a character before a whole one"),
        pytest.param('{\n"a": "x\\u0000"}', "YAML_CHARACTER", 2, id="NUL"),
        pytest.param("[" * 65 + "]" * 65, "YAML_TOO_DEEP", 0, id="65 levels"),
        pytest.param("[" * 100_000 + "]" * 100_000, "YAML_TOO_DEEP", 0, id="100,000 levels"),
    ],
)
def test_Y34_what_is_not_json_is_refused(content, code, line):
    (problem,) = refused(content)

    assert (problem.code, problem.line) == (code, line)


def test_Y34_both_lines_of_a_duplicate_key_are_told():
    assert refused('{\n"a": 1,\n"b": 1,\n"a": 2}')[0].message.endswith("first on line 2")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": "\\ud83d\\ude00 \\\\u0000 \\/"}', {"a": "😀 \\u0000 /"}),
        ('{"a": [1, 1.0, 1e3, 1.5, -0, true, null]}', {"a": [1, 1, 1000, 1.5, 0, True, None]}),
        ('{"a": 12345678901234567890}', {"a": 12345678901234567890.0}),
        ('\ufeff{"a": "yes"}', {"a": "yes"}),
    ],
)
def test_values_are_those_of_json(content, expected):
    assert value(content) == expected


@pytest.mark.parametrize("content", ["", " \n\t"])
def test_a_blank_file_holds_nothing(content):
    assert strict_json.parse(read_text("a.json", content.encode())) == ()


def test_json_reads_the_same_as_json_and_as_yaml():
    text = read_text("a.json", b'\n\n{"a": [1, 1.0, 1e3, "x\\u00e9", {"b": null}],\n"c": false}')

    assert strict_json.parse(text) == yaml.parse(text)

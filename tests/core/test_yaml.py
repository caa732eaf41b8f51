"""Text becomes values: rows Y of the catalogue of bad input. Each test is named for its row."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

import time

import pytest

from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.manifests.text import FILE_BYTES_MAX, read_text
from gitopsd.core.manifests.yaml import ALIASES_MAX, DEPTH_MAX, PROBLEMS_PER_FILE_MAX
from gitopsd.core.model import File

NAMED = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def documents(content: str | bytes) -> list[object]:
    raw = content if isinstance(content, bytes) else content.encode()
    return [document.value for document in yaml.parse(read_text("a.yaml", raw))]


def value(content: str | bytes) -> object:
    (only,) = documents(content)
    return only


def refused(content: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(RenderError) as caught:
        documents(content)
    return caught.value.problems


def bomb(levels: int, width: int, join: str) -> str:
    lines = ["a0: &a0 {p: 1, q: 2}"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} {join.replace('ALIASES', aliases)}")
    return "\n".join(lines)


def test_Y01_an_alias_bomb_is_refused_by_its_size_written_out():
    (problem,) = refused(bomb(9, 9, "[ALIASES]"))

    assert problem.code == "YAML_TOO_LARGE"
    assert problem.line == 7


def test_Y01_more_aliases_than_anybody_needs_are_refused():
    fits = "a: &a 1\nb: [" + ", ".join(["*a"] * ALIASES_MAX) + "]"

    assert value(fits)
    assert refused(fits.replace("]", ", *a]"))[0].code == "YAML_TOO_MANY_ALIASES"
    assert len(documents("---\n".join([f"{fits}\n"] * 3))) == 3


def test_Y02_a_merge_key_bomb_is_refused():
    (problem,) = refused(bomb(9, 9, "{<<: [ALIASES]}"))

    assert problem.code == "YAML_TOO_LARGE"


@pytest.mark.parametrize("content", ["a: &a [*a]", "a: &a {b: *a}", "a: &a\n  <<: *a"])
def test_Y03_an_alias_within_what_it_names_is_refused(content):
    (problem,) = refused(content)

    assert problem.code == "YAML_ALIAS"
    assert "contains itself" in problem.message


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 1_000, 30_000, 1_000_000])
@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_Y04_flow_nested_too_deep_is_refused_at_once(depth, opening):
    began = time.perf_counter()
    (problem,) = refused((opening * depth)[: FILE_BYTES_MAX - 1])

    assert problem.code == "YAML_TOO_DEEP"
    assert time.perf_counter() - began < 2


def test_Y04_the_deepest_that_is_allowed_is_read():
    assert value("[" * DEPTH_MAX + "]" * DEPTH_MAX)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("- " * 100_000 + "a", id="dashes"),
        pytest.param("\n".join(" " * level + "a:" for level in range(1_000)), id="indents"),
    ],
)
def test_Y05_blocks_nested_too_deep_are_refused(content):
    (problem,) = refused(content)

    assert problem.code == "YAML_TOO_DEEP"


def test_Y05_an_alias_cannot_nest_deeper_either():
    half = "[" * 40 + "1" + "]" * 40
    (problem,) = refused(f"a: &a {half}\nb: {half.replace('1', '*a')}")

    assert problem.code == "YAML_TOO_DEEP"


@pytest.mark.parametrize(
    ("content", "first", "second"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 1, 3, id="top"),
        pytest.param("x:\n  - a: 1\n    b: 2\n    a: 3\n", 2, 4, id="nested"),
        pytest.param('"a": 1\na: 2\n', 1, 2, id="quoted or not"),
        pytest.param("x: &x {p: 1}\nw:\n  <<: *x\n  q: 1\n  <<: *x\n", 3, 5, id="two merges"),
    ],
)
def test_Y06_a_key_written_twice_is_refused_with_both_lines(content, first, second):
    (problem,) = refused(content)

    assert problem.code == "YAML_DUPLICATE_KEY"
    assert problem.line == second
    assert problem.message.endswith(f"first on line {first}")


def test_Y06_a_key_after_a_merge_overrides_it():
    assert value("x: &x {p: 1, q: 2}\nw: {<<: *x, p: 9}\n")["w"] == {"p": 9, "q": 2}


def test_Y06_of_several_merged_mappings_the_first_wins():
    assert value("x: &x {p: 1}\nw: &w {p: 2, q: 2}\nz: {<<: [*x, *w]}")["z"] == {"p": 1, "q": 2}


def test_Y06_a_key_before_a_merge_that_brings_it_too_is_refused_because_readers_disagree():
    (problem,) = refused("x: &x {p: 1}\nw: {p: 9, <<: *x}")

    assert problem.code == "YAML_MERGE"
    assert problem.line == 2


@pytest.mark.parametrize("merged", ["1", "[1]", "text", "[{a: 1}, 2]"])
def test_Y06_only_mappings_can_be_merged(merged):
    assert refused(f"a: {{<<: {merged}}}")[0].code == "YAML_MERGE"


def test_Y06_all_problems_of_a_file_are_told_up_to_a_bound():
    assert [problem.line for problem in refused("a: 1\na: 2\na: 3\nb: !x 1\n")] == [2, 3, 4]
    assert len(refused("a: 1\n" * 100)) == PROBLEMS_PER_FILE_MAX


def test_Y07_a_tab_as_indent_is_refused_with_its_place():
    (problem,) = refused("a:\n\tb: 1\n")

    assert (problem.code, problem.line) == ("YAML_SYNTAX", 2)
    assert "tabs" in problem.hint


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1f", "\x7f"])
def test_Y08_control_characters_are_refused(character):
    (problem,) = refused(f"a: 1\nb: x{character}y\n")

    assert (problem.code, problem.line) == ("YAML_CHARACTER", 2)


def test_Y08_an_escaped_nul_is_refused():
    assert refused('a: "x\\0y"')[0].code == "YAML_CHARACTER"


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffa: 1\n---\nb: 2\n",
        "a: 1\n---\n\ufeffb: 2\n",
        "a: 1\n\ufeff---\nb: 2\n",
        "\ufeff---\na: 1\n--- # second\n\ufeffb: 2\n",
    ],
)
def test_Y09_byte_order_marks_before_documents_are_not_text(content):
    assert documents(content) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_Y10_other_encodings_are_refused(encoding):
    (problem,) = refused("a: ü1\n".encode(encoding))

    assert problem.code in {"TEXT_ENCODING", "YAML_CHARACTER"}


def test_Y11_invalid_utf_8_is_refused_with_its_byte():
    (problem,) = refused(b"a: 1\nb: \xff\n")

    assert (problem.code, problem.line) == ("TEXT_ENCODING", 2)
    assert "byte 8 (0xff)" in problem.message


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", "---\n---\n", "---\n...\n", "null\n", "~"])
def test_Y12_nothing_gives_no_document(content):
    assert documents(content) == []


def test_Y12_a_trailing_end_mark_is_fine():
    assert documents("a: 1\n...\n") == [{"a": 1}]


def test_Y13_five_hundred_documents_are_read_each_with_its_line():
    found = yaml.parse(read_text("a.yaml", b"---\n".join([NAMED] * 500)))

    assert len(found) == 500
    assert [document.line for document in found[:3]] == [1, 5, 9]


def test_Y15_a_document_that_is_no_mapping_is_refused():
    content = read_file(File("a.yaml", "1", b"text\n---\n- 1\n---\n7\n"))

    assert [(problem.code, problem.line) for problem in content.problems] == [
        ("NOT_AN_OBJECT", 1),
        ("NOT_AN_OBJECT", 3),
        ("NOT_AN_OBJECT", 5),
    ]


@pytest.mark.parametrize("word", [".inf", "-.INF", "+.inf", ".nan", ".NaN"])
def test_Y21_what_json_cannot_say_is_refused(word):
    (problem,) = refused(f"a: {word}")

    assert problem.code == "YAML_NOT_JSON"


@pytest.mark.parametrize("key", ["1", "true", "null", "1.5", "~", "y", "on", "0x1F"])
def test_Y23_a_key_that_is_not_text_is_refused(key):
    problems = refused(f"a: 1\n{key}: 2\n")

    assert problems[-1].code == "YAML_KEY"
    assert problems[-1].message == f"the key {key} is not text"
    assert problems[-1].hint == f'put the key in quotes: "{key}":'


def test_Y23_a_key_is_not_told_at_length():
    assert refused(f"{'1' * 100}: x")[0].message == f"the key {'1' * 40} is not text"


def test_Y23_a_missing_key_is_refused():
    assert refused("? \n: 1")[0].code == "YAML_KEY"


@pytest.mark.parametrize("key", ["2026-01-01", "22:22", "'1'", '"true"', "=", "-", "a b", ".", "1.2.3"])
def test_Y23_a_key_that_kubectl_reads_as_text_is_text(key):
    assert value(f"{key}: 1") == {key.strip("'\""): 1}


@pytest.mark.parametrize("content", ["? [a]\n: 1\n", "? {a: b}\n: 1\n", "a: &a x\n*a : 1\n"])
def test_Y24_complex_keys_are_refused(content):
    assert refused(content)[-1].code == "YAML_KEY"


@pytest.mark.parametrize(
    "node",
    [
        "!!python/object/apply:os.system [exit 1]",
        "!foo x",
        "!!binary aGk=",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!str 1",
        "! x",
        "!<tag:yaml.org,2002:int> 1",
    ],
)
def test_Y25_tags_are_refused(node):
    (problem,) = refused(f"a: {node}")

    assert (problem.code, problem.line) == ("YAML_TAG", 1)


def test_Y25_a_tag_on_a_key_is_refused():
    assert refused("!!str a: 1")[0].code == "YAML_TAG"


def test_Y26_an_anchor_ends_with_its_document():
    (problem,) = refused("a: &a 1\n---\nb: *a\n")

    assert (problem.code, problem.line) == ("YAML_ALIAS", 3)


@pytest.mark.parametrize("content", [b"a: " + b"x" * 100_000_000, b"a%d: 1\n" * 12_000_000], ids=["scalar", "keys"])
def test_Y27_a_file_that_is_too_large_is_refused_before_it_is_read(content):
    began = time.thread_time()
    (problem,) = refused(content)

    assert problem.code == "FILE_TOO_LARGE"
    assert time.thread_time() - began < 0.1


def test_Y27_the_largest_file_is_read():
    content = b"a: " + b"x" * (FILE_BYTES_MAX - 3)

    assert len(value(content)["a"]) == FILE_BYTES_MAX - 3
    assert refused(content + b"x")[0].code == "FILE_TOO_LARGE"


@pytest.mark.parametrize("number", ["9" * 5_000, "0x" + "f" * 5_000, "1." + "0" * 5_000, "0" * 5_000])
def test_Y28_a_number_of_thousands_of_digits_is_refused(number):
    (problem,) = refused(f"a: {number}")

    assert problem.code == "YAML_NOT_JSON"
    assert len(problem.message) < 100


@pytest.mark.parametrize("escape", ["\\ud800", "\\udfff", "\\ud83d\\ude00", "\\U00110000"])
def test_Y29_half_a_character_is_refused(escape):
    assert refused(f'a: "{escape}"')[0].code == "YAML_SYNTAX"


def test_Y29_a_whole_character_is_read():
    assert value('a: "\\U0001F600 😀"') == {"a": "😀 😀"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param("%YAML 1.1\n---\na: 1\n", "", id="1.1"),
        pytest.param("%YAML 1.2\n---\na: 1\n", "", id="1.2"),
        pytest.param("%YAML 3.0\n---\na: 1\n", "YAML_SYNTAX", id="3.0"),
        pytest.param("%TAG !e! tag:example.com,2026:\n---\na: 1\n", "", id="a tag handle nobody uses"),
        pytest.param("%TAG !e! tag:example.com,2026:\n---\na: !e!x 1\n", "YAML_TAG", id="a tag handle in use"),
    ],
)
def test_Y30_directives(content, code):
    if code:
        assert refused(content)[0].code == code
    else:
        assert value(content) == {"a": 1}


@pytest.mark.parametrize(
    "content", ["a: 1\nb: {{ .Values.x }}\n", "a: 1\n{{- if .Values.x }}\nb: 2\n{{- end }}\n", "a: 1\n{{ x }}: 2\n"]
)
def test_Y31_an_unrendered_template_is_named_as_such(content):
    problem = refused(content)[-1]

    assert problem.line in {2, 3}
    assert "template" in problem.hint


def test_Y31_braces_in_text_are_text():
    assert value("a: '{{ $labels.x }}'\nb: |\n  {{ y }}\n") == {"a": "{{ $labels.x }}", "b": "{{ y }}\n"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("a: 1\r\nb: x\r\n", {"a": 1, "b": "x"}, id="CRLF"),
        pytest.param("a: |\r\n  x\r\n  y\r\n", {"a": "x\ny\n"}, id="CRLF in a block"),
        pytest.param("a: 1\rb: 2\r", {"a": 1, "b": 2}, id="CR"),
        pytest.param("a: x\x85b: z", {"a": "x", "b": "z"}, id="NEL ends a line"),
        pytest.param("a: x\u2028b: z", {"a": "x", "b": "z"}, id="U+2028 ends a line"),
    ],
)
def test_Y32_line_ends(content, expected):
    assert value(content) == expected


def test_no_value_is_ever_repeated_in_a_problem():
    secret = "hunter2"
    content = f"a: !x {secret}\nb: {{ {secret}: 1, {secret}2 }}\n? [{secret}]\n: {secret}\n'{secret}"

    assert all(secret not in f"{problem}{problem.hint}{problem.cause}" for problem in refused(content))
    assert secret not in repr(yaml.parse(read_text("a.yaml", b"a: hunter2")))
    assert secret not in repr(read_text("a.yaml", b"a: hunter2"))


def test_a_value_by_alias_is_the_value():
    assert value("a: &a {b: [1, &c x]}\nd: *a\ne: *c\n") == {"a": {"b": [1, "x"]}, "d": {"b": [1, "x"]}, "e": "x"}


@pytest.mark.parametrize("content", ["[VALUES]", "{a: [VALUES]}", "{a: {b: [VALUES]}}"])
def test_more_values_than_anybody_writes_are_refused_before_they_fill_the_memory(monkeypatch, content):
    monkeypatch.setattr("gitopsd.core.manifests.yaml.NODES_MAX", 100)

    assert value(content.replace("VALUES", "1, " * 90)) is not None
    (problem,) = refused(content.replace("VALUES", "1,\n" * 200))
    assert problem.code == "YAML_TOO_LARGE"
    assert problem.line in range(95, 105)

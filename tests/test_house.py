"""The house measured: lengths, nesting, parameters, frozen values, docstrings, words. Tripwires, not aims."""

from __future__ import annotations

import ast
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("gitopsd", "rig", "demo")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
CORE = [path for path in MODULES if path.is_relative_to(ROOT / "gitopsd" / "core")]

FUNCTION_LINES_MEDIAN = 8
FUNCTION_LINES_MOST = 25
FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 400
NESTING_MAX = 3
PARAMETERS_MAX = 5
BANNED_WORDS = {"manager", "helper", "helpers", "util", "utils", "handler", "process", "data", "info"}

# What a library's own contract names; nothing else may be added here.
NAMES_OF_LIBRARIES = {"do_GET", "do_POST", "log_message"}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    body = body[1:] if documented and len(body) > 1 else body
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def _nesting(node: ast.AST, depth: int = 0) -> int:
    deeper = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
    depths = [depth]
    for child in ast.iter_child_nodes(node):
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        step = 1 if isinstance(child, deeper) and not is_elif else 0
        depths.append(depth if inner else _nesting(child, depth + step))
    return max(depths)


def _where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {getattr(node, 'name', '')}"


def test_most_functions_are_short_and_none_is_long():
    lengths = {_where(path, function): _body_lines(function) for path in MODULES for function in _functions(path)}
    ordered = sorted(lengths.values())

    assert statistics.median(ordered) <= FUNCTION_LINES_MEDIAN
    assert ordered[int(len(ordered) * 0.9)] <= FUNCTION_LINES_MOST
    assert [where for where, lines in lengths.items() if lines > FUNCTION_LINES_MAX] == []


def test_no_module_is_larger_than_a_room():
    assert [
        (str(path.relative_to(ROOT)), lines)
        for path in MODULES
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MODULE_LINES_MAX
    ] == []


def test_nothing_is_nested_deeper_than_a_reader_can_hold():
    assert [
        _where(path, function)
        for path in MODULES
        for function in _functions(path)
        if max(
            _nesting(
                statement,
                1 if isinstance(statement, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match) else 0,
            )
            for statement in function.body
        )
        > NESTING_MAX
    ] == []


def test_functions_take_few_parameters():
    def count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        arguments = function.args
        names = [
            argument.arg
            for argument in (*arguments.posonlyargs, *arguments.args)
            if argument.arg not in ("self", "cls")
        ]
        return len(names) + len(arguments.kwonlyargs)

    # typer reads a command's options from its parameters
    plain = [path for path in MODULES if not path.is_relative_to(ROOT / "gitopsd" / "cli")]
    assert [
        _where(path, function) for path in plain for function in _functions(path) if count(function) > PARAMETERS_MAX
    ] == []


def test_every_module_says_its_rule_and_every_public_name_is_documented():
    undocumented = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(_tree(path))]
    for path in MODULES:
        for node in _tree(path).body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if named and not ast.get_docstring(node):
                undocumented.append(_where(path, node))

    assert undocumented == []


def test_what_the_core_holds_is_frozen():
    def is_dataclass(decorator: ast.expr) -> bool:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        return isinstance(target, ast.Name) and target.id == "dataclass"

    def is_frozen(decorator: ast.expr) -> bool:
        return isinstance(decorator, ast.Call) and any(
            keyword.arg == "frozen" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
            for keyword in decorator.keywords
        )

    assert [
        _where(path, node)
        for path in CORE
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if is_dataclass(decorator) and not is_frozen(decorator)
    ] == []


def test_the_core_knows_no_any():
    assert [
        str(path.relative_to(ROOT))
        for path in CORE
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Name) and node.id == "Any"
    ] == []


def test_names_are_the_fields_words():
    offending = []
    for path in MODULES:
        if BANNED_WORDS & set(path.stem.split("_")):
            offending.append(str(path.relative_to(ROOT)))
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                words = set(node.name.lower().strip("_").split("_"))
                if BANNED_WORDS & words and node.name not in NAMES_OF_LIBRARIES:
                    offending.append(_where(path, node))

    assert offending == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later_in_the_code(word):
    assert [str(path.relative_to(ROOT)) for path in MODULES if word in path.read_text(encoding="utf-8")] == []


def test_the_floors_of_the_house_hold():
    checked = subprocess.run([ROOT / ".venv/bin/lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout[-3000:]

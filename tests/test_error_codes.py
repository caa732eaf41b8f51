"""Every stable code has its line in docs/errors.md, and no line is about a code that is no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gitopsd.core.errors import Problem, Stage

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

SPOKEN = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
SINGLE = re.compile(r"[A-Z]{3,}")
# Calls whose first words are a code.
MAKERS = {"Fault", "_refused", "_wrong", "problem", "_problem", "_note", "note", "_refuse"}
SURROUNDINGS = re.compile(
    r"(GIT_(ALLOW|ASKPASS|ATTR|CONFIG|LITERAL|NO_REPLACE|OPTIONAL|SSH|SSL|TERMINAL).*)|.*_PROXY|XDG_.*_HOME"
)
NO_CODES = {
    "API_VERSION",
    "CLOCK_BOOTTIME",
    "DONE",
    "FOREIGN_ANNOTATION_",
    "GITOPSD_CONFIG",
    "GITOPSD_GIT_TOKEN_FILE",
    "GITOPSD_GIT_USERNAME",
    "GITOPSD_SERVER",
    "GITOPSD_TOKEN_FILE",
    "HELM_NO_PLUGINS",
    "KUBERNETES_SERVICE_HOST",
    "NOT_STARTED",
    "SOPS_AGE_KEY_FILE",
    "SOPS_HC_VAULT_ALLOWLIST",
    "VAULT_CLIENT_TIMEOUT",
    "VAULT_DISABLE_REDIRECTS",
    "VAULT_MAX_RETRIES",
}


def _codes() -> Iterator[tuple[str, str]]:
    """Each code with where it is spoken."""
    for path in sorted((ROOT / "gitopsd").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for text in _texts(node):
                if text not in NO_CODES and not SURROUNDINGS.fullmatch(text):
                    yield text, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def _texts(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(str(text)) if SPOKEN.fullmatch(text):
            yield text
        case ast.keyword("code", value):
            yield from (one.value for one in ast.walk(value) if _is_single(one))
        case ast.Call(ast.Name(name) | ast.Attribute(_, name)) if name in MAKERS:
            yield from (one.value for one in node.args if _is_single(one))
        case ast.ClassDef("Meaning"):
            yield from (one.value for one in ast.walk(node) if _is_single(one))
        case _:
            pass


def _is_single(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SINGLE.fullmatch(node.value))


def _told() -> set[str]:
    return set(re.findall(r'^- <a id="[a-z0-9-]+"></a>\*\*([A-Z0-9_]+)\*\*: ', PAGE, re.MULTILINE))


def test_every_code_has_its_line():
    assert {code: where for code, where in _codes() if code not in _told()} == {}


def test_no_line_is_about_a_code_that_is_no_more():
    assert _told() - {code for code, _ in _codes()} == set()


def test_the_link_of_a_problem_leads_to_its_line():
    for code in _told():
        page, _, anchor = Problem(code=code, stage=Stage.PLAN, message="").docs.partition("#")

        assert page == "docs/errors.md"
        assert f'<a id="{anchor}"></a>**{code}**' in PAGE


def test_lines_are_in_order_and_said_once():
    for section in PAGE.split("\n## ")[1:]:
        codes = re.findall(r"\*\*([A-Z0-9_]+)\*\*: ", section)
        assert codes == sorted(set(codes))


def test_each_line_says_what_happened_and_what_to_do():
    lines = re.findall(r"\*\*([A-Z0-9_]+)\*\*: (.*)", PAGE)
    sentences = {code: re.findall(r"[.!?](?=\s|$)", re.sub(r"`[^`]*`", "", line)) for code, line in lines}
    only_told = {code for code, line in lines if line.startswith("not an error")}
    assert [code for code, ends in sentences.items() if len(ends) < 2 and code not in only_told] == []

"""Holds one expression against objects: a program of its own, for the library keeps the interpreter while it works.

A short expression can take minutes and gigabytes; here it takes this process's, up to its limits, and no other's.
The question comes by standard input, so no object is seen among the arguments. Nothing of gitopsd is loaded.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

VARIABLE = "object"


def main() -> None:
    """Read the limits from the arguments, the question from standard input; write one answer for each object."""
    cpu_s, memory_bytes = (int(word) for word in sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    question = json.load(sys.stdin)
    json.dump(_answers(question["expression"], question["objects"]), sys.stdout)


def _answers(expression: str, bodies: list[Any]) -> list[tuple[str, str]]:
    from cel_expr_python import cel  # noqa: PLC0415 — within the limits

    compiled = cel.NewEnv(variables={VARIABLE: cel.Type.DYN}).compile(expression)
    return [_answer(cel, compiled, body) for body in bodies]


def _answer(cel: Any, compiled: Any, body: Any) -> tuple[str, str]:
    """Return the type of the result and the result, as words."""
    try:
        result = compiled.eval(data={VARIABLE: body})
    except RuntimeError as broken:
        return "ERROR", str(broken)
    is_short = result.type() in (cel.Type.ERROR, cel.Type.BOOL)
    return str(result.type()), str(result.value()) if is_short else ""


if __name__ == "__main__":
    main()

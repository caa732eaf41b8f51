"""Template functions that cannot tell here what they would tell helm in a cluster, found where they are written.

Nothing is refused for them: what they lead to is rendered, shown and judged like all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.helm.chart import Chart
from gitopsd.core.model import File

_CALL = re.compile(r"""(?<![\w.$"'-])(?P<name>lookup|getHostByName|now)(?![\w."'-])""")
_COMMENT = re.compile(r"-?\s*/\*")
_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_MEANINGS = {
    "lookup": ("HELM_LOOKUP_EMPTY", "lookup finds nothing: the chart is rendered without a cluster"),
    "getHostByName": ("HELM_LOOKUP_EMPTY", "getHostByName is empty: the chart is rendered without a network"),
    "now": ("HELM_CLOCK", "now is another time whenever the chart is rendered anew"),
}


def function_warnings(chart: Chart) -> Iterator[Problem]:
    """Yield a warning for each such function, once for each template of the chart and of what it is made of."""
    for path, file in sorted(chart.files.items()):
        if path.startswith("templates/"):
            yield from _warnings(file)
    for part in (*chart.unpacked, *chart.copied):
        yield from function_warnings(part)


def _warnings(file: File) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for line, name in _calls(file.content.decode(errors="replace")):
        lines.setdefault(name, line)
    for name, line in lines.items():
        code, message = _MEANINGS[name]
        yield Problem(code=code, stage=Stage.RENDER, message=message, file=file.path, line=line)


def _calls(content: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each call. Only what is between braces counts, and no comment or text in it."""
    before, *actions = content.split("{{")
    line = 1 + before.count("\n")
    for action in actions:
        code = action.partition("}}")[0]
        if not _COMMENT.match(code):
            plain, at, below = _TEXT.sub(_blank, code), 0, line
            for call in _CALL.finditer(plain):
                below, at = below + plain.count("\n", at, call.start()), call.start()
                yield below, call["name"]
        line += action.count("\n")


def _blank(text: re.Match[str]) -> str:
    return "\n" * text[0].count("\n")

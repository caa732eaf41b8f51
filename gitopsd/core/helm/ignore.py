"""``.helmignore`` as helm reads it, for charts that are copied: there helm does not ask it any more.

Each rule may ignore a path; none brings it back. A rule with ``!`` ignores all that it does not match: helm's way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.text import TextFile, read_text
from gitopsd.core.model import File

NAME = ".helmignore"

_RULES_MAX = 1_000
_ALWAYS = "templates/.?*"
_TOKEN = re.compile(
    r"\\(?P<escaped>.)|\[(?P<set>\^?(?:\\.|[^\]\\])+)\]|(?P<star>\*)|(?P<any>\?)|(?P<plain>[^\[\]\\])", re.DOTALL
)


def kept(files: Mapping[str, File]) -> Mapping[str, File]:
    """Return the files of a chart, by their paths in it, that its ``.helmignore`` lets through.

    Raises:
        RenderError: a rule of it is none that helm takes.
    """
    rules = tuple(_rules(files.get(NAME)))
    return {path: file for path, file in files.items() if not _is_ignored(path, rules)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    pattern: re.Pattern[str]
    is_for_names: bool
    is_for_directories: bool
    is_negated: bool

    def decides(self, path: str, *, is_directory: bool) -> bool:
        """Whether the path is ignored for this rule."""
        if self.is_for_directories and not is_directory:
            return self.is_negated
        matches = bool(self.pattern.fullmatch(path.rpartition("/")[2] if self.is_for_names else path))
        return matches is not self.is_negated


def _rules(file: File | None) -> Iterable[_Rule]:
    text = read_text(file.path, file.content) if file else TextFile("", "")
    lines = text.content.split("\n")
    if len(lines) > _RULES_MAX:
        raise RenderError(text.problem("HELM_CHART_INVALID", f"{len(lines)} lines; {_RULES_MAX} are the most"))
    for number, line in enumerate(lines, start=1):
        if (rule := line.strip()) and not rule.startswith("#"):
            yield _rule(text, number, rule)
    yield _rule(text, 0, _ALWAYS)


def _rule(text: TextFile, line: int, rule: str) -> _Rule:
    glob = rule.removeprefix("!")
    path = glob.removesuffix("/")
    regex = _as_regex(path.removeprefix("/"))
    if "**" in rule or regex is None:
        raise RenderError(text.problem("HELM_CHART_INVALID", "is no pattern that helm takes", line))
    return _Rule(
        pattern=re.compile(regex, re.DOTALL),
        is_for_names="/" not in path,
        is_for_directories=glob.endswith("/"),
        is_negated=rule.startswith("!"),
    )


def _as_regex(glob: str) -> str | None:
    """Go's patterns: ``*`` and ``?`` stop at ``/``, ``[^a]`` negates, a backslash takes the next as it is."""
    pieces, at = [""], 0
    for token in _TOKEN.finditer(glob):
        if token.start() != at:
            return None
        at = token.end()
        if token["star"]:
            pieces.append("")
        else:
            pieces[-1] += _one_character(token)
    if at != len(glob):
        return None
    first, *middle, last = pieces if len(pieces) > 1 else (pieces[0], None)
    # What stands between two stars is taken where it comes first, for good: no rule may take more than one look.
    between = "".join(f"(?>[^/]*?{piece})" for piece in middle)
    return first if last is None else f"{first}{between}[^/]*{last}"


def _one_character(token: re.Match[str]) -> str:
    if token["set"]:
        return f"(?!/)[{token['set'].replace('[', chr(92) + '[')}]"
    if token["any"]:
        return "[^/]"
    return re.escape(token["escaped"] or token["plain"])


def _is_ignored(path: str, rules: tuple[_Rule, ...]) -> bool:
    """A directory that is ignored takes with it all that lies in it."""
    parts = path.split("/")
    places = [("/".join(parts[:length]), length < len(parts)) for length in range(1, len(parts) + 1)]
    return any(_decided(place, rules, is_directory=is_directory) for place, is_directory in places)


def _decided(path: str, rules: tuple[_Rule, ...], *, is_directory: bool) -> bool:
    return any(rule.decides(path, is_directory=is_directory) for rule in rules)

"""Which values a file's own rule says are encrypted: by the keys that lead to them, as SOPS decides it.

The expressions are the repository's, so they are matched by RE2: the syntax is Go's, and the time is linear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import re2

DEFAULT_SUFFIX = "_unencrypted"
PATTERN_LENGTH_MAX = 4096


class Rule(StrEnum):
    """The ways to choose; a file has one of them."""

    UNENCRYPTED_SUFFIX = "unencrypted_suffix"
    ENCRYPTED_SUFFIX = "encrypted_suffix"
    UNENCRYPTED_REGEX = "unencrypted_regex"
    ENCRYPTED_REGEX = "encrypted_regex"
    UNENCRYPTED_COMMENT_REGEX = "unencrypted_comment_regex"
    ENCRYPTED_COMMENT_REGEX = "encrypted_comment_regex"


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule of one file, and what it matches."""

    rule: Rule = Rule.UNENCRYPTED_SUFFIX
    pattern: str = DEFAULT_SUFFIX

    def is_encrypted(self, path: Sequence[str]) -> bool | None:
        """Return whether the value at these keys is encrypted; None = comments decide it, which are not looked at."""
        match self.rule:
            case Rule.UNENCRYPTED_SUFFIX:
                return not any(key.endswith(self.pattern) for key in path)
            case Rule.ENCRYPTED_SUFFIX:
                return any(key.endswith(self.pattern) for key in path)
            case Rule.UNENCRYPTED_REGEX:
                return not self._matches(path)
            case Rule.ENCRYPTED_REGEX:
                return self._matches(path)
            case Rule.UNENCRYPTED_COMMENT_REGEX | Rule.ENCRYPTED_COMMENT_REGEX:
                return None

    def _matches(self, path: Sequence[str]) -> bool:
        expression = _compiled(self.pattern)
        return any(expression.search(key) for key in path)


def choice_of(envelope: Mapping[str, object]) -> Choice:
    """Return the rule of a file by its metadata.

    Raises:
        ValueError: there are two, or its expression is none; the message names keys only.
    """
    named = [(rule, str(envelope[rule.value])) for rule in Rule if envelope.get(rule.value)]
    if len(named) > 1:
        raise ValueError(f"{named[0][0].value} and {named[1][0].value} stand side by side")
    if not named:
        return Choice()
    rule, pattern = named[0]
    if "regex" in rule.value:
        _check(rule, pattern)
    return Choice(rule, pattern)


def _check(rule: Rule, pattern: str) -> None:
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise ValueError(f"{rule.value} is longer than {PATTERN_LENGTH_MAX} characters")
    try:
        _compiled(pattern)
    except re2.error:
        raise ValueError(f"{rule.value} is not a regular expression") from None


def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)

"""What can go wrong, in five classes that say whose fault it is.

Failing to know is an exception; knowing something bad is a value.

A ``Problem`` is the value: everything a person paged at night needs, and never a secret.
An exception only carries problems. Each code is stable and has a line in docs/errors.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where in a pass it happened."""

    CONFIG = "config"
    FETCH = "fetch"
    RENDER = "render"
    VALIDATE = "validate"
    PLAN = "plan"
    APPLY = "apply"
    HEALTH = "health"
    PRUNE = "prune"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    ``code`` is stable (``YAML_DUPLICATE_KEY``); ``message`` one sentence; ``cause`` what the other side said, masked;
    ``hint`` what to do; ``ref`` the object in words; ``file`` and ``line`` (from 1; 0 = unknown) where it is written.
    """

    code: str
    stage: Stage
    message: str
    cause: str = ""
    hint: str = ""
    ref: str = ""
    file: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """``web.yaml:12``, ``web.yaml``, or nothing."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    @property
    def docs(self) -> str:
        """The page that explains the code."""
        return f"docs/errors.md#{self.code.lower().replace('_', '-')}"

    def __str__(self) -> str:
        """``web.yaml:12: YAML_TAB: …``, the way compilers say it."""
        parts = [self.where, self.code, self.ref, self.message]
        return ": ".join(part for part in parts if part)


class GitopsdError(Exception):
    """Base of all: at least one problem, the first being the one to show."""

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("an error without a problem says nothing")
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def problem(self) -> Problem:
        """The first problem."""
        return self.problems[0]


class SourceError(GitopsdError):
    """Git is silent or wrong: touch nothing."""


class RenderError(GitopsdError):
    """The commit is bad: reject it, keep what is."""


class ClusterError(GitopsdError):
    """The API server did not do it. ``retry`` = it may, later; ``denied`` = credentials or rights are missing."""

    def __init__(self, *problems: Problem, retry: bool = True, denied: bool = False) -> None:
        super().__init__(*problems)
        self.retry = retry
        self.denied = denied


class Superseded(ClusterError):
    """Somebody else wrote first, or leads now: look again before any further write."""


class PlanRefused(GitopsdError):
    """A guard said no: a person decides."""


class ConfigError(GitopsdError):
    """The operator's file, or a command's options, are wrong."""

"""What one try of a probe found. A try never raises: what could not be known is ``unknown``, with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gitopsd.core.errors import GitopsdError
from gitopsd.core.git_url import printable
from gitopsd.core.probes import ProbeState

MESSAGE_CHARS_MAX = 1_600

_WORST_FIRST = (ProbeState.FAIL, ProbeState.UNKNOWN, ProbeState.PENDING, ProbeState.PASS)


@dataclass(frozen=True, slots=True)
class Finding:
    """``is_final`` = nothing more will be asked, for there is nothing more to know."""

    state: ProbeState
    message: str
    is_final: bool = False


def passed(message: str) -> Finding:
    """It is as the probe wants it."""
    return Finding(ProbeState.PASS, shown(message))


def failed(message: str) -> Finding:
    """It is surely not."""
    return Finding(ProbeState.FAIL, shown(message))


def pending(message: str) -> Finding:
    """There is nothing to ask yet."""
    return Finding(ProbeState.PENDING, shown(message))


def unknown(message: str) -> Finding:
    """It cannot be told."""
    return Finding(ProbeState.UNKNOWN, shown(message))


def final(finding: Finding) -> Finding:
    """Nothing will change it."""
    return replace(finding, is_final=True)


def unreadable(error: GitopsdError) -> Finding:
    """The cluster could not be asked for what the probe needs."""
    problem = error.problem
    cause = f" ({problem.cause})" if problem.cause else ""
    hint = f"; {problem.hint}" if problem.hint else ""
    return unknown(f"{problem.ref} {problem.message}{cause}{hint}".strip())


def worst(findings: Iterable[Finding]) -> Finding:
    """Return the worst; of equals the first."""
    return min(findings, key=lambda finding: _WORST_FIRST.index(finding.state))


def shown(message: str) -> str:
    """Return it on one line, printable and bounded: others wrote parts of it."""
    return printable(" ".join(message[: 2 * MESSAGE_CHARS_MAX].split()), MESSAGE_CHARS_MAX)

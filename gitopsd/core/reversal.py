"""What Git is told of a revert: when a commit is due, and what it says. The hold alone has authority.

A commit is due once the environment is back at what was kept, while the branch still wants what failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitopsd.core.decision import Rest
from gitopsd.core.errors import Problem
from gitopsd.core.git_url import printable
from gitopsd.core.model import Environment, Revision
from gitopsd.core.passes import Pass
from gitopsd.core.record import GITOPSD, Hold

_WHY_MAX = 1000
_SUBJECT_PATH_MAX = 60
_SHORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """One revert that Git does not know of yet. ``head`` is what the branch has, ``kept`` what runs instead."""

    environment: Environment
    hold: Hold
    kept: Revision
    head: Revision

    @property
    def mark(self) -> str:
        """The line of a commit's message by which the commit of this hold is found again."""
        return f"Gitopsd-Held: {self.environment.name} {self.hold.digest}"


@dataclass(frozen=True, slots=True)
class Told:
    """How Git was told: by this commit, or why not yet."""

    revision: Revision | None = None
    problem: Problem | None = None


def reversal_of(environment: Environment, latest: Pass) -> Reversal | None:
    """Return what Git should be told after this pass; None = nothing."""
    look, head = latest.look, latest.git.wanted
    hold = look.target.hold if look else None
    if look is None or hold is None or head is None or latest.git.stale:
        return None
    is_back = isinstance(latest.decision, Rest) and latest.record.current == hold.back_to
    # What a person refused, a person tells.
    if not is_back or hold.by != GITOPSD:
        return None
    return Reversal(environment=environment, hold=hold, kept=look.desired.revision, head=head.revision)


def message_of(reversal: Reversal) -> str:
    """Return the commit's message: what was put back, why, and which commits to look at."""
    environment, hold, kept = reversal.environment, reversal.hold, reversal.kept
    subject = f"Revert {printable(environment.path or environment.name, _SUBJECT_PATH_MAX)} to {kept.commit[:_SHORT]}"
    return (
        f"{subject}\n\n"
        f"gitopsd put environment {environment.name} back at {hold.since:%Y-%m-%dT%H:%M:%SZ}, because it failed:\n\n"
        f"    {printable(hold.why, _WHY_MAX)}\n\n"
        f"Failed: {hold.revision.commit}\n"
        f"Kept: {kept.commit}\n"
        f"{reversal.mark}\n"
    )

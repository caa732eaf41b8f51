"""What one pass saw, decided and remembered: what status, the CLI and the daemon read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gitopsd.core.decision import Decision
from gitopsd.core.errors import ClusterError, RenderError, SourceError
from gitopsd.core.model import Desired, Live, Wanted
from gitopsd.core.plan import Plan
from gitopsd.core.record import Record
from gitopsd.core.target import Target
from gitopsd.core.verdict import Examined, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """What Git says this time.

    ``stale`` is why it could not be asked, or why the answer may be old; ``rejected`` why what it says cannot be;
    ``unseen`` why the cluster could not say whether it can be.
    """

    wanted: Wanted | None = None
    desired: Desired | None = None
    stale: SourceError | None = None
    rejected: RenderError | None = None
    unseen: ClusterError | None = None

    @property
    def barred(self) -> RenderError | ClusterError | None:
        """Why nothing can be said of the newest commit, although of what runs it may."""
        return self.rejected or self.unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a pass saw of a target, and what it makes of it. ``examined`` are its objects, before any probe spoke."""

    target: Target
    desired: Desired
    live: Live
    plan: Plan
    examined: Examined
    verdict: Verdict
    at: datetime

    @property
    def hangs_on_others(self) -> bool:
        """Whether what another environment says or does may change the plan."""
        stuck = {problem.code for problem in (*self.plan.conflicts, *self.plan.kept_back)}
        return bool(stuck & {"OWNERSHIP_CONFLICT", "HANDOVER_PENDING", "HANDOVER_UNCLEAR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What Git says, and a look at what a pass would take up now; nothing was done."""

    git: Git
    look: Look

    @property
    def troubles(self) -> tuple[SourceError | RenderError, ...]:
        """Why it may not be a look at Git's newest commit."""
        return tuple(trouble for trouble in (self.git.stale, self.git.rejected) if trouble)


@dataclass(frozen=True, slots=True)
class Step:
    """A look, and the one next step that it calls for."""

    look: Look
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass saw, decided and remembered.

    ``look`` is at what runs or begins now; None = there was nothing to look at. ``waiting`` is the newer commit that
    cannot begin; ``decision`` is its, too, where what runs needs nothing.
    """

    git: Git
    look: Look | None
    decision: Decision
    record: Record
    waiting: Step | None = None

    @property
    def newest(self) -> Look | None:
        """The look at the newest commit, be it begun or waiting: what stands between the cluster and Git is in it."""
        return self.waiting.look if self.waiting else self.look

    @property
    def only_waits(self) -> bool:
        """Whether what runs needs nothing, so that the decision is about the commit that waits."""
        return self.waiting is not None and self.decision == self.waiting.decision

    @property
    def hangs_on_others(self) -> bool:
        """Whether what another environment says or does may change what is decided next."""
        looks = (self.look, self.waiting.look if self.waiting else None)
        return any(look.hangs_on_others for look in looks if look)

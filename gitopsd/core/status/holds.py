"""Which hold people are told of: the one that keeps the environment from Git, or the one that led to where it is."""

from __future__ import annotations

from gitopsd.core.record import GITOPSD, Hold, Outcome, Record
from gitopsd.core.status.view import EnvironmentView


def hold_in_force(view: EnvironmentView) -> Hold | None:
    """Return the hold because of which the environment is not what Git wants.

    Without an answer of Git, or while the environment moves and what Git wants cannot begin, the one that led here.
    """
    record, latest = view.known, view.latest
    if record is None:
        return None
    if latest and latest.git.desired and not latest.git.unseen and (latest.only_waits or not latest.waiting):
        return record.held.get(latest.git.desired.digest)
    return hold_that_led_here(record)


def hold_that_led_here(record: Record) -> Hold | None:
    """Return the newest hold that led to where the cluster is. To what a commit has brought since, none did."""
    newest_first = sorted(record.held.values(), key=lambda hold: hold.since, reverse=True)
    return next((hold for hold in newest_first if _led_here(record, hold)), None)


def is_put_back(hold: Hold) -> bool:
    """Whether gitopsd itself refused the digest, because it failed."""
    return hold.by == GITOPSD


def _led_here(record: Record, hold: Hold) -> bool:
    """Every keep makes the kept digest the one to go back to; only the history tells what came first."""
    if record.current not in (hold.back_to, hold.digest):
        return False
    for entry in record.history:
        if entry.digest == hold.digest and entry.outcome in (Outcome.FAILED, Outcome.HELD):
            return True
        if entry.digest == record.current and entry.outcome is Outcome.KEPT:
            return False
    return True

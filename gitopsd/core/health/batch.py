"""Jobs and CronJobs. A Job is current when it is done, not while it runs."""

from __future__ import annotations

from gitopsd.core.fields import flag, whole
from gitopsd.core.health.conditions import conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress, paused
from gitopsd.core.model import Body, Health


def assess_job(body: Body) -> Health:
    """Complete, failed, suspended, or still at it."""
    conditions = conditions_of(body)
    done = f"{whole(body, 'status.succeeded')}/{whole(body, 'spec.completions', 1)} done"
    if find(conditions, "Complete").is_true:
        return current(done)
    ended = find(conditions, "Failed")
    if ended.is_true:
        return failed(ended.reason or Reason.JOB_FAILED, f"{done}; {ended.sentence}")
    if flag(body, "spec.suspend"):
        return paused(f"{done}; suspended by spec.suspend")
    tries = whole(body, "status.failed")
    return in_progress(Reason.ROLLING_OUT, f"{done}" + (f"; {tries} failed so far" if tries else ""))


def assess_cron_job(body: Body) -> Health:
    """Its Jobs are its own affair; only a suspended one is worth a word."""
    return paused("suspended by spec.suspend") if flag(body, "spec.suspend") else current()

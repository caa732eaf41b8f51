"""How objects are. Pure: a body in, a health out; no clock, so nothing here knows how long it has been so.

A false Failed takes a good release back, so it is the worst error: when in doubt, InProgress.
"""

from gitopsd.core.health.assessment import assess, assess_all, needs_look_below, public_word
from gitopsd.core.health.below import down_since, may_come_up, stuck_pod
from gitopsd.core.health.pods import unready_since
from gitopsd.core.health.reasons import NOT_STARTED, Reason, is_good

__all__ = [
    "NOT_STARTED",
    "Reason",
    "assess",
    "assess_all",
    "down_since",
    "is_good",
    "may_come_up",
    "needs_look_below",
    "public_word",
    "stuck_pod",
    "unready_since",
]

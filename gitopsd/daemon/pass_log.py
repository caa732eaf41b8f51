"""What of a pass goes to the log: what it decided, when that is of another kind than before, and what else is news."""

from __future__ import annotations

from loguru import logger

from gitopsd.core.decision import Apply, Halt, Held, Keep, Rest, Revert, Unstick, Watch
from gitopsd.core.passes import Pass
from gitopsd.core.status.facts import beside
from gitopsd.core.status.view import EnvironmentView


def log_news(before: EnvironmentView, after: EnvironmentView) -> None:
    """Log what is news between two passes of an environment."""
    latest = after.latest
    if latest and (before.latest is None or type(before.latest.decision) is not type(latest.decision)):
        _log_decision(after.environment.name, latest)
    _log_problems(before, after)


def _log_decision(name: str, latest: Pass) -> None:
    decision = latest.decision
    look = latest.newest if latest.only_waits else latest.look
    revision = str(look.desired.revision) if look else ""
    bound = logger.bind(environment=name, revision=revision)
    match decision:
        case Revert(why, back_to):
            bound.bind(why=why, back_to=back_to).error("put back")
        case Halt(why):
            bound.bind(why=why).error("rollout failed, and nothing is put back")
        case Held(problems):
            bound.bind(code=problems[0].code, why=problems[0].message).warning("held")
        case Watch(why):
            bound.bind(why=why).info("rolling out")
        case Apply(changes, begins):
            bound.bind(changes=len(changes), begins=begins).info("applying")
        case Unstick(pods):
            bound.bind(pods=[pod.ref.name for pod in pods]).warning("deleting pods that hold up their own replacement")
        case Keep() | Rest():
            bound.info("healthy: kept" if isinstance(decision, Keep) else _at_rest(latest))


def _at_rest(latest: Pass) -> str:
    return "what runs needs nothing" if latest.git.barred else "in sync"


def _log_problems(before: EnvironmentView, after: EnvironmentView) -> None:
    """What is wrong beside the decision and was not a moment ago: what was kept and well may be so no more."""
    known = {(problem.code, problem.ref) for problem in beside(before)}
    for problem in beside(after):
        if (problem.code, problem.ref) not in known:
            bound = logger.bind(environment=after.environment.name, code=problem.code, object=problem.ref)
            bound.bind(where=problem.where).warning(problem.message)

"""Services, and the Gateway API's gateways and routes."""

from __future__ import annotations

from gitopsd.core.fields import parts, read, text, whole
from gitopsd.core.health.conditions import Condition, conditions_at, conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress
from gitopsd.core.health.words import is_failure
from gitopsd.core.model import Body, Health

_ROAD = ("Accepted", "ResolvedRefs", "Programmed")


def assess_service(body: Body) -> Health:
    """Only a load balancer has to wait for something: its address."""
    if text(body, "spec.type") != "LoadBalancer":
        return current()
    if not text(body, "spec.clusterIP"):
        return in_progress(Reason.WAITING, "no cluster IP yet")
    if parts(body, "status.loadBalancer.ingress") or read(body, "spec.externalIPs"):
        return current("has an address")
    return in_progress(Reason.WAITING, "the load balancer has no address yet")


def assess_gateway(body: Body) -> Health:
    """A gateway serves once it is programmed; a listener's certificate may still come."""
    conditions = conditions_of(body)
    turned_down = _turned_down(conditions, "")
    if turned_down:
        return turned_down
    generation = whole(body, "metadata.generation")
    for listener in parts(body, "status.listeners"):
        waiting = _turned_down(conditions_at(listener, "conditions", generation), f"{text(listener, 'name')}: ")
        if waiting:
            return in_progress(waiting.reason, waiting.message)
    programmed = find(conditions, "Programmed")
    return current(programmed.message) if programmed.is_true else in_progress(Reason.WAITING, "not programmed yet")


def assess_route(body: Body) -> Health:
    """Every parent that has looked at this generation must have accepted the route and found what it refers to."""
    generation = whole(body, "metadata.generation")
    looked = [(parent, conditions_at(parent, "conditions", generation)) for parent in parts(body, "status.parents")]
    if not looked:
        return in_progress(Reason.NO_STATUS, "no gateway has looked at it yet, if one ever does")
    for parent, conditions in looked:
        turned_down = _turned_down(conditions, f"{text(parent, 'parentRef.name')}: ")
        if turned_down:
            return turned_down
    if not any(find(conditions, "Accepted").is_true for _, conditions in looked):
        return in_progress(Reason.WAITING, "no gateway has accepted it yet")
    return current("accepted by every gateway that has looked at it")


def _turned_down(conditions: tuple[Condition, ...], where: str) -> Health | None:
    """What is not allowed, not valid or not found is wrong; all else, a gateway or a listener, may still come."""
    missed = [find(conditions, kind) for kind in _ROAD if find(conditions, kind).is_false]
    if not missed:
        return None
    worst = next((condition for condition in missed if is_failure(condition.reason)), missed[0])
    verdict = failed if is_failure(worst.reason) else in_progress
    return verdict(worst.reason or Reason.WAITING, f"{where}{worst.sentence}")

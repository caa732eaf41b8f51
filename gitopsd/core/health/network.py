"""Services, and the Gateway API's gateways and routes."""

from __future__ import annotations

from gitopsd.core.fields import parts, read, text, whole
from gitopsd.core.health.conditions import Condition, conditions_at, conditions_of, find
from gitopsd.core.health.reasons import Reason, current, failed, in_progress
from gitopsd.core.health.words import is_failure
from gitopsd.core.model import Body, Health


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
    """A gateway serves once it is programmed."""
    programmed = find(conditions_of(body), "Programmed")
    if programmed.is_true:
        return current(programmed.message)
    refused = find(conditions_of(body), "Accepted")
    if refused.is_false:
        return _turned_down(refused, "")
    return in_progress(
        programmed.reason or Reason.WAITING, programmed.sentence if programmed.type else "not programmed"
    )


def assess_route(body: Body) -> Health:
    """Every parent must have accepted the route and found what it refers to."""
    generation = whole(body, "metadata.generation")
    parents = parts(body, "status.parents")
    asked = parts(body, "spec.parentRefs")
    for parent in parents:
        conditions = conditions_at(parent, "conditions", generation)
        name = text(parent, "parentRef.name")
        for condition in (find(conditions, "Accepted"), find(conditions, "ResolvedRefs")):
            if condition.is_false:
                return _turned_down(condition, f"{name}: ")
            if not condition.is_true:
                return in_progress(Reason.WAITING, f"{name} has not looked at it yet")
    if len(parents) < len(asked):
        return in_progress(Reason.WAITING, f"{len(parents)}/{len(asked)} parents have looked at it")
    return current("accepted by every parent" if parents else "")


def _turned_down(condition: Condition, where: str) -> Health:
    """A backend or a gateway may still come; what is not allowed or not valid stays so."""
    coming = condition.reason.endswith("NotFound") or condition.reason.startswith("NoMatching")
    verdict = failed if is_failure(condition.reason) and not coming else in_progress
    return verdict(condition.reason or Reason.WAITING, f"{where}{condition.sentence}")

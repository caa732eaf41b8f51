"""What the chart grants, held against what the API server was really asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from rig.audit import Request
from tests.chart.charting import NAMESPACE, Object, rules_of

Right = tuple[str, str, str]
# What every account may ask for: which kinds there are.
DISCOVERY = ("/api", "/apis", "/version", "/openapi")


@dataclass(frozen=True, slots=True)
class Compared:
    """Rights are verb, resource, namespace.

    ``refused`` were asked for and denied. ``unexplained`` were allowed though no rule of the chart says so. ``unused``
    are granted in gitopsd's own namespace, or let it ask who a caller is, and nobody needed them.
    """

    impersonated: set[str]
    refused: set[Right]
    unexplained: set[Right]
    unused: set[Right]


def compare(requests: Sequence[Request], objects: Sequence[Object]) -> Compared:
    """Compare all requests of gitopsd's account with what the objects grant."""
    of_kinds = [one for one in requests if one.resource]
    refused = {_right(one) for one in of_kinds if one.code == HTTPStatus.FORBIDDEN}
    allowed = [one for one in of_kinds if one.code != HTTPStatus.FORBIDDEN]
    strange = {(one.verb, one.uri, "") for one in requests if not one.resource and not one.uri.startswith(DISCOVERY)}
    return Compared(
        impersonated={one.impersonated_user for one in requests if one.impersonated_user},
        refused=refused,
        unexplained=strange | {_right(one) for one in allowed if not _is_granted(one, objects)},
        unused=_narrow(objects) - {_right(one) for one in allowed},
    )


def _is_granted(request: Request, objects: Sequence[Object]) -> bool:
    account = (request.impersonated_user or request.user).rpartition(":")[2]
    return any(_says(rule, where, request) for where, rule in rules_of(objects, account))


def _says(rule: Object, where: str, request: Request) -> bool:
    names = rule.get("resourceNames", ())
    return (
        where in ("", request.namespace)
        and request.verb in rule["verbs"]
        and _resource(request) in _resources(rule)
        and (not names or request.name in names)
    )


def _narrow(objects: Sequence[Object]) -> set[Right]:
    return set(_rights(rules_of(objects, "gitopsd")))


def _rights(rules: Iterable[tuple[str, Object]]) -> Iterator[Right]:
    for where, rule in rules:
        for verb in set(rule["verbs"]) - {"impersonate"}:
            if where == NAMESPACE or verb == "create":
                yield from ((verb, resource, where) for resource in _resources(rule))


def _resources(rule: Object) -> set[str]:
    return {f"{group}/{one}" if group else one for group in rule["apiGroups"] for one in rule["resources"]}


def _resource(request: Request) -> str:
    return f"{request.resource}/{request.subresource}" if request.subresource else request.resource


def _right(request: Request) -> Right:
    return request.verb, _resource(request), request.namespace

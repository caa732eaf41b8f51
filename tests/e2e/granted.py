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
READING = frozenset({"get", "list", "watch"})
THEIRS = "environments"


@dataclass(frozen=True, slots=True)
class Compared:
    """Rights are verb, resource, and where: our namespace, all of the environments', or empty for the whole cluster.

    ``refused`` were asked for and denied. ``unexplained`` were allowed though no rule of the chart says so. ``granted``
    and ``used`` are gitopsd's own, all but reading in the whole cluster, where ``kinds`` are granted and ``read`` used.
    """

    impersonated: set[str]
    refused: set[Right]
    unexplained: set[Right]
    granted: set[Right]
    used: set[Right]
    kinds: set[str]
    read: set[str]

    @property
    def unused(self) -> set[Right]:
        """What nobody needed."""
        return self.granted - self.used

    def told(self) -> str:
        """Return it in a sentence."""
        return (
            f"{len(self.granted)} rights granted, {len(self.used)} of them used, {_listed(self.unused)} unused; "
            f"{len(self.kinds)} kinds to be read everywhere, {len(self.read)} of them read; "
            f"{_listed(self.refused)} refused; {_listed(self.unexplained)} asked for and not granted by the chart"
        )


def compare(requests: Sequence[Request], objects: Sequence[Object]) -> Compared:
    """Compare all requests of gitopsd's account with what the objects grant."""
    of_kinds = [one for one in requests if one.resource]
    allowed = [one for one in of_kinds if one.code != HTTPStatus.FORBIDDEN]
    own = {_right(one) for one in allowed if not one.impersonated_user}
    strange = {(one.verb, one.uri, "") for one in requests if not one.resource and not one.uri.startswith(DISCOVERY)}
    rules = list(rules_of(objects, "gitopsd"))
    granted, kinds = set(_narrow(rules)), set(_read_everywhere(rules))
    return Compared(
        impersonated={one.impersonated_user for one in requests if one.impersonated_user},
        refused={_right(one) for one in of_kinds if one.code == HTTPStatus.FORBIDDEN},
        unexplained=strange | {_right(one) for one in allowed if not _is_granted(one, objects)},
        granted=granted,
        used=granted & own,
        kinds=kinds,
        read=kinds & {_resource(one) for one in allowed if not one.impersonated_user and one.verb in READING},
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


def _narrow(rules: Iterable[tuple[str, Object]]) -> Iterator[Right]:
    """What is bound in a namespace, and what lets gitopsd ask who a caller is."""
    for where, rule in rules:
        for verb in set(rule["verbs"]) - {"impersonate"} - (set() if where else READING):
            yield from ((verb, resource, _place(where)) for resource in _resources(rule))


def _read_everywhere(rules: Iterable[tuple[str, Object]]) -> Iterator[str]:
    for where, rule in rules:
        if not where and READING.issuperset(rule["verbs"]):
            yield from _resources(rule)


def _resources(rule: Object) -> set[str]:
    return {f"{group}/{one}" if group else one for group in rule["apiGroups"] for one in rule["resources"]}


def _resource(request: Request) -> str:
    return f"{request.resource}/{request.subresource}" if request.subresource else request.resource


def _right(request: Request) -> Right:
    return request.verb, _resource(request), _place(request.namespace)


def _place(namespace: str) -> str:
    return namespace if namespace in ("", NAMESPACE) else THEIRS


def _listed(rights: Iterable[Right]) -> str:
    return ", ".join(sorted(" ".join(filter(None, one)) for one in rights)) or "none"

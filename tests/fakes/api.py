"""An API server in memory for ConfigMaps, Secrets, Leases and Namespaces; and a road to any server that loses things.

Held to the real server's manners by tests/contract/test_api.py.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.ports import Answer, Api, Call

_KINDS = {"configmaps": "ConfigMap", "secrets": "Secret", "leases": "Lease", "namespaces": "Namespace"}
_PATH = re.compile(
    r"/(?:api/v1|apis/coordination\.k8s\.io/v1)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/(?:configmaps|secrets|leases)))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?"
)
_Key = tuple[str, str, str]
_Object = dict[str, Any]


@dataclass
class FakeApi:
    """See the module. ``objects`` are keyed by plural, namespace and name."""

    objects: dict[_Key, _Object] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    _serial: int = 100

    def __post_init__(self) -> None:
        self.put("namespaces", "", {"metadata": {"name": "gitopsd"}})

    def call(self, call: Call) -> Answer:
        self.calls.append(call)
        found = _PATH.fullmatch(call.path)
        if found is None or found["plural"] not in _KINDS:
            return _status(404, "NotFound", "the server could not find the requested resource", "", "")
        key = found["plural"], found["namespace"] or "", found["name"] or ""
        body = json.loads(call.body) if call.body else {}
        match call.method:
            case "GET" if not key[2]:
                return self._list(key, call.query.get("labelSelector", ""))
            case "GET":
                return Answer(200, copy.deepcopy(self.objects[key])) if key in self.objects else _absent(key)
            case "POST":
                return self._create(key, body)
            case "PUT":
                return self._replace(key, body)
            case "PATCH" if call.content_type == "application/merge-patch+json":
                return self._replace(key, _merged(self.objects.get(key, {}), body))
            case "DELETE":
                return self._delete(key, body)
            case _:
                return _status(405, "MethodNotAllowed", "not here", key[0], key[2])

    def put(self, plural: str, namespace: str, body: _Object) -> _Object:
        """Make an object, whatever was there before."""
        self._serial += 1
        metadata = {"uid": f"uid-{self._serial}", "creationTimestamp": f"2026-01-01T12:00:{self._serial % 60:02}Z"}
        metadata |= body["metadata"] | {"resourceVersion": str(self._serial)}
        stored = copy.deepcopy({"kind": _KINDS[plural], **body, "metadata": metadata})
        self.objects[plural, namespace, metadata["name"]] = stored
        return copy.deepcopy(stored)

    def edit(self, plural: str, namespace: str, name: str, change: Callable[[_Object], None]) -> None:
        """Change an object by hand."""
        body = self.objects[plural, namespace, name]
        change(body)
        self.put(plural, namespace, body)

    def writes(self) -> list[str]:
        """What was written, as ``PUT name``."""
        return [f"{call.method} {_written_name(call)}" for call in self.calls if call.method != "GET"]

    def _list(self, key: _Key, selector: str) -> Answer:
        wanted = [pair.split("=", 1) for pair in selector.split(",") if pair]
        items = [
            copy.deepcopy(body)
            for (plural, namespace, _), body in sorted(self.objects.items())
            if (plural, namespace) == key[:2]
            and all((body["metadata"].get("labels") or {}).get(name) == value for name, value in wanted)
        ]
        return Answer(200, {"kind": f"{_KINDS[key[0]]}List", "metadata": {"resourceVersion": "1"}, "items": items})

    def _create(self, key: _Key, body: _Object) -> Answer:
        plural, namespace, name = key[0], key[1], body["metadata"]["name"]
        if namespace and ("namespaces", "", namespace) not in self.objects:
            return _absent(("namespaces", "", namespace))
        if (plural, namespace, name) in self.objects:
            return _status(409, "AlreadyExists", f'{plural} "{name}" already exists', plural, name)
        return Answer(201, self.put(plural, namespace, body))

    def _replace(self, key: _Key, body: _Object) -> Answer:
        live = self.objects.get(key)
        if live is None:
            return _absent(key)
        version = body["metadata"].get("resourceVersion", live["metadata"]["resourceVersion"])
        if version != live["metadata"]["resourceVersion"]:
            return _conflict(key, "the object has been modified")
        if body.get("type") != live.get("type"):
            return _status(422, "Invalid", "type: field is immutable", key[0], key[2])
        kept = {name: live["metadata"][name] for name in ("uid", "creationTimestamp", "resourceVersion")}
        meant = {"kind": live["kind"], **body, "metadata": {**body["metadata"], **kept}}
        return Answer(200, copy.deepcopy(live) if meant == live else self.put(key[0], key[1], meant))

    def _delete(self, key: _Key, body: _Object) -> Answer:
        live = self.objects.get(key)
        if live is None:
            return _absent(key)
        for name, value in body.get("preconditions", {}).items():
            if live["metadata"][name] != value:
                word = "UID" if name == "uid" else "ResourceVersion"
                return _conflict(key, f"the {word} in the precondition does not match")
        del self.objects[key]
        return Answer(200, {"kind": "Status", "status": "Success"})


class Loss(Enum):
    """What may become of a request."""

    NEVER_ARRIVES = "never arrives"
    ANSWER_LOST = "arrives, but the answer is lost"
    ARRIVES_LATE = "arrives just before the next write"


@dataclass
class LossyApi:
    """A road to an API server. ``losses`` befall the next writes, in order; an ``Answer`` is given in its place.

    ``before`` is called with every call, before it goes out.
    """

    api: Api
    losses: list[Loss | Answer | ClusterError | None] = field(default_factory=list)
    before: Callable[[Call], None] = lambda _: None
    down: bool = False
    _late: list[Call] = field(default_factory=list)

    def call(self, call: Call) -> Answer:
        self.before(call)
        if self.down:
            raise silence()
        if call.method == "GET" or not (self.losses or self._late):
            return self.api.call(call)
        while self._late:
            self.api.call(self._late.pop())
        loss = self.losses.pop(0) if self.losses else None
        if loss is None:
            return self.api.call(call)
        if isinstance(loss, Answer):
            return loss
        raise self._lose(call, loss)

    def _lose(self, call: Call, loss: Loss | ClusterError) -> ClusterError:
        if isinstance(loss, ClusterError):
            return loss
        if loss is Loss.ANSWER_LOST:
            self.api.call(call)
        if loss is Loss.ARRIVES_LATE:
            self._late.append(call)
        return silence()


def silence() -> ClusterError:
    """What the transport raises when nobody answered."""
    return ClusterError(Problem(code="CLUSTER_UNREACHABLE", stage=Stage.APPLY, message="no whole answer"))


def refusal(status: int, reason: str = "") -> Answer:
    """An answer that says no."""
    return _status(status, reason, "no", "", "")


def _written_name(call: Call) -> str:
    body = json.loads(call.body) if call.body else {}
    return body.get("metadata", {}).get("name") or call.path.rpartition("/")[2]


def _status(code: int, reason: str, message: str, kind: str, name: str) -> Answer:
    details = {"kind": kind, "name": name} if name else {}
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return Answer(code, {**body, "details": details})


def _merged(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    before = live if isinstance(live, dict) else {}
    both = before | {name: _merged(before.get(name), value) for name, value in patch.items()}
    return {name: value for name, value in both.items() if value is not None}


def _absent(key: _Key) -> Answer:
    return _status(404, "NotFound", f'{key[0]} "{key[2]}" not found', key[0], key[2])


def _conflict(key: _Key, why: str) -> Answer:
    return _status(409, "Conflict", f'Operation cannot be fulfilled on {key[0]} "{key[2]}": {why}', key[0], key[2])

"""An API server in memory, for rooms that keep a few objects of their own: whole objects by path, with resourceVersion.

It knows get, list (by labels, in pages), create, replace and delete (with preconditions), and answers what the real
one answers. A namespace must exist before anything is created in it. ``trouble`` is what happens to the next calls.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl

from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.model import Json
from gitopsd.ports import Answer, Call

NAMESPACES = "/api/v1/namespaces"


class Trouble(StrEnum):
    """What comes between a call and its answer."""

    NONE = "none"
    LOST_BEFORE = "the call never arrives"
    LOST_AFTER = "the call is carried out, its answer never arrives"
    TIMES_OUT = "the call is carried out, and the server says 504"
    FORBIDDEN = "the server says 403"


@dataclass
class FakeApi:
    """``objects`` are the stored bodies by path; ``calls`` everything that was asked."""

    objects: dict[str, dict[str, Json]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    trouble: list[Trouble] = field(default_factory=list)
    _versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, call: Call) -> Answer:
        self.calls.append(call)
        match self.trouble.pop(0) if self.trouble else Trouble.NONE:
            case Trouble.LOST_BEFORE:
                raise _lost()
            case Trouble.LOST_AFTER:
                self._do(call)
                raise _lost()
            case Trouble.TIMES_OUT:
                self._do(call)
                return _no(504, "Timeout", call.path)
            case Trouble.FORBIDDEN:
                return _no(403, "Forbidden", call.path)
            case Trouble.NONE:
                return copy.deepcopy(self._do(call))

    def add_namespace(self, name: str) -> None:
        """Let there be a namespace."""
        self._store(f"{NAMESPACES}/{name}", {"metadata": {"name": name}, "status": {"phase": "Active"}}, status=201)

    def edit(self, path: str, **parts: Json) -> None:
        """Change an object behind everybody's back."""
        self._store(path, {**self.objects[path], **parts})

    def count(self, *methods: str) -> int:
        """How often these methods were asked for; all when none is named."""
        return sum(call.method in methods or not methods for call in self.calls)

    def _do(self, call: Call) -> Answer:
        match call.method:
            case "GET" if _is_collection(call.path):
                return self._list(call)
            case "GET":
                found = self.objects.get(call.path)
                return Answer(200, found) if found is not None else _absent(call.path)
            case "POST":
                return self._create(call)
            case "PUT":
                return self._replace(call)
            case "DELETE":
                return self._delete(call)
            case _:
                raise AssertionError(f"this fake does not know {call.method}")

    def _list(self, call: Call) -> Answer:
        wanted = set(dict(parse_qsl(call.query.get("labelSelector", ""), separator=",")).items())
        start, limit = int(call.query.get("continue", "0")), int(call.query.get("limit", "1000000"))
        found = [
            body
            for path, body in sorted(self.objects.items())
            if path.rpartition("/")[0] == call.path and wanted <= set((_metadata(body).get("labels") or {}).items())
        ]
        more = {"continue": str(start + limit)} if len(found) > start + limit else {}
        return Answer(200, {"kind": "List", "metadata": more, "items": found[start : start + limit]})

    def _create(self, call: Call) -> Answer:
        body = _parsed(call)
        path = f"{call.path}/{_metadata(body)['name']}"
        if path in self.objects:
            return _no(409, "AlreadyExists", path)
        namespace = _namespace(call.path)
        if namespace and f"{NAMESPACES}/{namespace}" not in self.objects:
            return _absent(f"{NAMESPACES}/{namespace}")
        if call.path == NAMESPACES:
            body["status"] = {"phase": "Active"}
        return self._store(path, body, status=201)

    def _replace(self, call: Call) -> Answer:
        body, before = _parsed(call), self.objects.get(call.path)
        if before is None:
            return _absent(call.path)
        told = _metadata(body).get("resourceVersion")
        if told is not None and told != _metadata(before)["resourceVersion"]:
            return _no(409, "Conflict", call.path)
        return self._store(call.path, body)

    def _delete(self, call: Call) -> Answer:
        found = self.objects.get(call.path)
        if found is None:
            return _absent(call.path)
        wanted = json.loads(call.body or b"{}").get("preconditions", {})
        if any(_metadata(found)[key] != value for key, value in wanted.items()):
            return _no(409, "Conflict", call.path)
        del self.objects[call.path]
        return Answer(200, {"kind": "Status", "status": "Success"})

    def _store(self, path: str, body: Mapping[str, Json], status: int = 200) -> Answer:
        before = self.objects.get(path)
        uid = _metadata(before)["uid"] if before else str(uuid.uuid4())
        metadata = {**_metadata(body), "uid": uid, "resourceVersion": str(next(self._versions))}
        self.objects[path] = {**body, "metadata": metadata}
        return Answer(status, self.objects[path])


def _parsed(call: Call) -> dict[str, Json]:
    body = json.loads(call.body or b"")
    for encoded in (body.get("binaryData") or {}).values():
        base64.b64decode(encoded, validate=True)
    return body


def _metadata(body):
    return body["metadata"]


def _is_collection(path: str) -> bool:
    parts = path.removeprefix("/apis/").removeprefix("/api/").split("/")
    inside = parts[parts.index("namespaces") + 1 :] if "namespaces" in parts else parts
    return len(inside) in (0, 2)


def _namespace(path: str) -> str:
    before, found, after = path.partition("/namespaces/")
    return after.split("/")[0] if found and before else ""


def _absent(path: str) -> Answer:
    return _no(404, "NotFound", path)


def _no(status: int, reason: str, path: str) -> Answer:
    collection, _, name = path.rpartition("/")
    kind = collection.rpartition("/")[2]
    return Answer(
        status,
        {
            "kind": "Status",
            "status": "Failure",
            "reason": reason,
            "code": status,
            "message": f'{kind} "{name}": {reason}',
            "details": {"kind": kind, "name": name},
        },
    )


def _lost() -> ClusterError:
    return ClusterError(Problem(code="CLUSTER_UNREACHABLE", stage=Stage.APPLY, message="no whole answer came"))

"""One delete: exactly this object in exactly this version, or nothing; and the wait until it is seen to be gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.core.errors import Stage
from gitopsd.core.fields import text
from gitopsd.core.model import Body, ObjectRef
from gitopsd.ports import Answer, Call

FIRST_WAIT_S = 0.02
WAIT_S_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Deleter:
    """``wait`` waits that many seconds and says whether we are to stop."""

    reader: Reader
    wait: Callable[[float], bool]

    def delete(self, resource: Resource, ref: ObjectRef, *, uid: str, version: str) -> Answer:
        """Delete the object as it was read, in this version."""
        metadata = {"uid": uid, "resourceVersion": version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": metadata,
            "propagationPolicy": "Background",
        }
        call = Call(method="DELETE", path=resource.path(ref), body=msgspec.json.encode(options))
        return self.reader.line.call(call)

    def remains(self, resource: Resource, ref: ObjectRef, uid: str, patience_s: float) -> Body | None:
        """Return the object if it is still there when the patience ends; None as soon as it is seen to be gone.

        Raises:
            ClusterError: it could not be read.
        """
        deadline = time.monotonic() + patience_s
        wait_s = FIRST_WAIT_S
        while True:
            body = self.reader.get(resource, ref, Stage.PRUNE)
            if body is None or text(body, "metadata.uid") != uid:
                return None
            if time.monotonic() + wait_s > deadline or self.wait(wait_s):
                return body
            wait_s = min(wait_s * 2, WAIT_S_MAX)

"""Asks the API server who a token is and what its bearer may: TokenReview, then SubjectAccessReview.

What it said is believed for a short while, never past the token's own end. A token is kept as its digest only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitopsd.core.access import GROUP, RESOURCE, Asked, Permission
from gitopsd.core.answers import Subject, meaning_of, problem_of
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.fields import part, text
from gitopsd.core.model import Body, Json, ObjectRef
from gitopsd.ports import Api, Call, Clock

BELIEVED_S = 60.0
REFUSED_BELIEVED_S = 5.0
UNDATED_BELIEVED_S = 10.0
TOKEN_CHARS_MAX = 16 * 1024
KNOWN_MAX = 1_000
AT_ONCE_MAX = 8
WAIT_S = 2.0

_CREATED = 201


@dataclass(frozen=True, slots=True)
class _Known:
    permission: Permission
    until: float


class KubernetesAuthority:
    """Implements ``ports.Authority``. ``audiences`` are what a token must be meant for; empty = the API server itself.

    ``namespace`` is where the environments are said to live: gitopsd's own.
    """

    def __init__(self, api: Api, clock: Clock, namespace: str, audiences: Sequence[str] = ()) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._audiences = tuple(audiences)
        self._known: OrderedDict[tuple[str, Asked], _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE_MAX)

    def decide(self, token: str, asked: Asked) -> Permission:
        """See ``ports.Authority``."""
        if not token or len(token) > TOKEN_CHARS_MAX:
            return Permission.UNKNOWN_CALLER
        key = (hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest(), asked)
        known = self._recall(key)
        return known or self._ask(token, asked, key)

    def _recall(self, key: tuple[str, Asked]) -> Permission | None:
        with self._lock:
            known = self._known.get(key)
        return known.permission if known and self._clock.steady() < known.until else None

    def _ask(self, token: str, asked: Asked, key: tuple[str, Asked]) -> Permission:
        if not self._turns.acquire(timeout=WAIT_S):
            message = "too many callers at once wait to be recognised"
            raise ClusterError(Problem(code="CLUSTER_BUSY", stage=Stage.CONFIG, message=message), retry=True)
        try:
            permission = self._permission(token, asked)
        finally:
            self._turns.release()
        until = self._clock.steady() + self._believed_s(token, permission)
        with self._lock:
            self._known[key] = _Known(permission, until)
            while len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        return permission

    def _permission(self, token: str, asked: Asked) -> Permission:
        user = self._user(token)
        if user is None:
            return Permission.UNKNOWN_CALLER
        return Permission.ALLOWED if self._may(user, asked) else Permission.FORBIDDEN

    def _user(self, token: str) -> Body | None:
        wanted: dict[str, Json] = {"token": token}
        if self._audiences:
            wanted["audiences"] = list(self._audiences)
        said = self._review("authentication.k8s.io", "TokenReview", wanted)
        if said.get("authenticated") is not True or not self._is_meant_for_us(said):
            return None
        user = part(said, "user")
        return user if text(user, "username") else None

    def _is_meant_for_us(self, said: Body) -> bool:
        """An API server that knows nothing of audiences answers none: then the token is not known to be for us."""
        audiences = said.get("audiences")
        found = audiences if isinstance(audiences, Sequence) and not isinstance(audiences, str) else ()
        return not self._audiences or any(one in self._audiences for one in found)

    def _may(self, user: Body, asked: Asked) -> bool:
        spec: dict[str, Json] = {
            "user": text(user, "username"),
            "uid": text(user, "uid"),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
        }
        if asked.path:
            spec["nonResourceAttributes"] = {"path": asked.path, "verb": asked.verb}
        else:
            spec["resourceAttributes"] = {
                "group": GROUP,
                "resource": RESOURCE,
                "verb": asked.verb,
                "namespace": self._namespace,
                "name": asked.environment,
            }
        said = self._review("authorization.k8s.io", "SubjectAccessReview", spec)
        return said.get("allowed") is True and said.get("denied") is not True

    def _review(self, group: str, kind: str, spec: Mapping[str, Json]) -> Body:
        """Create the review, which nobody keeps; return its status.

        Raises:
            ClusterError: there is no answer, so nothing is known.
        """
        body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
        path = f"/apis/{group}/v1/{kind.lower()}s"
        answer = self._api.call(Call(method="POST", path=path, body=json.dumps(body).encode()))
        if answer.status != _CREATED or not isinstance(answer.body, Mapping):
            subject = Subject(ref=ObjectRef(group, kind, "", ""), stage=Stage.CONFIG)
            raise ClusterError(problem_of(meaning_of(answer.status, answer.body), answer.body, subject))
        return part(answer.body, "status")

    def _believed_s(self, token: str, permission: Permission) -> float:
        if permission is not Permission.ALLOWED:
            return REFUSED_BELIEVED_S
        ends = _ends_at(token)
        if ends is None:
            return UNDATED_BELIEVED_S
        return max(0.0, min(BELIEVED_S, ends - self._clock.now().timestamp()))


def _ends_at(token: str) -> float | None:
    """Return when the token ends, in seconds of the epoch, as it says itself; that it is genuine was asked before."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        # Not every token is a JWT; what cannot be read has no date.
        return None

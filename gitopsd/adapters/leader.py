"""One leader per Lease, by our own monotonic clock. Whoever cannot renew in time stops before anyone else may start.

Another's lease is judged by how long we have not seen it change, never by comparing two machines' clocks.
``is_leading`` is a question to the clock, so it turns false in time even while a renewal hangs in its thread.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC

from gitopsd.core.errors import ClusterError, Problem, Stage, Superseded
from gitopsd.core.fields import part, text
from gitopsd.core.model import Body
from gitopsd.ports import Answer, Api, Call, Clock

_FOUND, _CREATED, _ABSENT = 200, 201, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A leader that has not renewed for ``renew_deadline_s`` has stopped; others wait for ``lease_s``."""

    lease_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Who strives (``identity`` is ours alone), and for which Lease."""

    namespace: str
    name: str
    identity: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """Somebody's lease, and when (by our clock) it last changed."""

    version: str
    holder: str
    at: float


class Elector:
    """Strives for one Lease; see the module for its promise."""

    def __init__(
        self,
        api: Api,
        candidate: Candidate,
        clock: Clock,
        on_change: Callable[[bool], None] = lambda _: None,
        timing: Timing | None = None,
    ) -> None:
        self._api = api
        self._candidate = candidate
        self._clock = clock
        self._on_change = on_change
        self._timing = timing or Timing()
        self._leads_until = 0.0
        self._was_leading = False
        self._seen: _Seen | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_leading(self) -> bool:
        """Whether nobody else can lead at this moment, because we do."""
        return self._clock.steady() < self._leads_until

    @property
    def holder(self) -> str:
        """Who was last seen to hold the lease."""
        return self._seen.holder if self._seen else ""

    def fence(self) -> None:
        """Raise ``Superseded`` unless we lead: called before every write."""
        if not self.is_leading:
            raise Superseded(
                Problem(
                    code="NOT_LEADER",
                    stage=Stage.APPLY,
                    message=f"this replica does not lead any more; {self.holder or 'nobody'} does",
                    hint="nothing to do: the leader carries on",
                )
            )

    def start(self) -> None:
        """Begin to strive, in a thread."""
        self._thread = threading.Thread(target=self._strive, name="leader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop leading now, and give the lease back if that can be done in time."""
        led = self.is_leading
        self._leads_until = 0.0
        self._stopping.set()
        if self._thread:
            self._thread.join(self._timing.renew_deadline_s)
        if led:
            # Whoever follows waits for the lease to run out, if this does not arrive.
            with contextlib.suppress(ClusterError):
                self._release()
        self._tell()

    def step(self) -> float:
        """Make one attempt; return the seconds until the next."""
        began = self._clock.steady()
        # Not knowing is no reason to stop early, and none to go on: the clock decides.
        with contextlib.suppress(ClusterError):
            if self._attempt() and not self._stopping.is_set():
                self._leads_until = began + self._timing.renew_deadline_s
        self._tell()
        return self._timing.retry_s

    def _strive(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self.step())

    def _tell(self) -> None:
        leads = self.is_leading
        if leads is not self._was_leading:
            self._was_leading = leads
            self._on_change(leads)

    def _attempt(self) -> bool:
        """Take or renew the lease; whether it is ours now."""
        answer = self._api.call(Call(method="GET", path=self._path))
        if answer.status == _ABSENT:
            return self._create()
        if answer.status != _FOUND or not isinstance(answer.body, Mapping):
            return False
        lease = answer.body
        self._observe(lease)
        if self._is_anothers(lease):
            return False
        return self._put(lease)

    def _observe(self, lease: Body) -> None:
        version, holder = text(lease, "metadata.resourceVersion"), text(lease, "spec.holderIdentity")
        if self._seen is None or (self._seen.version, self._seen.holder) != (version, holder):
            self._seen = _Seen(version, holder, self._clock.steady())

    def _is_anothers(self, lease: Body) -> bool:
        holder = text(lease, "spec.holderIdentity")
        if holder in ("", self._candidate.identity) or self._seen is None:
            return False
        return self._clock.steady() - self._seen.at < max(self._timing.lease_s, _seconds(lease))

    def _create(self) -> bool:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._candidate.name, "namespace": self._candidate.namespace},
            "spec": self._spec({}),
        }
        answer = self._send("POST", self._collection, body)
        if answer.status == _ABSENT:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._candidate.namespace}}
            self._send("POST", "/api/v1/namespaces", namespace)
            answer = self._send("POST", self._collection, body)
        return self._took(answer)

    def _put(self, lease: Body) -> bool:
        """Write over the version that was read: a conflict means somebody else was faster."""
        return self._took(self._send("PUT", self._path, {**lease, "spec": self._spec(part(lease, "spec"))}))

    def _took(self, answer: Answer) -> bool:
        if answer.status not in (_FOUND, _CREATED) or not isinstance(answer.body, Mapping):
            return False
        self._observe(answer.body)
        return True

    def _spec(self, before: Body) -> dict[str, object]:
        now = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_new = before.get("holderIdentity") != self._candidate.identity
        transitions = before.get("leaseTransitions")
        count = transitions if isinstance(transitions, int) else 0
        return {
            "holderIdentity": self._candidate.identity,
            "leaseDurationSeconds": max(1, round(self._timing.lease_s)),
            "acquireTime": now if is_new else before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": count + 1 if is_new and before else count,
        }

    def _release(self) -> None:
        answer = self._api.call(Call(method="GET", path=self._path))
        if answer.status == _FOUND and isinstance(answer.body, Mapping):
            lease = answer.body
            if text(lease, "spec.holderIdentity") == self._candidate.identity:
                given_back = {**part(lease, "spec"), "holderIdentity": "", "leaseDurationSeconds": 1}
                self._send("PUT", self._path, {**lease, "spec": given_back})

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> Answer:
        return self._api.call(Call(method=method, path=path, body=json.dumps(body).encode()))

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._candidate.namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._candidate.name}"


def _seconds(lease: Body) -> float:
    value = part(lease, "spec").get("leaseDurationSeconds")
    return float(value) if isinstance(value, int) else 0.0

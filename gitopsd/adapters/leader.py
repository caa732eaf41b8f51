"""One leader per Lease, by our own monotonic clock. Whoever cannot renew in time stops before anyone else may start.

Another's lease is judged by how long we have not seen it change, never by comparing two machines' clocks.
``is_leading`` is a question to the clock, so it turns false in time even while a renewal hangs in its thread.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gitopsd.core.answers import Subject, meaning_of, problem_of
from gitopsd.core.errors import ClusterError, Problem, Stage, Superseded
from gitopsd.core.fields import part, text
from gitopsd.core.model import Body, ObjectRef
from gitopsd.ports import Answer, Api, Call, Clock

_FOUND, _CREATED, _ABSENT = 200, 201, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A leader that has not renewed for ``renew_deadline_s`` has stopped; others wait for ``lease_s``.

    One call to the API server must end well within ``renew_deadline_s``.
    """

    lease_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_s < self.renew_deadline_s < self.lease_s:
            raise ValueError("a leader must stop before others may start, and try to renew before it stops")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Who strives, in words for people, for which Lease, and how patiently."""

    namespace: str
    name: str
    identity: str
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nobody here can say who leads, since when, and in how many attempts in a row."""

    problem: Problem
    since: datetime
    count: int


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
        on_other: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``on_change`` is told whether we lead; ``on_other``, who else was found to hold the lease."""
        self._api = api
        self._candidate = candidate
        # A pod that was replaced may have the name, and the pid, of one that still runs somewhere.
        self._identity = f"{candidate.identity}_{secrets.token_hex(4)}"
        self._clock = clock
        self._on_change = on_change
        self._on_other = on_other
        self._timing = candidate.timing
        self._leads_until = 0.0
        self._was_leading = False
        self._seen: _Seen | None = None
        self._trouble: Trouble | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._strive, name="leader", daemon=True)

    @property
    def is_leading(self) -> bool:
        """Whether nobody else can lead at this moment, because we do."""
        return not self._stopping.is_set() and self._clock.steady() < self._leads_until

    @property
    def holder(self) -> str:
        """Who was last seen to hold the lease."""
        return self._seen.holder if self._seen else ""

    @property
    def trouble(self) -> Trouble | None:
        """Why the last attempt could not find out who leads; None when it could."""
        return self._trouble

    def fence(self) -> None:
        """Raise ``Superseded`` unless we lead: called before every write."""
        if not self.is_leading:
            why = "its lease ran out" if self.holder in ("", self._identity) else f"{self.holder} does"
            raise Superseded(
                Problem(
                    code="NOT_LEADER",
                    stage=Stage.APPLY,
                    message=f"this replica does not lead any more: {why}",
                    hint="nothing to do: the leader carries on",
                )
            )

    def start(self) -> None:
        """Begin to strive, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop leading now; give the lease back if that can be done in time."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._timing.renew_deadline_s)

    def step(self) -> None:
        """Make one attempt. What goes wrong is no reason to stop early, and none to go on: the clock decides."""
        began = self._clock.steady()
        try:
            leads = self._attempt()
            self._leads_until = began + self._timing.renew_deadline_s if leads else 0.0
            self._trouble = None
        except ClusterError as error:
            self._fail(error.problem)
        self._tell()

    def release(self) -> None:
        """Give the lease back, so that another need not wait until it runs out."""
        if self.holder != self._identity:
            return
        # If this does not arrive, the others wait.
        with contextlib.suppress(ClusterError):
            answer = self._get()
            if answer.status == _FOUND and text(_lease(answer), "spec.holderIdentity") == self._identity:
                spec = {**part(_lease(answer), "spec"), "holderIdentity": "", "leaseDurationSeconds": 1}
                self._send("PUT", self._path, {**_lease(answer), "spec": spec})

    def _strive(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 — a thread that dies would leave this replica idle for ever
                self._fail(_our_bug(error))
            self._stopping.wait(self._timing.retry_s)
        self._tell()
        self.release()

    def _fail(self, problem: Problem) -> None:
        before = self._trouble
        since = before.since if before else self._clock.now()
        self._trouble = Trouble(problem, since, before.count + 1 if before else 1)

    def _tell(self) -> None:
        leads = self.is_leading
        if leads is not self._was_leading:
            self._on_change(leads)
            # Only now: who stumbled over it is told again.
            self._was_leading = leads

    def _attempt(self) -> bool:
        """Take or renew the lease; whether it is ours now.

        Raises:
            ClusterError: nobody knows whose it is.
        """
        answer = self._get()
        if answer.status == _ABSENT:
            return self._create()
        if answer.status != _FOUND:
            raise self._refused(answer)
        lease = _lease(answer)
        self._observe(lease)
        if self._is_anothers(lease):
            return False
        # Over the version that was read: a conflict means that somebody else was faster.
        return self._took(self._send("PUT", self._path, {**lease, "spec": self._spec(part(lease, "spec"))}))

    def _observe(self, lease: Body) -> None:
        version, holder = text(lease, "metadata.resourceVersion"), text(lease, "spec.holderIdentity")
        known = self.holder
        if self._seen is None or (self._seen.version, known) != (version, holder):
            self._seen = _Seen(version, holder, self._clock.steady())
        if holder not in ("", known, self._identity):
            self._on_other(holder)

    def _is_anothers(self, lease: Body) -> bool:
        holder = text(lease, "spec.holderIdentity")
        if holder in ("", self._identity) or self._seen is None:
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

    def _took(self, answer: Answer) -> bool:
        if answer.status not in (_FOUND, _CREATED):
            raise self._refused(answer)
        self._observe(_lease(answer))
        return True

    def _refused(self, answer: Answer) -> ClusterError:
        subject = Subject(
            ref=ObjectRef("coordination.k8s.io", "Lease", self._candidate.namespace, self._candidate.name),
            stage=Stage.APPLY,
        )
        return ClusterError(problem_of(meaning_of(answer.status, answer.body), answer.body, subject))

    def _spec(self, before: Body) -> dict[str, object]:
        now = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_new = before.get("holderIdentity") != self._identity
        transitions = before.get("leaseTransitions")
        count = transitions if isinstance(transitions, int) else 0
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._timing.lease_s)),
            "acquireTime": now if is_new else before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": count + 1 if is_new and before else count,
        }

    def _get(self) -> Answer:
        return self._api.call(Call(method="GET", path=self._path))

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> Answer:
        return self._api.call(Call(method=method, path=path, body=json.dumps(body).encode()))

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._candidate.namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._candidate.name}"


def _lease(answer: Answer) -> Body:
    return answer.body if isinstance(answer.body, Mapping) else {}


def _our_bug(error: Exception) -> Problem:
    return Problem(
        code="INTERNAL_ERROR",
        stage=Stage.APPLY,
        message=f"gitopsd failed on its own account: {type(error).__name__}",
        hint="please report it",
    )


def _seconds(lease: Body) -> float:
    value = part(lease, "spec").get("leaseDurationSeconds")
    return float(value) if isinstance(value, int) else 0.0

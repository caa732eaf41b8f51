"""``ports.Probes``: says at once what is known, and starts what is due in threads of its own.

Never two tries of one probe at a time, and never more than a few of one environment, so that none waits for another's
pods. Nobody is asked anything before ``start``, and nothing for an environment without probes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeAlias, assert_never

from gitopsd.adapters.probes.cel_probe import CelAsker
from gitopsd.adapters.probes.endpoints import Endpoints
from gitopsd.adapters.probes.finding import Finding, unknown, unreadable
from gitopsd.adapters.probes.http_probe import HttpAsker
from gitopsd.adapters.probes.job_probe import JobAsker
from gitopsd.adapters.probes.prometheus import PrometheusAsker, PrometheusServer
from gitopsd.adapters.probes.standing import NEVER, Moment, Standing, is_open
from gitopsd.core.errors import ClusterError
from gitopsd.core.manifests.place import default_namespace
from gitopsd.core.model import Desired, Environment
from gitopsd.core.probes import CelProbe, HttpProbe, JobProbe, Probe, Probed, PrometheusProbe
from gitopsd.core.record import Rollout
from gitopsd.ports import Api, Clock

IN_FLIGHT_MAX = 64
IN_FLIGHT_PER_ENVIRONMENT_MAX = 4
PODS_IN_FLIGHT_MAX = 32
UNWANTED_S_MAX = 600.0

# Told which environment is worth a look, and in how many seconds.
Wake: TypeAlias = Callable[[str, float], None]
_Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Ticket:
    """One try: who is asked what, on behalf of whom. ``serial`` is that of the standing it belongs to."""

    environment: Environment
    desired: Desired
    probe: Probe
    rollout: Rollout | None
    serial: int

    @property
    def key(self) -> _Key:
        return self.environment.name, self.probe.name


class Prober:
    """See the module. ``api`` serves for reading what is asked and for starting Jobs."""

    def __init__(self, api: Api, clock: Clock, prometheus: PrometheusServer | None = None) -> None:
        self._clock = clock
        self._tries = ThreadPoolExecutor(IN_FLIGHT_MAX, thread_name_prefix="probe")
        self._pods = ThreadPoolExecutor(PODS_IN_FLIGHT_MAX, thread_name_prefix="probe-pod")
        self._http = HttpAsker(Endpoints(api), self._pods)
        self._prometheus = PrometheusAsker(prometheus)
        self._jobs = JobAsker(api)
        self._cel = CelAsker(api)
        self._lock = threading.Lock()
        self._serials = count(1)
        self._standings: dict[_Key, Standing] = {}
        self._in_flight: set[_Key] = set()
        self._wake: Wake | None = None

    def start(self, wake: Wake) -> None:
        """From now on ask what is due; ``wake`` hears of every answer that says something new, and of the next try."""
        self._wake = wake

    def stop(self) -> None:
        """Begin nothing more; what is under way ends with its own time."""
        with self._lock:
            self._wake = None
        self._tries.shutdown(wait=False, cancel_futures=True)
        self._pods.shutdown(wait=False, cancel_futures=True)

    def forget(self, environment: str) -> None:
        """Drop what is known of an environment that is not followed any more."""
        with self._lock:
            self._standings = {key: one for key, one in self._standings.items() if key[0] != environment}

    def ask(self, environment: Environment, desired: Desired, rollout: Rollout | None) -> tuple[Probed, ...]:
        """See ``ports.Probes``. Outside a rollout, what was found in the last one stands until it is asked again."""
        at = self._moment()
        with self._lock:
            tickets = [self._ticket(environment, desired, probe, rollout, at) for probe in desired.settings.probes]
            self._drop_unwanted(environment.name, at)
            for ticket in tickets:
                self._begin_if_due(ticket, at)
            known = tuple(self._standings[ticket.key] for ticket in tickets)
            after_s, wake = self._idle_s(environment.name, at), self._wake
        if after_s is not None and wake:
            wake(environment.name, after_s)
        return tuple(one.probed for one in known)

    def _ticket(
        self, environment: Environment, desired: Desired, probe: Probe, rollout: Rollout | None, at: Moment
    ) -> _Ticket:
        key = environment.name, probe.name
        known = self._standings.get(key)
        if known is None or not known.is_of(probe, rollout):
            known = Standing.fresh(probe, rollout, next(self._serials), at)
        self._standings[key] = replace(known, wanted_s=at.steady_s)
        return _Ticket(environment, desired, probe, rollout, known.serial)

    def _drop_unwanted(self, environment: str, at: Moment) -> None:
        """A probe that nobody has asked for lately is no probe of the environment any more."""
        for key, one in tuple(self._standings.items()):
            if key[0] == environment and at.steady_s - one.wanted_s > UNWANTED_S_MAX:
                del self._standings[key]

    def _begin_if_due(self, ticket: _Ticket, at: Moment) -> None:
        standing = self._standings[ticket.key]
        if self._wake is None or ticket.key in self._in_flight or standing.due_s > at.steady_s:
            return
        under_way = sum(1 for environment, _ in self._in_flight if environment == ticket.environment.name)
        if under_way < IN_FLIGHT_PER_ENVIRONMENT_MAX and is_open(ticket.probe, ticket.rollout):
            self._standings[ticket.key] = standing.asked(at)
            self._in_flight.add(ticket.key)
            self._tries.submit(self._try, ticket)

    def _idle_s(self, environment: str, at: Moment) -> float | None:
        """Return in how many seconds the next is due; what is due already waits for something else than time."""
        due = [due_s for due_s in self._due(environment) if at.steady_s < due_s < NEVER]
        return min(due) - at.steady_s if due else None

    def _has_overdue(self, environment: str, at: Moment) -> bool:
        return any(due_s <= at.steady_s for due_s in self._due(environment))

    def _due(self, environment: str) -> list[float]:
        idle = self._standings.keys() - self._in_flight
        return [self._standings[key].due_s for key in idle if key[0] == environment]

    def _try(self, ticket: _Ticket) -> None:
        finding = self._found(ticket)
        at, is_news = self._moment(), True
        with self._lock:
            self._in_flight.discard(ticket.key)
            before = self._standings.get(ticket.key)
            if before and before.serial == ticket.serial:
                after = before.heard(finding, at)
                self._standings[ticket.key] = after
                is_news = after.is_news_to(before)
            is_worth_a_look = is_news or ticket.rollout or self._has_overdue(ticket.environment.name, at)
            after_s = 0.0 if is_worth_a_look else self._idle_s(ticket.environment.name, at)
            wake = self._wake
        if after_s is not None and wake:
            wake(ticket.environment.name, after_s)

    def _found(self, ticket: _Ticket) -> Finding:
        try:
            return self._ask(ticket)
        except ClusterError as error:
            return unreadable(error)
        except Exception as error:  # noqa: BLE001 — a try that is lost would leave its probe unasked for ever
            return unknown(f"gitopsd failed on its own account: {type(error).__name__}")

    def _ask(self, ticket: _Ticket) -> Finding:
        environment, desired, probe = ticket.environment, ticket.desired, ticket.probe
        default = default_namespace(desired.settings, environment)
        match probe:
            case HttpProbe():
                return self._http.ask(environment, probe, probe.namespace or default)
            case PrometheusProbe():
                return self._prometheus.ask(probe)
            case JobProbe():
                return self._jobs.ask(environment, desired, probe, default, ticket.rollout)
            case CelProbe():
                return self._cel.ask(desired, probe)
            case _:
                assert_never(probe)

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), steady_s=self._clock.steady())

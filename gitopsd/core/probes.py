"""What a probe asks, and what it may answer. The answer has three words; a fourth says that it is still to come.

``unknown`` never advances a rollout and never reverts one, not even at the deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When a probe is asked, and when its answer counts. Times in seconds; ``failures`` in a row are one failure."""

    failures: int = 3
    initial_delay_s: float = 0.0
    interval_s: float = 10.0
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """GET ``path`` of a Service's ready endpoints. An empty ``namespace`` is the environment's.

    ``tls`` = by https; the certificate is not checked, as the kubelet does not check it either.
    """

    name: str
    service: str
    port: str
    namespace: str = ""
    path: str = "/"
    tls: bool = False
    expect: tuple[int, ...] = (200,)
    pace: Pace = field(default_factory=Pace)


class NoData(StrEnum):
    """What an empty answer of Prometheus means."""

    WAIT = "wait"
    PASS = "pass"  # noqa: S105 — no password
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusProbe:
    """Ask the operator's Prometheus. The value must be at least ``minimum`` and at most ``maximum`` (None = no bound).

    ``samples_query`` must give at least ``samples_min`` for the answer to count; empty = it always counts.
    """

    name: str
    query: str
    minimum: float | None = None
    maximum: float | None = None
    samples_query: str = ""
    samples_min: float = 0.0
    no_data: NoData = NoData.WAIT
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProbe:
    """Run the Job written in ``file`` (relative to the directory) once in a rollout; Complete passes, Failed fails.

    ``job`` is that Job in canonical JSON; ``sensitive`` = it holds what was encrypted, so no value of it may be shown.
    """

    name: str
    file: str
    job: bytes = field(default=b"", repr=False)
    sensitive: bool = False
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class CelProbe:
    """``expression`` over ``object`` must be true of every object of this kind; an empty ``object_name`` = all."""

    name: str
    kind: str
    expression: str
    api_version: str = ""
    object_name: str = ""
    pace: Pace = field(default_factory=Pace)


Probe: TypeAlias = HttpProbe | PrometheusProbe | JobProbe | CelProbe
PROBES_MAX = 20


def question_of(probe: Probe) -> str:
    """Return what tells this question from any other, however often it is asked or called: type and words, hashed."""
    asked = msgspec.json.encode([type(probe).__name__, replace(probe, name="", pace=Pace())])
    return sha256(asked).hexdigest()


class ProbeState(StrEnum):
    """How a probe stands.

    ``pending``: not asked yet, or nothing is ready to be asked: the deadline runs. ``unknown``: it cannot be told (the
    provider does not answer, there is no way to the address, no data).
    """

    PENDING = "pending"
    PASS = "pass"  # noqa: S105 — no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A probe's last answer. ``in_a_row`` answers were like it; ``at`` is when it came, None = it never did.

    ``message`` is a sentence with the numbers in it, without secrets; ``failed`` = it failed as often in a row as
    its pace asks for.
    """

    name: str
    state: ProbeState
    message: str = ""
    in_a_row: int = 0
    failed: bool = False
    at: datetime | None = None

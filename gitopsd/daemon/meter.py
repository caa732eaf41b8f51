"""How long each stage took. The story is not told any differently for being timed: the ports are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, assert_never, cast

from gitopsd.core.model import Environment

Port = TypeVar("Port")

STAGES = {
    "resolve": "fetch",
    "render": "render",
    "scopes": "plan",
    "observe": "observe",
    "apply": "apply",
    "prune": "prune",
    "load": "record",
    "save": "record",
    "keep_snapshot": "record",
    "recall": "record",
}


class Fate(StrEnum):
    """What becomes of a pass's seconds: they begin a rollout, belong to the one under way, or to none."""

    BEGIN = "begin"
    ADD = "add"
    DROP = "drop"


@dataclass(eq=False)
class StageTimes:
    """Seconds per environment and stage, of its latest rollout. A pass is counted apart until its fate is known."""

    _rollout: dict[str, dict[str, float]] = field(default_factory=dict)
    _pass: dict[str, dict[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, environment: str, stage: str, seconds: float) -> None:
        """Count a call."""
        with self._lock:
            stages = self._pass.setdefault(environment, {})
            stages[stage] = stages.get(stage, 0.0) + seconds

    def settle(self, environment: str, fate: Fate) -> None:
        """End a pass."""
        with self._lock:
            spent = self._pass.pop(environment, {})
            match fate:
                case Fate.BEGIN:
                    self._rollout[environment] = spent
                case Fate.ADD:
                    known = self._rollout.get(environment, {})
                    stages = known.keys() | spent.keys()
                    self._rollout[environment] = {name: known.get(name, 0.0) + spent.get(name, 0.0) for name in stages}
                case Fate.DROP:
                    pass
                case _:
                    assert_never(fate)

    def of(self, environment: str) -> Mapping[str, float]:
        """Return one environment's seconds, to a tenth of a millisecond."""
        with self._lock:
            return {stage: round(seconds, 4) for stage, seconds in self._rollout.get(environment, {}).items()}


def timed(port: Port, times: StageTimes) -> Port:
    """Return the port with every call to an environment counted."""
    return cast("Port", _Timed(port, times))


class _Timed:
    def __init__(self, port: object, times: StageTimes) -> None:
        self._port = port
        self._times = times

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        stage = STAGES.get(name)
        return self._counting(method, stage) if stage else method

    def _counting(self, method: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            began = time.monotonic()
            try:
                return method(*arguments)
            finally:
                if arguments and isinstance(arguments[0], Environment):
                    self._times.add(arguments[0].name, stage, time.monotonic() - began)

        return call

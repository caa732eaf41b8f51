"""Who wants which object, among the environments of this process. It remembers only what was said since it started."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from gitopsd.core.model import Environment, ObjectRef, Others


@dataclass(eq=False)
class LocalClaims:
    """See ``ports.Claims``."""

    _wants: dict[str, frozenset[ObjectRef]] = field(default_factory=dict)
    _ready: frozenset[str] = frozenset()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def exchange(self, environment: Environment, refs: frozenset[ObjectRef]) -> Others:
        """Say what this environment wants; return what the others want."""
        with self._lock:
            self._wants[environment.name] = refs
            others = {name: wanted for name, wanted in self._wants.items() if name != environment.name}
        wants = {ref: name for name, wanted in others.items() for ref in wanted}
        return Others(wants=wants, known=frozenset(others), ready=self._ready)

    def settled(self, environment: str, *, is_ready: bool) -> None:
        """Say whether an environment is at what Git wants of it: others may depend on it."""
        with self._lock:
            self._ready = self._ready | {environment} if is_ready else self._ready - {environment}

    def forget(self, environment: str) -> None:
        """Drop an environment that is not followed any more."""
        with self._lock:
            self._wants.pop(environment, None)
            self._ready -= {environment}

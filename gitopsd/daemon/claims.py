"""Who wants which object, among the environments of this process. It remembers only what was said since it started."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from gitopsd.core.model import Claim, Environment, ObjectRef, Others


@dataclass(eq=False)
class LocalClaims:
    """See ``ports.Claims``."""

    _said: dict[str, Claim] = field(default_factory=dict)
    _awaited: dict[str, Environment] = field(default_factory=dict)
    _ready: frozenset[str] = frozenset()
    _has_news: bool = False
    _turn: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, environment: Environment) -> None:
        """Know of an environment that will say what it wants."""
        with self._lock:
            if environment.name not in self._said:
                self._awaited[environment.name] = environment

    def exchange(self, environment: Environment, refs: frozenset[ObjectRef], revision: str | None) -> Others:
        """Say what this environment wants; return what the others want."""
        with self._lock:
            claim = self._as_said(Claim(environment=environment, refs=refs, revision=revision))
            self._awaited.pop(environment.name, None)
            others = tuple(said for name, said in self._said.items() if name != environment.name)
            return Others(
                claims=others,
                turn=claim.turn,
                silent=(
                    *self._awaited.values(),
                    *(said.environment for said in others if _is_old(said, claim)),
                ),
                ready=self._ready,
            )

    def _as_said(self, claim: Claim) -> Claim:
        """Keep it, with its turn; the same again has the turn that it had.

        What was wanted may still be, for as long as nobody can say what the newest commit wants.
        """
        before = self._said.get(claim.environment.name)
        if before and claim.revision is None:
            claim = replace(claim, refs=claim.refs | before.refs)
        if before is None or replace(before, turn=0) != claim:
            self._turn += 1
            self._has_news = True
            self._said[claim.environment.name] = replace(claim, turn=self._turn)
        return self._said[claim.environment.name]

    def take_news(self) -> bool:
        """Return whether anybody has said anything new since this was asked last."""
        with self._lock:
            news, self._has_news = self._has_news, False
            return news

    def settled(self, environment: str, *, is_ready: bool) -> None:
        """Say whether an environment is at what Git wants of it: others may depend on it."""
        with self._lock:
            self._ready = self._ready | {environment} if is_ready else self._ready - {environment}

    def forget(self, environment: str) -> None:
        """Drop an environment that is not followed any more."""
        with self._lock:
            self._said.pop(environment, None)
            self._awaited.pop(environment, None)
            self._ready -= {environment}


def _is_old(said: Claim, now: Claim) -> bool:
    """Whether it was said of another commit of the same repository: an object may have moved with one of the two.

    Of a commit that cannot be looked at nobody knows whether it is the same.
    """
    is_other = said.revision is None or said.revision != now.revision
    return is_other and said.environment.source == now.environment.source

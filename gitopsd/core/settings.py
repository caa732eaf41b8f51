"""What the developer says beside the manifests (``gitopsd.yaml``), as values with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

import msgspec

from gitopsd.core.probes import Probe


class OnFailure(StrEnum):
    """What a failed rollout leads to: go back, stay as it is, or stay and stop until a person resumes."""

    REVERT = "revert"
    HOLD = "hold"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneSettings:
    """``budget_percent`` of the inventory may go in one pass, but always ``budget_count_min`` objects."""

    enabled: bool = True
    budget_percent: int = 20
    budget_count_min: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """JSON pointers that others own on matching objects. An empty ``name`` or ``namespace`` matches all."""

    kind: str
    name: str = ""
    namespace: str = ""
    pointers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment's own wishes. Times in seconds. The names of ``probes`` are unique."""

    namespace: str = ""
    depends_on: tuple[str, ...] = ()
    deadline_s: float = 300.0
    soak_s: float = 10.0
    probes: tuple[Probe, ...] = ()
    on_failure: OnFailure = OnFailure.REVERT
    prune: PruneSettings = field(default_factory=PruneSettings)
    ignore: tuple[IgnoreRule, ...] = ()

    @property
    def mark(self) -> str:
        """What tells these settings from any others."""
        return sha256(msgspec.json.encode(self)).hexdigest()

"""A store in memory: one record per environment by compare-and-swap, and the snapshots that are still needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gitopsd.core.errors import PlanRefused, Problem, Stage, Superseded
from gitopsd.core.model import Desired, Environment
from gitopsd.core.record import Record


@dataclass
class FakeStore:
    """``records`` and ``snapshots`` are what a cluster would have; they outlive a crash."""

    records: dict[str, Record] = field(default_factory=dict)
    snapshots: dict[tuple[str, str], Desired] = field(default_factory=dict)
    saves: int = 0

    def load(self, environment: Environment) -> Record:
        return self.records.get(environment.name, Record())

    def save(self, environment: Environment, record: Record) -> Record:
        if record.version != self.load(environment).version:
            raise Superseded(
                Problem(code="RECORD_SUPERSEDED", stage=Stage.RECORD, message="somebody else wrote the record first")
            )
        self.saves += 1
        saved = self.records[environment.name] = replace(record, version=str(self.saves))
        return saved

    def keep_snapshot(self, environment: Environment, desired: Desired, needed: frozenset[str]) -> None:
        self.snapshots[environment.name, desired.digest] = replace(desired, warnings=())
        for name, digest in list(self.snapshots):
            if name == environment.name and digest not in needed | {desired.digest}:
                del self.snapshots[name, digest]

    def recall(self, environment: Environment, digest: str) -> Desired:
        found = self.snapshots.get((environment.name, digest))
        if found is None:
            raise PlanRefused(
                Problem(code="SNAPSHOT_MISSING", stage=Stage.RECORD, message=f"there is no snapshot of {digest}")
            )
        return found

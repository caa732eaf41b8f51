"""Records and snapshots in memory, with the manners of the real store (see tests/contract/test_store.py)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gitopsd.core.errors import PlanRefused, Problem, Stage, Superseded
from gitopsd.core.model import Desired, Environment
from gitopsd.core.record import Record


@dataclass
class FakeStore:
    """See the module."""

    records: dict[str, Record] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Desired]] = field(default_factory=dict)
    _serial: int = 0

    def load(self, environment: Environment) -> Record:
        return self.records.get(environment.name, Record())

    def save(self, environment: Environment, record: Record) -> Record:
        if self.load(environment).version != record.version:
            raise Superseded(Problem(code="OBJECT_CHANGED", stage=Stage.RECORD, message="somebody else wrote"))
        self._serial += 1
        self.records[environment.name] = replace(record, version=str(self._serial))
        return self.records[environment.name]

    def keep_snapshot(self, environment: Environment, desired: Desired, needed: frozenset[str]) -> None:
        kept = self.snapshots.get(environment.name, {})
        others = {digest: one for digest, one in kept.items() if digest in needed}
        self.snapshots[environment.name] = {**others, desired.digest: desired}

    def recall(self, environment: Environment, digest: str) -> Desired:
        kept = self.snapshots.get(environment.name, {})
        if digest not in kept:
            raise PlanRefused(Problem(code="SNAPSHOT_MISSING", stage=Stage.RECORD, message="not kept"))
        return kept[digest]

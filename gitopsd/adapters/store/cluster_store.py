"""``ports.Store`` on an API server: one ConfigMap per environment for the record, Secrets for the snapshots.

What is remembered is asked for no more; nothing is remembered of an environment after anything went wrong with it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gitopsd.adapters.store.memory import Memory
from gitopsd.adapters.store.records import Records
from gitopsd.adapters.store.snapshots import Snapshots
from gitopsd.core.model import Desired, Environment
from gitopsd.core.record import Record
from gitopsd.ports import Api


class ClusterStore:
    """Everything is kept in one namespace, under our own account: nobody is impersonated for it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._records = Records(api, namespace)
        self._snapshots = Snapshots(api, namespace)
        self._remembered: Memory[Record] = Memory()
        self._turns: dict[str, threading.Lock] = {}

    def load(self, environment: Environment) -> Record:
        """See ``ports.Store``. Costs no request while it is remembered."""
        known = self._remembered.get(environment.name)
        if known is not None:
            return known
        asked_at = self._remembered.mark(environment.name)
        record = self._records.load(environment.name)
        self._remembered.keep(record, asked_at)
        return record

    def save(self, environment: Environment, record: Record) -> Record:
        """See ``ports.Store``."""
        with self._turn(environment.name):
            asked_at = self._remembered.mark(environment.name)
            with self._forgetting_on_error(environment):
                saved = self._records.save(environment.name, record)
            self._remembered.keep(saved, asked_at)
        return saved

    def keep_snapshot(self, environment: Environment, desired: Desired, needed: frozenset[str]) -> None:
        """See ``ports.Store``."""
        with self._forgetting_on_error(environment):
            self._snapshots.keep(environment.name, desired, needed)

    def recall(self, environment: Environment, digest: str) -> Desired:
        """See ``ports.Store``. Costs no request while it is remembered."""
        with self._forgetting_on_error(environment):
            return self._snapshots.recall(environment.name, digest)

    def notice(self, environment_name: str, version: str) -> bool:
        """Hear that the record has, or had when it was deleted, this version; return whether that was news.

        Waits for a save under way: its version is no news, but nobody can know that before its answer.
        """
        with self._turn(environment_name):
            known = self._remembered.get(environment_name)
            if known is not None and not _may_be_newer(version, known.version):
                return False
            self.invalidate(environment_name)
            return True

    def invalidate(self, environment_name: str | None = None) -> None:
        """Ask the cluster again about this environment, or about all: its record changed, or we led no more."""
        self._remembered.forget(environment_name)
        self._snapshots.forget(environment_name)

    def _turn(self, environment_name: str) -> threading.Lock:
        return self._turns.setdefault(environment_name, threading.Lock())

    @contextmanager
    def _forgetting_on_error(self, environment: Environment) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.invalidate(environment.name)
            raise


def _may_be_newer(version: str, known: str) -> bool:
    """Whether it could be; versions that are no numbers can only be told apart."""
    if version.isdecimal() and known.isdecimal():
        return int(version) > int(known)
    return version != known

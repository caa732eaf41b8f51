"""Keeps every environment on its way: the queue says which, a worker makes one pass, the board shows what came of it.

This is the pass boundary: a ``GitopsdError`` becomes status and back-off, anything else is our own bug and is shown
as such; the other environments go on either way.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from loguru import logger

from gitopsd.config import literal
from gitopsd.core.decision import Apply, Decision, Halt, Held, Keep, Rest, Revert, Unstick, Watch
from gitopsd.core.errors import ClusterError, GitopsdError, Problem, SourceError, Stage, Superseded
from gitopsd.core.model import Environment
from gitopsd.core.passes import Pass
from gitopsd.daemon.board import Board
from gitopsd.daemon.meter import Fate
from gitopsd.daemon.pass_log import log_news
from gitopsd.daemon.queue import WakeQueue
from gitopsd.daemon.wiring import House
from gitopsd.reconcile import reconcile

WATCH_LOOK_S = 5.0
RETRY_MIN_S = 1.0
RETRY_MAX_S = 60.0
STOP_DEADLINE_S = 10.0


@dataclass(eq=False)
class Engine:
    """The workers and what they share. ``environments`` is replaced whole, never changed.

    Sources have a queue and a worker each of their own, so a repository that hangs holds up no environment.
    """

    house: House
    board: Board = field(default_factory=Board)
    queue: WakeQueue = field(default_factory=WakeQueue)
    fetches: WakeQueue = field(default_factory=WakeQueue)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    ticked_at: float = field(default_factory=time.monotonic)
    _workers: list[threading.Thread] = field(default_factory=list)
    _asked: set[str] = field(default_factory=set)
    _term: int = 0
    _fetched: dict[str, int] = field(default_factory=dict)
    _following: threading.Lock = field(default_factory=threading.Lock)

    @property
    def expected(self) -> Collection[str] | None:
        """The environments there are; None until every source was asked once."""
        return tuple(self.environments) if self._asked >= self.house.sources.keys() else None

    def start(self) -> None:
        """Start the workers; everything begins with a fetch of every source."""
        self._expect_all()
        passes = [(f"pass-{number}", self.queue, self._pass) for number in range(self.house.config.workers)]
        fetches = [(f"fetch-{name}", self.fetches, self._fetch) for name in self.house.sources]
        for name, queue, deed in (*passes, *fetches):
            worker = threading.Thread(target=self._work, args=(queue, deed), name=name, daemon=True)
            worker.start()
            self._workers.append(worker)
        for name in self.house.sources:
            self.fetches.wake(name)

    def stop(self) -> None:
        """Let the calls in flight end, within the deadline."""
        self.queue.close()
        self.fetches.close()
        until = time.monotonic() + STOP_DEADLINE_S
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))

    def tick(self, source: str) -> None:
        """The scheduler's beat."""
        self.ticked_at = time.monotonic()
        self.fetches.wake(source)

    def wake(self, environment: str, after_s: float = 0.0) -> None:
        """Something happened to an environment, or will: look soon, or then."""
        if environment in self.environments:
            self.queue.wake(environment, after_s)

    def take_over(self) -> None:
        """Begin anew, with a fetch of every source: we lead now."""
        self._term += 1
        for name in self.house.sources:
            self.fetches.wake(name)

    def step_down(self) -> None:
        """Show at once what the records say, and count nothing as fetched: another may lead now."""
        self._term += 1
        for name in self.environments:
            self.queue.wake(name)

    def _expect_all(self) -> None:
        """Know of whoever will say what it wants, before anybody asks: a source may be long in coming."""
        for name in self.house.sources:
            for environment in literal(self.house.config, name):
                self.house.claims.expect(environment)

    def _work(self, queue: WakeQueue, deed: Callable[[str], None]) -> None:
        while (key := queue.take()) is not None:
            try:
                deed(key)
            except Exception:  # noqa: BLE001 — a worker that dies would stop its environments for ever
                logger.exception("a worker stumbled over a bug of ours")
                queue.wake(key, RETRY_MAX_S)
            finally:
                queue.done(key)

    def _fetch(self, name: str) -> None:
        source, poll_s = self.house.sources[name], self.house.config.poll_s(name)
        # Re-armed first: the scheduler's clock may step, ours does not.
        self.fetches.wake(name, poll_s * 1.5)
        # What is fetched before we lead is nothing to begin with, however soon after it we do.
        began, term, counts = time.monotonic(), self._term, self.house.fence.is_open
        news_s = 0.0
        try:
            if source.fetch().changed:
                news_s = time.monotonic() - began
                self._unready(name)
        except SourceError as error:
            self._log_failed_fetch(name, error)
        self.board.source(self.house.source_view(name, poll_s))
        with self._following:
            self._follow(name)
            self._asked.add(name)
            if counts:
                self._fetched[name] = term
        for environment in self.environments.values():
            if environment.source == name:
                self.house.times.add(environment.name, "fetch", news_s)
                self.queue.wake(environment.name)
        self._tell(name)

    def _tell(self, source: str) -> None:
        """Tell the source of reverts: here, because a repository that hangs holds up nothing else here."""
        views = [view for view in self.board.environments.values() if view.environment.source == source]
        for view in views:
            if view.latest and self.house.fence.is_open:
                self.board.told(view.environment.name, self.house.telling.tell(view.environment, view.latest))

    def _unready(self, source: str) -> None:
        """There is a new commit: none of the source's environments is at it yet."""
        for environment in self.environments.values():
            if environment.source == source:
                self.house.claims.settled(environment.name, is_ready=False)

    def _log_failed_fetch(self, name: str, error: SourceError) -> None:
        """Once per change: a repository that stays away says nothing new."""
        before = self.board.sources.get(name)
        if before is None or before.error is None or before.error.code != error.problem.code:
            logger.bind(source=name, code=error.problem.code).warning("fetch failed")

    def _follow(self, source: str) -> None:
        """Take up directories that are new; stop following the ones that are gone. Their objects stay as they are."""
        try:
            found = {environment.name: environment for environment in self.house.environments_of(source)}
        except SourceError:
            # Which directories there are is not known: whatever is followed stays followed.
            found = {environment.name: environment for environment in literal(self.house.config, source)}
            found |= {name: one for name, one in self.environments.items() if one.source == source}
        others = {name: one for name, one in self.environments.items() if one.source != source}
        for gone in self.environments.keys() - others.keys() - found.keys():
            logger.bind(environment=gone).warning("no longer followed; its objects stay")
            self.queue.forget(gone)
            self.board.forget(gone)
            self.house.claims.forget(gone)
            self.house.cluster.forget(gone)
            self.house.prober.forget(gone)
        self.environments = {**others, **found}
        for environment in found.values():
            self.board.follow(environment)
            self.house.claims.expect(environment)

    def _pass(self, name: str) -> None:
        environment = self.environments.get(name)
        if environment is None:
            return
        if not self.house.fence.is_open:
            self._stand_by(environment)
            return
        if self._fetched.get(environment.source) != self._term:
            # Whoever leads begins with a fetch: what was fetched before may be older than what the last leader did.
            return
        try:
            latest = reconcile(environment, self.house.ports)
        except GitopsdError as error:
            delay_s, fate = self._could_not(name, error.problems, error), Fate.ADD
        except Exception as error:  # noqa: BLE001 — the pass boundary: our bug must not stop the other environments
            logger.bind(environment=name).exception("a bug of ours ended this pass")
            delay_s, fate = self._could_not(name, (_our_bug(error),), error), Fate.ADD
        else:
            delay_s, fate = self._did(name, latest), _fate(latest)
        self.house.times.settle(name, fate)
        tally = self.house.cluster.tally(name)
        writes = {"create": tally.creates, "patch": tally.patches, "delete": tally.deletes}
        self.board.measured(name, self.house.times.of(name), writes, tally.requests)
        at = self.house.clock.now() + timedelta(seconds=delay_s)
        self.board.scheduled(name, at, is_retry=bool(self.board.environments[name].problems))
        self.queue.wake(name, delay_s)

    def _stand_by(self, environment: Environment) -> None:
        """Show how far the leader is, as its record says. What keeps us from reading that is shown in its place."""
        if self.house.fence.trouble:
            return
        try:
            record = self.house.store.load(environment)
        except GitopsdError as error:
            self._show(environment.name, error.problems, error)
        else:
            self.board.stand_by(environment.name, record)

    def _did(self, name: str, latest: Pass) -> float:
        before = self.board.environments[name]
        self.board.saw(name, latest)
        barred, unseen = latest.git.barred, latest.git.unseen
        count = self._show(name, barred.problems, barred, looked=True) if barred else 0
        self.house.claims.settled(name, is_ready=isinstance(latest.decision, Rest) and _is_followed(latest))
        log_news(before, self.board.environments[name])
        if self.house.claims.take_news() or not isinstance(latest.decision, Rest | Held | Watch):
            self._wake_who_waits_for_others()
        look_s = self._next_look_s(latest.decision, self.environments[name])
        return min(look_s, self._retry_s(name, unseen, count)) if unseen else look_s

    def _wake_who_waits_for_others(self) -> None:
        for name, view in self.board.environments.items():
            if view.latest and view.latest.hangs_on_others:
                self.queue.wake(name)

    def _next_look_s(self, decision: Decision, environment: Environment) -> float:
        match decision:
            case Apply() | Keep() | Revert() | Halt():
                return 0.0
            case Watch(_, until):
                wait = (until - self.house.clock.now()).total_seconds() if until else WATCH_LOOK_S
                return min(max(wait, 0.05), WATCH_LOOK_S)
            case Unstick():
                return WATCH_LOOK_S
            case Rest() | Held():
                # Each fetch wakes it; so much later, that was long enough to wait for one.
                poll_s = self.house.config.poll_s(environment.source)
                return poll_s * random.uniform(1.2, 1.5)  # noqa: S311 — jitter, not a secret

    def _could_not(self, name: str, problems: tuple[Problem, ...], error: Exception) -> float:
        self.house.claims.settled(name, is_ready=False)
        return self._retry_s(name, error, self._show(name, problems, error))

    def _retry_s(self, name: str, error: Exception, count: int) -> float:
        if isinstance(error, Superseded):
            return RETRY_MIN_S
        if not getattr(error, "retry", False):
            # Nobody tells us that a right was given; and what rolls out meanwhile has a deadline.
            most_s = RETRY_MAX_S if isinstance(error, ClusterError) else float("inf")
            return min(self.house.config.poll_s(self.environments[name].source), most_s)
        return float(min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(count - 1, 10)))

    def _show(self, name: str, problems: tuple[Problem, ...], error: Exception, *, looked: bool = False) -> int:
        """Put it on the board, and into the log when it is new; return how often in a row it came."""
        count = self.board.failed(name, problems, _class_of(error), self.house.clock.now(), looked=looked)
        if count == 1:
            logger.bind(environment=name, code=problems[0].code, where=problems[0].where).error(problems[0].message)
        return count


def _is_followed(latest: Pass) -> bool:
    """Whether the environment is at what Git wants, and not at something older."""
    return latest.look is not None and latest.look.target.proven


def _fate(latest: Pass) -> Fate:
    match latest.decision:
        case Apply(begins=True):
            return Fate.BEGIN
        case Rest() | Held():
            return Fate.DROP
        case _:
            return Fate.ADD


def _class_of(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, GitopsdError) else "InternalError"


def _our_bug(error: Exception) -> Problem:
    return Problem(
        code="INTERNAL_ERROR",
        stage=Stage.PLAN,
        message=f"gitopsd failed on its own account: {type(error).__name__}",
        hint="the log has the traceback; please report it",
    )

"""The daemon as the command line sees it: run for ever, run once, or only look. Nothing starts before one is asked."""

from __future__ import annotations

import gc
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler
from loguru import logger

from gitopsd import __version__
from gitopsd.adapters.clock import SystemClock
from gitopsd.adapters.render import UNUSABLE
from gitopsd.config import load_config
from gitopsd.core.applyset import ID, parent_name
from gitopsd.core.errors import ClusterError, ConfigError, GitopsdError, Problem, RenderError, Stage
from gitopsd.core.model import Environment
from gitopsd.core.passes import Prospect
from gitopsd.core.status.view import DaemonView, EnvironmentView, View
from gitopsd.core.target import Target, choose_target
from gitopsd.daemon.engine import Engine
from gitopsd.daemon.log import configure_logging
from gitopsd.daemon.settled import is_settled
from gitopsd.daemon.wiring import House, wire
from gitopsd.ports import Clock, Store
from gitopsd.reconcile import ask_git, look_at

TICKS_MISSED_MAX = 3
PROGRESS_S = 0.2
# Most objects of a pass live as long as the rendered set: fewer, larger collections.
GC_THRESHOLD = (50_000, 50, 100)


class Daemon:
    """One process's gitopsd."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._engine = Engine(house)
        self._started_at: datetime | None = None
        self._hears: Callable[[], bool] = lambda: False
        self._told_to_stop_by = ""

    @property
    def environments(self) -> Mapping[str, Environment]:
        """The environments, by name."""
        return self._house.environments_known()

    @property
    def store(self) -> Store:
        """The records."""
        return self._house.store

    @property
    def clock(self) -> Clock:
        """The time."""
        return self._house.clock

    def run(self) -> int:
        """Follow every environment until SIGTERM or SIGINT; return the exit code."""
        configure_logging()
        stopped = threading.Event()

        def stop(number: int, _: object) -> None:
            self._told_to_stop_by = signal.Signals(number).name
            stopped.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        self.run_until(stopped)
        return 0

    def run_until(self, stopped: threading.Event) -> None:
        """Follow every environment until the event is set."""
        self._tell_of_tools()
        with self._running(), self._serving():
            stopped.wait()
            logger.bind(because=self._told_to_stop_by).info("stopping: calls in flight are finished")
        logger.info("stopped")

    def once(self, timeout_s: float, progress: Callable[[View], None]) -> View:
        """Make passes until every environment has come to rest, or the time is up; return how it ended."""
        configure_logging(only_errors=True)
        until = time.monotonic() + timeout_s
        pause = threading.Event()
        with self._running():
            while not is_settled(self.view(), self._engine.expected) and time.monotonic() < until:
                progress(self.view())
                pause.wait(PROGRESS_S)
            progress(self.view())
        return self.view()

    def look(self, name: str | None) -> Mapping[str, Prospect | GitopsdError]:
        """Look at one environment, or at all, and plan; write nothing.

        Raises:
            ConfigError: there is no environment of that name.
        """
        for source in self._house.sources.values():
            # What cannot be fetched shows again when an environment asks for it.
            with _showing_later():
                source.fetch()
        environments = self.environments
        if name is not None and name not in environments:
            raise ConfigError(_unknown(name, environments))
        try:
            return {one.name: self._look(one) for one in environments.values() if name in (None, one.name)}
        finally:
            self._house.cluster.stop()

    def view(self) -> View:
        """Return what is known at this moment."""
        board = self._engine.board
        return View(
            daemon=self._daemon_view(),
            sources=tuple(board.sources.values()),
            environments=tuple(self._as_known(one) for one in board.environments.values()),
            at=self._house.clock.now(),
            serial=board.serial,
        )

    def _as_known(self, view: EnvironmentView) -> EnvironmentView:
        """What was seen last is not known to be so for as long as nobody here may look."""
        trouble = self._house.fence.trouble
        if trouble is None:
            return view
        return replace(
            view,
            problems=(trouble.problem,),
            problem_class=ClusterError.__name__,
            looked=False,
            problem_at=trouble.since,
            problem_count=trouble.count,
        )

    def _look(self, environment: Environment) -> Prospect | GitopsdError:
        try:
            record = self._house.store.load(environment)
            git = ask_git(environment, record, self._house.ports)
            if git.unseen:
                return git.unseen
            # A plan shows what would be done if nobody had paused it.
            choice = choose_target(git.desired, replace(record, suspended=None), proven=git.stale is None)
            if isinstance(choice, Target):
                return Prospect(git=git, look=look_at(environment, choice, git, record, self._house.ports))
            return git.stale or git.barred or ClusterError(_nowhere(environment))
        except GitopsdError as error:
            return error

    def _tell_of_tools(self) -> None:
        """Say which programs there are not, and which walls their jail cannot have on this machine."""
        try:
            for measure in self._house.workshop.missing_measures():
                logger.bind(because=measure.why).warning("renders run without a wall of their jail: {}", measure.name)
            for problem in self._house.workshop.troubles(with_sops=self._house.config.needs_sops):
                logger.bind(code=problem.code).info("environments that need it will stand still: {}", problem.message)
        except RenderError as error:
            logger.bind(code=error.problem.code).warning("nothing can be rendered by a tool: {}", error.problem.message)

    @contextmanager
    def _running(self) -> Iterator[None]:
        house, engine = self._house, self._engine
        self._started_at = house.clock.now()
        with ExitStack() as stack:
            elector = house.elector(self._lead, _stand_by)
            if elector:
                house.fence.elector = elector
                elector.start()
                stack.callback(elector.stop)
            house.cluster.start_watches(engine.wake, by_namespace=house.config.is_namespaced)
            self._hears = house.cluster.watch_configmaps(house.config.namespace, ID, self._record_changed)
            stack.callback(house.cluster.stop)
            house.prober.start(engine.wake)
            stack.callback(house.stop_probes)
            engine.start()
            stack.callback(engine.stop)
            scheduler = self._schedule()
            stack.callback(scheduler.shutdown, wait=False)
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLD)
            yield

    @contextmanager
    def _serving(self) -> Iterator[None]:
        # A third of what it takes to start: whoever makes one pass and ends does without.
        from gitopsd.web.app import create_app  # noqa: PLC0415
        from gitopsd.web.server import Server  # noqa: PLC0415

        wanted = self._house.config.server
        app = create_app(
            self.view,
            not_alive=self._not_alive,
            authority=self._house.authority(),
            allowed_hosts=wanted.allowedHosts,
        )
        server = Server(app, host=wanted.host, port=wanted.port)
        server.start()
        logger.bind(url=server.url).info("serving /status")
        try:
            yield
        finally:
            server.stop()

    def _schedule(self) -> BackgroundScheduler:
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        scheduler = BackgroundScheduler(job_defaults=defaults, timezone="UTC")
        for source in self._house.config.sources:
            scheduler.add_job(self._tick, "interval", seconds=source.poll, jitter=source.poll / 10, args=[source.name])
        scheduler.start()
        return scheduler

    def _tick(self, source: str) -> None:
        if not self._hears():
            # Nobody would tell us that a person changed a record: read them again.
            self._house.store.invalidate()
        self._engine.tick(source)

    def _record_changed(self, name: str, version: str) -> None:
        """A record has this version: unless we wrote that ourselves, look at its environment now."""
        for environment in self._engine.environments:
            if parent_name(environment) == name and self._house.store.notice(environment, version):
                self._engine.wake(environment)

    def _lead(self, leads: bool) -> None:  # noqa: FBT001 — the elector's callback
        logger.bind(holder=self._house.fence.holder).info("leading" if leads else "not leading")
        self._house.cluster.begin_again()
        self._house.store.invalidate()
        if leads:
            self._engine.take_over()
        else:
            self._engine.step_down()

    def _not_alive(self) -> str:
        """Say that the scheduler is stuck, if it is."""
        slowest = max(source.poll for source in self._house.config.sources)
        silent = time.monotonic() - self._engine.ticked_at
        allowed = max(slowest * TICKS_MISSED_MAX, 30.0)
        return f"no tick for {silent:.0f} s" if silent > allowed else ""

    def _lacking(self) -> str:
        """Say which program an environment waits for, if one does."""
        problems = (problem for one in self._engine.board.environments.values() for problem in one.problems)
        return next((problem.message for problem in problems if problem.code in UNUSABLE), "")

    def _daemon_view(self) -> DaemonView:
        house, engine = self._house, self._engine
        unready = "" if engine.board.sources else "no source was asked yet"
        if not house.cluster.is_reachable:
            unready = "the API server does not answer"
        unready = unready or self._lacking()
        return DaemonView(
            instance=house.instance,
            version=__version__,
            started_at=self._started_at,
            ready=not unready,
            unready_because=unready,
            leading=house.fence.is_open,
            leader_holder=house.fence.holder,
            queue_depth=engine.queue.depth,
        )


def build(config: Path) -> Daemon:
    """Build the daemon from the operator's file. A process that may come to hold keys leaves no core file.

    Raises:
        ConfigError: the file is wrong.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return Daemon(wire(load_config(config), SystemClock()))


@contextmanager
def _showing_later() -> Iterator[None]:
    try:
        yield
    except GitopsdError as error:
        logger.bind(code=error.problem.code).debug("not fetched")


def _unknown(name: str, environments: Mapping[str, Environment]) -> Problem:
    return Problem(
        code="ENVIRONMENT_UNKNOWN",
        stage=Stage.CONFIG,
        message=f"there is no environment {name}",
        hint=f"there are {', '.join(sorted(environments)) or 'none'}",
    )


def _stand_by(holder: str) -> None:
    logger.bind(holder=holder).info("another replica holds the lease; waiting for it to be free")


def _nowhere(environment: Environment) -> Problem:
    return Problem(
        code="NO_TARGET",
        stage=Stage.PLAN,
        message=f"{environment.name} is held, and nothing was kept that it could go back to",
        hint="commit a change, or lift the hold with gitopsd release",
    )

"""Running programs: each writes its own pid before it becomes the program, so a crash of ours loses none."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.errors import RigError
from rig.waiting import wait_for

# The shell's line of /proc/self/stat holds pid and start time; exec changes neither.
_RECORD_AND_BECOME = 'read -r stat </proc/$$/stat && echo "$stat" >"$0" && exec "$@"'
# In the environment of every program of a cluster: the cluster's folder.
_MARK = "GITOPSD_RIG_CLUSTER"
# setsid forks and ends, so that the program is init's to bury and never our zombie.
_LEFT_TO_INIT = ("setsid", "--fork")
# Where they stand in /proc/<pid>/stat after the name.
_STATE, _THREADS, _BEGAN = 0, 17, 19


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid and when it began: a recycled pid has another beginning."""

    pid: int
    began: str

    def is_alive(self) -> bool:
        """Whether this very program still runs, if only one last thread of it."""
        now = _read_stat(Path(f"/proc/{self.pid}/stat"))
        return now is not None and now.identity == self and (now.state != "Z" or now.threads > 1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the pid is another program's by now."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def myself() -> Identity:
    """The identity of this very program."""
    found = identity_of(os.getpid())
    assert found is not None  # noqa: S101 - we are running
    return found


def identity_of(pid: int) -> Identity | None:
    """The identity behind a pid right now."""
    found = _read_stat(Path(f"/proc/{pid}/stat"))
    return found.identity if found else None


def marked() -> Iterator[tuple[int, Path]]:
    """The pid of every program that was started for a cluster, whatever became of it, and the cluster's folder."""
    mark = f"{_MARK}=".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            folders = [one.removeprefix(mark) for one in environment.read_bytes().split(b"\0") if one.startswith(mark)]
            yield from ((int(environment.parent.name), Path(os.fsdecode(folder))) for folder in folders)


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one cluster: a pid file and a log for each."""

    folder: Path

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start it on its own, detached from this terminal."""
        pid_file = self._pid_file(name)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        pid_file.unlink(missing_ok=True)
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            subprocess.run(
                [*_LEFT_TO_INIT, "sh", "-c", _RECORD_AND_BECOME, pid_file, *command],
                cwd=self.folder,
                env={**os.environ, **(environment or {}), _MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=True,
            )
        wait_for(f"{name} to start", lambda: self.identity(name), deadline_s=10)

    def identity(self, name: str) -> Identity | None:
        """Who was started under that name, alive or not."""
        found = _read_stat(self._pid_file(name))
        return found.identity if found else None

    def is_running(self, name: str) -> bool:
        """Whether it was started and still runs."""
        found = self.identity(name)
        return found is not None and found.is_alive()

    def require_running(self, name: str) -> None:
        """Fail at once, with its last words, when it ended."""
        if not self.is_running(name):
            raise RigError(
                f"{name} ended: {self.last_words(name)}",
                remedy="The cause is in its words; then bring the cluster up again.",
            )

    def end(self, name: str, *, patience_s: float = 10.0) -> None:
        """Ask it to end, insist when it does not listen, and forget it."""
        found = self.identity(name)
        if found is not None and found.is_alive():
            found.signal(signal.SIGCONT)
            found.signal(signal.SIGTERM)
            if not _gone(found, patience_s):
                found.signal(signal.SIGKILL)
                _gone(found, patience_s)
        self._pid_file(name).unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """End it as a crash would."""
        found = self.identity(name)
        if found is not None:
            found.signal(signal.SIGKILL)
            wait_for(f"{name} to be gone", lambda: not found.is_alive())

    def kill_all(self) -> None:
        """End everything at once, as when all of it is thrown away."""
        for name in reversed(self.names()):
            self.kill(name)
        wait_for("the last programs to be gone", self._no_strays)

    def _no_strays(self) -> bool:
        """A start that was interrupted may not have recorded its pid yet; the mark was on it from the first."""
        found = (identity_of(pid) for pid, folder in marked() if folder == self.folder)
        strays = [who for who in found if who is not None]
        for who in strays:
            who.signal(signal.SIGKILL)
        return not strays

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send it a signal."""
        found = self.identity(name)
        if found is not None:
            found.signal(number)

    def names(self) -> list[str]:
        """All that were started and not ended, oldest first."""
        found = (self.folder / "run").glob("*.pid")
        return [path.stem for path in sorted(found, key=_written)]

    def log(self, name: str) -> Path:
        """Where its output goes."""
        return self.folder / "log" / f"{name}.log"

    def last_words(self, name: str) -> str:
        """The end of its output, on one line."""
        log = self.log(name)
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return " / ".join(line[:300] for line in lines[-2:]) or "it said nothing"

    def _pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.pid"


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # someone brings the cluster down meanwhile
        return 0


def _gone(who: Identity, patience_s: float) -> bool:
    with contextlib.suppress(RigError):
        return wait_for(f"pid {who.pid} to end", lambda: not who.is_alive(), deadline_s=patience_s, every_s=0.02)
    return False


@dataclass(frozen=True, slots=True)
class _Stat:
    identity: Identity
    state: str
    threads: int


def _read_stat(path: Path) -> _Stat | None:
    try:
        stat = path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    before, _, after = stat.rpartition(")")
    fields = after.split()
    if len(fields) <= _BEGAN:
        return None
    return _Stat(Identity(int(before.split()[0]), fields[_BEGAN]), fields[_STATE], int(fields[_THREADS]))

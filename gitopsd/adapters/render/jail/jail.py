"""Runs one tool on one set of files, and lets it have nothing else.

Every measure is tried once, at start. One that this kernel refuses is named in ``measures`` and the others stand;
one that worked at start and does not later stops the run.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Unpack

from gitopsd.adapters.pipes import SaidTooMuch
from gitopsd.adapters.render.jail import child, launcher, problems
from gitopsd.adapters.render.jail.access import Rule, network_files, rules_for
from gitopsd.adapters.render.jail.model import Bounds, Measure, Ran, Surroundings
from gitopsd.adapters.render.jail.places import Home, is_memory, make_directory, write_files
from gitopsd.adapters.render.jail.syscalls import OWN_PID, filter_program

MEMORY_DISK = "memory disk"

_BOUNDS = Bounds()
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - homes there are random, ours, and locked
_PROBE_S = 30.0
_WORDS_MAX = 2_048


class Jail:
    """Where tools run. ``base`` is where their private directories are made; what a dead gitopsd left there is removed.

    ``readable`` are places that a tool may read besides its own files. Any number of threads may call ``run``.

    Raises:
        RenderError: RENDER_DISK.
    """

    def __init__(self, base: Path, bounds: Bounds = _BOUNDS, readable: Iterable[Path] = ()) -> None:
        self._bounds = bounds
        self._readable = tuple(readable)
        with _disk():
            self._home = Home(base)
        self._memory, memory = _memory_home(self._home)
        self.measures = (*_probe(bounds), memory)

    def within(self, bounds: Bounds) -> Jail:
        """Return the same jail with other bounds."""
        other = copy(self)
        other._bounds = bounds  # noqa: SLF001 - it is one of these itself
        return other

    def run(self, argv: Sequence[str], files: Iterable[tuple[str, bytes]], **given: Unpack[Surroundings]) -> Ran:
        """Run ``argv`` (the first an absolute path) among these files (path, content); a non-zero exit is a value.

        Raises:
            RenderError: RENDER_TIMEOUT, RENDER_OUTPUT_TOO_LARGE, RENDER_KILLED, RENDER_NOT_STARTED,
                RENDER_UNSAFE_PATH, RENDER_NO_MEMORY_DISK or RENDER_DISK.
        """
        tool = Path(argv[0]).name
        if not Path(argv[0]).is_absolute():
            raise problems.not_started(tool, f"{argv[0]} is not an absolute path")
        with self._room(secret=given.get("secret", False)) as room:
            with _disk():
                write_files(room / "files", files)
            ended = self._attend(argv, room, given)
            words = _printable(ended.words, room / "files")
        if ended.report != ("ready",):
            raise problems.not_started(tool, "; ".join(line for line in ended.report if line != "ready") or words)
        if ended.status < 0:
            raise problems.killed(tool, -ended.status, "" if given.get("secret") else words)
        return Ran(ended.status, ended.stdout, words)

    @contextlib.contextmanager
    def _room(self, *, secret: bool) -> Iterator[Path]:
        home = self._memory if secret else self._home
        if home is None:
            raise problems.no_memory_disk(self.measures[-1].why)
        with _disk(), home.room() as room:
            yield room

    def _attend(self, argv: Sequence[str], room: Path, given: Surroundings) -> child.Ended:
        tool, bounds = Path(argv[0]).name, self._bounds
        with _disk():
            home = make_directory(room / "home", "")
            stands = make_directory(room / "files", given.get("directory", ""))
        try:
            network = given.get("network", False)
            readable = [*self._readable, *(network_files() if network else ())]
            order = {
                "argv": list(argv),
                "directory": str(stands),
                "environment": {**_environment(home, bounds), **given.get("environment", {})},
                "measures": [measure.name for measure in self.measures if measure.works],
                **_walls(bounds, rules_for(Path(argv[0]), room, readable), network=network),
            }
            return child.run(order, given.get("stdin", b""), bounds.seconds, bounds.output_bytes)
        except OSError as error:
            raise problems.not_started(tool, str(error)) from None
        except child.TookTooLong:
            raise problems.timed_out(tool, bounds.seconds) from None
        except SaidTooMuch:
            raise problems.output_too_large(tool, bounds.output_bytes) from None


def _memory_home(home: Home) -> tuple[Home | None, Measure]:
    if is_memory(home.path):
        return home, Measure(MEMORY_DISK, works=True)
    if not is_memory(_SHARED_MEMORY):
        return None, Measure(MEMORY_DISK, works=False, why=f"{_SHARED_MEMORY} is no tmpfs")
    try:
        return Home(_SHARED_MEMORY), Measure(MEMORY_DISK, works=True)
    except OSError as error:
        return None, Measure(MEMORY_DISK, works=False, why=str(error))


def _probe(bounds: Bounds) -> tuple[Measure, ...]:
    """Let a child try every measure and become nothing."""
    order = {"argv": [], "directory": "/", "measures": list(launcher.MEASURES), **_walls(bounds, [])}
    try:
        ended = child.run(order, b"", _PROBE_S, _WORDS_MAX)
    except (OSError, child.TookTooLong) as error:
        raise problems.not_started("the launcher", str(error)) from None
    if ended.report[-1:] != ("ready",):
        raise problems.not_started("the launcher", _printable(ended.words, Path("/")))
    refused = dict(line.split(": ", 1) for line in ended.report[:-1])
    return tuple(Measure(name, name not in refused, refused.get(name, "")) for name in launcher.MEASURES)


def _walls(bounds: Bounds, rules: list[Rule], *, network: bool = False) -> dict[str, Any]:
    return {
        "limits": _limits(bounds),
        "rules": rules,
        "network": network,
        "filter": filter_program(network=network),
        "own_pid": OWN_PID,
    }


def _limits(bounds: Bounds) -> list[tuple[int, int, int]]:
    """Soft and hard. Not NPROC: it counts what all of a user's programs run, ours and those of other pods too."""
    return [
        # Go takes no notice of the soft one.
        (resource.RLIMIT_CPU, bounds.cpu_s, bounds.cpu_s + 1),
        # Not AS: Go reserves a gigabyte of addresses that it never touches.
        (resource.RLIMIT_DATA, bounds.memory_bytes, bounds.memory_bytes),
        (resource.RLIMIT_FSIZE, bounds.file_bytes, bounds.file_bytes),
        (resource.RLIMIT_NOFILE, bounds.open_files, bounds.open_files),
        (resource.RLIMIT_CORE, 0, 0),
    ]


def _environment(home: Path, bounds: Bounds) -> dict[str, str]:
    places = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    return {
        **dict.fromkeys(places, str(home)),
        "PATH": "",
        # Collect before the limit is reached; and let a crash be a signal, not an exit code like any other.
        "GOMEMLIMIT": str(bounds.memory_bytes * 3 // 4),
        "GOTRACEBACK": "crash",
    }


def _printable(words: bytes, root: Path) -> str:
    """The first words, without the name of the private directory: the same error must read the same each time."""
    text = words.decode(errors="replace").replace(f"{root}/", "").replace(str(root), ".")
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text).strip()[:_WORDS_MAX]


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise problems.no_disk(error.strerror or str(error)) from None

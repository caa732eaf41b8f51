"""A person at a terminal: one shell, in which a page's commands are typed one after the other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rig.waiting import wait_for
from tests.docs.pages import Command, Written

COMMAND_DEADLINE_S = 60.0
END_DEADLINE_S = 20.0
# Who asks again gets a newer answer, and means to.
QUESTIONS = ("gitopsd status", "gitopsd history", "kubectl get")

_ROWS, _COLUMNS = 50, 120
_ENDED = "-- ended with "
_SEQUENCES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed, and its exit code."""

    said: str
    code: int


class Terminal:
    """A shell of its own in a folder of its own. What it started ends with it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._screen, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=end,
            stderr=end,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
        os.close(end)
        # The shell ends with its input, also when whoever types is killed, and takes all along that it has started.
        self._type("trap 'kill 0' EXIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._shell.stdin
        self._shell.stdin.close()
        try:
            self._shell.wait(END_DEADLINE_S)
            wait_for("what the page started to end", lambda: not self._is_anybody_here(), deadline_s=END_DEADLINE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            os.close(self._screen)

    def do(self, step: Command | Written) -> None:
        """Type it, or write it, as a reader would; fail where it does not go as the page says."""
        match step:
            case Written(name, content):
                self._type(f"mkdir -p $(dirname {name}) && cat > {name} <<< {shlex.quote(content.rstrip())}")
            case Command(typed, shown):
                self._follow(typed, shown)

    def _follow(self, typed: str, shown: str) -> None:
        until = time.monotonic() + COMMAND_DEADLINE_S
        answer = self._type(typed)
        while not is_shown(shown, answer.said) and typed.startswith(QUESTIONS) and time.monotonic() < until:
            answer = self._type(f"sleep 1; {typed}")
        assert is_shown(shown, answer.said), f"$ {typed}\nthe page shows\n{shown}\n\nbut it is\n{answer.said}"
        assert answer.code == 0, f"$ {typed}\nended with {answer.code}\n{answer.said}"

    def _type(self, typed: str) -> Answer:
        assert self._shell.stdin
        self._shell.stdin.write(f"{typed}\nprintf '\\n%s%s\\n' {shlex.quote(_ENDED)} $?\n".encode())
        self._shell.stdin.flush()
        said, until = "", time.monotonic() + COMMAND_DEADLINE_S
        while not (end := re.search(rf"^{_ENDED}(\d+)\n", said, re.MULTILINE)):
            assert time.monotonic() < until, f"$ {typed}\nhas not ended after {COMMAND_DEADLINE_S:.0f} s:\n{said}"
            said += self._read()
        return Answer(said[: end.start()].strip(), int(end[1]))

    def _read(self) -> str:
        ready, _, _ = select.select([self._screen], [], [], 0.1)
        found = os.read(self._screen, 65536).decode(errors="replace") if ready else ""
        return _SEQUENCES.sub("", found.replace("\r", ""))

    def _is_anybody_here(self) -> bool:
        try:
            os.killpg(self._shell.pid, 0)
        except ProcessLookupError:
            return False
        return True


def is_shown(shown: str, said: str) -> bool:
    """Whether it is what the page shows: ``…`` stands for anything, and where lines break says nothing."""
    parts = (re.split(r"\s+", part) for part in shown.split("…"))
    pattern = ".*?".join(r"\s+".join(map(re.escape, words)) for words in parts)
    return not shown or bool(re.fullmatch(pattern, said.strip(), re.DOTALL))

"""A person at a terminal of 80 columns beside a stage, and whoever asks a daemon over HTTP."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rig.waiting import wait_for
from tests.cluster.stage import Stage

COLUMNS = 80
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a person sees, and what a script learns."""

    code: int
    text: str

    @property
    def width(self) -> int:
        return max(map(len, self.text.splitlines()), default=0)

    @property
    def prose(self) -> str:
        """The words; where lines break says nothing."""
        return " ".join(self.text.split())


def gitopsd(stage: Stage, *words: str) -> Said:
    """Run one command of gitopsd as a person does, in a process of its own."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "gitopsd", *words, "--config", str(stage.config())]
    surroundings = {**os.environ, "TERM": "dumb", "COLUMNS": str(COLUMNS), "LOGNAME": "ada"}
    with subprocess.Popen(command, stdout=slave, stderr=slave, env=surroundings) as child:
        os.close(slave)
        seen = b"".join(iter(lambda: _read(master), b""))
        os.close(master)
        return Said(child.wait(), seen.decode().replace("\r\n", "\n"))


def address(log: Path) -> str:
    """Return where the daemon that writes this log serves, once it says so."""
    return wait_for("the daemon to serve", lambda: _last_address(log), deadline_s=30)


def get(url: str) -> tuple[int, str]:
    """Return status and text of an answer, whatever it is."""
    try:
        with urlopen(Request(url, headers={"Accept": "application/json"}), timeout=DEADLINE_S) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def status(url: str, environment: str = "staging") -> dict[str, Any]:
    """Return how a daemon shows an environment; nothing while it does not know it."""
    code, text = get(f"{url}/status/{environment}")
    return json.loads(text) if code == 200 else {}


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how a terminal ends
        return b""


def _last_address(log: Path) -> str | None:
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")) if log.exists() else ()
    return next((line["url"] for line in reversed(list(lines)) if "url" in line), None)

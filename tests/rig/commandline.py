"""The rig's command line as a person uses it, with a state folder of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from rig.waiting import wait_for

TREE = Path(__file__).parents[2]


class Rig:
    """The command line with a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.environment = {**os.environ, "XDG_STATE_HOME": str(state)}

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.begin(*arguments).finish()

    def begin(self, *arguments: str) -> "Running":
        # Whoever is tested in the background ignores interrupts, and what it starts inherits that.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "rig", *arguments]
        pipe = subprocess.PIPE
        return Running(subprocess.Popen(command, cwd=TREE, env=self.environment, stdout=pipe, stderr=pipe, text=True))

    def up(self, *arguments: str) -> Path:
        nodes = () if "--nodes" in arguments else ("--nodes", "none")
        done = self("up", *nodes, *arguments)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.splitlines()[-1])

    def programs(self) -> list[str]:
        """Every program on this machine that was told of our folder."""
        found = []
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = line.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.state) in words:
                found.append(words.replace("\0", " "))
        return found

    def kill(self, name: str) -> None:
        """End one of its programs as a crash would."""
        record = next(self.state.rglob(f"{name}.pid"))
        os.kill(int(record.read_text().split()[0]), signal.SIGKILL)
        wait_for(f"{name} to be gone", lambda: not self.has(name))

    def has(self, name: str) -> bool:
        return any(words.split(" ", 1)[0].endswith(f"/{name}") for words in self.programs())

    def files(self) -> list[Path]:
        return list(self.state.rglob("*"))


class Running:
    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.child = child

    def finish(self) -> "subprocess.CompletedProcess[str]":
        out, err = self.child.communicate(timeout=200)
        return subprocess.CompletedProcess(self.child.args, self.child.returncode, out, err)

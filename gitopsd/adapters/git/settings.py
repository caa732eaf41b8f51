"""What the operator says about one source; bounds have defaults that fit a repository of manifests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSourceSettings:
    """One source: where it is, who we are there, and what is too much.

    Of credentials only the files' names are here; the files are read at each fetch, so a rotated one is used at once.
    ``insecure`` allows plain ``http://`` to other machines. The ``…_max`` of files and directory hold per environment.
    """

    name: str
    url: str
    branch: str
    username: str = "git"
    token_file: Path | None = None
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    ca_file: Path | None = None
    insecure: bool = False
    fetch_timeout_s: float = 60.0
    clone_timeout_s: float = 600.0
    local_timeout_s: float = 30.0
    repository_bytes_max: int = 1024 * _MEBIBYTE
    directory_bytes_max: int = 16 * _MEBIBYTE
    file_bytes_max: int = 2 * _MEBIBYTE
    files_max: int = 5_000

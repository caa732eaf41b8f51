"""What a git child sees of the world: a fixed configuration, no prompt, one transport, and credentials only by file.

Nothing of the host's or the daemon's own git configuration reaches it. Secrets stand neither in its arguments nor in
its environment: git asks a script for the password, and the script reads the file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident

from gitopsd.adapters.git.classify import failed
from gitopsd.adapters.git.settings import GitSourceSettings
from gitopsd.core.git_url import scheme_of

_SECRET_BYTES_MAX = 65_536
_ASKPASS = """#!/bin/sh
case "$1" in
Username*) printf '%s\\n' "$GITOPSD_GIT_USERNAME" ;;
Password*) cat -- "$GITOPSD_GIT_TOKEN_FILE" ;;
esac
"""
_FIXED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "",
}
_CONFIG = {
    "core.askPass": "",
    "core.attributesFile": os.devnull,
    "core.bigFileThreshold": "8m",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "http.sslVerify": "true",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "safe.directory": "*",
    "submodule.recurse": "false",
    "transfer.credentialsInUrl": "die",
    "transfer.fsckObjects": "true",
    # Old clients wrote these by mistake; they are in many honest histories and harm nobody.
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
}
_INHERITED = ("PATH", "HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The variables of one git child, and the texts that must never be shown again."""

    variables: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def local_surroundings(home: Path) -> Surroundings:
    """Return what a child gets that only reads the mirror: no transport at all."""
    return Surroundings(_FIXED | {"HOME": str(home)} | _as_variables(_CONFIG))


def network_surroundings(settings: GitSourceSettings, home: Path) -> Surroundings:
    """Return what a child gets that talks to the server.

    Raises:
        SourceError: a file of credentials cannot be read.
    """
    scheme = scheme_of(settings.url)
    variables = _FIXED | {"HOME": str(home), "GIT_ALLOW_PROTOCOL": scheme}
    variables |= _as_variables(_CONFIG | {f"protocol.{scheme}.allow": "always"})
    if scheme == "ssh":
        return Surroundings(variables | {"GIT_SSH_COMMAND": _ssh_command(settings), "GIT_SSH_VARIANT": "ssh"})
    if settings.ca_file:
        _read_secret(settings, settings.ca_file)
        variables |= {"GIT_SSL_CAINFO": str(settings.ca_file)}
    if not settings.token_file:
        return Surroundings(variables)
    token = _read_secret(settings, settings.token_file)
    variables |= {
        "GIT_ASKPASS": str(_write_askpass(home)),
        "GITOPSD_GIT_USERNAME": settings.username,
        "GITOPSD_GIT_TOKEN_FILE": str(settings.token_file),
    }
    return Surroundings(variables, (token,))


def unwanted_variables() -> tuple[str, ...]:
    """Return the names of the daemon's variables that no git child may see."""
    return tuple(sorted(name for name in os.environ if name not in _INHERITED))


def _as_variables(config: Mapping[str, str]) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for index, (key, value) in enumerate(config.items()):
        variables |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return variables


def _ssh_command(settings: GitSourceSettings) -> str:
    options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f'UserKnownHostsFile="{settings.known_hosts_file or os.devnull}"',
        f"GlobalKnownHostsFile={os.devnull}",
        "UpdateHostKeys=no",
        "PasswordAuthentication=no",
        "KbdInteractiveAuthentication=no",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "ForwardAgent=no",
        "ControlMaster=no",
        "ControlPath=none",
        "ConnectTimeout=15",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=2",
    ]
    command = ["ssh", "-F", "none", *(part for option in options for part in ("-o", option))]
    if settings.ssh_key_file:
        _read_secret(settings, settings.ssh_key_file)
        command += ["-i", str(settings.ssh_key_file)]
    return shlex.join(command)


def _read_secret(settings: GitSourceSettings, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            text = opened.read(_SECRET_BYTES_MAX).decode(errors="replace").strip()
    except OSError as error:
        raise failed("GIT_CREDENTIALS", settings.name, f"{file}: {error.strerror}") from None
    if not text:
        raise failed("GIT_CREDENTIALS", settings.name, f"{file}: empty")
    return text


def _write_askpass(home: Path) -> Path:
    script = home / "askpass"
    if not script.is_file() or script.read_text() != _ASKPASS:
        # Sources share the folder and fetch side by side.
        fresh = home / f"askpass.{get_ident()}"
        fresh.write_text(_ASKPASS)
        fresh.chmod(0o700)
        fresh.rename(script)
    return script

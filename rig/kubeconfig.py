"""Kubeconfigs: whole in one file, so that they can be handed to anyone."""

import base64
from pathlib import Path
from typing import Any

import yaml

from rig.certificates import Pair


def write_for_certificate(path: Path, server: str, authority: Path, pair: Pair) -> Path:
    """For a client who shows a certificate."""
    user = {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}
    return _write(path, server, _encoded(authority), user)


def write_for_token(path: Path, server: str, authority: Path, token: str) -> Path:
    """For a client who shows a token."""
    return _write(path, server, _encoded(authority), {"token": token})


def write_elsewhere(path: Path, original: Path, server: str) -> Path:
    """The same client, through another door."""
    content = yaml.safe_load(original.read_text())
    for cluster in content["clusters"]:
        cluster["cluster"]["server"] = server
    return _save(path, content)


def _write(path: Path, server: str, authority: str, user: dict[str, str]) -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "rig", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "rig", "user": user}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}],
        "current-context": "rig",
    }
    return _save(path, content)


def _save(path: Path, content: dict[str, Any]) -> Path:
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()

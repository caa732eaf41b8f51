"""The Gateway API's own definitions of its kinds, out of its Go module, whose checksum is pinned."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from rig.errors import RigError
from rig.golang import find_go
from rig.paths import GO_MODULES, cache_root, make_folder

GROUP = "gateway.networking.k8s.io"
_MODULE = "sigs.k8s.io/gateway-api"
_SETTINGS = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}


def definition(plural: str) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind of the standard channel."""
    file = _module() / "config" / "crd" / "standard" / f"{GROUP}_{plural}.yaml"
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def _module() -> Path:
    """Fetched once, into Go's own cache."""
    make_folder(cache_root())
    with tempfile.TemporaryDirectory(dir=cache_root()) as work:
        done = subprocess.run(
            [find_go(Path(work)), "mod", "download", "-json", _MODULE],
            cwd=GO_MODULES / "gateway-api",
            env={**os.environ, **_SETTINGS},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise RigError(
            f"{_MODULE} could not be fetched: {_why(done)}",
            remedy="Check that the Go module proxy answers (`go env GOPROXY`), then run the same command again.",
        )
    return Path(json.loads(done.stdout)["Dir"])


def _why(done: "subprocess.CompletedProcess[str]") -> str:
    """What is wrong with a module stands in the answer, all else where it is usual."""
    said = str(json.loads(done.stdout)["Error"]) if done.stdout.strip() else done.stderr
    return next(iter(said.strip().splitlines()), "it did not say why")

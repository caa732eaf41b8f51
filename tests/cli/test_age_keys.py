"""render and validate open what is encrypted with the key that is named, as sops would; without one they say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "adapters" / "secrets" / "vectors"


@pytest.fixture
def shop(tmp_path):
    directory = tmp_path / "shop"
    directory.mkdir()
    (tmp_path / ".git").mkdir()
    (directory / "secret.yaml").write_bytes((VECTORS / "regex.yaml").read_bytes())
    return directory


def run(*arguments: str, **surroundings: str):
    environ = {**{name: value for name, value in os.environ.items() if name != "SOPS_AGE_KEY_FILE"}, **surroundings}
    return subprocess.run(
        [sys.executable, "-m", "gitopsd", *arguments], capture_output=True, text=True, check=False, env=environ
    )


def test_validate_names_every_file_that_it_could_not_check(shop):
    done = run("validate", str(shop), "-o", "json")

    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["code"] == "DECRYPT_NO_KEY"
    assert "--age-key-file" in problem["hint"]


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_key_opens_them(shop, way):
    key = str(VECTORS / "ours.key")

    if way == "option":
        done = run("render", str(shop), "--age-key-file", key, "-o", "name")
    else:
        done = run("render", str(shop), "-o", "name", SOPS_AGE_KEY_FILE=key)

    assert done.returncode == 0, done.stderr
    assert "Secret shop/db" in done.stdout

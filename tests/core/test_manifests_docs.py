"""The page on manifests names every code that reading can give, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from gitopsd.core.manifests import naming, objects, text, yaml
from gitopsd.core.manifests.directory import OBJECTS_MAX
from gitopsd.core.manifests.layout import BYTES_MAX, FILES_MAX

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "manifests.md").read_text(encoding="utf-8")
CORE = ROOT / "gitopsd" / "core"
ROOMS = sorted(room for name in ("manifests", "kustomize", "helm") for room in (CORE / name).glob("*.py"))
CODE = re.compile(r'"([A-Z]+(?:_[A-Z0-9]+)+|ENCRYPTED)"')


def test_the_page_names_every_code_and_no_other():
    sources = [room.read_text(encoding="utf-8") for room in ROOMS]
    raised = {code for source in sources for code in CODE.findall(source)}
    told = set(re.findall(r"^\| `([A-Z_0-9]+)` \|", PAGE, re.MULTILINE))

    assert told == raised


def test_the_page_tells_the_bounds_as_they_are():
    assert text.FILE_BYTES_MAX == 2 * 2**20
    assert (FILES_MAX, OBJECTS_MAX, BYTES_MAX) == (5_000, 5_000, 16 * 2**20)
    assert objects.OBJECT_BYTES_MAX == 1_500_000
    assert (yaml.DEPTH_MAX, yaml.ALIASES_MAX, yaml.NODES_MAX) == (64, 100, 1_000_000)
    assert naming.LABEL_LENGTH_MAX == 63

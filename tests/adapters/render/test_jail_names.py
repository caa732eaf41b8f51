"""Which names the jail writes: rules S1 and S2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.adapters.render.jail.names import check_path, check_paths
from gitopsd.adapters.render.jail.places import write_files
from gitopsd.core.errors import RenderError

UNSAFE = {
    "absolute": "/etc/passwd",
    "up": "../secret",
    "up in the middle": "a/../../secret",
    "up at the end": "a/..",
    "here": "./a",
    "nothing between": "a//b",
    "ends as a directory": "a/",
    "git's own": ".git/config",
    "git's own, deeper": "base/.git/hooks/post-checkout",
    "git's own, in capitals": ".GIT/config",
    "nul": "a\0b",
    "newline": "a\nb",
    "escape": "a\x1b[31m",
    "backslash": "..\\secret",
    "drive": "C:secret",
    "long name": "a" * 256,
    "long path": "a/" * 1200 + "b",
    "no bytes": "\ud800",
}

SAFE = (
    "a.yaml",
    "base/kustomization.yaml",
    ".gitignore",
    ".github/x",
    "..a",
    "a..",
    "ü/ñ.yaml",
    "a b",
    "\udcff",
    "x" * 255,
)


@pytest.mark.parametrize("path", UNSAFE.values(), ids=UNSAFE)
def test_s01_a_name_that_may_lead_elsewhere_is_refused(path):
    with pytest.raises(RenderError, match="RENDER_UNSAFE_PATH"):
        check_path(path)


@pytest.mark.parametrize("path", SAFE, ids=ascii)
def test_s01_a_name_that_is_only_odd_is_written(path, tmp_path):
    write_files(tmp_path, [(path, b"content")])

    assert (tmp_path / path).read_bytes() == b"content"


@pytest.mark.parametrize(
    "paths",
    [
        ("A.yaml", "a.yaml"),
        ("base/a.yaml", "Base/b.yaml"),
        ("straße", "STRASSE"),
        ("a.yaml", "a.yaml"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("A", "a/b"),
        ("",),
    ],
    ids=str,
)
def test_s01_two_meanings_of_one_name_are_refused(paths):
    with pytest.raises(RenderError, match="RENDER_UNSAFE_PATH"):
        check_paths(paths)


def test_s01_the_files_of_one_directory_are_no_twins():
    check_paths(["base/a", "base/b", "base/deeper/a", "base2/a"])


def test_s01_nothing_is_written_when_one_name_is_unsafe(tmp_path):
    with pytest.raises(RenderError):
        write_files(tmp_path / "room", [("good", b""), ("../bad", b"")])

    assert list(tmp_path.iterdir()) == []


def test_s01_files_are_regular_and_ours_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_files(tmp_path, [("a/b/c", b"")])
    finally:
        os.umask(before)

    assert [oct((tmp_path / path).stat().st_mode) for path in ("a", "a/b", "a/b/c")] == [
        "0o40700",
        "0o40700",
        "0o100600",
    ]


def test_s01_a_link_that_stands_in_the_way_is_not_followed(tmp_path):
    (tmp_path / "outside").write_bytes(b"as it was")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a").symlink_to("../outside")

    with pytest.raises(OSError):
        write_files(tmp_path / "room", [("a", b"changed")])

    assert (tmp_path / "outside").read_bytes() == b"as it was"


@given(st.text(st.sampled_from("a./\\\0\nC:gitGIT\u202e"), max_size=12))
def test_s02_an_accepted_path_lies_below_the_root(path):
    try:
        components = check_path(path)
    except RenderError:
        return
    root = Path("/root-of-it")
    assert Path(os.path.normpath(root / path)).parts == (*root.parts, *components)

"""A disk that lies, fills up or goes away: rows G32 and G33 of the catalogue of bad inputs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitopsd.adapters.git import GitSource
from gitopsd.core.errors import SourceError
from tests.adapters.git.conftest import STAGING, Place, files_of
from tests.git_server import answer, git


def _each_pack(mirror: Path, write: Callable[[Path], object]) -> None:
    for pack in mirror.glob("objects/pack/pack-*"):
        pack.chmod(0o600)
        write(pack)


def truncate_packs(mirror: Path) -> None:
    _each_pack(mirror, lambda pack: pack.write_bytes(pack.read_bytes()[:40]))


def garble_packs(mirror: Path) -> None:
    _each_pack(mirror, lambda pack: pack.write_bytes(pack.read_bytes()[:12] + b"\xff" * 400))


def delete_packs(mirror: Path) -> None:
    _each_pack(mirror, lambda pack: pack.unlink())


def empty_head(mirror: Path) -> None:
    (mirror / "HEAD").write_text("")


def delete_head(mirror: Path) -> None:
    (mirror / "HEAD").unlink()


def delete_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")


def garble_config(mirror: Path) -> None:
    (mirror / "config").write_text("[[[")


def garble_ref(mirror: Path) -> None:
    (mirror / "refs" / "gitopsd" / "head").write_text("nonsense\n")


def empty_ref(mirror: Path) -> None:
    (mirror / "refs" / "gitopsd" / "head").write_text("")


def ref_to_nothing(mirror: Path) -> None:
    (mirror / "refs" / "gitopsd" / "head").write_text("1" * 40 + "\n")


def garble_packed_refs(mirror: Path) -> None:
    (mirror / "packed-refs").write_text("nonsense\n")


def lose_a_blob(mirror: Path) -> None:
    oid = _unpack(mirror)
    (mirror / "objects" / oid[:2] / oid[2:]).unlink()


def garble_a_blob(mirror: Path) -> None:
    oid = _unpack(mirror)
    blob = mirror / "objects" / oid[:2] / oid[2:]
    blob.chmod(0o600)
    blob.write_bytes(b"\xff" * 40)


def _unpack(mirror: Path) -> str:
    """Turn packs into single objects; return the id of a file's."""
    for pack in mirror.glob("objects/pack/*.pack"):
        content = pack.read_bytes()
        pack.with_suffix(".idx").unlink()
        pack.unlink()
        git(mirror, "unpack-objects", "-q", stdin=content)
    return git(mirror, "rev-parse", "refs/gitopsd/head:environments/staging/3.yaml").decode().strip()


DAMAGES = [
    lose_a_blob,
    garble_a_blob,
    truncate_packs,
    garble_packs,
    delete_packs,
    empty_head,
    delete_head,
    delete_objects,
]
DAMAGES += [garble_config, garble_ref, empty_ref, ref_to_nothing, garble_packed_refs]


def fetched(place: Place) -> GitSource:
    place.repository.commit({f"environments/staging/{n}.yaml": f"{n}" * 500 for n in range(9)})
    source = place.source()
    source.fetch()
    return source


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_g32_a_damaged_mirror_is_an_error_or_right_and_whole_again_after_two_fetches(place, damage):
    source = fetched(place)
    good = files_of(source)
    damage(place.mirror)

    # Not knowing is an error, never fewer files.
    try:
        assert files_of(source) == good
    except SourceError as error:
        assert error.problem.code == "GIT_CORRUPT"  # noqa: PT017 - either answer is right
    source.fetch()
    _ = _files_or_error(source)
    source.fetch()

    assert files_of(source) == good
    assert source.resolve(STAGING).stale is None


def _files_or_error(source: GitSource) -> object:
    try:
        return files_of(source)
    except SourceError as error:
        return error


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_g32_a_damaged_mirror_is_healed_by_the_first_fetch_after_a_restart(place, damage):
    good = files_of(fetched(place))
    damage(place.mirror)
    restarted = place.source()

    restarted.fetch()
    _ = _files_or_error(restarted)
    restarted.fetch()

    assert files_of(restarted) == good


def test_g32_a_damaged_mirror_stays_until_a_new_clone_is_whole(place):
    source = fetched(place)
    empty_head(place.mirror)
    place.server.faults["/info/refs"] = answer(503)

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert raised.value.problem.code == "GIT_UNREACHABLE"
    assert (place.mirror / "HEAD").exists()
    assert not list(place.cache.glob("*.new"))


def test_g32_the_damaged_mirror_is_kept_aside_once(place):
    source = fetched(place)
    for _ in range(3):
        empty_head(place.mirror)
        source.fetch()

    assert len(list(place.cache.glob("*.damaged"))) == 1


def test_g32_locks_and_half_packs_of_a_killed_git_are_swept(place):
    source = fetched(place)
    left = ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "refs/gitopsd/head.lock", "gc.pid"]
    left += ["objects/pack/tmp_pack_abc", "objects/pack/tmp_idx_abc", "objects/tmp_objdir-incoming-abc/x"]
    for name in left:
        (place.mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (place.mirror / name).write_text("")
    commit = place.commit(web="new")

    assert source.fetch().revision.commit == commit
    assert [name for name in left if (place.mirror / name).exists()] == []
    assert not list(place.cache.glob("*.damaged"))


@pytest.fixture
def small_disk(place):
    """The cache on a disk of its own, so that it can be filled and made read-only."""
    place.cache.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place.cache)]
    if os.geteuid() != 0 or subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place.cache)], check=True)


def test_g33_a_full_disk_is_said_as_such_and_the_old_mirror_still_answers(small_disk):
    source = fetched(small_disk)
    good = files_of(source)
    small_disk.repository.commit({"environments/staging/noise": os.urandom(1_000_000)})

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert raised.value.problem.code == "GIT_DISK"
    assert files_of(source) == good
    small_disk.repository.commit({"environments/staging/noise": "small"})
    small_disk.repository.reset(small_disk.repository.head() + "~2")
    assert source.fetch().revision is not None


def test_g33_a_read_only_disk_is_said_as_such_and_the_old_mirror_still_answers(small_disk):
    source = fetched(small_disk)
    good = files_of(source)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk.cache)], check=True)
    small_disk.commit(web="new")

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert raised.value.problem.code == "GIT_DISK"
    assert files_of(source) == good
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk.cache)], check=True)
    assert source.fetch().changed


def test_g33_a_cache_that_cannot_be_made_is_said_as_such(place):
    place.commit(web="a")
    place.cache.write_text("a file in the folder's place")

    with pytest.raises(SourceError) as raised:
        place.source().fetch()

    assert raised.value.problem.code == "GIT_DISK"

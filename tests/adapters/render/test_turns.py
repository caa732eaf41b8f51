"""No more at once than there are cores, and memory."""

from __future__ import annotations

import pytest

from gitopsd.adapters.render.turns import count_for, memory_limit

GIB = 1024**3


@pytest.mark.parametrize(
    ("cores", "limit", "count"),
    [
        (2, None, 2),
        (8, 2 * GIB, 1),
        (8, 3 * GIB, 2),
        (2, 64 * GIB, 2),
        (8, GIB // 2, 1),
    ],
)
def test_so_many_render_at_once(cores, limit, count):
    assert count_for(cores, limit) == count


@pytest.mark.parametrize(
    ("written", "limit"), [("2147483648\n", 2 * GIB), ("max\n", None), (None, None), ("what", None)]
)
def test_the_containers_limit_is_read(tmp_path, written, limit):
    file = tmp_path / "memory.max"
    if written is not None:
        file.write_text(written)
    assert memory_limit((tmp_path / "not there", file)) == limit

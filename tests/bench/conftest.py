"""One playing field with a daemon that has kept a thousand objects, for all benches of a module."""

from __future__ import annotations

import pytest

from tests.bench.playing_field import playing_field
from tests.bench.thousand import files


@pytest.fixture(scope="module")
def thousand_kept(cluster, tmp_path_factory):
    """A field on which gitopsd runs, and all of it is kept."""
    cluster.powers()
    with playing_field(cluster, tmp_path_factory.mktemp("bench")) as field, field.daemon():
        field.commit(files(field.made), "A thousand objects")
        field.await_kept()
        yield field

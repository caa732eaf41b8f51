"""Every test here gets a stage of its own on the session's real cluster."""

from __future__ import annotations

import pytest

from tests.cluster.stage import SOAKLESS, Stage
from tests.git_server import GitServer


@pytest.fixture
def stage(cluster, namespace, tmp_path):
    """A stage with an environment that only says it needs no soak."""
    with GitServer(tmp_path / "git") as server:
        made = Stage(
            cluster=cluster,
            namespace=namespace,
            folder=tmp_path,
            server=server,
            repository=server.create("environments"),
        )
        made.commit({"gitopsd.yaml": SOAKLESS}, "An environment to be")
        yield made


@pytest.fixture
def hasty_stage(stage):
    """A stage whose graces and deadlines pass ten times as fast."""
    stage.factor = 10.0
    return stage

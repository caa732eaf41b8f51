"""Every test here gets a stage, or the adapter alone, of its own on the session's real clusters."""

from __future__ import annotations

import pytest

from tests.cluster.adapter_world import world
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


@pytest.fixture
def on_api(api_cluster, api_namespace):
    """The cluster adapter and the real plan, on the cluster without nodes."""
    with world(api_cluster.kubeconfig, api_namespace) as made:
        yield made

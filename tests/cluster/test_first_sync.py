"""From nothing to kept, and then nothing more."""

from __future__ import annotations

import pytest

from gitopsd.core.status.words import Phase, phase
from tests.cluster.stage import configmap, deployment

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


def test_a_first_commit_is_applied_proven_and_kept(stage):
    commit = stage.commit({"web.yaml": deployment("web", replicas=2), "settings.yaml": configmap("settings", a="1")})
    begin = stage.audit.position()

    view = stage.once()

    assert phase(view) is Phase.READY, view.problems
    assert stage.get("deployments", "web")["status"]["readyReplicas"] == 2
    assert stage.record().last_kept.revision.commit == commit
    written = [write for write in stage.audit.writes(begin).elements() if "gitopsd-staging" not in write.object]
    assert sorted((write.object.rpartition("/")[2], write.verb) for write in written) == [
        ("settings", "patch"), ("web", "patch"),
    ]  # fmt: skip


def test_a_second_run_writes_nothing(stage):
    stage.commit({"web.yaml": deployment("web")})
    stage.once()
    begin = stage.audit.position()

    view = stage.once()

    assert phase(view) is Phase.READY
    assert list(stage.audit.writes(begin)) == []

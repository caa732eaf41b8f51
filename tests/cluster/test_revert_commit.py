"""Where the operator wishes it, Git is told of a revert by a commit; the hold stands with or without it."""

from __future__ import annotations

import pytest

from gitopsd.core.status.environment import Fields, environment_json
from gitopsd.core.status.facts import problems
from gitopsd.core.status.words import Phase, phase
from tests.cluster.oracles import container, inhabitants, written
from tests.cluster.stage import SOAKLESS, configmap, deployment, phase_is, shown, until
from tests.git_server import git

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

GOOD = deployment("web")
BAD = {"web.yaml": deployment("web", image="rig.test/web:v2-missing"), "banner.yaml": configmap("banner", text="sale")}
REVERTS = "gitopsd/reverts"


@pytest.fixture
def telling(hasty_stage):
    """A stage, quick, at which a good commit is kept and Git is told of reverts; its server takes pushes."""
    git(hasty_stage.repository.folder, "config", "http.receivepack", "true")
    hasty_stage.commit({"gitopsd.yaml": SOAKLESS, "web.yaml": GOOD})
    assert phase(hasty_stage.once()) is Phase.READY
    return hasty_stage


def test_a_revert_commit_on_the_followed_branch_is_recognised_at_once(telling):
    telling.more_sources = "    revertCommits: {branch: main}\n"
    good = telling.record().last_kept.revision.commit
    with telling.daemon() as daemon:
        begin = telling.audit.position()
        bad = telling.commit(BAD)
        until("the revert to be told and followed", lambda: _is_told_and_ready(telling, daemon, bad), 60)
        view = shown(daemon)

    said = git(telling.repository.folder, "log", "-1", "--format=%an%n%B", "main").decode()
    assert said.startswith(f"gitopsd\nRevert environments/staging to {good[:7]}\n")
    assert "image not found" in said
    assert problems(view) == ()
    assert [hold.revision.commit for hold in view.known.held.values()] == [bad]
    assert inhabitants(telling) == {"deployments/web"}
    assert written(telling, begin) == {
        "patch deployments/web": 2, "patch configmaps/banner": 1, "delete configmaps/banner": 1,
    }  # fmt: skip
    assert _count(telling, f"{bad}..main") == 1


def test_a_revert_commit_on_a_branch_of_its_own_is_made_once_though_gitopsd_starts_anew(telling):
    telling.more_sources = f"    revertCommits: {{branch: {REVERTS}}}\n"
    bad = telling.commit(BAD)
    for _ in range(2):
        with telling.daemon() as daemon:
            until("the revert to be told", lambda daemon=daemon: _told(daemon) and _told(daemon).revision, 60)
            fetches = len(telling.server.requests)
            until("more fetches", lambda fetches=fetches: len(telling.server.requests) > fetches + 4)
            shown_now = environment_json(shown(daemon), Fields.USUAL)

    assert telling.repository.head() == bad
    assert _count(telling, f"main..{REVERTS}") == 1
    assert shown_now["revertCommit"]["sha"] == telling.repository.head(REVERTS)
    assert shown_now["phase"] == "Reverted"


def test_a_refused_push_is_told_a_few_times_tried_and_changes_nothing(telling):
    telling.more_sources = "    revertCommits: {branch: main}\n"
    hook = telling.repository.folder / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with telling.daemon() as daemon:
        bad = telling.commit(BAD)
        until("the refusal", lambda: _told(daemon) and _told(daemon).problem, 60)
        assert [one.code for one in problems(shown(daemon))] == ["ROLLOUT_FAILED", "GIT_PUSH_REFUSED"]
        assert phase_is(daemon, Phase.REVERTED)()
        until("it to give up", lambda: _pushes(telling) >= 5, 60)
        fetches = len(telling.server.requests)
        until("more fetches", lambda: len(telling.server.requests) > fetches + 4)

    assert _pushes(telling) == 5
    assert telling.repository.head() == bad
    assert container(telling.get("deployments", "web"))["image"] == "registry.example/app:1"


def _is_told_and_ready(stage, daemon, bad: str) -> bool:
    return stage.repository.head() != bad and phase_is(daemon, Phase.READY)()


def _told(daemon):
    view = shown(daemon)
    return view.told if view else None


def _count(stage, commits: str) -> int:
    return int(git(stage.repository.folder, "rev-list", "--count", commits).decode())


def _pushes(stage) -> int:
    return sum("POST" in request.method and "git-receive-pack" in request.path for request in stage.server.requests)

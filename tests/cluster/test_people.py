"""What people do when things are bad, at a terminal of 80 columns: go back, refuse, lift, pause, go on."""

from __future__ import annotations

import pytest

from gitopsd.cli.exits import Exit
from gitopsd.core.record import Outcome
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, phase
from rig.api import MERGE
from tests.cluster.asking import COLUMNS, gitopsd
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

SECONDS = 5.0
ONE = {"app.yaml": configmap("app", version="1"), "extra.yaml": None}
TWO = {"app.yaml": configmap("app", version="2"), "extra.yaml": configmap("extra", added="by two")}


def test_a_person_rolls_back_while_git_is_down_and_the_daemon_does_it(stage):
    first = _kept(stage, ONE)
    with stage.daemon() as daemon:
        second = stage.commit(TWO)
        until("the second to be kept", lambda: phase_is(daemon, Phase.READY)() and _version(stage) == "2")
        stage.server.stop()
        until("Git to be missed", lambda: shown(daemon).latest.git.stale)
        begin = stage.audit.position()

        said = gitopsd(stage, "rollback", "staging", "--reason", "the shop is slow")

        until("the first to be back", lambda: _version(stage) == "1" and _is_gone(stage, "extra"), SECONDS)
        until("it to be kept", lambda: shown(daemon).known.last_kept.revision.commit == first, SECONDS)
        assert said.code == 0
        assert "the shop is slow; going back to main@sha1:" + first[:7] in said.prose
        assert said.width <= COLUMNS
        assert _writes(stage, begin) == ["delete extra", "patch app"]

        # Git is back, and still wants what was refused: nothing happens until somebody says so.
        stage.server.start()
        until("Git to answer", lambda: not shown(daemon).latest.git.stale)
        assert phase_is(daemon, Phase.REVERTED)()
        assert why(shown(daemon)).endswith("lift it with: gitopsd release staging")
        assert _writes(stage, begin) == ["delete extra", "patch app"]
        lifted = gitopsd(stage, "release", "staging", "--reason", "it was the network")
        assert (lifted.code, f"released main@sha1:{second[:7]}, held by ada" in lifted.prose) == (0, True)
        until("the second to be back", lambda: _version(stage) == "2" and not _is_gone(stage, "extra"), SECONDS)
        until("it to be kept again", lambda: shown(daemon).known.last_kept.revision.commit == second, SECONDS)
    told = gitopsd(stage, "history", "staging")
    assert (told.code, told.width <= COLUMNS) == (0, True)
    assert [(entry.outcome.value, entry.by, entry.why) for entry in stage.record().history] == [
        ("Kept", "gitopsd", ""),
        ("Released", "ada", "it was the network"),
        ("Reverted", "gitopsd", ""),
        ("Held", "ada", "the shop is slow"),
        ("Kept", "gitopsd", ""),
        ("Kept", "gitopsd", ""),
    ]


def test_a_person_rolls_back_with_neither_git_nor_a_daemon(stage):
    _kept(stage, ONE)
    _kept(stage, TWO)
    begin = stage.audit.position()
    stage.server.stop()

    said = gitopsd(stage, "rollback", "staging")
    ended = gitopsd(stage, "once", "--timeout", "30s")

    assert (said.code, ended.code, ended.width <= COLUMNS) == (0, Exit.GIT, True)
    assert "lift it with: gitopsd release staging" in ended.prose
    assert (_version(stage), _is_gone(stage, "extra")) == ("1", True)
    assert _writes(stage, begin) == ["delete extra", "patch app"]
    stage.server.start()
    assert phase(stage.once()) is Phase.REVERTED
    assert _writes(stage, begin) == ["delete extra", "patch app"]


def test_a_plan_that_is_not_of_the_newest_commit_says_so_and_no_hold_is_taken_from_it(stage):
    _kept(stage, ONE)
    stage.commit({"app.yaml": "data:\n\tversion: '2'\n"})

    refused = [gitopsd(stage, command, "staging") for command in ("plan", "diff", "hold")]
    stage.server.stop()
    silent = [gitopsd(stage, command, "staging") for command in ("plan", "diff", "hold")]

    assert [(said.code, "YAML_SYNTAX environments/staging/app.yaml:2" in said.text) for said in refused] == [
        (Exit.NOT_WELL, True)
    ] * 3
    assert [(said.code, "GIT_UNREACHABLE" in said.text) for said in silent] == [(Exit.GIT, True)] * 3
    assert all("nothing was held" in said[-1].prose for said in (refused, silent))
    assert stage.record().held == {}


def test_a_person_refuses_a_rollout_under_way_and_the_next_commit_is_taken_up(stage):
    first = _kept(stage, ONE)
    with stage.daemon() as daemon:
        stage.commit({**TWO, "web.yaml": deployment("web", image="rig.test/web:never-ready")})
        until("the rollout", lambda: phase_is(daemon, Phase.VERIFYING)() and _version(stage) == "2")
        begin = stage.audit.position()

        said = gitopsd(stage, "hold", "staging", "--reason", "wrong image")

        until("the first to be back", lambda: _version(stage) == "1" and _is_gone(stage, "extra"), SECONDS)
        until("the refusal to be shown", phase_is(daemon, Phase.REVERTED), SECONDS)
        assert (said.code, "wrong image; going back to main@sha1:" + first[:7] in said.prose) == (0, True)
        assert _writes(stage, begin) == ["delete extra", "delete web", "patch app"]
        again = gitopsd(stage, "hold", "staging")
        assert (again.code, "HOLD_ALREADY" in again.text, "ada holds it since" in again.prose) == (1, True, True)

        stage.commit({**TWO, "web.yaml": None})
        until("the next commit", lambda: phase_is(daemon, Phase.READY)() and _version(stage) == "2")


def test_a_revert_that_fails_as_well_is_loud_and_touches_nothing_but_what_is_well(hasty_stage):
    stage = hasty_stage
    recreated = deployment("web").replace("spec:\n  replicas", "spec:\n  strategy: {type: Recreate}\n  replicas", 1)
    _kept(stage, {**ONE, "web.yaml": recreated})
    # From now on no pod can be made, whatever its image.
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    stage.api.create(stage.path("resourcequotas"), quota)
    until("the quota to be counted", lambda: "used" in stage.get("resourcequotas", "full").get("status", {}))
    begin = stage.audit.position()
    with stage.daemon() as daemon:
        stage.commit({"web.yaml": recreated.replace("app:1", "app:2")})
        until("the revert to fail", lambda: _outcome(daemon) is Outcome.REVERT_FAILED)
        until("it to be shown", phase_is(daemon, Phase.FAILED), SECONDS)

        assert _code(daemon) == "REVERT_FAILED"
        assert _writes(stage, begin) == ["patch web", "patch web"]
        assert "going back did not help" in why(shown(daemon))

        # What is well is still put back; what failed is left alone.
        _edit(stage, "deployments", "web", {"spec": {"replicas": 2}})
        _edit(stage, "configmaps", "app", {"data": {"version": "edited"}})
        until("the healthy object to be put back", lambda: _version(stage) == "1", SECONDS)
        assert stage.get("deployments", "web")["spec"]["replicas"] == 2
        assert _writes(stage, begin) == ["patch app", "patch web", "patch web"]
        assert phase_is(daemon, Phase.FAILED)()

        stage.api.delete(f"{stage.path('resourcequotas')}/full")
        fix = stage.commit({"web.yaml": recreated.replace("app:1", "app:3")})
        until("the fix to be kept", lambda: _outcome(daemon) is Outcome.KEPT)
        assert shown(daemon).known.last_kept.revision.commit == fix


def _kept(stage, files) -> str:
    commit = stage.commit(files)
    assert phase(stage.once()) is Phase.READY
    return commit


def _version(stage) -> str:
    return stage.get("configmaps", "app")["data"]["version"]


def _outcome(daemon) -> Outcome | None:
    view = shown(daemon)
    record = view.known if view else None
    return record.history[0].outcome if record and record.history else None


def _code(daemon) -> str:
    found = problems(shown(daemon))
    return found[0].code if found else ""


def _edit(stage, collection: str, name: str, body) -> None:
    stage.api.request("PATCH", f"{stage.path(collection)}/{name}", body, MERGE)


def _is_gone(stage, name: str) -> bool:
    return stage.get("configmaps", name) is None


def _writes(stage, begin: int) -> list[str]:
    """What gitopsd wrote, but for its record and snapshots."""
    written = stage.audit.writes(begin)
    named = [(write.verb, write.object.rpartition("/")[2]) for write in written.elements()]
    return sorted(f"{verb} {name}" for verb, name in named if not name.startswith("gitopsd-"))

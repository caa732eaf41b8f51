"""Git that is silent, emptied or rewritten: nothing is deleted, the reason is told, the others carry on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, phase
from tests.cluster.oracles import inhabitants, written
from tests.cluster.stage import SOAKLESS, Stage, configmap, phase_is, shown, until
from tests.git_server import answer

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

SETTINGS = configmap("settings", colour="red")
FILES = {"settings.yaml": SETTINGS, "more.yaml": configmap("more", a="1")}
ALL = {"configmaps/settings", "configmaps/more", "configmaps/beside", "configmaps/elsewhere"}


@pytest.fixture
def calm(stage):
    """Three environments at rest: two of one repository, and one of another."""
    stage.others = ("beside",)
    stage.commit(FILES)
    stage.commit({"gitopsd.yaml": SOAKLESS, "beside.yaml": configmap("beside", a="1")}, environment="beside")
    second = stage.server.create("second")
    second.commit({"envs/elsewhere/gitopsd.yaml": SOAKLESS, "envs/elsewhere/one.yaml": configmap("elsewhere", a="1")})
    stage.more_sources = f"  - name: second\n    url: {stage.server.url('second')}\n    poll: 1s\n"
    stage.more_environments = f"  - path: envs/elsewhere\n    source: second\n    namespaces: [{stage.namespace}]\n"
    assert {phase(view) for view in stage.once_all().values()} == {Phase.READY}
    assert inhabitants(stage) == ALL
    return stage


def _elsewhere(stage: Stage, value: str) -> None:
    repository = type(stage.repository)(stage.folder / "git" / "second")
    repository.commit({"envs/elsewhere/one.yaml": configmap("elsewhere", a=value)})


def _delete_branch(stage: Stage) -> None:
    stage.repository.commit({"a": "b"}, branch="other")
    stage.repository.delete_branch()


def _break_off(stage: Stage) -> None:
    stage.server.faults["/environments"] = answer(503)


def _refuse(stage: Stage) -> None:
    stage.server.faults["/environments"] = answer(401)


@dataclass(frozen=True)
class Trouble:
    """What happens to the repository, and how it is told. ``silent`` = Git cannot be asked about any environment."""

    strike: Callable[[Stage], object]
    code: str
    silent: bool = False


TROUBLES = {
    "the directory holds no manifest any more": Trouble(
        lambda stage: stage.commit(dict.fromkeys(FILES)), "EMPTY_ENVIRONMENT"
    ),
    "the directory holds nothing but a README": Trouble(
        lambda stage: stage.commit({**dict.fromkeys(FILES), "gitopsd.yaml": None, "README.md": "Moved."}),
        "EMPTY_ENVIRONMENT",
    ),
    "the directory is gone": Trouble(
        lambda stage: stage.repository.commit({"environments/staging": None}), "GIT_PATH_MISSING"
    ),
    "the directory became a file": Trouble(
        lambda stage: stage.repository.commit({"environments/staging": "moved\n"}), "GIT_PATH_NOT_DIRECTORY"
    ),
    "the branch is gone": Trouble(_delete_branch, "GIT_REF_MISSING", silent=True),
    "the repository was created anew, empty": Trouble(
        lambda stage: stage.repository.empty(), "GIT_REPO_EMPTY", silent=True
    ),
    "the repository is gone": Trouble(
        lambda stage: shutil.move(stage.repository.folder, stage.folder / "away"), "GIT_REPO_NOT_FOUND", silent=True
    ),
    "the server breaks off": Trouble(_break_off, "GIT_UNREACHABLE", silent=True),
    "the credentials are refused": Trouble(_refuse, "GIT_AUTH", silent=True),
    "the branch was put back to where no such directory was": Trouble(
        lambda stage: stage.repository.force_push(
            {
                "environments/beside/gitopsd.yaml": SOAKLESS,
                "environments/beside/beside.yaml": configmap("beside", a="1"),
            }
        ),
        "GIT_PATH_MISSING",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_nothing_is_deleted_the_reason_is_told_and_the_others_carry_on(calm, trouble):
    with calm.daemon() as daemon:
        until("all to be known", lambda: _are_ready(daemon))
        begin = calm.audit.position()

        trouble.strike(calm)

        until("it to be told", lambda: trouble.code in _codes(daemon))
        _elsewhere(calm, "2")
        until("the other repository to be followed", lambda: _value(calm, "elsewhere") == "2")
        assert _told(daemon, trouble.code)
        if trouble.silent:
            calm.kubectl("edit", "configmap", "settings", editor="sed -i s/red/pink/")
            until("what is known to be kept up", lambda: _value(calm, "settings", "colour") == "red")
        else:
            calm.commit({"beside.yaml": configmap("beside", a="2")}, environment="beside")
            until("the other directory to be followed", lambda: _value(calm, "beside") == "2")

    assert inhabitants(calm) == ALL
    repaired = "configmaps/settings" if trouble.silent else "configmaps/beside"
    assert written(calm, begin) == {"patch configmaps/elsewhere": 1, f"patch {repaired}": 1}


def test_a_daemon_that_starts_while_git_is_silent_keeps_everything_as_it_is(calm):
    calm.server.stop()
    shutil.rmtree(calm.folder / "cache")
    calm.kubectl("edit", "configmap", "settings", editor="sed -i s/red/pink/")
    begin = calm.audit.position()

    view = calm.once(15)

    assert "GIT_UNREACHABLE" in {problem.code for problem in problems(view)}
    assert inhabitants(calm) == ALL
    # It goes by what it kept in the cluster.
    assert _value(calm, "settings", "colour") == "red"
    assert written(calm, begin) == {"patch configmaps/settings": 1}


def test_a_repository_that_comes_back_is_followed_again(calm):
    with calm.daemon() as daemon:
        until("all to be known", lambda: _are_ready(daemon))
        begin = calm.audit.position()
        calm.server.stop()
        until("it to be told", lambda: "GIT_UNREACHABLE" in _codes(daemon))
        calm.commit({"settings.yaml": configmap("settings", colour="blue"), "more.yaml": None})

        calm.server.start()

        until("the commit to arrive", lambda: _value(calm, "settings", "colour") == "blue", 10)
        until("it to be kept", lambda: "configmaps/more" not in inhabitants(calm))
        until("all to be well", lambda: _are_ready(daemon) and not _codes(daemon), 10)

    assert written(calm, begin) == {"patch configmaps/settings": 1, "delete configmaps/more": 1}


def test_a_history_that_was_rewritten_with_the_same_content_causes_no_write(calm):
    beside = {
        "environments/beside/gitopsd.yaml": SOAKLESS,
        "environments/beside/beside.yaml": configmap("beside", a="1"),
    }
    staging = {f"environments/staging/{name}": text for name, text in FILES.items()}
    begin = calm.audit.position()
    calm.repository.force_push({**beside, **staging, "environments/staging/gitopsd.yaml": SOAKLESS})

    views = calm.once_all()

    assert {phase(view) for view in views.values()} == {Phase.READY}
    assert list(calm.audit.writes(begin)) == []


def test_a_branch_that_is_put_back_to_an_older_commit_is_followed(calm):
    older = calm.repository.head()
    calm.commit({"settings.yaml": configmap("settings", colour="blue")})
    calm.once_all()
    begin = calm.audit.position()

    calm.repository.reset(older)
    calm.once_all()

    assert _value(calm, "settings", "colour") == "red"
    assert inhabitants(calm) == ALL
    assert written(calm, begin) == {"patch configmaps/settings": 1}


def _are_ready(daemon) -> bool:
    return all(phase_is(daemon, Phase.READY, name)() for name in ("staging", "beside", "elsewhere"))


def _codes(daemon) -> set[str]:
    return {problem.code for problem in problems(shown(daemon))}


def _told(daemon, code: str) -> bool:
    """Whether the problem has all that a person needs, and the one sentence says it."""
    view = shown(daemon)
    problem = next(one for one in problems(view) if one.code == code)
    return bool(problem.message and problem.hint) and problem.message.rstrip(".") in why(view)


def _value(stage: Stage, name: str, key: str = "a") -> str:
    return stage.get("configmaps", name)["data"][key]

"""A commit that fails is put back: once, wholly, and by nothing but the road that every commit takes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gitopsd.core.record import Outcome
from gitopsd.core.status.facts import problems
from gitopsd.core.status.sentence import why
from gitopsd.core.status.words import Phase, phase
from tests.cluster.oracles import container, identity, inhabitants, written
from tests.cluster.stage import configmap, deployment, phase_is, shown, until

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

GOOD = deployment("web", replicas=2)
MISSING = deployment("web", image="rig.test/shop/web:v2-missing", replicas=2)
PROBE = "          readinessProbe: {httpGet: {path: /, port: 80}}\n"
SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: 0s, timeout: 5m}\n"
JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: registry.example/migrate:1}]
"""


@pytest.fixture
def kept(hasty_stage):
    """A stage, quick, at which a good commit is in place."""
    hasty_stage.commit({"gitopsd.yaml": SETTINGS, "web.yaml": GOOD, "settings.yaml": configmap("settings", a="1")})
    assert phase(hasty_stage.once()) is Phase.READY
    return hasty_stage


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("rig.test/shop/web:v2-missing", "image not found"),
        ("rig.test/shop/web:v2-misconfigured", 'secret "app" not found'),
        ("rig.test/shop/web:v2-crash", "crash"),
        ("rig.test/shop/web:v2-oom", "OOMKilled"),
        ("rig.test/shop/web:v2-never-ready", "not healthy after 40 s"),
    ],
    ids=["no such image", "no such configuration", "crashing", "out of memory", "never ready"],
)
def test_a_commit_whose_pods_fail_is_put_back_once_with_all_that_it_changed_and_added(kept, image, said):
    good = kept.record().current
    begin = kept.audit.position()
    bad = kept.commit(
        {
            # Nothing but its deadline says of a pod that is never ready that it never will be.
            "gitopsd.yaml": SETTINGS.replace("5m", "40s") if "never-ready" in image else SETTINGS,
            "web.yaml": deployment("web", image=image, replicas=2) + PROBE,
            "settings.yaml": configmap("settings", a="2"),
            "banner.yaml": configmap("banner", text="sale"),
        }
    )

    view = kept.once()

    assert phase(view) is Phase.REVERTED, view.problems
    record = view.known
    assert [(hold.revision.commit, hold.back_to) for hold in record.held.values()] == [(bad, good)]
    assert said in next(iter(record.held.values())).why
    assert [entry.outcome for entry in record.history] == [Outcome.REVERTED, Outcome.FAILED, Outcome.KEPT]
    assert container(kept.get("deployments", "web"))["image"] == "registry.example/app:1"
    assert kept.get("configmaps", "settings")["data"] == {"a": "1"}
    assert inhabitants(kept) == {"deployments/web", "configmaps/settings"}
    assert written(kept, begin) == {
        "patch deployments/web": 2,
        "patch configmaps/settings": 2,
        "patch configmaps/banner": 1,
        "delete configmaps/banner": 1,
    }


def test_what_fails_is_seen_below_the_deployment_long_before_its_own_deadline(kept):
    with kept.daemon() as daemon:
        kept.commit({"web.yaml": MISSING})
        until("the missing image to be seen", lambda: shown(daemon) and "image" in why(shown(daemon)), 10)
        until("the verdict", phase_is(daemon, Phase.REVERTED), 15)
        view = shown(daemon)

    hold = next(iter(view.known.held.values()))
    failed = next(entry for entry in view.known.history if entry.outcome is Outcome.FAILED)
    began = failed.at - timedelta(seconds=failed.seconds)
    live = kept.get("deployments", "web")
    assert live["spec"]["progressDeadlineSeconds"] == 600
    assert "Deployment" in hold.why
    assert "image" in hold.why
    assert 30 <= (hold.since - began).total_seconds() < 100


def test_v7_what_was_put_back_stays_so_until_a_commit_of_different_content_comes(kept):
    bad = kept.commit({"web.yaml": MISSING})
    kept.once()
    begin = kept.audit.position()

    kept.commit({"README.md": "An unrelated commit."})
    unrelated = kept.once()

    assert phase(unrelated) is Phase.REVERTED
    assert written(kept, begin) == {}
    problem = problems(unrelated)[0]
    assert (problem.code, bool(problem.hint)) == ("ROLLOUT_FAILED", True)
    assert [hold.revision.commit for hold in unrelated.known.held.values()] == [bad]

    fixed = kept.commit({"web.yaml": deployment("web", image="registry.example/app:3", replicas=2)})
    after = kept.once()

    assert phase(after) is Phase.READY
    assert after.known.last_kept.revision.commit == fixed
    assert written(kept, begin) == {"patch deployments/web": 1}


def test_v8_going_back_in_git_to_what_was_kept_is_recognised_and_v7_so_is_the_same_mistake_again(kept):
    bad = kept.commit({"web.yaml": MISSING})
    held = kept.once().known.held
    begin = kept.audit.position()
    kept.commit({"web.yaml": GOOD}, 'Revert "Change"')

    view = kept.once(5)

    assert phase(view) is Phase.READY
    assert problems(view) == ()
    assert written(kept, begin) == {}

    again = kept.commit({"web.yaml": MISSING}, "The same mistake again")
    view = kept.once(5)

    assert again != bad
    assert phase(view) is Phase.REVERTED
    assert view.known.held == held
    assert [hold.revision.commit for hold in held.values()] == [bad]
    assert [entry.outcome for entry in view.known.history].count(Outcome.FAILED) == 1
    assert written(kept, begin) == {}


@pytest.mark.parametrize(
    ("wish", "becomes"), [("hold", Phase.FAILED), ("freeze", Phase.SUSPENDED)], ids=["hold", "freeze"]
)
def test_an_environment_that_wants_no_revert_stays_as_it_is(kept, wish, becomes):
    kept.commit({"gitopsd.yaml": f"{SETTINGS}onFailure: {wish}\n"})
    kept.once()
    begin = kept.audit.position()
    kept.commit({"web.yaml": MISSING, "banner.yaml": configmap("banner", text="sale")})

    view = kept.once()

    assert phase(view) is becomes, view.problems
    assert "image" in why(view)
    assert inhabitants(kept) == {"deployments/web", "configmaps/settings", "configmaps/banner"}
    assert written(kept, begin) == {"patch deployments/web": 1, "patch configmaps/banner": 1}

    fixed = kept.commit({"web.yaml": deployment("web", image="registry.example/app:3", replicas=2)})
    after = kept.once()

    if wish == "hold":
        assert phase(after) is Phase.READY
        assert after.known.last_kept.revision.commit == fixed
        assert written(kept, begin) == {"patch deployments/web": 2, "patch configmaps/banner": 1}
    else:
        assert phase(after) is Phase.SUSPENDED
        assert written(kept, begin) == {"patch deployments/web": 1, "patch configmaps/banner": 1}


def test_a_first_commit_that_fails_stays_and_is_told(hasty_stage):
    begin = hasty_stage.audit.position()
    hasty_stage.commit({"web.yaml": MISSING, "banner.yaml": configmap("banner", text="sale")})

    view = hasty_stage.once()

    assert phase(view) is Phase.FAILED
    problem = problems(view)[0]
    assert problem.code == "ROLLOUT_FAILED"
    assert "image" in problem.message
    assert inhabitants(hasty_stage) == {"deployments/web", "configmaps/banner"}
    assert written(hasty_stage, begin) == {"patch deployments/web": 1, "patch configmaps/banner": 1}


def test_nothing_that_is_gone_from_a_bad_commit_is_deleted_by_it(kept):
    begin = kept.audit.position()
    kept.commit({"web.yaml": MISSING, "settings.yaml": None})

    view = kept.once()

    assert phase(view) is Phase.REVERTED
    assert inhabitants(kept) == {"deployments/web", "configmaps/settings"}
    assert written(kept, begin) == {"patch deployments/web": 2}


def test_what_was_there_before_a_bad_commit_adopted_it_is_not_deleted_with_it(kept):
    by_hand = configmap("theirs", precious="1")
    kept.kubectl("apply", "-f", "-", stdin=by_hand)
    before = identity(kept.get("configmaps", "theirs"))
    begin = kept.audit.position()
    adopting = by_hand.replace("name: theirs\n", 'name: theirs\n  annotations: {gitopsd.dev/adopt: "true"}\n')
    kept.commit({"web.yaml": MISSING, "theirs.yaml": adopting})

    view = kept.once()

    assert phase(view) is Phase.REVERTED
    assert identity(kept.get("configmaps", "theirs")) == before
    assert kept.get("configmaps", "theirs")["data"] == {"precious": "1"}
    assert "theirs" not in {ref.name for ref in view.known.inventory}
    kept.commit({"web.yaml": GOOD, "theirs.yaml": None}, 'Revert "Change"')
    assert phase(kept.once()) is Phase.READY
    assert identity(kept.get("configmaps", "theirs")) == before
    assert written(kept, begin) == {"patch deployments/web": 2, "patch configmaps/theirs": 2}


def test_a_job_that_has_done_its_work_is_not_run_again_by_a_revert(kept):
    kept.commit({"migrate.yaml": JOB})
    assert phase(kept.once()) is Phase.READY
    first = kept.get("jobs", "migrate")
    begin = kept.audit.position()
    kept.commit({"web.yaml": MISSING, "migrate.yaml": JOB.replace("migrate:1", "migrate:2")})

    view = kept.once()

    assert phase(view) is Phase.REVERTED, view.problems
    second = kept.get("jobs", "migrate")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert container(second)["image"] == "registry.example/migrate:2"
    writes = written(kept, begin)
    assert writes["patch deployments/web"] == 2
    assert (writes["delete jobs/migrate"], writes["create jobs/migrate"] + writes["patch jobs/migrate"]) == (1, 1)


def test_an_edit_by_hand_does_not_keep_a_bad_commit_from_being_put_back(kept):
    begin = kept.audit.position()
    with kept.daemon() as daemon:
        kept.commit({"web.yaml": MISSING})
        until("the bad commit to roll out", lambda: _image(kept) == "rig.test/shop/web:v2-missing")
        kept.kubectl("set", "env", "deployment/web", "DEBUG=1")
        until("the verdict", phase_is(daemon, Phase.REVERTED), 20)

    assert _image(kept) == "registry.example/app:1"
    assert "env" not in container(kept.get("deployments", "web"))
    assert written(kept, begin) == {"patch deployments/web": 4}


def _image(stage) -> str:
    return container(stage.get("deployments", "web"))["image"]

"""A rollout is kept when its probes pass as well, put back when one fails, and neither while one cannot be told."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.core.decision import Held, Keep, Rest, Revert, Watch
from gitopsd.core.probes import HttpProbe, JobProbe, Pace, Probe, ProbeState
from gitopsd.core.settings import OnFailure, Settings
from gitopsd.core.status.facts import problems
from gitopsd.core.status.view import EnvironmentView
from gitopsd.core.status.words import Phase, Word, health, phase
from tests.story.world import ENVIRONMENT, World

HTTP = HttpProbe(name="http", service="web", port="80")
JOB = JobProbe(name="job", file="smoke.yaml", job=b"{}", pace=Pace(failures=1))
PASS, FAIL, PENDING, UNKNOWN = ProbeState.PASS, ProbeState.FAIL, ProbeState.PENDING, ProbeState.UNKNOWN


def probed(*probes: Probe, soak_s: float = 0, **more: object) -> World:
    """A world with probes, in which one commit is kept."""
    world = World()
    world.git.settings = Settings(soak_s=soak_s, deadline_s=300, probes=probes or (HTTP,), **more)
    world.commit(web="good-0")
    world.settle()
    return world


def begun(**probes: ProbeState) -> World:
    """A kept world, and a commit on its way whose probes answer so."""
    world = probed()
    world.probes.answers |= probes
    world.commit(web="good-1")
    world.make_passes(2)
    return world


def kept(world: World) -> str:
    return world.git.commits[int(world.store.load(ENVIRONMENT).last_kept.revision.commit[:7], 16) - 1]["web"]


def count(world: World, decision: type) -> int:
    return sum(isinstance(one, decision) for one in world.decisions)


def seen(world: World) -> EnvironmentView:
    return EnvironmentView(environment=ENVIRONMENT, latest=world.latest)


def test_a_commit_whose_probes_pass_is_kept():
    world = begun()

    assert isinstance(world.settle(), Rest)
    assert kept(world) == "good-1"


def test_a_commit_whose_probe_fails_is_put_back_once_with_the_evidence():
    world = begun(http=FAIL)
    world.make_passes_until(Revert)
    reverted = world.decisions[-1]
    world.probes.answers["http"] = PASS
    world.settle()

    assert reverted.why == "probe http failed 3 times in a row: 503, expected 200"
    assert (world.images(), count(world, Revert)) == ({"web": "good-0"}, 1)


def test_a_probe_that_fails_once_and_passes_again_puts_nothing_back():
    world = begun(http=FAIL)
    world.make_passes(1)
    world.probes.answers["http"] = PASS
    world.settle()

    assert (kept(world), count(world, Revert)) == ("good-1", 0)


def test_a_probe_that_has_nobody_to_ask_by_the_deadline_is_a_failure():
    world = begun(http=PENDING)
    world.make_passes_until(Revert, minutes=1)

    assert world.decisions[-1].why == "not healthy after 300 s: probe http has not passed yet"


def test_while_a_probe_cannot_be_told_nothing_is_kept_and_nothing_put_back_however_long_it_takes():
    world = begun(http=UNKNOWN)
    for _ in range(24):
        world.clock.advance(minutes=60)
        world.make_passes(1)
    while_unknown = (kept(world), world.images(), count(world, Revert), type(world.decisions[-1]))
    told = [(problem.code, problem.message) for problem in problems(seen(world))]
    world.probes.answers["http"] = PASS
    world.settle()

    assert while_unknown == ("good-0", {"web": "good-1"}, 0, Watch)
    assert told == [("PROBE_UNKNOWN", "probe http cannot be told: no way there")]
    assert kept(world) == "good-1"


def test_time_in_which_a_probe_could_not_be_told_is_not_taken_from_the_others():
    world = begun(http=UNKNOWN)
    world.clock.advance(minutes=60)
    world.make_passes(1)
    world.probes.answers["http"] = PENDING
    world.make_passes(1)
    world.clock.advance(minutes=4)
    world.make_passes(1)
    before = count(world, Revert)
    world.clock.advance(minutes=2)
    world.make_passes(1)

    assert (before, count(world, Revert)) == (0, 1)


def test_an_object_that_never_comes_up_is_put_back_at_the_deadline_though_a_probe_cannot_be_told():
    world = probed()
    world.probes.answers["http"] = UNKNOWN
    world.commit(web="slow-1")
    world.make_passes_until(Revert, minutes=1)

    assert "0/1 ready" in world.decisions[-1].why


def test_an_answer_counts_again_from_the_time_at_which_all_objects_are_well():
    world = probed()
    world.commit(web="slow-1")
    world.make_passes(4)
    world.cluster.ready = {"slow-1"}
    world.make_passes(1)
    at_once = type(world.decisions[-1])
    world.settle()

    assert (at_once, kept(world)) == (Keep, "slow-1")


def test_a_probe_that_failed_before_the_commit_holds_no_fix_back_and_goes_on_to_be_told():
    world = probed()
    world.probes.answers["http"] = FAIL
    for _ in range(3):
        world.settle()
        world.clock.advance(seconds=10)
    alarmed = seen(world)
    world.commit(web="good-1")
    for _ in range(3):
        world.settle()

    assert (phase(alarmed), health(alarmed)) == (Phase.READY, Word.DEGRADED)
    assert (kept(world), count(world, Revert)) == ("good-1", 0)
    assert [problem.code for problem in problems(seen(world))] == ["PROBE_FAILED"]


def test_that_it_failed_before_is_known_after_a_crash_as_well():
    world = probed()
    world.probes.answers["http"] = FAIL
    for _ in range(3):
        world.settle()
    world.crash()
    world.commit(web="good-1")
    world.settle()

    assert (kept(world), count(world, Revert)) == ("good-1", 0)


def test_a_second_bad_commit_is_not_excused_by_the_first():
    world = begun(http=FAIL)
    world.make_passes(2)
    world.commit(web="good-2")
    world.make_passes_until(Revert)
    world.probes.answers["http"] = PASS
    world.settle()

    assert world.images() == {"web": "good-0"}


def test_a_revert_whose_probe_fails_is_never_reverted():
    world = begun(http=FAIL)
    last = world.settle()

    assert (last.problems[0].code, count(world, Revert)) == ("REVERT_FAILED", 1)
    assert world.images() == {"web": "good-0"}


def test_with_on_failure_hold_it_stays_and_is_kept_when_its_probe_recovers():
    world = probed(on_failure=OnFailure.HOLD)
    world.probes.answers["http"] = FAIL
    world.commit(web="good-1")
    stays = world.settle()
    world.probes.answers["http"] = PASS
    world.settle()

    assert isinstance(stays, Held)
    assert kept(world) == "good-1"


def test_a_job_runs_once_for_a_commit_after_all_objects_are_well():
    world = probed(JOB, soak_s=60)
    world.commit(web="slow-1")
    world.make_passes(4)
    early = world.probes.asked["job"]
    world.cluster.ready = {"slow-1"}
    world.settle()
    world.crash()
    world.settle()

    assert (early, world.probes.asked["job"], kept(world)) == (1, 2, "slow-1")


def test_a_job_that_passed_does_not_run_again_after_a_crash_in_the_same_rollout():
    world = probed(JOB, soak_s=60)
    world.commit(web="good-1")
    world.make_passes(3)
    world.crash()
    world.settle()

    assert (world.probes.asked["job"], kept(world)) == (2, "good-1")


def test_a_job_that_fails_is_a_failure_and_none_runs_on_the_way_back():
    world = probed(JOB)
    world.probes.answers["job"] = FAIL
    world.commit(web="good-1")
    world.settle()

    assert (world.images(), world.probes.asked["job"], count(world, Revert)) == ({"web": "good-0"}, 2, 1)


def test_a_job_that_failed_one_commit_tests_the_next_one_as_well():
    world = probed(JOB)
    world.probes.answers["job"] = FAIL
    world.commit(web="good-1")
    world.settle()
    world.commit(web="good-2")
    world.settle()

    assert (world.images(), world.probes.asked["job"], count(world, Revert)) == ({"web": "good-0"}, 3, 2)


def test_another_question_under_the_same_name_is_a_new_one():
    world = probed()
    world.probes.answers["http"] = FAIL
    for _ in range(3):
        world.settle()
    world.git.settings = replace(world.git.settings, probes=(replace(HTTP, path="/other"),))
    world.commit(web="good-1")
    world.make_passes_until(Revert)

    assert kept(world) == "good-0"


def test_the_same_question_under_another_name_is_no_new_one():
    world = probed()
    world.probes.answers |= {"http": FAIL, "renamed": FAIL}
    for _ in range(3):
        world.settle()
    world.git.settings = replace(world.git.settings, probes=(replace(HTTP, name="renamed"),))
    world.commit(web="good-1")
    world.settle()

    assert (kept(world), count(world, Revert)) == ("good-1", 0)


def test_nobody_is_asked_about_a_commit_that_cannot_begin():
    world = probed()
    asked = world.probes.asked["http"]
    world.git.settings = replace(world.git.settings, probes=(HTTP, replace(HTTP, name="newer")), depends_on=("other",))
    world.commit(web="good-1")
    world.rest()

    assert (world.probes.asked["newer"], world.probes.asked["http"] > asked) == (0, True)


def test_nobody_is_asked_where_there_are_no_probes():
    world = World()
    world.commit(web="good-0")
    world.settle()

    assert world.probes.asked == {}

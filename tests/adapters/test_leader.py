"""Of all who strive for a Lease at most one leads, whatever the API server, the network and the clocks do."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd.adapters.clock import SystemClock
from gitopsd.adapters.leader import Candidate, Elector, Timing
from gitopsd.core.errors import Superseded
from gitopsd.ports import Answer
from tests.fakes.api import FakeApi, Loss, LossyApi, refusal
from tests.fakes.clock import FakeClock


class Contest:
    """Candidates ``a`` and ``b`` before one API server, each on a road of its own."""

    def __init__(self) -> None:
        self.server, self.clock = FakeApi(), FakeClock()
        self.roads = {name: LossyApi(self.server) for name in "ab"}
        self.told = {name: [] for name in "ab"}
        self.others = {name: [] for name in "ab"}
        self.hanging: set[str] = set()
        self.electors = {name: self._elector(name) for name in "ab"}

    def _elector(self, name: str) -> Elector:
        candidate = Candidate(namespace="gitopsd", name="gitopsd", identity=name)
        return Elector(self.roads[name], candidate, self.clock, self.told[name].append, self.others[name].append)

    @property
    def leaders(self) -> str:
        return "".join(name for name, elector in self.electors.items() if elector.is_leading)

    @property
    def lease(self):
        return self.server.objects["leases", "gitopsd", "gitopsd"]

    def step(self, *names: str) -> None:
        for name in names:
            self.electors[name].step()

    def pass_time(self, seconds: float, *names: str) -> None:
        """Let time pass, and these candidates try every two seconds meanwhile."""
        for _ in range(int(seconds // 2)):
            self.clock.advance(seconds=2)
            self.step(*names)
        self.clock.advance(seconds=seconds % 2)


@pytest.fixture
def contest() -> Contest:
    return Contest()


def test_the_first_one_leads_and_the_second_does_not(contest):
    contest.step("a", "b")

    assert contest.leaders == "a"
    assert contest.electors["b"].holder.startswith("a_")
    assert contest.told == {"a": [True], "b": []}


def test_who_waits_is_told_for_whom_and_once(contest):
    contest.step("a", "b", "a", "b")
    contest.pass_time(20, "b")

    assert [holder.partition("_")[0] for holder in contest.others["b"]] == ["a"]
    assert contest.others["a"] == []


def test_who_stumbles_over_the_news_is_told_again():
    told = []

    def stumble(leads: bool) -> None:
        told.append(leads)
        if len(told) == 1:
            raise RuntimeError

    elector = Elector(FakeApi(), Candidate(namespace="n", name="n", identity="a"), FakeClock(), stumble)
    with pytest.raises(RuntimeError):
        elector.step()
    elector.step()
    elector.step()

    assert told == [True, True]


def test_who_leads_goes_on_leading(contest):
    contest.step("a", "b")
    contest.pass_time(3600, "a", "b")

    assert contest.leaders == "a"
    assert contest.lease["spec"]["leaseTransitions"] == 0


def test_the_lease_says_who_since_when_and_for_how_long(contest):
    contest.step("a")
    contest.pass_time(4, "a")

    spec = contest.lease["spec"]
    assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (15, 0)
    assert spec["acquireTime"] == "2026-01-01T12:00:00.000000Z"
    assert spec["renewTime"] == "2026-01-01T12:00:04.000000Z"


def test_two_processes_of_the_same_name_are_two():
    clock, server = FakeClock(), FakeApi()
    twins = [Elector(server, Candidate(namespace="gitopsd", name="x", identity="pod-1"), clock) for _ in range(2)]
    for twin in twins:
        twin.step()

    assert [twin.is_leading for twin in twins] == [True, False]


def test_when_the_leader_dies_another_takes_over_once_the_lease_has_run_out(contest):
    contest.step("a", "b")
    contest.pass_time(14, "b")
    assert contest.leaders == ""
    contest.pass_time(2, "b")

    assert contest.leaders == "b"
    assert contest.lease["spec"]["leaseTransitions"] == 1


def test_who_was_cut_off_stops_before_anyone_else_may_start(contest):
    contest.step("a", "b")
    contest.roads["a"].down = True
    history = []
    for _ in range(20):
        contest.pass_time(1)
        contest.step("a", "b")
        history.append(contest.leaders)

    assert history == ["a"] * 9 + [""] * 5 + ["b"] * 6


def test_who_comes_back_finds_that_another_leads(contest):
    contest.step("a", "b")
    contest.roads["a"].down = True
    contest.pass_time(20, "a", "b")
    contest.roads["a"].down = False
    contest.pass_time(2, "a", "b")

    assert contest.leaders == "b"
    assert contest.told["a"] == [True, False]
    assert contest.electors["a"].trouble is None


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Loss.NEVER_ARRIVES, id="a request that never arrives"),
        pytest.param(Loss.ANSWER_LOST, id="an answer that is lost"),
        pytest.param(Loss.ARRIVES_LATE, id="a request that arrives late"),
        pytest.param(refusal(500, "InternalError"), id="a server that fails"),
        pytest.param(refusal(403, "Forbidden"), id="a server that forbids"),
        pytest.param(refusal(409, "Conflict"), id="somebody who annotates the lease"),
        pytest.param(Answer(502, "<html>"), id="a proxy"),
    ],
)
def test_one_trouble_ends_no_leadership_and_begins_none(contest, trouble):
    contest.step("a", "b")
    for name in "ab":
        contest.roads[name].losses.append(trouble)
    contest.pass_time(2, "a", "b")
    assert contest.leaders == "a"
    assert contest.electors["a"].trouble
    contest.pass_time(8, "a", "b")

    assert contest.leaders == "a"
    assert contest.electors["a"].trouble is None


@pytest.mark.parametrize("loss", list(Loss), ids=lambda loss: loss.value)
def test_a_lease_whose_taking_is_in_doubt_is_not_led_by_until_that_is_known(contest, loss):
    contest.roads["a"].losses.append(loss)
    contest.step("a")
    assert contest.leaders == ""
    contest.pass_time(2, "a")
    contest.pass_time(2, "a")

    assert contest.leaders == "a"


def test_rights_that_are_missing_are_said(contest):
    contest.roads["a"].losses.append(refusal(403, "Forbidden"))
    contest.step("a")

    assert contest.electors["a"].trouble.problem.code == "FORBIDDEN"
    assert contest.electors["a"].trouble.problem.ref == "Lease gitopsd/gitopsd"


def test_trouble_has_an_age(contest):
    contest.step("a")
    contest.roads["a"].down = True
    contest.step("a")
    began = contest.electors["a"].trouble.since
    contest.pass_time(2, "a")

    trouble = contest.electors["a"].trouble
    assert (trouble.problem.code, trouble.since, trouble.count) == ("CLUSTER_UNREACHABLE", began, 2)


def test_a_call_that_hangs_keeps_nobody_leading(contest):
    contest.step("a", "b")
    seen = []

    def hang(_):
        contest.roads["a"].before = lambda _: None
        for _ in range(12):
            contest.clock.advance(seconds=2)
            contest.step("b")
            seen.append(contest.leaders)

    contest.roads["a"].before = hang
    contest.step("a")

    assert seen == ["a"] * 4 + [""] * 3 + ["b"] * 5
    assert contest.leaders == "b"


def test_an_answer_that_comes_after_the_deadline_makes_no_leader(contest):
    contest.step("a")

    def hang(call):
        if call.method == "PUT":
            contest.clock.advance(seconds=11)

    contest.roads["a"].before = hang
    contest.step("a")

    assert contest.lease["spec"]["renewTime"] == "2026-01-01T12:00:00.000000Z"
    assert contest.leaders == ""


def test_the_others_wall_clock_says_nothing(contest):
    contest.step("a")
    contest.server.edit(
        "leases", "gitopsd", "gitopsd", lambda lease: lease["spec"].update(renewTime="1999-01-01T00:00:00Z")
    )
    contest.step("b")

    assert contest.leaders == "a"


def test_our_own_wall_clock_set_forward_ends_nobodys_lease(contest):
    contest.step("a", "b")
    contest.clock.at += timedelta(hours=5)
    contest.step("b")

    assert contest.leaders == "a"


def test_who_promised_to_hold_longer_is_waited_for(contest):
    contest.step("a", "b")
    contest.server.edit("leases", "gitopsd", "gitopsd", lambda lease: lease["spec"].update(leaseDurationSeconds=60))
    contest.pass_time(58, "b")
    assert contest.leaders == ""
    contest.pass_time(6, "b")

    assert contest.leaders == "b"


def test_a_lease_given_to_another_by_hand_is_left_at_once(contest):
    contest.step("a", "b")
    contest.server.edit("leases", "gitopsd", "gitopsd", lambda lease: lease["spec"].update(holderIdentity="c"))
    contest.step("a")

    assert contest.leaders == ""


def test_a_lease_that_was_deleted_is_made_anew(contest):
    contest.step("a", "b")
    contest.server.objects.clear()
    contest.pass_time(2, "a", "b")

    assert contest.leaders == "a"
    assert ("namespaces", "", "gitopsd") in contest.server.objects


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="an empty one"),
        pytest.param({"holderIdentity": None, "leaseDurationSeconds": "x", "leaseTransitions": "y"}, id="a broken one"),
        pytest.param({"holderIdentity": ""}, id="one given back"),
    ],
)
def test_a_lease_that_nobody_holds_is_taken(contest, spec):
    body = {"apiVersion": "coordination.k8s.io/v1", "metadata": {"name": "gitopsd"}, "spec": spec}
    contest.server.put("leases", "gitopsd", body)
    contest.step("a")

    assert contest.leaders == "a"


def test_what_others_wrote_on_the_lease_stays(contest):
    contest.step("a")
    contest.server.edit("leases", "gitopsd", "gitopsd", lambda lease: lease["metadata"].update(annotations={"k": "v"}))
    contest.pass_time(4, "a")

    assert contest.lease["metadata"]["annotations"] == {"k": "v"}


def test_who_stops_leads_no_more_and_gives_the_lease_back(contest):
    contest.step("a", "b")
    contest.electors["a"].stop()
    contest.electors["a"].release()
    assert contest.leaders == ""
    contest.step("b")

    assert contest.leaders == "b"
    assert contest.lease["spec"]["leaseTransitions"] == 1


def test_nobody_gives_back_what_another_holds(contest):
    contest.step("a", "b")
    contest.roads["a"].down = True
    contest.pass_time(20, "a", "b")
    contest.roads["a"].down = False
    contest.electors["a"].release()

    assert contest.lease["spec"]["holderIdentity"].startswith("b_")


def test_the_fence_stands_before_whoever_does_not_lead(contest):
    contest.step("a", "b")
    contest.electors["a"].fence()
    with pytest.raises(Superseded) as raised:
        contest.electors["b"].fence()

    assert raised.value.problem.code == "NOT_LEADER"
    assert "a_" in raised.value.problem.message


@pytest.mark.parametrize("timing", [(10, 10, 2), (15, 2, 2), (15, 10, 0)], ids=str)
def test_times_with_which_two_could_lead_are_refused(timing):
    lease_s, renew_deadline_s, retry_s = timing

    with pytest.raises(ValueError):
        Timing(lease_s=lease_s, renew_deadline_s=renew_deadline_s, retry_s=retry_s)


_EVENTS = st.one_of(
    st.tuples(st.just("step"), st.sampled_from("ab")),
    st.tuples(st.just("pass"), st.sampled_from([0.5, 2, 3, 5, 9, 11, 16])),
    st.tuples(st.just("cut"), st.sampled_from("ab")),
    st.tuples(st.just("mend"), st.sampled_from("ab")),
    st.tuples(st.just("lose"), st.sampled_from("ab"), st.sampled_from(Loss)),
    st.tuples(st.just("hang"), st.sampled_from("ab"), st.sampled_from([3, 9, 12, 20])),
    st.tuples(st.just("annotate")),
    st.tuples(st.just("set clock"), st.sampled_from([-3600, 3600])),
)


def _play(contest: Contest, what: str, *how) -> None:
    match what:
        case "step":
            contest.step(*how)
        case "pass":
            contest.clock.advance(seconds=how[0])
        case "cut" | "mend":
            contest.roads[how[0]].down = what == "cut"
        case "lose":
            contest.roads[how[0]].losses.append(how[1])
        case "hang":
            contest.roads[how[0]].before = lambda _: _hang(contest, *how)
        case "annotate" if ("leases", "gitopsd", "gitopsd") in contest.server.objects:
            contest.server.edit("leases", "gitopsd", "gitopsd", lambda lease: lease["metadata"].update(labels={}))
        case "set clock":
            contest.clock.at += timedelta(seconds=how[0])


def _hang(contest: Contest, name: str, seconds: float) -> None:
    """The call goes out only after a while, in which the other one goes on."""
    contest.roads[name].before = lambda _: None
    contest.hanging.add(name)
    for _ in range(seconds):
        contest.clock.advance(seconds=1)
        contest.step(*{"a", "b"} - contest.hanging)
        assert len(contest.leaders) <= 1
    contest.hanging.discard(name)


@settings(max_examples=400, deadline=None)
@given(st.lists(_EVENTS, max_size=60))
def test_never_do_two_lead(events):
    contest = Contest()
    for event in events:
        _play(contest, *event)
        assert len(contest.leaders) <= 1


QUICK = Timing(lease_s=1.0, renew_deadline_s=0.6, retry_s=0.05)
PATIENCE_S = 10.0


class Told:
    """Waits, within bounds, until an elector has said something."""

    def __init__(self) -> None:
        self.is_leading = {True: threading.Event(), False: threading.Event()}

    def __call__(self, leads: bool) -> None:
        self.is_leading[leads].set()

    def wait(self, *, leads: bool) -> bool:
        return self.is_leading[leads].wait(PATIENCE_S)


def _started(api, name: str) -> tuple[Elector, Told]:
    told = Told()
    elector = Elector(api, Candidate(namespace="gitopsd", name="x", identity=name, timing=QUICK), SystemClock(), told)
    elector.start()
    return elector, told


def test_a_thread_strives_and_hands_over():
    server = FakeApi()
    first, first_told = _started(server, "first")
    assert first_told.wait(leads=True)
    second, second_told = _started(server, "second")
    first.stop()

    assert second_told.wait(leads=True)
    assert first_told.wait(leads=False)
    second.stop()
    assert server.objects["leases", "gitopsd", "x"]["spec"]["holderIdentity"] == ""


def test_a_thread_survives_what_nobody_thought_of():
    class Broken(FakeApi):
        def call(self, call):
            if len(self.calls) < 3:
                self.calls.append(call)
                raise RuntimeError("a bug")
            return super().call(call)

    elector, told = _started(Broken(), "a")

    assert told.wait(leads=True)
    elector.stop()


def test_stopping_waits_no_longer_than_the_deadline_for_a_call_that_hangs():
    freed, hanging = threading.Event(), threading.Event()

    def hang(call):
        if call.method == "PUT":
            hanging.set()
            freed.wait(PATIENCE_S)

    elector, told = _started(LossyApi(FakeApi(), before=hang), "a")
    assert told.wait(leads=True)
    assert hanging.wait(PATIENCE_S)
    clock = SystemClock()
    began = clock.steady()
    elector.stop()
    took = clock.steady() - began
    freed.set()

    assert not elector.is_leading
    assert QUICK.renew_deadline_s <= took < PATIENCE_S / 2


def test_the_lease_is_written_without_a_word_that_is_not_json():
    server = FakeApi()
    elector = Elector(server, Candidate(namespace="gitopsd", name="x", identity='a"b\n'), FakeClock())
    elector.step()

    assert json.loads(server.calls[-1].body)["spec"]["holderIdentity"].startswith('a"b\n_')

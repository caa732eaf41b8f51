"""Commands about the record: one change, written once, said at once; on a store in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from gitopsd.cli.output import Output
from gitopsd.cli.records import ATTEMPTS_MAX, Change
from gitopsd.core import commands
from gitopsd.core.errors import (
    ClusterError,
    ConfigError,
    GitopsdError,
    PlanRefused,
    RenderError,
    SourceError,
    Superseded,
)
from gitopsd.core.model import Environment
from gitopsd.core.passes import Git, Prospect
from gitopsd.core.record import Record
from tests.core.views import (
    API_DOWN,
    AT_GOOD,
    BAD_SET,
    ENVIRONMENT,
    GIT_DOWN,
    GOOD_SET,
    HOLD,
    KEPT,
    PUT_BACK,
    READY,
    ROLLED_OUT,
    ROLLING_OUT,
    TAB,
)
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore

NAME = ENVIRONMENT.name


@dataclass
class BusyStore(FakeStore):
    """Somebody else writes first, so many times."""

    others: int = 0

    def save(self, environment: Environment, record: Record) -> Record:
        if self.others:
            self.others -= 1
            held = self.records[environment.name]
            super().save(environment, replace(held, corrections={}))
        return super().save(environment, record)


@dataclass
class FakeWired:
    """A daemon that does not run."""

    store: BusyStore = field(default_factory=BusyStore)
    clock: FakeClock = field(default_factory=FakeClock)
    environments: Mapping[str, Environment] = field(default_factory=lambda: {NAME: ENVIRONMENT})
    seen: Prospect | GitopsdError = GIT_DOWN

    def run(self) -> int:
        raise AssertionError

    def once(self, *_):
        raise AssertionError

    def look(self, name):
        return {name: self.seen}

    def at(self, record: Record) -> FakeWired:
        self.store.records[NAME] = record
        return self

    @property
    def record(self) -> Record:
        return self.store.records[NAME]


def test_a_rollback_is_written_and_said(capsys):
    wired = FakeWired().at(replace(AT_GOOD, current=BAD_SET.digest, kept=(replace(KEPT, digest=BAD_SET.digest), KEPT)))

    Change(wired, NAME, "too slow").make(commands.rollback, Output.TABLE)

    assert wired.record.held[BAD_SET.digest].back_to == GOOD_SET.digest
    assert capsys.readouterr().out.startswith(f"{NAME}: ")


@pytest.mark.parametrize(("name", "told"), [("ada", "ada"), ("gitopsd", "a person as gitopsd")])
def test_a_person_is_never_taken_for_gitopsd_itself(monkeypatch, name, told):
    monkeypatch.setenv("LOGNAME", name)
    wired = FakeWired().at(AT_GOOD)

    Change(wired, NAME, "let me look").make(commands.suspend, Output.NAME)

    assert wired.record.suspended.by == told


def test_a_write_that_lost_is_made_again_on_what_is_there_now():
    wired = FakeWired(store=BusyStore(others=2, _serial=10)).at(AT_GOOD)

    Change(wired, NAME, "").make(commands.suspend, Output.NAME)

    assert wired.record.suspended


def test_a_write_that_loses_for_ever_is_given_up():
    wired = FakeWired(store=BusyStore(others=ATTEMPTS_MAX, _serial=10)).at(AT_GOOD)

    with pytest.raises(Superseded):
        Change(wired, NAME, "").make(commands.suspend, Output.NAME)


def test_what_is_refused_writes_nothing():
    wired = FakeWired().at(AT_GOOD)

    with pytest.raises(PlanRefused):
        Change(wired, NAME, "").make(commands.resume, Output.TABLE)

    assert wired.record == AT_GOOD


def test_a_hold_takes_the_rollout_under_way_and_needs_no_git():
    change = Change(FakeWired().at(ROLLING_OUT), NAME, "")

    assert change.wanted(ROLLING_OUT).digest == BAD_SET.digest


def test_a_hold_of_what_is_to_come_asks_git():
    wired = FakeWired(seen=Prospect(git=Git(), look=ROLLED_OUT.latest.look)).at(AT_GOOD)

    assert Change(wired, NAME, "").wanted(AT_GOOD).digest == BAD_SET.digest


def test_a_hold_of_what_is_held_already_is_known_as_that():
    look = replace(READY.latest.look, target=replace(READY.latest.look.target, hold=HOLD))
    wired = FakeWired(seen=Prospect(git=Git(), look=look)).at(PUT_BACK)

    assert Change(wired, NAME, "").wanted(PUT_BACK).digest == HOLD.digest


def test_a_hold_of_what_is_to_come_fails_while_git_is_silent():
    with pytest.raises(SourceError) as refused:
        Change(FakeWired().at(AT_GOOD), NAME, "").wanted(AT_GOOD)

    assert [one.code for one in refused.value.problems] == ["HOLD_UNKNOWN", "GIT_UNREACHABLE"]


@pytest.mark.parametrize("git", [Git(stale=GIT_DOWN), Git(rejected=RenderError(TAB))], ids=["stale", "rejected"])
def test_a_hold_of_what_is_to_come_never_takes_what_runs_for_it(git):
    wired = FakeWired(seen=Prospect(git=git, look=READY.latest.look)).at(AT_GOOD)

    with pytest.raises((SourceError, RenderError)) as refused:
        Change(wired, NAME, "").wanted(AT_GOOD)

    assert "nothing was held" in refused.value.problem.message
    assert "gitopsd suspend" in refused.value.problem.hint


def test_a_hold_that_the_cluster_does_not_answer_is_told_as_that():
    wired = FakeWired(seen=ClusterError(API_DOWN)).at(AT_GOOD)

    with pytest.raises(ClusterError) as refused:
        Change(wired, NAME, "").wanted(AT_GOOD)

    assert refused.value.problems == (API_DOWN,)


def test_a_release_says_what_it_lifted_and_where_the_cluster_is(capsys):
    Change(FakeWired().at(PUT_BACK), NAME, "").make(commands.release, Output.TABLE, commands.released)
    said = capsys.readouterr().out

    assert said.startswith(f"{NAME}: released main@sha1:bbbbbbb, held by gitopsd since 2026-01-01T12:02:00Z: ")
    assert "last known at main@sha1:aaaaaaa" in said


def test_the_answer_for_a_machine_is_the_status(capsys):
    Change(FakeWired().at(PUT_BACK), NAME, "").make(commands.release, Output.JSON)
    shown = json.loads(capsys.readouterr().out)

    assert (shown["kind"], shown["held"], shown["history"][0]["result"]) == ("EnvironmentStatus", [], "Released")


def test_an_unknown_environment_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError) as refused:
        Change(FakeWired(), "stagign", "")

    assert NAME in refused.value.problem.hint

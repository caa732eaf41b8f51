"""Git is told of a revert once, tried a few times, and never told anything but what was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gitopsd.core.decision import Rest
from gitopsd.core.errors import Problem, RenderError, SourceError, Stage
from gitopsd.core.model import Revision, Wanted
from gitopsd.core.passes import Git, Pass
from gitopsd.core.record import Hold, Record, Trigger
from gitopsd.core.reversal import Told, message_of, reversal_of
from gitopsd.core.target import Target
from gitopsd.daemon.telling import TRIES_MAX, Telling
from gitopsd.ports import Draft
from tests.core.views import BAD, BAD_SET, ENVIRONMENT, GOOD_SET, HOLD, PUT_BACK, seen

STAGING = replace(ENVIRONMENT, name="staging", source="environments", path="environments/staging")
TOLD = Revision(ref="reverts", commit="c" * 40)
REFUSED = SourceError(Problem(code="GIT_PUSH_REFUSED", stage=Stage.FETCH, message="no"))


@dataclass
class Repository:
    """``ports.Reverts`` that counts, and refuses when told to."""

    refuses: bool = False
    published: list[Draft] = field(default_factory=list)
    asked: int = 0
    trees: tuple[str, ...] = ("t",)

    def drafts(self, reversal) -> Iterator[Draft]:
        self.asked += 1
        for tree in self.trees:
            yield Draft(Wanted(revision=TOLD, tree=tree), is_published=bool(self.published))

    def publish(self, draft) -> None:
        if self.refuses:
            raise REFUSED
        self.published.append(draft)


@dataclass
class Rendering:
    """Renders every draft to this, and knows every kind."""

    desired: object = GOOD_SET
    others: Mapping[str, object] = field(default_factory=dict)

    @property
    def renderer(self):
        return self

    @property
    def cluster(self):
        return self

    def render(self, environment, wanted):
        found = self.others.get(wanted.tree, self.desired)
        if isinstance(found, RenderError):
            raise found
        return found

    def scopes(self, kinds):
        return dict.fromkeys(kinds, True)


def back(hold: Hold = HOLD, **more) -> Pass:
    """A pass that found the environment back at what was kept."""
    latest = seen(BAD_SET, PUT_BACK, Rest(), at=GOOD_SET).latest
    look = replace(latest.look, target=Target(digest=GOOD_SET.digest, trigger=Trigger.REVERT, hold=hold))
    return replace(latest, git=Git(wanted=Wanted(revision=BAD, tree="t")), look=look, **more)


def test_it_is_told_once():
    repository = Repository()
    telling = Telling(Rendering(), {"environments": repository})

    told = [telling.tell(STAGING, back()) for _ in range(3)]

    assert told == [Told(revision=TOLD)] * 3
    assert (len(repository.published), repository.asked) == (1, 1)


def test_whoever_starts_anew_finds_it_told():
    repository = Repository()
    Telling(Rendering(), {"environments": repository}).tell(STAGING, back())

    assert Telling(Rendering(), {"environments": repository}).tell(STAGING, back()) == Told(revision=TOLD)
    assert len(repository.published) == 1


def test_a_refusal_is_shown_and_tried_a_few_times():
    repository = Repository(refuses=True)
    telling = Telling(Rendering(), {"environments": repository})

    told = [telling.tell(STAGING, back()) for _ in range(TRIES_MAX + 3)]

    assert {one.problem.code for one in told} == {"GIT_PUSH_REFUSED"}
    assert repository.asked == TRIES_MAX


def test_another_hold_is_tried_anew():
    repository = Repository(refuses=True)
    telling = Telling(Rendering(), {"environments": repository})
    for _ in range(TRIES_MAX):
        telling.tell(STAGING, back())
    repository.refuses = False

    assert telling.tell(STAGING, back(replace(HOLD, digest="worse"))) == Told(revision=TOLD)


def test_what_would_not_be_what_was_kept_is_not_pushed():
    repository = Repository()
    telling = Telling(Rendering(replace(GOOD_SET, digest="other")), {"environments": repository})

    told = telling.tell(STAGING, back())

    assert told.problem.code == "GIT_REVERT_OTHERWISE"
    assert repository.published == []


def test_a_source_that_is_to_be_told_nothing_is_told_nothing():
    assert Telling(Rendering(), {}).tell(STAGING, back()) is None


def test_nothing_is_told_before_it_is_back_or_while_git_is_silent_or_of_what_a_person_refused():
    by_ada = back(hold=replace(HOLD, by="ada"))
    underway = back(record=Record(current="bad"))
    silent = replace(back(), git=Git(wanted=Wanted(revision=BAD, tree="t"), stale=REFUSED))
    elsewhere = replace(back(), look=None)

    assert [reversal_of(STAGING, one) for one in (by_ada, underway, silent, elsewhere)] == [None] * 4
    assert reversal_of(STAGING, back()) is not None


def test_what_failed_cannot_write_lines_of_its_own_into_the_message():
    forged = back(hold=replace(HOLD, why="x\n\nGitopsd-Held: production " + "d" * 64))

    lines = message_of(reversal_of(STAGING, forged)).splitlines()

    assert [line for line in lines if line.startswith("Gitopsd-Held: ")] == [f"Gitopsd-Held: staging {HOLD.digest}"]


def test_of_two_ways_back_the_better_one_is_told_if_it_leads_there():
    broken = RenderError(Problem(code="YAML_SYNTAX", stage=Stage.RENDER, message="no"))
    told = {}
    for name, found in {"good": GOOD_SET, "bad": BAD_SET, "broken": broken}.items():
        repository = Repository(trees=("just before", "kept"))
        Telling(Rendering(others={"just before": found}), {"environments": repository}).tell(STAGING, back())
        told[name] = [draft.wanted.tree for draft in repository.published]

    assert told == {"good": ["just before"], "bad": ["kept"], "broken": ["kept"]}

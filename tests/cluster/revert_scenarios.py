"""Which reverts are tried on a real cluster: chosen so that every possible pair of circumstances occurs at least once.

A scenario is data: what runs, how its commit fails, what else that commit changes, what happens meanwhile; and the end
that must come of it. ``python -m tests.cluster.revert_scenarios`` prints them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import combinations, product


class Runs(StrEnum):
    """What the environment runs, and what its bad commit breaks."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    JOB = "Job"
    POD = "Pod"
    WIDGET = "Widget"


class Fails(StrEnum):
    """How the commit fails. All but the last three are the words of the played images."""

    MISSING = "missing"
    MISCONFIGURED = "misconfigured"
    CRASH = "crash"
    OOM = "oom"
    NEVER_READY = "never-ready"
    QUOTA = "quota"
    STALLED = "stalled"


class Also(StrEnum):
    """What the bad commit changes besides."""

    NOTHING = "nothing else"
    SETTING = "setting changed"
    ADDED = "object added"
    REMOVED = "object removed"
    REPLICAS = "replicas changed"
    SELECTOR = "selector changed"
    CLAIM = "claim added"
    CRD = "CRD added"


class Meanwhile(StrEnum):
    """What happens once the bad commit is rolling out."""

    NOTHING = "undisturbed"
    FIXED = "a good commit"
    WORSE = "another bad commit"
    NEIGHBOURS = "commits elsewhere"
    EDITED = "edits by hand"
    KILLED = "gitopsd killed"
    API_RESTARTED = "API server killed"
    GIT_DOWN = "Git down"


IMAGES = (Fails.MISSING, Fails.MISCONFIGURED, Fails.CRASH, Fails.OOM, Fails.NEVER_READY)
_WAYS = {
    Runs.DEPLOYMENT: (*IMAGES, Fails.QUOTA),
    Runs.STATEFUL_SET: (*IMAGES, Fails.QUOTA),
    Runs.DAEMON_SET: IMAGES,
    Runs.JOB: IMAGES,
    Runs.POD: IMAGES,
    Runs.WIDGET: (Fails.STALLED, Fails.NEVER_READY),
}
_SCALED = (Runs.DEPLOYMENT, Runs.STATEFUL_SET)
# A Job that failed is over: going back leaves it as it is, like one that has done its work.
_ENDS_JOBS = (Fails.CRASH, Fails.OOM)


@dataclass(frozen=True, slots=True)
class End:
    """What must have come of it.

    ``fixed`` = the environment is at the good commit, else at what was kept before. ``remains`` are objects that the
    bad commit left behind and nobody may delete; ``finished`` = the bad commit's Job stays as it ended.
    ``held`` is how many digests are refused, at least and at most.
    ``writes`` are those of gitopsd to the objects, all of them where ``exact``, else at most; ``deletes`` always all.
    """

    fixed: bool
    remains: frozenset[str]
    finished: bool
    held: tuple[int, int]
    writes: Counter[str]
    exact: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story."""

    runs: Runs
    fails: Fails
    also: Also
    meanwhile: Meanwhile

    def __str__(self) -> str:
        return f"{self.runs} {self.fails}, {self.also}, {self.meanwhile}"

    @property
    def name(self) -> str:
        """What its environment is called."""
        parts = (self.runs.lower(), self.fails, *(part.split()[0].lower() for part in (self.also, self.meanwhile)))
        return "-".join(parts)

    @property
    def breaks(self) -> str:
        """The object that the bad commit breaks."""
        return f"{self.runs}/{'extra' if self.runs is Runs.POD else 'web'}"

    @property
    def end(self) -> End:
        """What must come of it."""
        is_fixed = self.meanwhile is Meanwhile.FIXED
        return End(
            fixed=is_fixed,
            remains=frozenset({_ALSO_ADDS[self.also]} if self.also in _STAYS and not is_fixed else ()),
            finished=self.runs is Runs.JOB and self.fails in _ENDS_JOBS and not is_fixed,
            held=_HELD[self.meanwhile],
            writes=Counter(dict(_writes(self))),
            exact=self.meanwhile in _UNDISTURBED and not self.shrinks,
        )

    @property
    def shrinks(self) -> bool:
        """Whether going back leaves a StatefulSet a broken pod too many: either we or its controller deletes it."""
        return self.runs is Runs.STATEFUL_SET and self.also is Also.REPLICAS

    @property
    def is_possible(self) -> bool:
        """Whether the world has such a thing."""
        scales = self.also is not Also.REPLICAS or self.runs in _SCALED
        # No claim is ever bound on played nodes, so no commit with one can be good.
        binds = self.also is not Also.CLAIM or self.meanwhile is not Meanwhile.FIXED
        # What is played does not say which generation of a pod it has seen, so a pod is changed only once.
        moves = self.runs is not Runs.POD or self.meanwhile is not Meanwhile.WORSE
        return self.fails in _WAYS[self.runs] and scales and binds and moves


_ALSO_TOUCHES = {
    Also.SETTING: "ConfigMap/settings",
    Also.SELECTOR: "Service/web",
    Also.ADDED: "ConfigMap/banner",
    Also.CLAIM: "PersistentVolumeClaim/disk",
    Also.CRD: "CustomResourceDefinition/things",
}
_ALSO_ADDS = {also: _ALSO_TOUCHES[also] for also in (Also.ADDED, Also.CLAIM, Also.CRD)}
# What no revert deletes unless an earlier commit said so. A CRD goes as long as nothing was made of it.
_STAYS = (Also.CLAIM,)
_HELD = dict.fromkeys(Meanwhile, (1, 1)) | {Meanwhile.FIXED: (0, 1), Meanwhile.WORSE: (1, 2)}
_UNDISTURBED = (Meanwhile.NOTHING, Meanwhile.NEIGHBOURS, Meanwhile.GIT_DOWN, Meanwhile.EDITED)
BYSTANDER = "ConfigMap/bystander"


def _writes(scenario: Scenario) -> Iterator[tuple[str, int]]:
    """There and back: two writes of what was changed; one write and one delete of what was added."""
    more = 0 if scenario.meanwhile in _UNDISTURBED else 1
    yield from _writes_of_what_breaks(scenario, more)
    yield from _writes_besides(scenario, more)


def _writes_of_what_breaks(scenario: Scenario, more: int) -> Iterator[tuple[str, int]]:
    if scenario.runs is Runs.POD:
        yield f"patch {scenario.breaks}", 1 + more
        yield f"delete {scenario.breaks}", 1
        yield "patch Pod/better", int(scenario.meanwhile is Meanwhile.FIXED)
    elif scenario.runs is Runs.JOB:
        # A Job's template cannot be changed: each change is a Job made anew.
        times = 1 if scenario.fails in _ENDS_JOBS else 2
        yield f"delete {scenario.breaks}", times + more
        yield f"patch {scenario.breaks}", times + more
    else:
        yield f"patch {scenario.breaks}", 2 + more
    if scenario.runs is Runs.STATEFUL_SET and scenario.fails in IMAGES:
        # Its controller would wait for the broken pod for ever.
        yield f"delete Pod/web-{int(scenario.also is Also.REPLICAS)}", 1 + more


def _writes_besides(scenario: Scenario, more: int) -> Iterator[tuple[str, int]]:
    also, meanwhile = scenario.also, scenario.meanwhile
    if also in _ALSO_ADDS:
        yield f"patch {_ALSO_ADDS[also]}", 1 + more
    elif also in _ALSO_TOUCHES:
        yield f"patch {_ALSO_TOUCHES[also]}", 2 + more
    if also in _ALSO_ADDS and also not in _STAYS:
        yield f"delete {_ALSO_ADDS[also]}", 1
    if also is Also.REMOVED and meanwhile is Meanwhile.FIXED:
        yield "delete ConfigMap/old", 1
    if meanwhile is Meanwhile.EDITED:
        yield f"patch {BYSTANDER}", 1


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Choose, greedily and always alike, until every pair that is possible occurs."""
    possible = [one for one in _all() if one.is_possible]
    missing = {pair for one in possible for pair in pairs(one)}
    chosen: list[Scenario] = []
    used: Counter[StrEnum] = Counter()
    while missing:
        # Among those with as many missing pairs, the one whose circumstances were seen least.
        best = max(possible, key=lambda one: (len(missing & pairs(one)), -sum(used[each] for each in _parts(one))))
        missing.difference_update(pairs(best))
        used.update(_parts(best))
        chosen.append(best)
    return tuple(sorted(chosen, key=lambda one: (list(Meanwhile).index(one.meanwhile), str(one))))


def all_pairs() -> frozenset[frozenset[StrEnum]]:
    """Every pair of circumstances that can occur together."""
    return frozenset(pair for one in _all() if one.is_possible for pair in pairs(one))


@cache
def pairs(scenario: Scenario) -> frozenset[frozenset[StrEnum]]:
    """The pairs of circumstances in one scenario."""
    return frozenset(frozenset(pair) for pair in combinations(_parts(scenario), 2))


def _parts(scenario: Scenario) -> tuple[StrEnum, ...]:
    return scenario.runs, scenario.fails, scenario.also, scenario.meanwhile


def _all() -> Iterable[Scenario]:
    return (Scenario(*each) for each in product(Runs, Fails, Also, Meanwhile))


if __name__ == "__main__":
    print("\n".join(f"{number:3} {one}" for number, one in enumerate(scenarios(), 1)))  # noqa: T201

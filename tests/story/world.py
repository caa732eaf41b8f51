"""A world in memory: one environment, its Git, its cluster, its record, its clock. The story itself is the real one.

``World.settle`` makes passes until nothing moves any more, as the daemon would: at once after a step, else when time
or a person moves. A crash is an exception out of a port call; what is in memory is lost, what is stored stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gitopsd.core.decision import Apply, Decision, Halt, Held, Keep, Rest, Revert, Watch
from gitopsd.core.errors import ClusterError, GitopsdError, Problem, RenderError, SourceError, Stage
from gitopsd.core.model import Desired, Environment, Manifest, ObjectRef, Origin, Revision, Wanted
from gitopsd.core.passes import Pass
from gitopsd.core.settings import Settings
from gitopsd.daemon.claims import LocalClaims
from gitopsd.ports import Ports
from gitopsd.reconcile import reconcile
from tests.fakes.clock import FakeClock
from tests.fakes.cluster import FakeCluster
from tests.fakes.probes import FakeProbes
from tests.fakes.store import FakeStore

ENVIRONMENT = Environment(name="staging", source="git", path="environments/staging", apply_set="set-staging")
PASSES_MAX = 60
UNREADABLE = "\tweb"
UNREAD = Problem(code="YAML_TAB", stage=Stage.RENDER, message="a tab indents", hint="use spaces")

Commit = Mapping[str, str]


class Crash(BaseException):
    """The process died here."""


def manifest(name: str, image: str, **metadata: Mapping[str, str]) -> Manifest:
    """A Deployment of one image (``job:…`` in the image's place makes it a Job)."""
    kind, api_version, group = (
        ("Job", "batch/v1", "batch") if name.startswith("job") else ("Deployment", "apps/v1", "apps")
    )
    body = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": {"image": image},
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    ref = ObjectRef(group, kind, "shop", name)
    return Manifest(ref=ref, api_version=api_version, body=body, digest=digest, origin=Origin(f"{name}.yaml", 1))


@dataclass
class FakeGit:
    """Source and renderer in one: the newest commit is what is wanted. ``silent`` makes it fail to answer.

    An object whose image is ``UNREADABLE`` is a file that nobody can read.
    """

    commits: list[Commit] = field(default_factory=list)
    settings: Settings = field(default_factory=lambda: Settings(soak_s=0))
    silent: bool = False

    def resolve(self, environment: Environment) -> Wanted:
        if self.silent or not self.commits:
            raise SourceError(Problem(code="GIT_UNREACHABLE", stage=Stage.FETCH, message="no answer"))
        revision = Revision(ref="main", commit=f"{len(self.commits):07x}".ljust(40, "0"))
        return Wanted(revision=revision, tree=str(self.commits[-1]))

    def read(self, environment: Environment, wanted: Wanted) -> tuple[()]:
        return ()

    def render(self, environment: Environment, wanted: Wanted) -> Desired:
        broken = [name for name, image in self.commits[-1].items() if image == UNREADABLE]
        if broken:
            raise RenderError(replace(UNREAD, file=f"{broken[0]}.yaml", line=3))
        manifests = tuple(manifest(name, image) for name, image in sorted(self.commits[-1].items()))
        text = "".join(one.digest for one in manifests)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Desired(revision=wanted.revision, digest=digest, manifests=manifests, settings=self.settings)


@dataclass
class World:
    """See the module. ``wrap`` stands between the story and its ports."""

    git: FakeGit = field(default_factory=FakeGit)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    wrap: Callable[[Ports], Ports] = lambda ports: ports
    claims: LocalClaims = field(default_factory=LocalClaims)
    probes: FakeProbes = field(init=False)
    decisions: list[Decision] = field(default_factory=list)
    latest: Pass | None = None
    silence: GitopsdError | None = None

    def __post_init__(self) -> None:
        self.probes = FakeProbes(self.clock)

    def commit(self, **images: str) -> None:
        """Replace the environment's directory."""
        self.git.commits.append(images)

    def pass_once(self) -> Decision | None:
        """Make one pass; None when it could not know or crashed."""
        ports = Ports(
            source=self.git,
            renderer=self.git,
            cluster=self.cluster,
            store=self.store,
            claims=self.claims,
            probes=self.probes,
            clock=self.clock,
        )
        try:
            self.latest = reconcile(ENVIRONMENT, self.wrap(ports))
        except Crash:
            self.crash()
            return None
        except (ClusterError, SourceError) as silence:
            self.silence = silence
            return None
        self.decisions.append(self.latest.decision)
        self.silence = self.latest.git.unseen or self.silence
        return None if self.latest.git.unseen else self.latest.decision

    def crash(self) -> None:
        """The process dies: what was in its memory is lost, what is stored stays."""
        self.claims = LocalClaims()
        self.probes.lose_memory()

    def make_passes(self, count: int) -> None:
        """Make so many passes that came to a decision."""
        while count:
            count -= self.pass_once() is not None

    def make_passes_until(self, decision: type[Decision], *, minutes: float = 1 / 12) -> None:
        """Make passes until one decides so, with some time between them."""
        for _ in range(PASSES_MAX):
            if isinstance(self.pass_once(), decision):
                return
            self.clock.advance(minutes=minutes)
        raise AssertionError(f"never comes to {decision.__name__}: {self.decisions[-6:]}")

    def settle(self) -> Decision | None:
        """Make passes until nothing moves."""
        for _ in range(PASSES_MAX):
            decision = self.pass_once()
            match decision:
                case Rest() | Held():
                    return decision
                case Watch(_, until):
                    self.clock.advance(seconds=max(1.0, (until - self.clock.now()).total_seconds()) if until else 5.0)
                case Apply() | Keep() | Revert() | Halt():
                    pass
                case None:
                    self.clock.advance(seconds=1.0)
        raise AssertionError(f"does not settle: {self.decisions[-6:]}")

    def rest(self) -> Decision | None:
        """Make passes until nothing but time, or another environment, could change anything."""
        for _ in range(PASSES_MAX):
            decision = self.pass_once()
            if isinstance(decision, Rest | Held) or (isinstance(decision, Watch) and decision.until is None):
                return decision
            self.clock.advance(seconds=5.0)
        raise AssertionError(f"does not come to rest: {self.decisions[-6:]}")

    def put_by_hand(self, name: str) -> None:
        """Somebody makes an object that is not ours."""
        theirs = manifest(name, "by-hand")
        self.cluster.put(theirs.ref, theirs.body)

    def settle_after(self, *, minutes: float) -> Decision | None:
        """Look, let time pass, and make passes until nothing moves."""
        self.settle()
        self.clock.advance(minutes=minutes)
        return self.settle()

    def images(self, *names: str) -> dict[str, str]:
        """What runs, by name; of these, or of all."""
        found = {ref.name: str(stored.body["spec"]["image"]) for ref, stored in self.cluster.objects.items()}
        return {name: image for name, image in found.items() if not names or name in names}

    def end(self) -> tuple[object, ...]:
        """Everything that must be the same however often the world crashed."""
        record = self.store.load(ENVIRONMENT)
        return (
            self.images(),
            {ref: item.digest for ref, item in record.inventory.items()},
            {ref: bool(item.uid) for ref, item in record.inventory.items()},
            record.last_kept.digest if record.last_kept else "",
            {digest: hold.back_to for digest, hold in record.held.items()},
            record.rollout.failure if record.rollout and record.rollout.digest == record.current else "",
            self.cluster.deletes(),
        )

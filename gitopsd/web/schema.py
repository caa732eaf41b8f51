"""The v1 status as models, so that OpenAPI describes it. ``core.status`` makes it; a test proves that they agree.

Within v1 there are only additions; a key that may be absent is optional here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gitopsd.core.probes import ProbeState
from gitopsd.core.settings import OnFailure
from gitopsd.core.status.words import Phase, Sync, Word

Truth = Literal["True", "False", "Unknown"]


class _Shown(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Cluster(_Shown):
    """Which cluster this is."""

    name: str | None = None
    kubernetes_version: str | None = None


class Metadata(_Shown):
    """Of which moment this is the status, and who says so."""

    generated_at: str
    snapshot: int
    instance: str | None = None
    version: str | None = None
    cluster: Cluster | None = None


class Leader(_Shown):
    """Who holds the lease."""

    holder: str | None = None
    is_self: bool


class Daemon(_Shown):
    """The daemon itself; ``message`` says what it waits for."""

    leader: Leader
    started_at: str | None = None
    ready: bool
    message: str | None = None
    queue_depth: int


class RevisionShown(_Shown):
    """A commit, and the digest of what it renders to."""

    sha: str | None = None
    ref: str | None = None
    subject: str | None = None
    author: str | None = None
    committed_at: str | None = None
    digest: str | None = None


class ProblemShown(_Shown):
    """One thing that is wrong, with what to do about it."""

    code: str
    stage: str
    reason: str | None = None
    message: str
    cause: str | None = None
    hint: str | None = None
    ref: str | None = None
    file: str | None = None
    line: int | None = None
    docs_url: str
    at: str | None = None
    count: int | None = None
    retry_at: str | None = None


class Condition(_Shown):
    """One aspect, as kstatus and Flux write it."""

    type: str
    status: Truth
    reason: str
    message: str | None = None
    observed_revision: str | None = None
    last_transition_time: str | None = None


class SourceShown(_Shown):
    """One Git repository and branch."""

    name: str
    url: str
    ref: str
    revision: RevisionShown | None = None
    fetched_at: str | None = None
    next_fetch_at: str | None = None
    conditions: list[Condition]
    last_error: ProblemShown | None = None


class Summary(_Shown):
    """How many environments are how."""

    environments: int
    ready: int
    out_of_sync: int
    degraded: int
    progressing: int
    failed: int
    reverted: int
    suspended: int
    held: int


class SyncShown(_Shown):
    """How the cluster compares with Git."""

    status: Sync
    drifted: int | None = None
    pruneable: int | None = None
    ignored: int | None = None


class Worst(_Shown):
    """The object that is worst off."""

    ref: str
    reason: str | None = None
    message: str | None = None


class HealthShown(_Shown):
    """How the objects are, taken together."""

    status: Word
    worst: Worst | None = None


class Revisions(_Shown):
    """What Git says, what was begun last, where the cluster is, what was kept last, what the last pass looked at."""

    desired: RevisionShown | None = None
    attempted: RevisionShown | None = None
    applied: RevisionShown | None = None
    last_healthy: RevisionShown | None = None
    observed: RevisionShown | None = None


class Pause(_Shown):
    """Who suspended it."""

    by: str
    at: str
    reason: str


class Finding(_Shown):
    """One object that is not well."""

    ref: str
    kind: str | None = None
    status: str
    reason: str | None = None
    message: str | None = None


class ProbeShown(_Shown):
    """How one probe stands: ``inARow`` answers were like the last one; ``failures`` in a row fail the rollout.

    ``counts`` is false where the rollout is not judged by it: it had failed before, or nothing new is tested.
    """

    name: str
    type: Literal["http", "prometheus", "job", "cel"]
    state: ProbeState
    message: str | None = None
    in_a_row: int
    failures: int
    counts: bool
    at: str | None = None


class VerdictShown(_Shown):
    """Is what was looked at healthy?"""

    outcome: Literal["healthy", "progressing", "failed"]
    message: str | None = None
    findings: list[Finding]
    probes: list[ProbeShown] | None = None


class PruneShown(_Shown):
    """Whether what Git has no more is deleted, and how much of it at once."""

    enabled: bool
    budget_percent: int


class SettingsShown(_Shown):
    """What ``gitopsd.yaml`` asked for, as it is in force."""

    namespace: str | None = None
    depends_on: list[str] | None = None
    timeout_seconds: float
    soak_seconds: float
    on_failure: OnFailure
    prune: PruneShown
    probes: list[str] | None = None


class PlanShown(_Shown):
    """What the last pass planned, counted."""

    create: int
    update: int
    delete: int
    unchanged: int
    blocked: int


class RolloutShown(_Shown):
    """The rollout under way; ``objects`` are those not yet well."""

    started_at: str
    deadline_at: str | None = None
    trigger: Literal["commit", "revert", "rollback"]
    revision: RevisionShown
    percent: int | None = None
    failure: str | None = None
    objects: list[Finding]


class HoldShown(_Shown):
    """A digest that is refused."""

    sha: str
    ref: str
    digest: str
    since: str
    by: str
    reason: str | None = None
    back_to: str | None = None
    release_hint: str


class Rollback(_Shown):
    """The last time that the environment went back."""

    from_: RevisionShown | None = Field(default=None, alias="from")
    to: RevisionShown
    at: str
    by: str | None = None
    trigger: Literal["HealthCheckFailed", "Manual"]
    result: Literal["InProgress", "Reverted", "RevertFailed"]
    evidence: list[str]


class EntryShown(_Shown):
    """One line of the history."""

    id: str
    sha: str
    ref: str
    subject: str | None = None
    digest: str
    started_at: str | None = None
    finished_at: str
    duration_seconds: float | None = None
    result: str
    message: str | None = None
    by: str


class Timings(_Shown):
    """Where the time went."""

    stages: Mapping[str, float]
    commit_to_healthy_seconds: float | None = None
    next_reconcile_at: str | None = None


class ObjectShown(_Shown):
    """One object of the environment."""

    group: str | None = None
    version: str
    kind: str
    namespace: str | None = None
    name: str
    uid: str | None = None
    health: HealthOfObject
    sync: Sync
    action: Literal["create", "update", "recreate"] | None = None
    wave: int | None = None
    file: str
    line: int | None = None


class HealthOfObject(_Shown):
    """How one object is."""

    status: str
    reason: str | None = None
    message: str | None = None


class EnvironmentShown(_Shown):
    """One environment. ``message`` is one sentence: why this is, or is not, what was committed."""

    name: str
    path: str
    source: str
    phase: Phase
    message: str
    ready: Truth
    sync: SyncShown
    health: HealthShown
    revision: Revisions
    suspended: Pause | None
    last_error: ProblemShown | None = None
    conditions: list[Condition] | None = None
    settings: SettingsShown | None = None
    verdict: VerdictShown | None = None
    plan: PlanShown | None = None
    rollout: RolloutShown | None = None
    held: list[HoldShown] | None = None
    rollback: Rollback | None = None
    revert_commit: RevisionShown | None = None
    history: list[EntryShown] | None = None
    timings: Timings | None = None
    writes: Mapping[str, int] | None = None
    requests: int | None = None
    problems: list[ProblemShown] | None = None
    warnings: list[ProblemShown] | None = None
    objects: list[ObjectShown] | None = None
    object_count: int | None = None


class Links(_Shown):
    """Where to read on."""

    self_: str = Field(alias="self")
    openapi: str
    metrics: str


class Status(_Shown):
    """All environments."""

    api_version: Literal["status.gitopsd.dev/v1"]
    kind: Literal["Status"]
    metadata: Metadata
    daemon: Daemon
    sources: list[SourceShown]
    summary: Summary
    environments: list[EnvironmentShown]
    links: Links


class EnvironmentStatus(EnvironmentShown):
    """One environment, whole."""

    api_version: Literal["status.gitopsd.dev/v1"]
    kind: Literal["EnvironmentStatus"]
    metadata: Metadata
    links: Links


class Refusal(_Shown):
    """Why there is no answer; the same whatever was asked for."""

    api_version: Literal["status.gitopsd.dev/v1"] = "status.gitopsd.dev/v1"
    kind: Literal["Error"] = "Error"
    code: str
    message: str
    hint: str


class Version(_Shown):
    """What runs here."""

    name: Literal["gitopsd"] = "gitopsd"
    version: str

"""Runs a developer's Job once per rollout, in the environment's bounds and as its account, and waits for its end.

Its name stands for the test, the digest and the rollout: a restart finds it again, and what is tried anew is tested
anew. That it could not be run says nothing of anybody's health.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from urllib.parse import quote

import msgspec

from gitopsd.adapters.probes import objects
from gitopsd.adapters.probes.evidence import log_tail, masked
from gitopsd.adapters.probes.finding import Finding, failed, final, passed, pending, unknown
from gitopsd.core.applyset import slug
from gitopsd.core.fields import annotation, label, part, parts, text, text_of, whole, whole_or_none
from gitopsd.core.manifests.probe_jobs import job_of
from gitopsd.core.model import Body, Desired, Environment
from gitopsd.core.probes import JobProbe, question_of
from gitopsd.core.record import Rollout
from gitopsd.ports import Api, Call

ENVIRONMENT = "gitopsd.dev/environment"
PROBE = "gitopsd.dev/probe"
DIGEST = "gitopsd.dev/digest"
QUESTION = "gitopsd.dev/question"
ROLLOUT = "gitopsd.dev/rollout"

FIELD_MANAGER = "gitopsd"
NAME_CHARS_MAX = 63
RUN_CHARS = 8
KEPT_FOR_S = 86_400
RAN_MAX = 1_000

_APPLY = "application/apply-patch+yaml"
_JOB_NAME = "job-name"


@dataclass(eq=False)
class JobAsker:
    """Starts Jobs, and looks after them. ``_ran`` are the ones that were seen to run: they had their chance."""

    api: Api = field(repr=False)
    _ran: set[str] = field(default_factory=set)

    def ask(
        self, environment: Environment, desired: Desired, probe: JobProbe, namespace: str, rollout: Rollout | None
    ) -> Finding:
        """Start the Job where it was not started yet, else say how it is.

        Raises:
            ClusterError: the API server would not take it, or could not say.
        """
        place = text(job_of(probe), "metadata.namespace") or namespace
        if why := _forbidden(environment, place):
            return unknown(f"the Job was not run: {why}")
        job = _meant(environment, desired, probe, place, rollout.started_at.isoformat() if rollout else "")
        name = text(job, "metadata.name")
        found = objects.jobs(self.api).find(place, name)
        if found is None:
            self._start(environment, job, secret=probe.sensitive)
            return pending(f"Job {place}/{name} was started")
        if _marks(found) != _marks(job):
            return unknown(f"the Job was not run: there is a Job {place}/{name} that is not this one; delete it")
        return self._look(found, desired)

    def _start(self, environment: Environment, job: Body, *, secret: bool) -> None:
        jobs = objects.jobs(self.api)
        namespace, name = text(job, "metadata.namespace"), text(job, "metadata.name")
        call = Call(
            method="PATCH",
            path=f"{jobs.collection(namespace)}/{quote(name, safe='')}",
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"},
            body=msgspec.json.encode(job),
            content_type=_APPLY,
            user=environment.user,
        )
        jobs.whole(self.api.call(call), namespace, name, secret=secret)

    def _look(self, job: Body, desired: Desired) -> Finding:
        name, uid = text(job, "metadata.name"), text(job, "metadata.uid")
        pods = objects.pods(self.api).labelled(text(job, "metadata.namespace"), f"{_JOB_NAME}={name}")
        if any(_has_run(pod) for pod in pods):
            self._remember_run(uid)
        ended = _end_of(job)
        if ended is None:
            return _under_way(name, pods, desired, has_run=uid in self._ran)
        has_run = uid in self._ran
        self._ran.discard(uid)
        ended = replace(ended, message=masked(ended.message, desired))
        return _ended(name, ended, has_run=has_run, evidence=log_tail(self.api, pods, desired))

    def _remember_run(self, uid: str) -> None:
        if len(self._ran) >= RAN_MAX:
            self._ran.clear()
        self._ran.add(uid)


@dataclass(frozen=True, slots=True)
class _End:
    is_complete: bool
    reason: str
    message: str


def _forbidden(environment: Environment, namespace: str) -> str:
    if not namespace:
        return "it says no namespace, and nothing else does"
    if not environment.allows(namespace):
        return f"the namespace {namespace} is none of this environment's"
    denied = {kind.casefold() for kind in environment.deny}
    return "Job.batch is denied here" if denied & {"job", "job.batch"} else ""


def _marks(job: Body) -> tuple[str, ...]:
    """Return what tells whose Job it is, and which: the same name may stand for another test."""
    labels = (label(job, key) for key in (ENVIRONMENT, PROBE))
    return (*labels, *(annotation(job, key) for key in (DIGEST, QUESTION, ROLLOUT)))


def _meant(environment: Environment, desired: Desired, probe: JobProbe, namespace: str, began: str) -> Body:
    """Return the Job as it is run: a name of its own, an end in time, and no membership in the apply set."""
    written = job_of(probe)
    labels = {ENVIRONMENT: slug(environment.name), PROBE: slug(probe.name)}
    run = {DIGEST: desired.digest, QUESTION: question_of(probe), ROLLOUT: began}
    short = sha256("\0".join((environment.name, probe.name, *run.values())).encode()).hexdigest()[:RUN_CHARS]
    plain = text(written, "metadata.name")[: NAME_CHARS_MAX - RUN_CHARS - 1].rstrip("-.")
    metadata: Body = {
        "name": f"{plain}-{short}",
        "namespace": namespace,
        "labels": {**part(written, "metadata.labels"), **labels},
        "annotations": {**part(written, "metadata.annotations"), **run},
    }
    spec = part(written, "spec")
    bounded = {
        "backoffLimit": whole(spec, "backoffLimit", 0),
        "ttlSecondsAfterFinished": KEPT_FOR_S,
        "activeDeadlineSeconds": _deadline_s(spec, probe),
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**spec, **bounded}}


def _deadline_s(spec: Body, probe: JobProbe) -> int:
    own, most = whole_or_none(spec, "activeDeadlineSeconds"), max(1, round(probe.pace.timeout_s))
    return most if own is None else min(own, most)


def _end_of(job: Body) -> _End | None:
    for condition in parts(job, "status.conditions"):
        kind = text_of(condition, "type")
        if kind in ("Complete", "Failed") and text_of(condition, "status") == "True":
            return _End(kind == "Complete", text_of(condition, "reason"), text_of(condition, "message"))
    return None


def _ended(name: str, end: _End, *, has_run: bool, evidence: str) -> Finding:
    if end.is_complete:
        return final(passed(f"Job {name} is complete"))
    told = f"Job {name} failed: {end.reason}: {end.message}".rstrip(": ")
    if end.reason == "DeadlineExceeded" and not has_run:
        return final(unknown(f"{told}; nobody saw it run, so this says nothing"))
    return final(failed(f"{told}; its log ends: {evidence}" if evidence else told))


def _under_way(name: str, pods: Sequence[Body], desired: Desired, *, has_run: bool) -> Finding:
    for pod in pods:
        if why := _stuck(pod):
            return unknown(f"Job {name} cannot run: {text(pod, 'metadata.name')}: {masked(why, desired)}")
    if not pods and not has_run:
        return unknown(f"Job {name} has no pod yet; a quota or a webhook may refuse it")
    return pending(f"Job {name} is running")


def _stuck(pod: Body) -> str:
    """Say why a pod does not start: its image, its configuration, or no node for it."""
    for status in (*parts(pod, "status.initContainerStatuses"), *parts(pod, "status.containerStatuses")):
        waiting = part(status, "state.waiting")
        if text_of(waiting, "reason") not in ("", "ContainerCreating", "PodInitializing", "CrashLoopBackOff"):
            return f"{text_of(waiting, 'reason')}: {text_of(waiting, 'message')}"
    for condition in parts(pod, "status.conditions"):
        if text_of(condition, "type") == "PodScheduled" and text_of(condition, "status") == "False":
            return f"{text_of(condition, 'reason')}: {text_of(condition, 'message')}"
    return ""


def _has_run(pod: Body) -> bool:
    """Whether a container of it was ever started.

    What a kubelet gave up before it was started, because the pod's time was over, is said to be terminated as well.
    """
    statuses = (*parts(pod, "status.initContainerStatuses"), *parts(pod, "status.containerStatuses"))
    starts = ("state.running.startedAt", "state.terminated.startedAt", "lastState.terminated.startedAt")
    return any(text(status, start) for status in statuses for start in starts)

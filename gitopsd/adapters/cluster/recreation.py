"""Replace an object whose manifest changes what cannot be changed: only when the replacement is known to be accepted.

Try the replacement under another name, delete exactly the old one, wait until it is gone, create. If that fails after
all, the old one is put back: between two objects there must be one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from gitopsd.adapters.cluster.applying import refused, send_apply, try_apply
from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.seeing import live_object
from gitopsd.adapters.cluster.transport import Line
from gitopsd.core import diff
from gitopsd.core.answers import Meaning, meaning_of, warnings_about
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.fields import part, read, text
from gitopsd.core.health import assess
from gitopsd.core.model import Applied, Body, Environment, HealthStatus
from gitopsd.core.ownership import MANAGER
from gitopsd.core.plan import Change
from gitopsd.ports import Call

GONE_S_MAX = 30.0
NEVER = frozenset({"PersistentVolume", "PersistentVolumeClaim", "Namespace", "CustomResourceDefinition", "StatefulSet"})
_NOT_KEPT = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_JOB_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")


@dataclass(frozen=True, slots=True)
class Recreation:
    """For one environment, on its line."""

    environment: Environment
    line: Line
    reader: Reader
    deleter: Deleter

    def recreate(self, change: Change, resource: Resource) -> Applied:
        """Replace the object.

        Raises:
            ClusterError: it could not be known how things stand.
        """
        if change.ref.kind in NEVER:
            return _stopped(change, "RECREATE_REFUSED", f"a {change.ref.kind} is never deleted to change it")
        old = self.reader.get(resource, change.ref, Stage.APPLY)
        sent = diff.payload(change.manifest, self.environment, change.sight.omit)
        if old is None:
            return self._create(change, resource, sent)
        if text(old, "metadata.uid") != change.uid:
            return refused(change, Meaning.OBJECT_REPLACED, "")
        return self._tried(change, resource, sent) or self._replaced(change, resource, sent, old)

    def _tried(self, change: Change, resource: Resource, sent: Body) -> Applied | None:
        """Return the refusal of the replacement; None when it would be taken."""
        name = f"gitopsd-try-{secrets.token_hex(5)}"
        elsewhere = {**sent, "metadata": {**part(sent, "metadata"), "name": name}}
        answer = try_apply(self.line, resource, replace(change.ref, name=name), elsewhere)
        meaning = meaning_of(answer.status, answer.body)
        return None if meaning is Meaning.DONE else refused(change, meaning, answer.body)

    def _replaced(self, change: Change, resource: Resource, sent: Body, old: Body) -> Applied:
        answer = self.deleter.delete(
            resource, change.ref, uid=text(old, "metadata.uid"), version=text(old, "metadata.resourceVersion")
        )
        meaning = meaning_of(answer.status, answer.body)
        if meaning not in (Meaning.DONE, Meaning.NOT_FOUND):
            return refused(change, meaning, answer.body)
        if self.deleter.remains(resource, change.ref, change.uid, GONE_S_MAX):
            return _stopped(change, "RECREATE_WAITS", "the old object is still being deleted", retry=True)
        return self._created_or_put_back(change, resource, sent, old)

    def _created_or_put_back(self, change: Change, resource: Resource, sent: Body, old: Body) -> Applied:
        try:
            created = self._create(change, resource, sent)
        except ClusterError:
            self._put_back(change, resource, old)
            raise
        if created.problem:
            self._put_back(change, resource, old)
        return created

    def _create(self, change: Change, resource: Resource, sent: Body) -> Applied:
        answer = send_apply(self.line, resource, change, sent)
        meaning = meaning_of(answer.status, answer.body)
        if meaning is not Meaning.DONE or not isinstance(answer.body, Mapping):
            return refused(change, meaning, answer.body)
        live = live_object(self.environment, change.ref, answer.body, assess(answer.body))
        warnings = warnings_about(change.manifest, answer.warnings)
        return Applied(ref=change.ref, uid=live.uid, fingerprint=live.fingerprint, warnings=warnings)

    def _put_back(self, change: Change, resource: Resource, old: Body) -> None:
        """Make the old object again; but a Job that is done would run once more."""
        if text(old, "kind") == "Job" and not is_in_progress(old):
            return
        self.line.call(
            Call(
                method="POST",
                path=resource.collection(change.ref.namespace),
                query={"fieldManager": MANAGER},
                body=msgspec.json.encode(revived(old)),
            )
        )


def is_in_progress(job: Body) -> bool:
    """Return whether a Job is neither complete nor failed."""
    return assess(job).status not in (HealthStatus.CURRENT, HealthStatus.FAILED)


def revived(old: Body) -> Body:
    """Return the body with which an object that was deleted can be made again."""
    metadata = {name: value for name, value in part(old, "metadata").items() if name not in _NOT_KEPT}
    body = {name: value for name, value in old.items() if name != "status"}
    if text(old, "kind") == "Job" and read(old, "spec.manualSelector") is not True:
        body["spec"] = _without_generated(part(old, "spec"))
    return {**body, "metadata": metadata}


def _without_generated(spec: Body) -> Body:
    pointers = [f"/template/metadata/labels/{name.replace('/', '~1')}" for name in _JOB_LABELS]
    return diff.drop(spec, ("/selector", *pointers))


def _stopped(change: Change, code: str, message: str, *, retry: bool = False) -> Applied:
    problem = Problem(
        code=code,
        stage=Stage.APPLY,
        message=f"cannot be replaced: {message}",
        hint="look at its finalizers" if retry else "give the object a new name, or undo the change",
        ref=str(change.ref),
        file=change.manifest.origin.file,
        line=change.manifest.origin.line,
    )
    return Applied(ref=change.ref, problem=problem, retry=retry)

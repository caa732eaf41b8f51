"""One server-side apply, and the words for its refusal."""

from __future__ import annotations

import msgspec

from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.transport import APPLY, Line
from gitopsd.core.answers import Meaning, about, problem_of
from gitopsd.core.errors import Stage
from gitopsd.core.model import Applied, Body, Json, ObjectRef
from gitopsd.core.ownership import MANAGER
from gitopsd.core.plan import Change
from gitopsd.ports import Answer, Call


def send_apply(line: Line, resource: Resource, change: Change, sent: Body) -> Answer:
    """Send it. Fields are validated unless the server has seen this manifest before."""
    validation = "Strict" if change.strict else "Ignore"
    return line.call(_apply(resource, change.ref, sent, {"fieldValidation": validation}))


def try_apply(line: Line, resource: Resource, ref: ObjectRef, sent: Body) -> Answer:
    """Ask what would come of it, with every field validated."""
    return line.call(_apply(resource, ref, sent, {"fieldValidation": "Strict", "dryRun": "All"}))


def refused(change: Change, meaning: Meaning, body: Json) -> Applied:
    """Return the answer to a change that the server did not take."""
    problem = problem_of(meaning, body, about(change.manifest, Stage.APPLY))
    return Applied(ref=change.ref, problem=problem, retry=meaning.may_pass or meaning is Meaning.KIND_UNKNOWN)


def _apply(resource: Resource, ref: ObjectRef, sent: Body, options: dict[str, str]) -> Call:
    return Call(
        method="PATCH",
        path=resource.path(ref),
        query={"fieldManager": MANAGER, "force": "true", **options},
        body=msgspec.json.encode(sent),
        content_type=APPLY,
    )

"""From an object's body to what a pass wants to know of it, as one environment sees it."""

from __future__ import annotations

from gitopsd.core import diff, ownership
from gitopsd.core.fields import label, text
from gitopsd.core.model import Body, Environment, Health, LiveObject, ObjectRef


def live_object(
    environment: Environment, ref: ObjectRef, body: Body, health: Health, protection: str = ""
) -> LiveObject:
    """Return the object with its body."""
    return LiveObject(
        ref=ref,
        uid=text(body, "metadata.uid"),
        resource_version=text(body, "metadata.resourceVersion"),
        fingerprint=diff.fingerprint(body),
        health=health,
        part_of=label(body, ownership.PART_OF),
        owner=ownership.claimant(body, environment.apply_set),
        protection=protection,
        body=body,
    )

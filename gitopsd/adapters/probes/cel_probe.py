"""Holds an expression against live objects of the environment's own set, and against no others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from gitopsd.adapters.probes.expressions import Invalid, Truth, Untold, truths
from gitopsd.adapters.probes.finding import Finding, failed, passed, pending, unknown, worst
from gitopsd.adapters.probes.objects import Objects
from gitopsd.core.answers import Meaning, meaning_of
from gitopsd.core.fields import parts, text_of, whole, whole_or_none
from gitopsd.core.model import Body, Desired, Manifest
from gitopsd.core.probes import CelProbe, ProbeState
from gitopsd.ports import Api, Call

OBJECTS_MAX = 50
PLURALS_AGE_S_MAX = 600.0


@dataclass(eq=False)
class CelAsker:
    """Reads the objects one by one. What they are called in a path is remembered for a while."""

    api: Api = field(repr=False)
    _plurals: dict[str, tuple[float, Mapping[str, str]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, desired: Desired, probe: CelProbe) -> Finding:
        """Return the worst of what is found of the objects.

        Raises:
            ClusterError: they could not be read.
        """
        asked = [manifest for manifest in desired.manifests if _is_meant(manifest, probe)]
        if not asked:
            return pending(f"the environment has no {' '.join(filter(None, (probe.kind, probe.object_name)))}")
        if len(asked) > OBJECTS_MAX:
            return unknown(f"{len(asked)} objects are meant, {OBJECTS_MAX} are the most; name one")
        seen = [(manifest, self._seen(manifest)) for manifest in asked]
        live = [(manifest, one) for manifest, one in seen if not isinstance(one, Finding)]
        found = worst((*(one for _, one in seen if isinstance(one, Finding)), *_judged(live, probe)))
        if found.state is ProbeState.PASS and len(asked) > 1:
            return passed(f"true of {len(asked)} objects")
        return found

    def _seen(self, manifest: Manifest) -> Body | Finding:
        """Return the object, or why it says nothing yet."""
        plural = self._plural(manifest)
        if plural is None:
            return pending(f"{manifest.api_version} {manifest.ref.kind} is not served yet")
        root = f"/apis/{manifest.api_version}" if manifest.ref.group else f"/api/{manifest.api_version}"
        place = Objects(self.api, root, plural, manifest.ref.group, manifest.ref.kind)
        body = place.find(manifest.ref.namespace, manifest.ref.name)
        if body is None:
            return pending(f"{manifest.ref} does not exist yet")
        observed = whole_or_none(body, "status.observedGeneration")
        if observed is not None and observed != whole(body, "metadata.generation"):
            return pending(f"{manifest.ref}: its controller has not looked at its newest version yet")
        return body

    def _plural(self, manifest: Manifest) -> str | None:
        """Return the name of the kind in a path; None when it is not served at this moment."""
        with self._lock:
            read_at, known = self._plurals.get(manifest.api_version, (0.0, {}))
        if manifest.ref.kind not in known or time.monotonic() - read_at > PLURALS_AGE_S_MAX:
            known = dict(_plurals(self.api, manifest))
            with self._lock:
                self._plurals[manifest.api_version] = (time.monotonic(), known)
        return known.get(manifest.ref.kind)


def _is_meant(manifest: Manifest, probe: CelProbe) -> bool:
    return (
        manifest.ref.kind == probe.kind
        and probe.api_version in ("", manifest.api_version)
        and probe.object_name in ("", manifest.ref.name)
    )


def _plurals(api: Api, manifest: Manifest) -> Iterator[tuple[str, str]]:
    root = "/apis" if manifest.ref.group else "/api"
    versions = Objects(api, root, manifest.api_version, manifest.ref.group, "APIResourceList")
    answer = api.call(Call(method="GET", path=f"{root}/{manifest.api_version}"))
    if meaning_of(answer.status, answer.body) is Meaning.KIND_UNKNOWN:
        return
    for served in parts(versions.whole(answer, "", manifest.api_version), "resources"):
        if "/" not in text_of(served, "name"):
            yield text_of(served, "kind"), text_of(served, "name")


def _judged(live: Sequence[tuple[Manifest, Body]], probe: CelProbe) -> tuple[Finding, ...]:
    if not live:
        return ()
    try:
        answers = truths(probe.expression, [body for _, body in live], probe.pace.timeout_s)
    except Invalid as why:
        return (unknown(f"the expression {why}"),)
    return tuple(_told(manifest, answer, probe) for (manifest, _), answer in zip(live, answers, strict=True))


def _told(manifest: Manifest, answer: Truth, probe: CelProbe) -> Finding:
    told = f"{manifest.ref}: {probe.expression}"
    match answer:
        case Untold(why):
            return pending(f"{manifest.ref}: cannot be told yet: {why}")
        case True:
            return passed(f"{told} is true")
        case False:
            return failed(f"{told} is false")
        case _:
            assert_never(answer)

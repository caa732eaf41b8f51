"""A cluster in memory: objects with uid and resourceVersion, server-side apply of whole bodies, a health per image.

An object's health is read off ``spec.image``: ``bad…`` is terminally Failed, ``slow…`` stays InProgress,
anything else is Current at once. It counts writes per object and verb.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.manifests.intents import managed
from gitopsd.core.model import (
    Accepted,
    Applied,
    Body,
    Deferred,
    Desired,
    Environment,
    Health,
    HealthStatus,
    Inventory,
    Item,
    Live,
    LiveObject,
    Manifest,
    ObjectRef,
    Preview,
    Refused,
    Sight,
    Stuck,
)
from gitopsd.core.plan import Action, Change, Prune

BUILT_IN = {
    ("v1", "ConfigMap"): True,
    ("v1", "Secret"): True,
    ("v1", "Service"): True,
    ("v1", "Namespace"): False,
    ("apps/v1", "Deployment"): True,
    ("batch/v1", "Job"): True,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): False,
}

HELD_UP = Health(HealthStatus.IN_PROGRESS, "Progressing", "0/1 ready; a pod holds it up")


@dataclass
class Stored:
    """One object as the fake server keeps it."""

    uid: str
    version: int
    body: Body
    part_of: str = ""
    owner: str = ""
    protection: str = ""


@dataclass
class FakeCluster:
    """See the module.

    ``refuse`` scripts a permanent refusal by object name; ``down`` makes every call fail; ``ill`` and ``cured`` are
    images that fail, or do not, whatever they are called; ``unsure`` are objects of which nothing can be known, and
    ``mute`` is an API group that does not answer, so that nobody knows what is served;
    ``ready`` slow images that have come up; ``slow`` makes all of them slow; ``held_up_by`` names the pod
    that keeps an object from coming up for as long as it is there.
    """

    objects: dict[ObjectRef, Stored] = field(default_factory=dict)
    writes: Counter[tuple[str, ObjectRef]] = field(default_factory=Counter)
    refuse: dict[str, Refused] = field(default_factory=dict)
    down: bool = False
    ill: set[str] = field(default_factory=set)
    cured: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    mute: bool = False
    ready: set[str] = field(default_factory=set)
    slow: bool = False
    blind_s: float = 0.0
    held_up_by: dict[ObjectRef, ObjectRef] = field(default_factory=dict)
    _serial: int = 0

    def scopes(self, kinds: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
        self._must_be_up()
        if self.mute:
            problem = Problem(code="DISCOVERY_INCOMPLETE", stage=Stage.PLAN, message="an API group does not answer")
            raise ClusterError(problem)
        served = BUILT_IN | self._custom_kinds()
        return {kind: served[kind] for kind in kinds if kind in served}

    def observe(self, environment: Environment, desired: Desired, inventory: Inventory, since: datetime | None) -> Live:
        self._must_be_up()
        sights = {
            manifest.ref: self._sight(environment, manifest, inventory) for manifest in managed(desired.manifests)
        }
        wanted = {manifest.ref for manifest in desired.manifests}
        gone = {ref: self._live(environment, ref) for ref in inventory if ref not in wanted}
        return Live(sights=sights, leftovers=gone, blind_s=self.blind_s if since else 0.0)

    def apply(self, environment: Environment, changes: Sequence[Change]) -> tuple[Applied, ...]:
        self._must_be_up()
        return tuple(self._write(environment, change) for change in changes)

    def prune(self, environment: Environment, prunes: Sequence[Prune]) -> tuple[Applied, ...]:
        self._must_be_up()
        return tuple(self._delete(environment, prune) for prune in prunes)

    def unstick(self, environment: Environment, pods: Sequence[Stuck]) -> tuple[Applied, ...]:
        self._must_be_up()
        for pod in pods:
            now = self._stuck(pod.owner)
            if now and replace(now, resource_version=pod.resource_version) == pod:
                del self.objects[pod.ref]
                self.writes["delete", pod.ref] += 1
        return tuple(Applied(ref=pod.ref) for pod in pods)

    def edit(self, ref: ObjectRef, **spec: str) -> None:
        """Change an object by hand."""
        stored = self.objects[ref]
        stored.body = {**stored.body, "spec": {**dict(stored.body.get("spec") or {}), **spec}}
        stored.version = self._next()

    def put(self, ref: ObjectRef, body: Body, owner: str = "nobody (made by kubectl-create)") -> None:
        """Make an object that is not ours."""
        self.objects[ref] = Stored(uid=f"uid-{self._next()}", version=self._serial, body=body, owner=owner)

    def deletes(self) -> Counter[ObjectRef]:
        """How often each object was really deleted."""
        return Counter({ref: count for (verb, ref), count in self.writes.items() if verb == "delete"})

    def _must_be_up(self) -> None:
        if self.down:
            raise ClusterError(Problem(code="CLUSTER_UNREACHABLE", stage=Stage.PLAN, message="no answer"))

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _custom_kinds(self) -> dict[tuple[str, str], bool]:
        found = {}
        for ref, stored in self.objects.items():
            if ref.kind == "CustomResourceDefinition":
                spec = stored.body["spec"]
                found[f"{spec['group']}/{spec['versions'][0]['name']}", spec["names"]["kind"]] = True
        return found

    def _sight(self, environment: Environment, manifest: Manifest, inventory: Inventory) -> Sight:
        live = self._live(environment, manifest.ref)
        return Sight(ref=manifest.ref, live=live, preview=self._preview(environment, manifest, inventory, live))

    def _preview(
        self, environment: Environment, manifest: Manifest, inventory: Inventory, live: LiveObject | None
    ) -> Preview | None:
        ref = manifest.ref
        if ref.name in self.unsure:
            raise ClusterError(_problem("CLUSTER_UNSURE", ref, "a webhook does not answer"), retry=True)
        refused = self.refuse.get(ref.name)
        if refused and inventory.get(ref, Item()).digest != manifest.digest:
            return refused
        if (manifest.api_version, ref.kind) not in BUILT_IN | self._custom_kinds():
            return Deferred("its kind is not served yet")
        home = ObjectRef("", "Namespace", "", ref.namespace)
        if ref.namespace not in ("", "shop") and home not in self.objects:
            return Deferred("its namespace is not there yet")
        if live and not live.owner and self.objects[ref].body == manifest.body:
            return None
        return Accepted(copy.deepcopy(dict(manifest.body)))

    def _live(self, environment: Environment, ref: ObjectRef) -> LiveObject | None:
        stored = self.objects.get(ref)
        if stored is None:
            return None
        return LiveObject(
            ref=ref,
            uid=stored.uid,
            resource_version=str(stored.version),
            fingerprint=f"fp-{stored.version}",
            health=HELD_UP if self._stuck(ref) else self._health(stored.body),
            stuck=self._stuck(ref),
            part_of=stored.part_of,
            owner=stored.owner or ("" if stored.part_of == environment.apply_set else f"environment {stored.part_of}"),
            protection=stored.protection,
            body=stored.body,
        )

    def _stuck(self, ref: ObjectRef) -> Stuck | None:
        pod, owner = self.held_up_by.get(ref), self.objects.get(ref)
        stored = self.objects.get(pod) if pod else None
        if pod is None or owner is None or stored is None:
            return None
        version = str(stored.version)
        return Stuck(ref=pod, uid=stored.uid, resource_version=version, owner=ref, owner_uid=owner.uid)

    def _health(self, body: Body) -> Health:
        spec = body.get("spec")
        image = str(spec.get("image", "")) if isinstance(spec, Mapping) else ""
        if image in self.ill or (image.startswith("bad") and image not in self.cured):
            return Health(HealthStatus.FAILED, "ImagePullBackOff", f"0/1 ready; image not found: {image}")
        if self.slow or (image.startswith("slow") and image not in self.ready):
            return Health(HealthStatus.IN_PROGRESS, "Progressing", "0/1 ready")
        return Health(HealthStatus.CURRENT)

    def _write(self, environment: Environment, change: Change) -> Applied:
        ref, stored = change.ref, self.objects.get(change.ref)
        if change.uid and change.action is Action.UPDATE and (stored is None or stored.uid != change.uid):
            return Applied(ref=ref, problem=_problem("CLUSTER_UID", ref, "is another object by now"), retry=True)
        body = copy.deepcopy(dict(change.manifest.body))
        if stored and stored.body == body and stored.part_of == environment.apply_set:
            return Applied(ref=ref, uid=stored.uid, fingerprint=f"fp-{stored.version}")
        if change.action is Action.RECREATE and stored:
            self.writes["delete", ref] += 1
            stored = None
        self.writes["patch" if stored else "create", ref] += 1
        version = self._next()
        uid = stored.uid if stored else f"uid-{version}"
        self.objects[ref] = Stored(uid=uid, version=version, body=body, part_of=environment.apply_set)
        return Applied(ref=ref, uid=uid, fingerprint=f"fp-{version}")

    def _delete(self, environment: Environment, prune: Prune) -> Applied:
        stored = self.objects.get(prune.ref)
        if stored is None:
            return Applied(ref=prune.ref, gone=True)
        if stored.uid != prune.uid or stored.part_of != environment.apply_set:
            return Applied(ref=prune.ref, problem=_problem("PRUNE_NOT_OURS", prune.ref, "is another object by now"))
        del self.objects[prune.ref]
        self.writes["delete", prune.ref] += 1
        return Applied(ref=prune.ref, gone=True)


def _problem(code: str, ref: ObjectRef, message: str) -> Problem:
    return Problem(code=code, stage=Stage.APPLY, message=message, ref=str(ref))

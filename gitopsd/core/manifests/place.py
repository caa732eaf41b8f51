"""Every object of a rendered set gets its place in the cluster, or the set is refused: the operator's bounds hold.

Nothing in the repository can widen them. Where a namespace had to be filled in, it is part of the set's digest: the
same files in another place are other content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.manifests.problems import duplicate_problems, refuse_any
from gitopsd.core.model import Body, Desired, Environment, Json, Manifest, ObjectRef
from gitopsd.core.settings import Settings

_GLOB = frozenset("*?[")
_NAMESPACE = ("", "Namespace")


def place(desired: Desired, scopes: Mapping[tuple[str, str], bool], environment: Environment) -> Desired:
    """Return the set with every namespace filled in. ``scopes`` says of each served (apiVersion, kind) if it has one.

    Raises:
        RenderError: with everything in the set that is unknown, or not allowed here.
    """
    placing = _Placing(environment, default_namespace(desired.settings, environment), {**_own_kinds(desired), **scopes})
    problems: list[Problem] = []
    placed: list[Manifest] = []
    for manifest in desired.manifests:
        found = list(placing.problems(manifest))
        problems += found
        if not found:
            placed.append(placing.placed(manifest))
    placed.sort(key=_identity)
    refuse_any([*problems, *duplicate_problems(placed)])
    was_filled = {manifest.ref for manifest in placed} != {manifest.ref for manifest in desired.manifests}
    digest = digest_of(canonical([desired.digest, placing.default])) if was_filled else desired.digest
    return replace(desired, manifests=tuple(placed), digest=digest)


def _identity(manifest: Manifest) -> tuple[str, str, str, str]:
    ref = manifest.ref
    return ref.group, ref.kind, ref.namespace, ref.name


@dataclass(frozen=True, slots=True)
class _Placing:
    environment: Environment
    default: str
    scopes: Mapping[tuple[str, str], bool]

    def problems(self, manifest: Manifest) -> Iterator[Problem]:
        """Yield what forbids the manifest; nothing more is asked of a kind that is unknown or denied."""
        namespaced = self.scopes.get((manifest.api_version, manifest.ref.kind))
        if self._is_denied(manifest.ref):
            hint = "whoever runs gitopsd can change deny in its configuration"
            yield _problem(manifest, "KIND_DENIED", f"{manifest.ref.group_kind} is denied here", hint)
        elif namespaced is None:
            hint = "correct apiVersion and kind, or add the CustomResourceDefinition to this environment"
            message = f"the cluster does not serve {manifest.api_version} {manifest.ref.kind}"
            yield _problem(manifest, "KIND_UNKNOWN", message, hint)
        elif namespaced:
            yield from self._namespaced_problems(manifest)
        else:
            yield from self._cluster_scoped_problems(manifest)

    def placed(self, manifest: Manifest) -> Manifest:
        """Return the manifest with its namespace."""
        namespaced = self.scopes[manifest.api_version, manifest.ref.kind]
        if not namespaced or manifest.ref.namespace:
            return manifest
        metadata = manifest.body["metadata"]
        named: Body = metadata if isinstance(metadata, Mapping) else {}
        body: dict[str, Json] = {**manifest.body, "metadata": {**named, "namespace": self.default}}
        ref = replace(manifest.ref, namespace=self.default)
        return replace(manifest, ref=ref, body=body, digest=digest_of(canonical(body)))

    def _is_denied(self, ref: ObjectRef) -> bool:
        names = {ref.kind.casefold(), ref.group_kind.casefold()}
        return any(denied.casefold() in names for denied in self.environment.deny)

    def _namespaced_problems(self, manifest: Manifest) -> Iterator[Problem]:
        namespace = manifest.ref.namespace or self.default
        if not namespace:
            hint = "write metadata.namespace, or namespace in gitopsd.yaml"
            yield _problem(manifest, "NAMESPACE_MISSING", "it says no namespace, and nothing else does", hint)
        elif not self.environment.allows(namespace):
            yield self._outside(manifest, namespace)

    def _cluster_scoped_problems(self, manifest: Manifest) -> Iterator[Problem]:
        ref = manifest.ref
        if ref.namespace:
            message = f"{ref.kind} lives in no namespace, but metadata.namespace is written"
            yield _problem(manifest, "NAMESPACE_NOT_WANTED", message, "take metadata.namespace out")
        elif (ref.group, ref.kind) == _NAMESPACE:
            if not self.environment.allows(ref.name):
                yield self._outside(manifest, ref.name)
        elif not self.environment.cluster_scoped:
            message = f"{ref.group_kind} lives in no namespace, and gitopsd has rights in some namespaces only"
            hint = "take it out; whoever runs gitopsd can give it rights in the whole cluster, and scope: cluster"
            yield _problem(manifest, "KIND_DENIED", message, hint)

    def _outside(self, manifest: Manifest, namespace: str) -> Problem:
        allowed = ", ".join(self.environment.namespaces)
        message = f"the namespace {namespace} is none of this environment's: {allowed}"
        hint = "whoever runs gitopsd can change namespaces in its configuration"
        return _problem(manifest, "NAMESPACE_NOT_ALLOWED", message, hint)


def default_namespace(settings: Settings, environment: Environment) -> str:
    """Return the namespace of what names none: the settings' word, else the only one that the operator names."""
    literal = [name for name in environment.namespaces if not set(name) & _GLOB]
    return settings.namespace or (literal[0] if len(literal) == 1 else "")


def _own_kinds(desired: Desired) -> Mapping[tuple[str, str], bool]:
    """Return the kinds that the set itself brings into being, by CRD or by APIService."""
    found: dict[tuple[str, str], bool] = {}
    versions: set[str] = set()
    for manifest in desired.manifests:
        spec = _mapping(manifest.body.get("spec"))
        if manifest.ref.kind == "CustomResourceDefinition":
            found.update(_defined(spec))
        if manifest.ref.kind == "APIService":
            versions.add(f"{spec.get('group')}/{spec.get('version')}")
    for manifest in desired.manifests:
        if manifest.api_version in versions:
            found[manifest.api_version, manifest.ref.kind] = bool(manifest.ref.namespace)
    return found


def _defined(spec: Body) -> Iterator[tuple[tuple[str, str], bool]]:
    kind, versions = _mapping(spec.get("names")).get("kind"), spec.get("versions")
    for version in versions if isinstance(versions, Sequence) else ():
        served = _mapping(version)
        if served.get("served") is True:
            yield (f"{spec.get('group')}/{served.get('name')}", str(kind)), spec.get("scope") == "Namespaced"


def _mapping(value: Json) -> Body:
    return value if isinstance(value, Mapping) else {}


def _problem(manifest: Manifest, code: str, message: str, hint: str) -> Problem:
    return Problem(
        code=code,
        stage=Stage.VALIDATE,
        message=message,
        hint=hint,
        ref=str(manifest.ref),
        file=manifest.origin.file,
        line=manifest.origin.line,
    )

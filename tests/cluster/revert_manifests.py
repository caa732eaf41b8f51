"""The files of a scenario's environment: what is kept, what the bad commit makes of it, and what a good one would."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from tests.cluster.revert_scenarios import IMAGES, Also, Fails, Runs, Scenario
from tests.cluster.stage import configmap

SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: 0s, timeout: %s}\n"
# Nothing but its deadline says of what is never ready that it never will be, or of a StatefulSet that it has too few.
PATIENT, SHORT = "10m", "60s"
QUOTA = 6
WIDGETS = "widgets.arena.example"
_GOOD, _BETTER = "registry.example/app:1", "registry.example/app:2"

Files = Mapping[str, str | None]


def kept_files(scenario: Scenario) -> dict[str, str]:
    """The first commit: all is well."""
    return {
        "gitopsd.yaml": SETTINGS % PATIENT,
        "web.yaml": _broken(scenario, "web", _GOOD),
        "service.yaml": _service("web"),
        "settings.yaml": configmap("settings", colour="red"),
        "old.yaml": configmap("old", a="1"),
        "bystander.yaml": configmap("bystander", a="1"),
    }


def bad_files(scenario: Scenario, number: int) -> Files:
    """What the bad commit changes; a second one is bad in the same way, and other content."""
    fails = scenario.fails
    image = f"rig.test/web:v{number}-{fails}" if fails in IMAGES else _GOOD
    is_patient = fails is not Fails.NEVER_READY and (scenario.runs, fails) != (Runs.STATEFUL_SET, Fails.QUOTA)
    replicas = 1
    if fails is Fails.QUOTA:
        replicas = QUOTA + number + 1
    elif scenario.also is Also.REPLICAS:
        replicas = 3
    name = scenario.breaks.partition("/")[2]
    return {
        "gitopsd.yaml": SETTINGS % (PATIENT if is_patient else SHORT),
        f"{name}.yaml": _broken(scenario, name, image, replicas, mood=f"{fails}-{number}"),
        **_also(scenario),
    }


def good_files(scenario: Scenario) -> Files:
    """The same change, done right. A pod is replaced: what is played does not say which generation it has seen."""
    if scenario.runs is Runs.POD:
        return {"extra.yaml": None, "better.yaml": _broken(scenario, "better", _BETTER), **_also(scenario)}
    name = scenario.breaks.partition("/")[2]
    replicas = 3 if scenario.also is Also.REPLICAS else 2 if scenario.fails is Fails.QUOTA else 1
    return {
        "gitopsd.yaml": SETTINGS % PATIENT,
        f"{name}.yaml": _broken(scenario, name, _BETTER, replicas, mood="better"),
        **_also(scenario),
    }


def after(first: Mapping[str, str], *changes: Files) -> dict[str, str]:
    """The manifests of an environment after these commits, without its settings."""
    merged: dict[str, str | None] = dict(chain(first.items(), *(each.items() for each in changes)))
    return {name: text for name, text in merged.items() if text is not None and name != "gitopsd.yaml"}


def _also(scenario: Scenario) -> Files:
    match scenario.also:
        case Also.SETTING:
            return {"settings.yaml": configmap("settings", colour="blue")}
        case Also.ADDED:
            return {"banner.yaml": configmap("banner", text="sale")}
        case Also.REMOVED:
            return {"old.yaml": None}
        case Also.SELECTOR:
            return {"service.yaml": _service("nobody")}
        case Also.CLAIM:
            return {"disk.yaml": _CLAIM}
        case Also.CRD:
            return {"things.yaml": _crd(f"{scenario.name}.example", "things", "Thing")}
        case Also.NOTHING | Also.REPLICAS:
            return {}


def _broken(scenario: Scenario, name: str, image: str, replicas: int = 1, mood: str = "good") -> str:
    match scenario.runs:
        case Runs.DEPLOYMENT:
            return _scaled("Deployment", name, image, replicas, "")
        case Runs.STATEFUL_SET:
            return _scaled("StatefulSet", name, image, replicas, f"\n  serviceName: {name}")
        case Runs.DAEMON_SET:
            return _workload("apps/v1 DaemonSet", name, f"\n  selector: {{matchLabels: {{app: {name}}}}}", image)
        case Runs.JOB:
            return _workload("batch/v1 Job", name, "\n  backoffLimit: 0", image, "Never")
        case Runs.POD:
            spec = f"spec:\n  containers: [{_container(image)}]\n"
            return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n{spec}"
        case Runs.WIDGET:
            return f"apiVersion: arena.example/v1\nkind: Widget\nmetadata: {{name: {name}}}\nspec: {{mood: {mood}}}\n"


def _scaled(kind: str, name: str, image: str, replicas: int, more: str) -> str:
    spec = f"\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}{more}"
    return _workload(f"apps/v1 {kind}", name, spec, image)


def _workload(kind: str, name: str, spec: str, image: str, restart: str = "Always") -> str:
    version, _, kind = kind.partition(" ")
    return f"""apiVersion: {version}
kind: {kind}
metadata: {{name: {name}}}
spec:{spec}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      restartPolicy: {restart}
      containers: [{_container(image, probed=restart == "Always")}]
"""


def _container(image: str, *, probed: bool = True) -> str:
    """Without a probe, a pod that crashes counts as ready while it runs."""
    probe = ", readinessProbe: {httpGet: {path: /, port: 8080}}" if probed else ""
    return f"{{name: app, image: {image!r}{probe}}}"


def _service(app: str) -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  selector: {{app: {app}}}\n"
        "  ports: [{port: 80, targetPort: 8080, protocol: TCP}]\n"
    )


_CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""


def _crd(group: str, plural: str, kind: str) -> str:
    return f"""apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: {plural}, singular: {kind.lower()}, kind: {kind}}}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {{status: {{}}}}
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


WIDGET_CRD = _crd("arena.example", "widgets", "Widget")

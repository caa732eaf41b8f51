"""A thousand objects of nine kinds, as a bench sends them: files for Git and kubectl, ready bytes for the limit.

Each says the word ``crimson`` once, where it matters, so that a person has something to edit.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

Json = dict[str, Any]

NAMESPACE_COUNT = 10
LABELS = {"app.kubernetes.io/part-of": "bench", "app.kubernetes.io/managed-by": "git"}
WORD = "crimson"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, how many of it each namespace has, and what makes one of it."""

    api_version: str
    kind: str
    plural: str
    count: int
    content: Callable[[str], Json]


@dataclass(frozen=True, slots=True)
class Made:
    """One object. ``resource`` and ``path`` are what the API server calls it."""

    kind: str
    resource: str
    namespace: str
    name: str
    path: str
    body: Json = field(repr=False)

    @property
    def file(self) -> str:
        return f"{self.namespace}/{self.resource.rpartition('/')[2]}-{self.name}.yaml"

    @property
    def text(self) -> str:
        return str(yaml.dump(self.body, Dumper=yaml.CSafeDumper, sort_keys=False))

    def with_annotations(self, annotations: Mapping[str, str]) -> Made:
        """The same with these."""
        metadata = {**self.body["metadata"], "annotations": dict(annotations)}
        return replace(self, body={**self.body, "metadata": metadata})

    @property
    def object(self) -> str:
        """As the audit log's oracle writes it."""
        return f"{self.resource} {self.namespace}/{self.name}"


def thousand(namespaces: Sequence[str]) -> list[Made]:
    """A hundred objects in each of ten namespaces."""
    assert len(namespaces) == NAMESPACE_COUNT
    made = [one for namespace in namespaces for kind in KINDS for one in _of(kind, namespace)]
    assert len(made) == 1000
    return made


def files(made: Sequence[Made]) -> Mapping[str, str]:
    """One file per object."""
    return {one.file: one.text for one in made}


def _of(kind: Kind, namespace: str) -> Iterator[Made]:
    group = kind.api_version.rpartition("/")[0]
    root = f"/apis/{kind.api_version}" if group else f"/api/{kind.api_version}"
    for number in range(kind.count):
        name = f"{kind.kind.lower()}-{number:02}"
        yield Made(
            kind=kind.kind,
            resource=f"{group}/{kind.plural}" if group else kind.plural,
            namespace=namespace,
            name=name,
            path=f"{root}/namespaces/{namespace}/{kind.plural}/{name}",
            body={
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
                **kind.content(name),
            },
        )


def _config_map(name: str) -> Json:
    lines = "\n".join(f"{name}.setting.{number}=the value of setting {number}" for number in range(20))
    return {"data": {"colour": WORD, "settings.properties": lines}}


def _secret(name: str) -> Json:
    value = base64.b64encode(f"not a secret of {name}".encode()).decode()
    return {"type": "Opaque", "data": {"password": value}}


def _service(name: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return {"spec": {"selector": {"app": name, "colour": WORD}, "ports": ports}}


def _role(_: str) -> Json:
    return {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [WORD], "verbs": ["get"]}]}


def _role_binding(name: str) -> Json:
    return {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name.replace("binding", "")},
        "subjects": [{"kind": "User", "name": WORD, "apiGroup": "rbac.authorization.k8s.io"}],
    }


def _network_policy(name: str) -> Json:
    callers = [{"podSelector": {"matchLabels": {"colour": WORD}}}]
    ports = [{"port": 8080, "protocol": "TCP"}]
    return {
        "spec": {
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": callers, "ports": ports}],
        }
    }


def _budget(name: str) -> Json:
    return {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": name, "colour": WORD}}}}


def _deployment(name: str) -> Json:
    container = {
        "name": "app",
        "image": "registry.example/app:1",
        "env": [{"name": "COLOUR", "value": WORD}],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    }
    return {
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        }
    }


KINDS = (
    Kind("v1", "ConfigMap", "configmaps", 25, _config_map),
    Kind("v1", "Secret", "secrets", 15, _secret),
    Kind("v1", "Service", "services", 10, _service),
    Kind("v1", "ServiceAccount", "serviceaccounts", 10, lambda _: {}),
    Kind("rbac.authorization.k8s.io/v1", "Role", "roles", 10, _role),
    Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", 10, _role_binding),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", 10, _network_policy),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", 5, _budget),
    Kind("apps/v1", "Deployment", "deployments", 5, _deployment),
)

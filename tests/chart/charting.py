"""The chart as Helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from rig.binaries import build

CHART = Path(__file__).parents[2] / "charts" / "gitopsd"
CI = sorted((CHART / "ci").glob("*-values.yaml"))
SMALL, FULL, OPENSHIFT, KEY_SERVICES, INGRESS, NAMESPACES = (
    CHART / "ci" / f"{name}-values.yaml"
    for name in ("small", "full", "openshift", "keyservices", "ingress", "namespaces")
)
NAMESPACE = "gitopsd"

Object = dict[str, Any]


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the pinned helm; it may fail."""
    program = build(["helm"])["helm"]
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def template(values: Path, *settings: str, namespace: str = NAMESPACE) -> subprocess.CompletedProcess[str]:
    """Render the chart; it may be refused."""
    chosen = [part for setting in settings for part in ("--set-json", setting)]
    return helm("template", "gitopsd", CHART, "--namespace", namespace, "--values", values, *chosen)


def rendered(values: Path, *settings: str, namespace: str = NAMESPACE) -> list[Object]:
    """Return what the chart renders to."""
    done = template(values, *settings, namespace=namespace)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Return those of these kinds."""
    return [one for one in objects if one["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """Return the one of that kind and name."""
    return next(one for one in of_kind(objects, kind) if one["metadata"]["name"] == name)


def pods(objects: Iterable[Object]) -> Iterator[Object]:
    """Return every pod that would run, as a pod."""
    for one in objects:
        if one["kind"] == "Pod":
            yield one
        if one["kind"] == "Deployment":
            template = one["spec"]["template"]
            metadata = {**template["metadata"], "name": one["metadata"]["name"]}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def rules_of(objects: Iterable[Object], account: str, namespace: str = NAMESPACE) -> Iterator[tuple[str, Object]]:
    """Return each rule that binds the account, with the namespace in which it does; empty = in all of them."""
    objects = list(objects)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
        if subject in binding["subjects"]:
            everywhere = binding["kind"] == "ClusterRoleBinding"
            where = "" if everywhere else binding["metadata"].get("namespace", namespace)
            for rule in named(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"])["rules"]:
                yield where, rule

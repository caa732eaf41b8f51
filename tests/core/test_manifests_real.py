"""Real repositories are read whole, without a single complaint, and fast."""

# ruff: noqa: T201  a measurement is printed

from __future__ import annotations

import gc
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml as pyyaml

from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.directory import desired_from, read_directory
from gitopsd.core.manifests.intents import intents_of
from gitopsd.core.manifests.kustomization import NAMES
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.manifests.place import place
from gitopsd.core.manifests.scopes import guessed_scopes
from gitopsd.core.manifests.text import read_text
from gitopsd.core.manifests.validate import rendered_json
from gitopsd.core.model import Environment, File, Revision

REAL = Path(__file__).parents[3] / "shared" / "fixtures" / "real"
REVISION = Revision(ref="main", commit="c" * 40)
SHOP = Environment(name="shop", source="s", path="env", namespaces=("shop", "*"))

DEPLOYMENT = b"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%d
  namespace: shop
  labels: &labels
    app.kubernetes.io/name: web
    app.kubernetes.io/part-of: shop
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: web
  template:
    metadata:
      labels:
        app.kubernetes.io/name: web
    spec:
      containers:
        - name: web
          image: example/web:1.2.3
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: A
              value: "1"
            - name: B
              value: two
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits:
              memory: 128Mi
          readinessProbe:
            httpGet:
              path: /healthz
              port: http
            periodSeconds: 5
"""


class TolerantLoader(pyyaml.CSafeLoader):
    """PyYAML's own loader, able to read a lone ``=`` as the Prometheus definitions have it."""


TolerantLoader.add_constructor("tag:yaml.org,2002:value", TolerantLoader.construct_yaml_str)


def repository(name: str) -> tuple[File, ...]:
    """The files of a fixture that hold objects."""
    directory = REAL / name
    if not directory.is_dir():
        pytest.skip(f"the fixture {name} is not here")
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.name not in NAMES)
    return tuple(
        File(f"env/{path.relative_to(directory)}", hashlib.sha1(content).hexdigest(), content)  # noqa: S324
        for path, content in ((path, path.read_bytes()) for path in paths)
    )


@pytest.mark.parametrize(
    ("name", "objects"), [("kube-prometheus/manifests", 131), ("online-boutique/kubernetes-manifests", 35)]
)
def test_a_real_repository_is_rendered_and_placed(name, objects):
    desired = desired_from(REVISION, "env", repository(name))
    placed = place(desired, guessed_scopes(desired.manifests), SHOP)

    assert len(placed.manifests) == objects
    assert desired.warnings == ()


@pytest.mark.parametrize("name", ["kube-prometheus/manifests", "online-boutique/kubernetes-manifests"])
def test_a_set_rendered_from_its_own_json_is_the_same_set(name):
    files = repository(name)
    printed = rendered_json(read_directory("env", files))
    items = json.loads(printed)
    again = tuple(File(f"env/{index}.json", "1", json.dumps(item).encode()) for index, item in enumerate(items))

    assert rendered_json(read_directory("env", again)) == printed
    assert hashlib.sha256(printed).hexdigest() == desired_from(REVISION, "env", files).digest


def fastest(*works: Callable[[], object]) -> tuple[float, ...]:
    """The least CPU time in µs of each, taken in turns, so that a busy machine is unfair to none."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(7):
        for work, taken in zip(works, times, strict=True):
            gc.collect()
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
    return tuple(min(taken) * 1e6 for taken in times)


@pytest.mark.bench
def test_our_reader_is_faster_than_the_libraries_own():
    count = 500
    content = b"---\n".join(DEPLOYMENT % index for index in range(count))
    file = File("a.yaml", "1", content)
    ours, whole, theirs = fastest(
        lambda: yaml.parse(read_text("a.yaml", content)),
        lambda: read_file(file),
        lambda: list(pyyaml.load_all(content, Loader=pyyaml.CSafeLoader)),
    )

    print(f"µs per Deployment: read {ours / count:.0f}, and checked {whole / count:.0f}, PyYAML {theirs / count:.0f}")
    assert theirs / ours > 1.3
    assert whole / theirs < 1.3


@pytest.mark.bench
def test_a_real_stack_is_read_faster_than_by_the_libraries_own():
    files = [file for file in repository("kube-prometheus/manifests") if file.path.endswith(".yaml")]
    ours, theirs = fastest(
        lambda: [yaml.parse(read_text(file.path, file.content)) for file in files],
        lambda: [list(pyyaml.load_all(file.content, Loader=TolerantLoader)) for file in files],
    )

    print(f"kube-prometheus: {ours / 1e3:.0f} ms, PyYAML {theirs / 1e3:.0f} ms")
    assert theirs / ours > 1.3


@pytest.mark.bench
def test_intents_and_places_of_thousands_of_objects_are_cheap():
    count = 2_000
    content = [File(f"env/{index}.yaml", "1", DEPLOYMENT % index) for index in range(count)]
    desired = desired_from(REVISION, "env", content)
    scopes = guessed_scopes(desired.manifests)
    placing, asking = fastest(
        lambda: place(desired, scopes, SHOP), lambda: [intents_of(manifest) for manifest in desired.manifests]
    )

    print(f"µs per object: place {placing / count:.1f}, intents {asking / count:.1f}")
    assert placing / count < 50
    assert asking / count < 20

"""Real repositories are read whole, without a single complaint, and fast."""

# ruff: noqa: T201  a measurement is printed

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml as pyyaml

from gitopsd.core import yaml
from gitopsd.core.errors import RenderError
from gitopsd.core.intents import intents_of
from gitopsd.core.manifests import desired_from
from gitopsd.core.model import Environment, File, Revision
from gitopsd.core.objects import read_file
from gitopsd.core.place import place
from gitopsd.core.scopes import guessed_scopes
from gitopsd.core.text import read_text
from gitopsd.core.validate import rendered_json

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
    directory = REAL / name
    if not directory.is_dir():
        pytest.skip(f"the fixture {name} is not here")
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return tuple(
        File(f"env/{path.relative_to(directory)}", hashlib.sha1(content).hexdigest(), content)  # noqa: S324
        for path, content in ((path, path.read_bytes()) for path in paths)
    )


@pytest.mark.parametrize(
    ("name", "objects", "warnings"),
    [
        ("kube-prometheus/manifests", 131, []),
        ("online-boutique/kubernetes-manifests", 33, ["KUSTOMIZATION_IGNORED"]),
    ],
)
def test_a_real_repository_is_rendered_and_placed(name, objects, warnings):
    desired = desired_from(REVISION, "env", repository(name))
    placed = place(desired, guessed_scopes(desired.manifests), SHOP)

    assert len(placed.manifests) == objects
    assert [warning.code for warning in desired.warnings] == warnings
    assert placed.digest == desired.digest


@pytest.mark.parametrize("name", ["kube-prometheus/manifests", "online-boutique/kubernetes-manifests"])
def test_a_set_rendered_from_its_own_json_is_the_same_set(name):
    files = repository(name)
    printed = rendered_json("env", files)
    items = json.loads(printed)
    again = tuple(File(f"env/{index}.json", "1", json.dumps(item).encode()) for index, item in enumerate(items))

    assert rendered_json("env", again) == printed
    assert hashlib.sha256(printed).hexdigest() == desired_from(REVISION, "env", files).digest


def test_the_shop_is_exactly_what_its_kustomization_lists():
    desired = desired_from(REVISION, "env", repository("online-boutique/kubernetes-manifests"))

    assert "loadgenerator" not in {manifest.ref.name for manifest in desired.manifests}


def test_a_chart_and_a_base_with_components_are_refused_by_name():
    for name in ("online-boutique/helm-chart", "online-boutique/kustomize"):
        with pytest.raises(RenderError, match="RENDERER_UNSUPPORTED"):
            desired_from(REVISION, "env", repository(name))


def fastest(work: Callable[[], object], runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.bench
def test_our_reader_is_faster_than_the_libraries_own():
    content = b"---\n".join(DEPLOYMENT % index for index in range(500))
    ours = fastest(lambda: yaml.parse(read_text("a.yaml", content)))
    file = File("a.yaml", "1", content)
    whole = fastest(lambda: read_file(file))
    theirs = fastest(lambda: list(pyyaml.load_all(content, Loader=pyyaml.CSafeLoader)))

    print(
        f"µs per Deployment: read {ours * 2e3:.0f}, checked and digested {whole * 2e3:.0f}, PyYAML {theirs * 2e3:.0f}"
    )
    assert theirs / ours > 1.3
    assert whole * 2e3 < 400


@pytest.mark.bench
def test_a_real_stack_is_read_faster_than_by_the_libraries_own():
    files = [file for file in repository("kube-prometheus/manifests") if file.path.endswith(".yaml")]
    ours = fastest(lambda: [yaml.parse(read_text(file.path, file.content)) for file in files], runs=3)
    theirs = fastest(lambda: [list(pyyaml.load_all(file.content, Loader=TolerantLoader)) for file in files], runs=3)

    print(f"kube-prometheus: {ours * 1e3:.0f} ms, PyYAML {theirs * 1e3:.0f} ms")
    assert theirs / ours > 1.3


@pytest.mark.bench
def test_intents_and_places_of_thousands_of_objects_are_cheap():
    content = [File(f"env/{index}.yaml", "1", DEPLOYMENT % index) for index in range(2_000)]
    desired = desired_from(REVISION, "env", content)
    scopes = guessed_scopes(desired.manifests)
    placing = fastest(lambda: place(desired, scopes, SHOP))
    asking = fastest(lambda: [intents_of(manifest) for manifest in desired.manifests])

    print(f"µs per object: place {placing * 500:.1f}, intents {asking * 500:.1f}")
    assert placing * 500 < 50
    assert asking * 500 < 20

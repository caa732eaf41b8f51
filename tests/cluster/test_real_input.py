"""Real repositories, whole: from nothing to a verdict, and a second run that makes no write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitopsd.core.status.words import Phase, phase
from rig.binaries import build
from rig.cluster import Nodes
from rig.lifecycle import Wish, down, up
from rig.programs import myself
from rig.pytest_plugin import TestCluster
from tests.cluster.stage import Stage

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]

COMPONENTS = 15
REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real"


def files_below(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        pytest.skip(f"the fixture {folder.name} is not here")
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_an_online_shop_becomes_healthy_and_is_then_left_alone(stage):
    shop = files_below(REAL / "online-boutique" / "kubernetes-manifests")
    settings = f"apiVersion: gitopsd.dev/v1\nkind: Environment\nnamespace: {stage.namespace}\nhealth: {{soak: 1s}}\n"
    stage.commit({**shop, "gitopsd.yaml": settings})
    stage.extra_config = f"render: {{kustomize: {build(('kustomize',))['kustomize']}}}\n"

    first = stage.once(120)
    begin = stage.audit.position()
    second = stage.once()

    assert phase(first) is Phase.READY, first.problems
    assert first.writes == {"create": 33, "patch": 0, "delete": 0}
    assert (phase(second), second.writes) == (Phase.READY, {"create": 0, "patch": 0, "delete": 0})
    assert list(stage.audit.writes(begin)) == []


def test_an_overlay_of_a_shop_becomes_healthy_and_follows_its_base(stage):
    shop = files_below(REAL / "online-boutique" / "kustomize")
    overlay = "resources: [../../shop/base]\ncomponents: [../../shop/components/without-loadgenerator]\n"
    settings = f"apiVersion: gitopsd.dev/v1\nkind: Environment\nnamespace: {stage.namespace}\nhealth: {{soak: 1s}}\n"
    stage.repository.commit({f"shop/{path}": content for path, content in shop.items()})
    stage.commit({"kustomization.yaml": overlay, "gitopsd.yaml": settings})
    stage.extra_config = f"render: {{kustomize: {build(('kustomize',))['kustomize']}}}\n"
    first = stage.once(120)
    begin = stage.audit.position()
    second = stage.once()
    assert list(stage.audit.writes(begin)) == []

    service = shop["base/currencyservice.yaml"].replace(b"port: 7000", b"port: 7001")
    stage.repository.commit({"shop/base/currencyservice.yaml": service})
    third = stage.once(120)

    assert [phase(one) for one in (first, second, third)] == [Phase.READY] * 3
    assert (first.writes["create"], third.writes) == (34, {"create": 0, "patch": 2, "delete": 0})


def test_each_component_of_a_shop_in_turn_becomes_what_runs(stage):
    """Each on the base, as a team would use it; what runs follows from one to the next."""
    shop = files_below(REAL / "online-boutique" / "kustomize")
    settings = f"apiVersion: gitopsd.dev/v1\nkind: Environment\nnamespace: {stage.namespace}\nhealth: {{soak: 0s}}\n"
    stage.repository.commit({f"shop/{path}": content for path, content in shop.items()})
    stage.commit({"gitopsd.yaml": settings})
    stage.extra_config = f"render: {{kustomize: {build(('kustomize',))['kustomize']}}}\n"
    components = sorted({path.split("/")[1] for path in shop if path.startswith("components/")} - {"README.md"})
    for component in components:
        with_it = "../../shop/components/memorystore, " if component == "network-policies" else ""
        overlay = f"resources: [../../shop/base]\ncomponents: [{with_it}../../shop/components/{component}]\n"
        stage.commit({"kustomization.yaml": overlay})
        first = stage.once(120)
        begin = stage.audit.position()
        second = stage.once()

        # Nobody serves the Gateway API here: what cannot run is refused before anything is written.
        is_served = component != "service-mesh-istio"
        assert phase(first) is phase(second) is (Phase.READY if is_served else Phase.FAILED), component
        assert {problem.code for problem in first.problems} == (set() if is_served else {"KIND_UNKNOWN"}), component
        assert list(stage.audit.writes(begin)) == [], component
    assert len(components) == COMPONENTS


@pytest.fixture
def own_cluster():
    """A cluster for a stack that lives in many namespaces and brings its own kinds."""
    made = up(Wish(name=f"real-{os.getpid()}", nodes=Nodes.KWOK, owner=myself()))
    try:
        yield TestCluster(made.kubeconfig, made)
    finally:
        down(made.name)


def test_a_monitoring_stack_with_its_own_kinds_comes_to_a_verdict(own_cluster, stage, tmp_path):
    """Its CRDs are larger than 256 KiB, and their custom resources come in the same commit.

    On played nodes nobody serves the metrics API, so the verdict is that this one object is not well, and only it.
    """
    stack = files_below(REAL / "kube-prometheus" / "manifests")
    monitoring = Stage(
        cluster=own_cluster,
        namespace="gitopsd",
        folder=tmp_path,
        server=stage.server,
        repository=stage.repository,
        factor=10.0,
        bounds='"*"',
    )
    monitoring.commit({**stack, "gitopsd.yaml": None})

    first = monitoring.once(120)
    begin = monitoring.audit.position()
    second = monitoring.once(120)

    assert (phase(first), first.problems) == (Phase.FAILED, ())
    assert first.writes["create"] == 131
    assert [str(finding.ref) for finding in first.latest.look.verdict.findings] == ["APIService v1beta1.metrics.k8s.io"]
    assert (phase(second), second.writes) == (Phase.FAILED, {"create": 0, "patch": 0, "delete": 0})
    assert list(monitoring.audit.writes(begin)) == []

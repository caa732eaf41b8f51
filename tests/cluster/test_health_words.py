"""A real kubelet still uses the words that the recorded pods have."""

import pytest

from gitopsd.core.health import assess
from rig.images import load, web_image
from rig.waiting import wait_for
from tests.core.health.recorded import RECORDED, SAID, is_said

pytestmark = pytest.mark.kubelet


def test_all_that_can_ail_a_pod_is_said_as_recorded(node_cluster, node_namespace):
    load(node_cluster.powers(), web_image())
    api, path = node_cluster.api(), f"/api/v1/namespaces/{node_namespace}"
    for kind, content in (("ConfigMap", {"data": {"a": "b"}}), ("Secret", {"stringData": {"a": "b"}})):
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "there"}, **content}
        api.create(f"{path}/{kind.lower()}s", body)
    for name, recorded in RECORDED.items():
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": recorded["spec"]}
        api.create(f"{path}/pods", body)
    said = set()

    def is_heard(name):
        pods = (_whole(pod) for pod in api.get(f"{path}/pods")["items"])
        said.update(pod["metadata"]["name"] for pod in pods if is_said(assess(pod), pod["metadata"]["name"]))
        return name in said

    for name in SAID:
        wait_for(f"{name} to be said as recorded", lambda name=name: is_heard(name), deadline_s=120, every_s=0.5)


def _whole(pod):
    return {"apiVersion": "v1", "kind": "Pod", **pod}

"""A real kubelet still uses the words that the recorded pods have."""

import re
from collections import defaultdict

import pytest

from gitopsd.core.health import assess
from rig.errors import WaitedTooLongError
from rig.images import load, web_image
from rig.waiting import wait_for
from tests.core.health.recorded import RECORDED, SAID

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
    heard = defaultdict(set)

    def is_heard(name):
        for pod in api.get(f"{path}/pods")["items"]:
            health = assess({"apiVersion": "v1", "kind": "Pod", **pod})
            heard[pod["metadata"]["name"]].add((health.status, health.reason, _uncounted(health.message)))
        status, reason, words = SAID[name]
        return any(one[:2] == (status, reason) and _uncounted(words) in one[2] for one in heard[name])

    for name in SAID:
        try:
            wait_for(f"{name} to be said as recorded", lambda name=name: is_heard(name), deadline_s=120, every_s=0.5)
        except WaitedTooLongError as error:
            raise AssertionError(f"{name} was only said to be {sorted(heard[name])}") from error


def _uncounted(message):
    """The words but for how often: a kubelet with much to do looks up between one restart and the next but one."""
    return re.sub(r"after \d+ restarts?", "after some restarts", message)

"""What is said of pods as a real kubelet shows them."""

import pytest

from gitopsd.core.health import assess
from tests.core.health.recorded import FAILED, RECORDED, SAID, is_said, pod


def test_every_recorded_pod_is_in_the_table():
    assert RECORDED.keys() == SAID.keys()


@pytest.mark.parametrize("name", SAID)
def test_a_recorded_pod_comes_to_be_said(name):
    healths = [assess(pod(name, status)) for status in RECORDED[name]["states"]]
    assert any(is_said(health, name) for health in healths), healths


@pytest.mark.parametrize("name", [name for name, (status, *_) in SAID.items() if status is not FAILED])
def test_a_recorded_pod_that_is_not_doomed_was_never_called_so(name):
    assert FAILED not in {assess(pod(name, status)).status for status in RECORDED[name]["states"]}


@pytest.mark.parametrize("name", [name for name, (status, *_) in SAID.items() if status is FAILED])
def test_a_recorded_pod_is_doomed_for_one_reason_only(name):
    reasons = {health.reason for s in RECORDED[name]["states"] if (health := assess(pod(name, s))).status is FAILED}
    assert len(reasons) == 1

"""Which pods are a workload's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gitopsd.adapters.cluster.below import Below, selector_of

SELECTORS = {
    "labels": ({"matchLabels": {"app": "web", "tier": "front"}}, "app=web,tier=front"),
    "one of": ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]}, "a in (x,y)"),
    "none of": ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
    "there": ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
    "not there": ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, "!a"),
    "a word that we do not know selects all": ({"matchExpressions": [{"key": "a", "operator": "New"}]}, ""),
    "none": ({}, ""),
}


@pytest.mark.parametrize(("selector", "said"), SELECTORS.values(), ids=SELECTORS)
def test_a_selector_is_said_as_a_list_takes_it(selector, said):
    assert selector_of({"spec": {"selector": selector}}) == said


@pytest.mark.parametrize(
    ("said", "since"),
    [
        pytest.param({"lastTransitionTime": "2026-01-01T12:00:00Z"}, datetime(2026, 1, 1, 12, tzinfo=UTC), id="known"),
        pytest.param({}, None, id="not known: no pod is stuck"),
    ],
)
def test_a_pod_that_may_come_up_is_stuck_only_where_it_is_known_for_how_long(said, since):
    """Without a time it would pass for one that is waited for in vain, and go at once."""
    pod: dict[str, Any] = {
        "kind": "Pod",
        "metadata": {
            "name": "db-0",
            "uid": "p",
            "labels": {"controller-revision-hash": "bad"},
            "ownerReferences": [{"uid": "s", "controller": True}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", **said}]},
    }
    owner = {
        "kind": "StatefulSet",
        "metadata": {"name": "db", "uid": "s", "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "currentRevision": "bad", "updateRevision": "good"},
    }

    stuck = Below({"s": (pod,)}).stuck(owner)

    assert [one.unready_since for one in (stuck,) if one] == ([since] if since else [])

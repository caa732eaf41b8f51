"""Which pods are a workload's."""

from __future__ import annotations

import pytest

from gitopsd.adapters.cluster.below import selector_of

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

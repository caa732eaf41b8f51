"""Each alert of the chart is raised when it should be, and only then, as Prometheus' own tool says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from rig.prometheus import promtool
from tests.chart.charting import CHART, FULL, of_kind, rendered

RULES, TESTS = CHART / "alerts.yaml", Path(__file__).parent / "alerts_test.yaml"


def test_each_alert_is_tested_to_be_raised_and_not_to_be():
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    asked = [one for test in yaml.safe_load(TESTS.read_text())["tests"] for one in test["alert_rule_test"]]
    assert {one["alertname"] for one in asked if one["exp_alerts"]} == alerts
    assert {one["alertname"] for one in asked if not one["exp_alerts"]} == alerts


def test_the_chart_hands_them_over_as_they_are():
    (rule,) = of_kind(rendered(FULL), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text())


@pytest.mark.kubelet
@pytest.mark.parametrize("command", [("check", "rules", RULES), ("test", "rules", TESTS)], ids=["check", "test"])
def test_prometheus_reads_them_as_they_are_meant(command):
    done = subprocess.run([promtool(), *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

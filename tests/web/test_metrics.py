"""The metrics as Prometheus reads them."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from gitopsd.core.status.overview import View
from gitopsd.web.metrics import exposition
from tests.core.views import CASES, ENVIRONMENT, READY, REVERTED, unseen, whole

STAGING = replace(READY, environment=replace(ENVIRONMENT, name="staging"), writes={"create": 3}, requests=12)


def samples(view: View | None):
    """All samples, by name and labels."""
    text = exposition(lambda: view, "")[0].decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def of(found, name):
    return {key[1:]: value for key, value in found.items() if key[0] == name}


def test_an_environment_says_how_it_is():
    found = of(samples(whole(REVERTED)), "gitopsd_environment_info")

    assert found == {
        (
            ("environment", "production/web"),
            ("health_status", "Healthy"),
            ("phase", "Reverted"),
            ("revision", f"main@sha1:{'a' * 40}"),
            ("source", "git"),
            ("suspended", "false"),
            ("sync_status", "OutOfSync"),
        ): 1
    }


def test_writes_and_requests_are_counters():
    found = samples(whole(STAGING))

    assert of(found, "gitopsd_apply_total") == {(("environment", "staging"), ("operation", "create")): 3}
    assert of(found, "gitopsd_kube_requests_total") == {(("environment", "staging"),): 12}


def test_a_probe_says_what_it_answered_last():
    found = of(samples(whole(CASES["what was kept fails its probe"][0])), "gitopsd_health_probes")

    assert {key[2][1]: value for key, value in found.items()} == {"pass": 0, "fail": 1, "unknown": 0, "pending": 0}
    assert {key[1][1] for key in found} == {"http web:80/healthz"}


def test_objects_are_counted_by_kind_and_health_and_never_named():
    found = samples(whole(READY))

    assert of(found, "gitopsd_managed_objects") == {
        (("environment", "production/web"), ("health", "Healthy"), ("kind", "Deployment")): 1
    }
    assert not any("uid" in str(key) or "shop" in str(key) for key in found)


def test_an_environment_that_is_gone_leaves_no_series():
    assert not any("staging" in str(key) for key in samples(whole(READY)))
    assert any("staging" in str(key) for key in samples(whole(READY, STAGING)))


def test_an_environment_without_a_pass_has_no_time_of_one():
    found = samples(whole(unseen()))

    assert of(found, "gitopsd_last_reconcile_timestamp_seconds") == {}
    assert of(found, "gitopsd_held_revisions") == {(("environment", "production/web"),): 0}


def test_of_environments_tells_who_leads_and_nobody_else():
    led = whole(READY, STAGING)
    other = samples(replace(led, daemon=replace(led.daemon, leading=False)))

    assert of(other, "gitopsd_leader") == {(): 0}
    assert of(other, "gitopsd_git_fetch_failing")
    assert not any("staging" in str(key) for key in other)


def test_before_the_first_snapshot_there_is_what_runs_here_and_no_more():
    names = {key[0] for key in samples(None)}

    assert "gitopsd_build_info" in names
    assert not any(name.startswith("gitopsd_environment") for name in names)


def test_it_says_who_leads_and_how_git_is():
    found = samples(whole(READY))

    assert of(found, "gitopsd_leader") == {(): 1}
    assert of(found, "gitopsd_git_fetch_failing") == {(("source", "git"),): 0}


def test_the_asker_may_have_it_as_openmetrics():
    content, content_type = exposition(lambda: whole(READY), "application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert list(parse_openmetrics(content.decode()))

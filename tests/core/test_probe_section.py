"""What ``health.probes`` may say, and every way to say it wrong."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.probe_section import job_files
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import File
from gitopsd.core.probes import PROBES_MAX, CelProbe, HttpProbe, JobProbe, NoData, Pace, PrometheusProbe

HEAD = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth:\n  probes:\n"
JOB_PACE = Pace(failures=1, timeout_s=300.0)


def file(*probes: str) -> File:
    return File("env/gitopsd.yaml", "1", (HEAD + "".join(f"    - {probe}\n" for probe in probes)).encode())


def parse(*probes: str):
    return parse_settings(file(*probes)).probes


def refused(*probes: str):
    with pytest.raises(RenderError) as caught:
        parse(*probes)
    return caught.value.problems


PACED = "failures: 5, initialDelay: 1m, interval: 30s, timeout: 2s"
MORE = "expect: [200, 204], " + PACED
PACE = Pace(failures=5, initial_delay_s=60.0, interval_s=30.0, timeout_s=2.0)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "http: {service: web, port: 8080}",
            HttpProbe(name="http web:8080/", service="web", port="8080"),
        ),
        (
            f"http: {{name: a, service: web, port: http, namespace: shop, path: '/x?y', scheme: https, {MORE}}}",
            HttpProbe(
                name="a",
                service="web",
                port="http",
                namespace="shop",
                path="/x?y",
                tls=True,
                expect=(200, 204),
                pace=PACE,
            ),
        ),
        (
            "http: {service: web, port: 80, path: /healthz, expect: 401}",
            HttpProbe(name="http web:80/healthz", service="web", port="80", path="/healthz", expect=(401,)),
        ),
        (
            "prometheus: {query: ' sum(up) ', max: 0.01}",
            PrometheusProbe(name="prometheus sum(up)", query=" sum(up) ", maximum=0.01),
        ),
        (
            f"prometheus: {{query: up, min: 1, minSamples: {{query: total, min: 50}}, noData: fail, {PACED}}}",
            PrometheusProbe(
                name="prometheus up",
                query="up",
                minimum=1.0,
                samples_query="total",
                samples_min=50.0,
                no_data=NoData.FAIL,
                pace=PACE,
            ),
        ),
        ("job: smoke/job.yaml", JobProbe(name="job smoke/job.yaml", file="smoke/job.yaml", pace=JOB_PACE)),
        (
            "job: {file: job.json, name: smoke, timeout: 10m, initialDelay: 5s}",
            JobProbe(name="smoke", file="job.json", pace=Pace(failures=1, timeout_s=600.0, initial_delay_s=5.0)),
        ),
        (
            "cel: {kind: Certificate, expr: object.status.ready}",
            CelProbe(name="cel Certificate", kind="Certificate", expression="object.status.ready"),
        ),
        (
            f"cel: {{kind: Kafka, apiVersion: kafka.strimzi.io/v1, object: main, expr: 'true', {PACED}}}",
            CelProbe(
                name="cel Kafka/main",
                kind="Kafka",
                api_version="kafka.strimzi.io/v1",
                object_name="main",
                expression="true",
                pace=PACE,
            ),
        ),
    ],
)
def test_a_probe_can_be_written(written, expected):
    assert parse(written) == (expected,)


def test_names_that_nobody_chose_are_numbered_where_they_are_alike():
    named = parse(*["http: {service: web, port: 80}"] * 3)

    assert [probe.name for probe in named] == ["http web:80/", "http web:80/ (2)", "http web:80/ (3)"]


def test_names_that_were_chosen_must_differ():
    (problem,) = refused("job: {file: a.yaml, name: x}", "job: {file: b.yaml, name: x}")

    assert (problem.code, problem.line) == ("SETTINGS_INVALID", 6)
    assert problem.message == "health.probes[1] has the name of another probe: x"


def test_there_may_be_as_many_as_the_bound_and_no_more():
    assert len(parse(*[f"job: a{number}.yaml" for number in range(PROBES_MAX)])) == PROBES_MAX
    assert refused(*[f"job: a{number}.yaml" for number in range(PROBES_MAX + 1)])


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{}", "health.probes[0]"),
        ("{http: {service: web, port: 80}, job: a.yaml}", "health.probes[0]"),
        ("http: {port: 80}", "health.probes[0].http.service"),
        ("http: {service: We_b, port: 80}", "health.probes[0].http.service"),
        ("http: {service: web.other.svc, port: 80}", "health.probes[0].http.service"),
        ("http: {service: web}", "health.probes[0].http.port"),
        ("http: {service: web, port: 0}", "health.probes[0].http.port"),
        ("http: {service: web, port: true}", "health.probes[0].http.port"),
        ("http: {service: web, port: 65536}", "health.probes[0].http.port"),
        ("http: {service: web, port: '80'}", "health.probes[0].http.port"),
        ("http: {service: web, port: 80, path: healthz}", "health.probes[0].http.path"),
        ("http: {service: web, port: 80, path: '/a b'}", "health.probes[0].http.path"),
        ('http: {service: web, port: 80, path: "/a\\r\\nHost: x"}', "health.probes[0].http.path"),
        ("http: {service: web, port: 80, namespace: A}", "health.probes[0].http.namespace"),
        ("http: {service: web, port: 80, scheme: ftp}", "health.probes[0].http.scheme"),
        ("http: {service: web, port: 80, expect: ok}", "health.probes[0].http.expect"),
        ("http: {service: web, port: 80, expect: 99}", "health.probes[0].http.expect"),
        ("http: {service: web, port: 80, expect: []}", "health.probes[0].http.expect"),
        ("http: {service: web, port: 80, failures: 0}", "health.probes[0].http.failures"),
        ("http: {service: web, port: 80, failures: 1.5}", "health.probes[0].http.failures"),
        ("http: {service: web, port: 80, interval: 0s}", "health.probes[0].http.interval"),
        ("http: {service: web, port: 80, timeout: 2m}", "health.probes[0].http.timeout"),
        ("http: {service: web, port: 80, initialDelay: 2h}", "health.probes[0].http.initialDelay"),
        ("http: {service: web, port: 80, name: ''}", "health.probes[0].http.name"),
        ("prometheus: {query: up}", "health.probes[0].prometheus.max"),
        ("prometheus: {query: '', max: 1}", "health.probes[0].prometheus.query"),
        ("prometheus: {query: up, max: '1'}", "health.probes[0].prometheus.max"),
        ("prometheus: {query: up, min: 2, max: 1}", "health.probes[0].prometheus.min"),
        ("prometheus: {query: up, max: 1, noData: maybe}", "health.probes[0].prometheus.noData"),
        ("prometheus: {query: up, max: 1, minSamples: {min: 1}}", "health.probes[0].prometheus.minSamples.query"),
        ("job: ../job.yaml", "health.probes[0].job"),
        ("job: /job.yaml", "health.probes[0].job"),
        ("job: a/../job.yaml", "health.probes[0].job"),
        ("job: job.sh", "health.probes[0].job"),
        ("job: {name: x}", "health.probes[0].job.file"),
        ("cel: {kind: certificate, expr: 'true'}", "health.probes[0].cel.kind"),
        ("cel: {kind: A, expr: ''}", "health.probes[0].cel.expr"),
        ("cel: {kind: A, expr: 'true', apiVersion: 'a b'}", "health.probes[0].cel.apiVersion"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_path_and_line(written, path):
    problems = refused(written)

    assert [problem.message.partition(" ")[0] for problem in problems] == [path]
    assert {(problem.code, problem.line) for problem in problems} == {("SETTINGS_INVALID", 5)}


def test_an_unknown_key_is_refused_with_the_likely_word():
    (problem,) = refused("http: {service: web, port: 80, expects: 200}")

    assert (problem.code, problem.hint) == ("SETTINGS_UNKNOWN_KEY", "did you mean expect?")


def test_the_files_of_jobs_are_known_before_anything_else_is():
    written = file("job: smoke/job.yaml", "job: {file: b.yaml}", "http: {service: web, port: 80}")

    assert job_files(written) == {"smoke/job.yaml", "b.yaml"}
    assert job_files(File("env/gitopsd.yaml", "1", b"a: [\n")) == frozenset()

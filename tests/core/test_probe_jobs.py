"""A job probe's file holds one Job; what else it may hold is said with its line."""

from __future__ import annotations

import json

import pytest

from gitopsd.core.manifests.directory import desired_from
from gitopsd.core.manifests.probe_jobs import with_jobs
from gitopsd.core.model import File, Revision
from gitopsd.core.probes import HttpProbe, JobProbe
from gitopsd.core.settings import Settings

JOB = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: smoke}\nspec: {template: {}}\n"
PROBES = (HttpProbe(name="web", service="web", port="80"), JobProbe(name="smoke", file="smoke/job.yaml"))


def found(written: str | None, path: str = "smoke/job.yaml"):
    files = {} if written is None else {path: File(f"env/{path}", "1", written.encode())}
    return with_jobs(Settings(probes=PROBES), files)


def test_the_probe_carries_its_job():
    settings, problems = found(JOB)
    http, job = settings.probes

    assert problems == ()
    assert http == PROBES[0]
    assert isinstance(job, JobProbe)
    assert json.loads(job.job)["metadata"] == {"name": "smoke"}


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        pytest.param(None, "PROBE_JOB_MISSING", "there is none", id="no such file"),
        pytest.param("", "PROBE_JOB_INVALID", "it holds nothing", id="an empty file"),
        pytest.param(f"{JOB}---\n{JOB.replace('smoke', 'b')}", "PROBE_JOB_INVALID", "Job, Job", id="two"),
        pytest.param(JOB.replace("kind: Job", "kind: CronJob"), "PROBE_JOB_INVALID", "CronJob", id="another kind"),
        pytest.param(JOB.replace("batch/v1", "batch/v1beta1"), "PROBE_JOB_INVALID", "Job", id="another version"),
        pytest.param("a: [", "YAML_SYNTAX", "", id="no YAML"),
    ],
)
def test_anything_else_is_a_problem_of_the_commit(written, code, message):
    _, (problem, *_) = found(written)

    assert problem.code == code
    assert message in problem.message
    assert problem.file.endswith("smoke/job.yaml")


def test_other_files_are_nobodys_business():
    _, problems = found("a: [", path="other.yaml")

    assert [problem.code for problem in problems] == ["PROBE_JOB_MISSING"]


def test_the_file_of_a_probe_is_no_manifest_of_the_set():
    settings = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {probes: [{job: smoke/job.yaml}]}\n"
    web = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
    written = {"gitopsd.yaml": settings, "smoke/job.yaml": JOB, "web.yaml": web}
    files = [File(f"env/{path}", "1", text.encode()) for path, text in written.items()]
    desired = desired_from(Revision(ref="main", commit="c"), "env", files)
    (probe,) = desired.settings.probes

    assert [manifest.ref.kind for manifest in desired.manifests] == ["ConfigMap"]
    assert isinstance(probe, JobProbe)
    assert json.loads(probe.job)["kind"] == "Job"

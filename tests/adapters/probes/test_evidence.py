"""The last words of a Job's pod, without what should not be read."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from gitopsd.adapters.probes.evidence import CHARS_MAX, log_tail, masked
from gitopsd.core.model import Desired, Manifest, ObjectRef, Origin
from gitopsd.core.probes import JobProbe
from gitopsd.core.settings import Settings
from tests.adapters.cluster.scripted_server import ScriptedServer, answer
from tests.adapters.probes.shop import REVISION

POD: dict[str, Any] = {
    "metadata": {"name": "smoke-1", "namespace": "shop"},
    "status": {
        "phase": "Failed",
        "initContainerStatuses": [{"name": "init", "state": {"terminated": {"exitCode": 0}}}],
        "containerStatuses": [{"name": "smoke", "state": {"terminated": {"exitCode": 1}}}],
    },
}


def desired(**secrets: str) -> Desired:
    body = {"data": {name: b64encode(value.encode()).decode() for name, value in secrets.items()}}
    ref = ObjectRef("", "Secret", "shop", "web")
    secret = Manifest(ref=ref, api_version="v1", body=body, digest="d", origin=Origin("web.yaml"))
    return Desired(revision=REVISION, digest="d", manifests=(secret,), settings=Settings())


def tail(log: bytes, status: int = 200, **secrets: str) -> str:
    with ScriptedServer([answer(status, log)]) as server:
        return log_tail(server.transport(), [POD], desired(**secrets))


def test_the_container_that_failed_is_read():
    with ScriptedServer([answer(200, b"boom\n")]) as server:
        log_tail(server.transport(), [POD], desired())

    (line,) = server.lines()
    assert line == "GET /api/v1/namespaces/shop/pods/smoke-1/log?tailLines=10&limitBytes=65536&container=smoke"


def test_lines_become_one():
    assert tail(b"GET /cart\n\nexpected 200, got 500\n") == "GET /cart / expected 200, got 500"


def test_only_the_end_of_much_is_told():
    told = tail(b"x" * 5_000 + b"\nthe end\n")

    assert told.startswith("…")
    assert told.endswith("the end")
    assert len(told) == CHARS_MAX + 1


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(b"login with hunter22 refused", id="in words"),
        pytest.param(b"Basic " + b64encode(b"hunter22"), id="as the manifest has it"),
        pytest.param(b"hunter22" * 300, id="across the cut"),
        pytest.param(b"begin\n" + b"x" * 65_526 + b"hunter22", id="cut off by the server"),
    ],
)
def test_what_a_secret_holds_is_masked(log):
    told = tail(log[: 64 * 1024], password="hunter22")

    assert "hunt" not in told
    assert b64encode(b"hunter22").decode() not in told


def test_each_line_of_a_key_is_masked():
    assert "MIIE" not in tail(b"using MIIEabc\n", key="-----BEGIN-----\nMIIEabc\n-----END-----\n")


KEY = "-----BEGIN-----\nMIIEabc\n-----END-----\n"


def smoke_test(*, sensitive: bool) -> Desired:
    """A set of no objects whose smoke test has what was encrypted in its Job, or what was not."""
    texts = {"PASSWORD": "hunter22", "PIN": "4711", "KEY": KEY, "QUOTED": 'hun"ter"22'}
    container = {"name": "smoke", "env": [{"name": name, "value": value} for name, value in texts.items()]}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "smoketest"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    probe = JobProbe(name="smoke", file="job.yaml", job=json.dumps(body).encode(), sensitive=sensitive)
    return Desired(revision=REVISION, digest="d", manifests=(), settings=Settings(probes=(probe,)))


SAID = {
    "in words": ("login with hunter22 refused", "login with *** refused"),
    "inside a longer text": ("GET http://shop:hunter22@web/", "GET http://shop:***@web/"),
    "in base64": (b64encode(b"hunter22").decode(), "***"),
    "inside base64": (f"Basic {b64encode(b'shop:hunter22').decode()}", "Basic c2hvcDp***g=="),
    "a short one": ("pin=4711, refused", "pin=***, refused"),
    "lines of a key": ("MIIEabc\n-----END-----", "***\n***"),
    "in JSON": (r'{"password": "hun\"ter\"22"}', '{"password": "***"}'),
}


@pytest.mark.parametrize(("said", "told"), SAID.values(), ids=SAID)
def test_what_the_job_of_a_probe_keeps_secret_is_masked(said, told):
    assert masked(said, smoke_test(sensitive=True)) == told
    assert masked(said, smoke_test(sensitive=False)) == said


def test_a_short_value_inside_a_word_and_the_name_of_a_job_stay():
    said = "Job smoketest-1 took 47110 ms"

    assert masked(said, smoke_test(sensitive=True)) == said


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_no_log_is_no_evidence_and_no_trouble(status):
    assert tail(b"{}", status) == ""


def test_no_pod_is_no_evidence():
    with ScriptedServer([answer(200, b"")]) as server:
        assert log_tail(server.transport(), [], desired()) == ""

    assert server.asked == []

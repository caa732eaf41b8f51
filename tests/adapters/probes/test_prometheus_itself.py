"""What a real Prometheus answers means what it says: its numbers, its silence, and its refusals."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitopsd.adapters.probes.finding import Finding
from gitopsd.adapters.probes.prometheus import PrometheusAsker, PrometheusServer
from gitopsd.core.probes import NoData, Pace, ProbeState, PrometheusProbe
from rig.ports import free_ports
from rig.prometheus import prometheus
from rig.waiting import wait_for
from tests.adapters.probes.servers import server, status

pytestmark = pytest.mark.kubelet

FAIL, PASS, UNKNOWN = ProbeState.FAIL, ProbeState.PASS, ProbeState.UNKNOWN
METRICS = b"""# TYPE error_ratio gauge
error_ratio{pod="a"} 0.02
error_ratio{pod="b"} 0.9
error_ratio{pod="c"} NaN
# TYPE requests_total counter
requests_total 12
"""
CONFIG = """global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ["%s"]}]
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> Iterator[PrometheusAsker]:
    """A Prometheus that has looked at a shop's metrics."""
    folder = tmp_path_factory.mktemp("prometheus")
    (port,) = free_ports(1)
    asker = PrometheusAsker(PrometheusServer(url=f"http://127.0.0.1:{port}"))
    with server(status(200, "Content-Type: text/plain; version=0.0.4", body=METRICS)) as shop:
        (folder / "prometheus.yml").write_text(CONFIG % f"{shop.address}:{shop.port}")
        with _running(folder, port):
            wait_for("the metrics to be there", lambda: ask(asker, "requests_total").state is PASS)
            yield asker


@contextmanager
def _running(folder: Path, port: int) -> Iterator[None]:
    options = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
    command = [prometheus(), *options, f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as child:
        try:
            yield
        finally:
            child.terminate()


def ask(asker: PrometheusAsker, query: str, **more: object) -> Finding:
    return asker.ask(PrometheusProbe(name="errors", query=query, pace=Pace(timeout_s=5), **more))


@pytest.mark.parametrize(
    ("query", "more", "state", "said"),
    [
        pytest.param('error_ratio{pod="a"}', {"maximum": 0.5}, PASS, "0.02", id="within its bound"),
        pytest.param('error_ratio{pod!="c"}', {"maximum": 0.5}, FAIL, "0.9, at most 0.5", id="one series is not"),
        pytest.param("requests_total", {"minimum": 100}, FAIL, "12, at least 100", id="too low"),
        pytest.param("scalar(requests_total)", {"minimum": 1}, PASS, "12", id="a scalar"),
        pytest.param('error_ratio{pod="c"}', {"maximum": 1}, UNKNOWN, "not a number", id="not a number"),
        pytest.param("requests_total / 0", {"maximum": 1}, FAIL, "inf", id="divided by nothing"),
        pytest.param("nobody_knows", {"maximum": 1}, UNKNOWN, "no result", id="no such series"),
        pytest.param("nobody_knows", {"no_data": NoData.FAIL}, FAIL, "no data", id="no such series, which fails"),
        pytest.param("rate(requests_total", {}, UNKNOWN, "rejects the query", id="no query at all"),
        pytest.param('"text"', {}, UNKNOWN, "gives a string", id="a text"),
        pytest.param("requests_total[1m]", {}, UNKNOWN, "gives a matrix", id="a range"),
        pytest.param(
            'error_ratio{pod="b"}',
            {"maximum": 0.5, "samples_query": "requests_total", "samples_min": 100},
            UNKNOWN,
            "12 samples, at least 100",
            id="bad, of too few samples",
        ),
    ],
)
def test_an_answer(there, query, more, state, said):
    found = ask(there, query, **more)

    assert found.state is state, found.message
    assert said in found.message

"""The server as a client meets it: real uvicorn on a free port, asked over HTTP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from gitopsd import __version__
from gitopsd.core.errors import ConfigError
from gitopsd.core.status.overview import View, environment_status, status
from gitopsd.web import Server, create_app
from gitopsd.web.schema import EnvironmentStatus, Refusal, Status
from tests.core.views import READY, REVERTED, ROLLED_OUT, whole


@dataclass
class Daemon:
    """What the server reads from."""

    view: View | None
    stuck: str = ""


@dataclass(frozen=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Client:
    server: Server
    daemon: Daemon

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        request = Request(self.server.url + path, method=method, headers=headers)  # noqa: S310 — our own server
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310 — our own server
                return Answer(answer.status, dict(answer.headers), answer.read())
        except HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())


@pytest.fixture
def client() -> Iterator[Client]:
    daemon = Daemon(whole(READY, REVERTED))
    server = Server(create_app(lambda: daemon.view, not_alive=lambda: daemon.stuck))
    server.start()
    yield Client(server, daemon)
    server.stop()


def test_the_status_is_what_the_core_says(client):
    answer = client.get("/status")

    assert (answer.code, answer.json) == (200, status(client.daemon.view))
    Status.model_validate(answer.json)


def test_an_environment_is_found_by_its_name_with_slashes(client):
    answer = client.get("/status/production/web")

    assert (answer.code, answer.json) == (200, environment_status(client.daemon.view, "production/web"))
    EnvironmentStatus.model_validate(answer.json)


@pytest.mark.parametrize(
    ("path", "has_objects", "has_history"),
    [
        ("/status?fields=full", True, True),
        ("/status", False, True),
        ("/status?fields=summary", False, False),
    ],
)
def test_the_asker_chooses_how_much(client, path, has_objects, has_history):
    shown = client.get(path).json["environments"][0]

    assert ("objects" in shown, "history" in shown) == (has_objects, has_history)


def test_an_unknown_environment_is_refused_in_words_that_do_not_repeat_it(client):
    answer, other = client.get("/status/nowhere"), client.get("/status/production/webb")

    assert (answer.code, answer.json["code"]) == (404, "ENVIRONMENT_UNKNOWN")
    assert answer.body == other.body
    Refusal.model_validate(answer.json)


@pytest.mark.parametrize(
    ("path", "code"),
    [("/nothing", 404), ("/", 404), ("/docs", 404), ("/redoc", 404), ("/status?fields=all", 400)],
)
def test_every_refusal_has_one_shape(client, path, code):
    answer = client.get(path)

    assert answer.code == code
    Refusal.model_validate(answer.json)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/status", "/status/production/web", "/metrics", "/healthz"])
def test_nothing_can_be_written(client, method, path):
    assert client.get(path, method).code == 405


def test_what_did_not_change_is_not_sent_again(client):
    first = client.get("/status")
    client.daemon.view = replace(client.daemon.view, serial=99)
    second = client.get("/status", **{"If-None-Match": first.headers["etag"]})

    assert (second.code, second.body, second.headers["etag"]) == (304, b"", first.headers["etag"])


def test_what_changed_is_sent_again(client):
    first = client.get("/status")
    client.daemon.view = whole(READY, ROLLED_OUT)
    second = client.get("/status", **{"If-None-Match": first.headers["etag"]})

    assert (second.code, second.json["environments"][1]["phase"]) == (200, "Verifying")


@pytest.mark.parametrize("path", ["/status", "/healthz", "/metrics", "/nothing", "/openapi.json"])
def test_a_browser_may_do_nothing_with_an_answer_but_show_it(client, path):
    headers = {name.lower(): value for name, value in client.get(path).headers.items()}

    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "server" not in headers


def test_the_probes_answer(client):
    assert [client.get(path).code for path in ("/healthz", "/livez", "/readyz")] == [200, 200, 200]


def test_a_stuck_daemon_is_not_alive_and_says_why(client):
    client.daemon.stuck = "the scheduler has not ticked for 90 s"
    answer = client.get("/livez")

    assert (answer.code, answer.body) == (503, b"the scheduler has not ticked for 90 s")


def test_a_daemon_that_cannot_reach_the_cluster_is_alive_and_not_ready(client):
    view = client.daemon.view
    client.daemon.view = replace(view, daemon=replace(view.daemon, ready=False, unready_because="no API server"))

    assert (client.get("/livez").code, client.get("/readyz").code, client.get("/readyz").body) == (
        200,
        503,
        b"no API server",
    )


def test_before_the_first_snapshot_it_says_that_it_starts(client):
    client.daemon.view = None

    assert [client.get(path).code for path in ("/status", "/status/x", "/readyz", "/livez", "/metrics")] == [
        503,
        503,
        503,
        200,
        200,
    ]
    assert client.get("/status").json["code"] == "STARTING"


def test_the_version_is_told(client):
    assert client.get("/version").json == {"name": "gitopsd", "version": __version__}


def test_the_description_describes_the_status_field_by_field(client):
    described = client.get("/openapi.json").json
    schemas = described["components"]["schemas"]

    assert {"/status", "/status/{environment}", "/healthz", "/livez", "/readyz", "/metrics", "/version"} == set(
        described["paths"]
    )
    assert {"lastError", "phase", "rollback", "revision", "timings"} <= schemas["EnvironmentStatus"][
        "properties"
    ].keys()
    assert described["paths"]["/status"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Status"
    }


def test_port_0_takes_a_free_one_and_reports_it(client):
    assert client.server.port > 0
    assert client.server.url == f"http://127.0.0.1:{client.server.port}"


def test_only_this_machine_is_listened_to_unless_told_otherwise(client):
    assert client.server.url.startswith("http://127.0.0.1:")


def test_a_taken_port_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(create_app(lambda: None), port=taken.getsockname()[1])
        with pytest.raises(ConfigError) as refused:
            server.start()

    assert refused.value.problem.code == "HTTP_ADDRESS"
    assert "server.port" in refused.value.problem.hint


def test_it_stops_although_somebody_stays_connected(client):
    idle = socket.create_connection(("127.0.0.1", client.server.port))
    client.get("/healthz")
    client.server.stop()
    idle.close()

    assert not client.server.alive
    assert not [one for one in threading.enumerate() if one.name == "web"]


def test_it_may_be_stopped_before_it_was_started():
    Server(create_app(lambda: None)).stop()

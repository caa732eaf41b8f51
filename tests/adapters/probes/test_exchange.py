"""One question, one answer, one deadline: whatever the other side does."""

from __future__ import annotations

import ssl
import time

import pytest

from gitopsd.adapters.probes.exchange import Broken, Get, NoWay, Refused, get
from tests.adapters.probes.servers import (
    Endless,
    drip,
    free_port,
    garbage,
    hang_up,
    in_turn,
    mute,
    nobody_home,
    server,
    status,
)

SHORT_S = 0.5


def _ask(port: int, target: str = "/", **more: object) -> Get:
    bounds = {"timeout_s": SHORT_S, "body_bytes_max": 1_000, **more}
    return Get(host="127.0.0.1", port=port, target=target, **bounds)


@pytest.mark.parametrize("code", [200, 204, 302, 401, 418, 500, 503])
def test_any_status_is_an_answer(code):
    with server(status(code, body=b"")) as there:
        assert get(_ask(there.port)).status == code


def test_a_redirect_is_an_answer_and_not_an_order():
    with server(status(200)) as elsewhere, server(status(302, f"Location: {elsewhere.url}/")) as there:
        got = get(_ask(there.port))

    assert got.status == 302
    assert elsewhere.asked == []


def test_what_is_sent_names_us_and_nothing_secret():
    with server(status(200)) as there:
        get(_ask(there.port, "/healthz?full=1", headers={"Host": "web.shop.svc"}))

    (asked,) = there.asked
    assert asked.target == "/healthz?full=1"
    assert asked.headers["host"] == "web.shop.svc"
    assert asked.headers["user-agent"].startswith("gitopsd/")
    assert not asked.headers.keys() & {"authorization", "cookie"}


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX-Evil: 1", "/\x7f"])
def test_no_target_can_add_to_the_request(target):
    with server(status(200)) as there, pytest.raises(Broken):
        get(_ask(there.port, target))

    assert there.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(mute, id="it never answers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50 + b"\r\n"), id="its headers drip"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" + b"x" * 90, 0.02), id="its body drips"),
        pytest.param(drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 500, 0.001), id="it says continue for ever"),
    ],
)
def test_the_deadline_is_for_all_of_it(answer):
    with server(answer) as there:
        began = time.monotonic()
        with pytest.raises(Broken, match=r"no whole answer within 0\.5 s"):
            get(_ask(there.port))

    assert time.monotonic() - began < 10 * SHORT_S


def test_an_endless_body_is_read_no_further_than_asked():
    endless = Endless()
    with server(endless) as there:
        got = get(_ask(there.port, timeout_s=10.0, body_bytes_max=64 * 1024))

    assert (got.status, len(got.body), got.is_whole) == (200, 64 * 1024, False)
    # The rest is what the two kernels hold for us.
    assert endless.sent < 16 * 1024 * 1024


def test_a_body_of_just_the_size_is_whole():
    with server(status(200, body=b"x" * 1_000)) as there:
        assert get(_ask(there.port)).is_whole


@pytest.mark.parametrize(("answer", "said"), [(hang_up, "closed"), (garbage, "220 smtp")])
def test_no_answer_is_a_broken_one(answer, said):
    with server(answer) as there, pytest.raises(Broken, match=said):
        get(_ask(there.port))


def test_nobody_listening_is_refused():
    with pytest.raises(Refused, match="connection refused"):
        get(_ask(free_port()))


def test_no_connection_says_nothing_of_the_other_side():
    with nobody_home() as port, pytest.raises(NoWay, match=r"no connection within 0\.5 s"):
        get(_ask(port))


def test_a_name_that_is_none_is_no_way():
    with pytest.raises(NoWay, match="not found"):
        get(Get(host="nobody.invalid", port=80, target="/", timeout_s=SHORT_S, body_bytes_max=1))


def test_plain_text_where_tls_is_expected_is_broken():
    with server(in_turn(garbage, status(200))) as there, pytest.raises(Broken, match=r"TLS|no whole answer|closed"):
        get(_ask(there.port, tls=ssl.create_default_context()))

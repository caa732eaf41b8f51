"""A number in its bounds passes, one outside fails; everything else says nothing of anybody's health."""

from __future__ import annotations

import pytest

from gitopsd.adapters.probes.prometheus import PrometheusAsker, PrometheusServer
from gitopsd.core.probes import NoData, Pace, ProbeState, PrometheusProbe
from tests.adapters.probes.servers import free_port, mute, prometheus, server, status

FAIL, PASS, UNKNOWN = ProbeState.FAIL, ProbeState.PASS, ProbeState.UNKNOWN


def probe(**more: object) -> PrometheusProbe:
    wanted = {"maximum": 0.5, "pace": Pace(timeout_s=0.5), **more}
    return PrometheusProbe(name="errors", query="rate(errors[1m])", **wanted)


def found(answer: object, **more: object) -> tuple[ProbeState, str]:
    with server(answer) as there:
        finding = PrometheusAsker(PrometheusServer(url=there.url)).ask(probe(**more))
    return finding.state, finding.message


@pytest.mark.parametrize(
    ("result", "more", "state", "said"),
    [
        pytest.param(0.5, {}, PASS, "0.5", id="a scalar at its maximum"),
        pytest.param(["0.034"], {}, PASS, "0.034", id="one series"),
        pytest.param(["0.1", "0.2"], {}, PASS, "2 series from 0.1 to 0.2", id="several series"),
        pytest.param(["0.1", "0.9"], {}, FAIL, "0.9, at most 0.5 is wanted", id="one of several is too high"),
        pytest.param(["3"], {"maximum": None, "minimum": 5}, FAIL, "3, at least 5 is wanted", id="too low"),
        pytest.param(["-Inf"], {"maximum": None, "minimum": 5}, FAIL, "-inf", id="infinitely low"),
        pytest.param(["+Inf"], {}, FAIL, "inf, at most", id="infinitely high"),
        pytest.param(["7"], {"minimum": 5, "maximum": 9}, PASS, "7", id="between the two"),
        pytest.param(["NaN", "0.9"], {}, FAIL, "0.9", id="a bad number beside none"),
        pytest.param(["NaN", "0.1"], {}, UNKNOWN, "not a number", id="a good number beside none"),
        pytest.param(["NaN"], {}, UNKNOWN, "no data: the query's result is not a number", id="not a number"),
        pytest.param([], {}, UNKNOWN, "no data: the query has no result", id="no result"),
        pytest.param([], {"no_data": NoData.PASS}, PASS, "no data, which is to pass", id="no result is to pass"),
        pytest.param([], {"no_data": NoData.FAIL}, FAIL, "no data", id="no result is to fail"),
        pytest.param(["NaN"], {"no_data": NoData.FAIL}, FAIL, "no data", id="no number is to fail"),
        pytest.param(["what"], {}, UNKNOWN, "must give numbers", id="no number at all"),
    ],
)
def test_the_answer_is_held_against_the_bounds(result, more, state, said):
    was, message = found(prometheus(result), **more)

    assert was is state
    assert said in message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            prometheus({"status": "error", "error": "1:5: parse error: unexpected end"}, code=400),
            "rejects the query: 1:5: parse error: unexpected end",
            id="it does not understand the query",
        ),
        pytest.param(prometheus({"status": "error", "error": "too many"}, code=422), "rejects", id="it cannot do it"),
        pytest.param(status(401, body=b"no"), "401; whoever runs gitopsd can look at prometheus.tokenFile", id="401"),
        pytest.param(status(403, body=b"no"), "403", id="403"),
        pytest.param(status(500, body=b"no"), "500", id="500"),
        pytest.param(status(200, body=b"<html>"), "not what it should", id="it is no Prometheus"),
        pytest.param(status(200, body=b" " * 2_000_000 + b"{}"), "not what it should", id="it says too much"),
        pytest.param(
            prometheus({"status": "success", "data": {"resultType": "matrix", "result": []}}), "matrix", id="m"
        ),
        pytest.param(
            prometheus({"status": "success", "data": {"resultType": "vector", "result": [{"histogram": [1, {}]}]}}),
            "histograms",
            id="histograms",
        ),
        pytest.param(mute, "does not answer: no whole answer within 0.5 s", id="it hangs"),
    ],
)
def test_what_prometheus_cannot_say_is_unknown(answer, said):
    was, message = found(answer)

    assert was is UNKNOWN
    assert said in message


def test_a_prometheus_that_is_away_is_unknown():
    asker = PrometheusAsker(PrometheusServer(url=f"http://127.0.0.1:{free_port()}"))

    assert asker.ask(probe()).state is UNKNOWN


def test_without_a_prometheus_the_operator_is_named():
    finding = PrometheusAsker(None).ask(probe())

    assert finding.state is UNKNOWN
    assert "prometheus.url" in finding.message


@pytest.mark.parametrize(
    ("samples", "no_data", "state"),
    [
        pytest.param(["50"], NoData.WAIT, FAIL, id="enough traffic: the number counts"),
        pytest.param(["49"], NoData.WAIT, UNKNOWN, id="too little traffic"),
        pytest.param(["49"], NoData.PASS, PASS, id="too little traffic is to pass"),
        pytest.param([], NoData.WAIT, UNKNOWN, id="no traffic"),
        pytest.param(["NaN"], NoData.WAIT, UNKNOWN, id="no number of samples"),
    ],
)
def test_too_few_samples_are_no_data(samples, no_data, state):
    with server(prometheus(["0.9"], samples)) as there:
        wanted = probe(samples_query="sum(requests)", samples_min=50, no_data=no_data)
        finding = PrometheusAsker(PrometheusServer(url=there.url)).ask(wanted)

    assert finding.state is state
    assert [asked.query for asked in there.asked] == ["rate(errors[1m])", "sum(requests)"]


def test_the_token_is_read_anew_for_each_question(tmp_path):
    token = tmp_path / "token"
    with server(prometheus(["0.1"])) as there:
        asker = PrometheusAsker(PrometheusServer(url=f"{there.url}/prom/", token_file=token))
        for word in ("first\n", "second"):
            token.write_text(word)
            asker.ask(probe())

    assert [asked.headers["authorization"] for asked in there.asked] == ["Bearer first", "Bearer second"]
    assert all(asked.target.startswith("/prom/api/v1/query?query=rate%28errors") for asked in there.asked)


def test_the_token_never_goes_where_a_redirect_leads(tmp_path):
    (tmp_path / "token").write_text("hush")
    with server(prometheus(["0.1"])) as elsewhere, server(status(307, f"Location: {elsewhere.url}/")) as there:
        asker = PrometheusAsker(PrometheusServer(url=there.url, token_file=tmp_path / "token"))
        finding = asker.ask(probe())

    assert elsewhere.asked == []
    assert finding.state is UNKNOWN
    assert "redirect is not followed" in finding.message


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), ("", "holds no token"), ("a\nb", "holds no token")]
)
def test_a_token_that_cannot_be_read_is_said_and_not_shown(tmp_path, content, said):
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    with server(prometheus(["0.1"])) as there:
        finding = PrometheusAsker(PrometheusServer(url=there.url, token_file=token)).ask(probe())

    assert (finding.state, there.asked) == (UNKNOWN, [])
    assert said in finding.message

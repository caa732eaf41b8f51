"""One road, and all the ways in which it can be bad."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

import pytest

from gitopsd.adapters.cluster.contact import Contact
from gitopsd.adapters.cluster.transport import APPLY, JSON_PATCH, USER_AGENT
from gitopsd.core.errors import ClusterError, Problem, Stage, Superseded
from gitopsd.ports import Call
from rig.waiting import wait_for
from tests.adapters.cluster.scripted_server import Reply, ScriptedServer, answer

GET = Call(method="GET", path="/api/v1/configmaps")
PATCH = Call(method="PATCH", path="/x", body=b"{}", content_type=APPLY)
POST = Call(method="POST", path="/x", body=b"{}")
PUT = Call(method="PUT", path="/x", body=b"{}")
DELETE = Call(method="DELETE", path="/x", body=b"{}")
OK = answer(200, {"kind": "X"})
CUT = Reply(hang_up=True)


def ask(replies, call=GET, **limits):
    with ScriptedServer(replies) as server:
        transport = server.transport(**limits)
        return transport.call(call), server


def refused(replies, call=GET, **limits):
    with ScriptedServer(replies) as server, pytest.raises(ClusterError) as failed:
        server.transport(**limits).call(call)
    return failed.value, server


def test_an_answer_is_its_status_and_json():
    found, _ = ask([answer(404, {"kind": "Status"})])

    assert (found.status, found.body) == (404, {"kind": "Status"})


@pytest.mark.parametrize("log", [b"ready\n\xff", b"42\n"], ids=["words", "what looks like JSON"])
def test_a_log_is_text(log):
    with ScriptedServer([answer(200, log)]) as server:
        said = server.transport().call(Call(method="GET", path="/api/v1/namespaces/shop/pods/web/log"))

    assert said.body == log.decode(errors="replace")


def test_a_refusal_in_plain_text_is_text():
    found, _ = ask([answer(404, b"404 page not found\n")])

    assert found.body == "404 page not found\n"


def test_a_query_is_sent_encoded():
    _, server = ask([OK], Call(method="GET", path="/x", query={"labelSelector": "a=b c"}))

    assert server.lines() == ["GET /x?labelSelector=a%3Db+c"]


def test_we_say_who_we_are():
    _, server = ask([OK])

    assert server.asked[0].headers["User-Agent"] == USER_AGENT
    assert "Impersonate-User" not in server.asked[0].headers


def test_warnings_are_collected_once_each():
    warned = answer(200, {}, headers='Warning: 299 - "say \\"a\\""\r\nWarning: 299 - "b"\r\nWarning: 299 - "b"\r\n')
    found, _ = ask([warned])

    assert found.warnings == ('say "a"', "b")


def test_one_connection_serves_many_calls():
    with ScriptedServer([OK]) as server:
        transport = server.transport()
        for _ in range(3):
            transport.call(GET)

    assert len(server.asked) == 3


class TestBrokenWires:
    @pytest.mark.parametrize("call", [GET, PATCH, DELETE], ids=["a read", "an apply", "a delete with preconditions"])
    def test_what_can_be_repeated_is_sent_once_more(self, call):
        found, server = ask([CUT, OK], call)

        assert (found.status, len(server.asked)) == (200, 2)

    @pytest.mark.parametrize("call", [POST, PUT], ids=["POST", "PUT"])
    def test_what_cannot_be_repeated_is_not(self, call):
        failed, server = refused([CUT, OK], call)

        assert (failed.problem.code, len(server.asked)) == ("CLUSTER_UNREACHABLE", 1)

    def test_a_dry_run_can_be_repeated_whatever_it_is(self):
        found, _ = ask([CUT, OK], Call(method="POST", path="/x", query={"dryRun": "All"}, body=b"{}"))

        assert found.status == 200

    def test_a_delete_without_preconditions_is_not_repeated(self):
        failed, server = refused([CUT, OK], Call(method="DELETE", path="/x"))

        assert len(server.asked) == 1
        assert failed.retry

    def test_a_wire_that_breaks_twice_is_an_error(self):
        failed, server = refused([CUT])

        assert (failed.problem.code, len(server.asked)) == ("CLUSTER_UNREACHABLE", 2)

    def test_an_idle_connection_that_the_server_closed_does_not_cost_a_write(self):
        """The server hangs up after its first answer; the POST goes out on a fresh connection."""
        with ScriptedServer([answer(200, {}, hang_up=True), OK]) as server:
            transport = server.transport()
            transport.call(GET)
            assert server.hung_up.wait(5)
            found = transport.call(POST)

        assert found.status == 200

    def test_nobody_there_is_an_error(self):
        with ScriptedServer([OK]) as server:
            transport = server.transport()
        with pytest.raises(ClusterError) as failed:
            transport.call(GET)

        assert failed.value.problem.code == "CLUSTER_UNREACHABLE"
        assert not transport.contact.is_reachable


class TestHalfAnswers:
    @pytest.mark.parametrize(
        "reply",
        [
            answer(200, b'{"items":[1', length=500, hang_up=True),
            answer(200, b'{"items":[]}', length=500, hang_up=True),
            Reply(content=b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"items":[1\r\n', hang_up=True),
            Reply(content=b'HTTP/1.1 200 X\r\n\r\n{"items":[1', hang_up=True),
            Reply(content=b"HTTP/1.1 200 X\r\nContent-Le", hang_up=True),
            Reply(content=b"not http at all\r\n\r\n", hang_up=True),
        ],
        ids=["cut JSON", "shorter than it said", "a cut chunk", "no length, cut JSON", "cut headers", "no HTTP"],
    )
    def test_an_answer_that_is_not_whole_is_an_error(self, reply):
        failed, _ = refused([reply])

        assert failed.problem.code in ("CLUSTER_UNREACHABLE", "CLUSTER_BAD_ANSWER")

    @pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"", b"{"], ids=["HTML", "nothing", "half JSON"])
    def test_a_success_that_is_not_json_is_an_error(self, body):
        failed, _ = refused([answer(200, body)])

        assert failed.problem.code == "CLUSTER_BAD_ANSWER"

    def test_an_answer_that_is_too_large_is_an_error(self):
        failed, _ = refused([answer(200, {"a": "x" * 5_000})], answer_bytes_max=1_000)

        assert failed.problem.code == "CLUSTER_UNREACHABLE"

    def test_a_text_in_a_refusal_is_bounded(self):
        found, _ = ask([answer(500, b"x" * 100_000)])

        assert len(found.body) == 2_000


class TestDeadlines:
    def test_a_mute_server_is_given_up_in_time(self):
        began_at = time.monotonic()
        refused([Reply(mute=True)], total_s=0.3)

        assert time.monotonic() - began_at < 5

    @pytest.mark.parametrize("headers", ["", "X: " + "x" * 2_000 + "\r\n"], ids=["in the body", "in the headers"])
    def test_a_byte_now_and_then_does_not_stretch_the_deadline(self, headers):
        began_at = time.monotonic()
        refused([answer(200, {"a": "x" * 2_000}, headers=headers, drip_s=0.01)], total_s=0.5)

        assert time.monotonic() - began_at < 5


class TestBusyServers:
    @pytest.mark.parametrize("call", [GET, PATCH, DELETE, POST, PUT], ids=lambda call: call.method)
    def test_429_is_waited_out_whatever_was_asked(self, call):
        found, server = ask([answer(429, {}, headers="Retry-After: 0\r\n"), OK], call)

        assert (found.status, len(server.asked)) == (200, 2)

    def test_a_retry_after_that_is_longer_than_the_deadline_is_the_answer(self):
        began_at = time.monotonic()
        found, server = ask([answer(429, {}, headers="Retry-After: 60\r\n"), OK])

        assert (found.status, len(server.asked)) == (429, 1)
        assert time.monotonic() - began_at < 5

    def test_a_server_that_stays_busy_is_not_asked_for_ever(self):
        found, server = ask([answer(429, {}, headers="Retry-After: 0\r\n")])

        assert (found.status, len(server.asked)) == (429, 6)

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_a_gateway_is_asked_again_for_what_can_be_repeated(self, status):
        assert ask([answer(status, b"<html>", headers="Retry-After: 0\r\n"), OK], PATCH)[0].status == 200

    @pytest.mark.parametrize("call", [POST, PUT], ids=["POST", "PUT"])
    def test_a_gateway_is_not_asked_again_for_what_cannot(self, call):
        found, server = ask([answer(503, b"<html>", headers="Retry-After: 0\r\n"), OK], call)

        assert (found.status, len(server.asked)) == (503, 1)

    def test_an_internal_error_is_not_asked_again_here(self):
        found, server = ask([answer(500, {"reason": "InternalError"})])

        assert (found.status, len(server.asked)) == (500, 1)


class TestCredentials:
    def test_401_reads_them_again_and_asks_once_more(self):
        with ScriptedServer([answer(401, {}), OK]) as server:
            found = server.transport(token="t").call(GET)

        assert found.status == 200
        assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer t1", "Bearer t2"]

    def test_401_twice_is_denied(self):
        failed, server = refused([answer(401, {})])

        assert (failed.problem.code, failed.denied, len(server.asked)) == ("CREDENTIALS_REFUSED", True, 2)

    def test_a_token_is_in_no_message(self):
        with ScriptedServer([answer(401, {})]) as server, pytest.raises(ClusterError) as failed:
            server.transport(token="hunter").call(GET)

        assert "hunter" not in repr(failed.value) + str(failed.value.problem)


class TestImpersonation:
    def test_a_write_goes_out_as_somebody(self):
        _, server = ask([OK], Call(method="PATCH", path="/x", body=b"{}", user="system:serviceaccount:shop:deployer"))

        assert server.asked[0].headers["Impersonate-User"] == "system:serviceaccount:shop:deployer"

    @pytest.mark.parametrize(
        "user",
        [" ", "\t", "system:serviceaccount::", "system:serviceaccount:shop:", "system:serviceaccount::a", "a\r\nb: c"],
    )
    def test_an_empty_or_broken_name_is_never_sent(self, user):
        failed, server = refused([OK], Call(method="PATCH", path="/x", body=b"{}", user=user))

        assert (failed.problem.code, failed.retry, server.asked) == ("IMPERSONATION_EMPTY", False, [])


class TestFence:
    @pytest.fixture
    def fenced(self):
        def fence():
            raise Superseded(Problem(code="NOT_LEADING", stage=Stage.APPLY, message="somebody else leads"))

        with ScriptedServer([OK]) as server:
            transport = server.transport()
            transport.fence = fence
            yield server, transport

    @pytest.mark.parametrize("call", [PATCH, POST, PUT, DELETE], ids=lambda call: call.method)
    def test_a_write_is_not_sent(self, fenced, call):
        server, transport = fenced
        with pytest.raises(Superseded):
            transport.call(call)

        assert server.asked == []

    @pytest.mark.parametrize(
        "call",
        [GET, Call(method="PATCH", path="/x", query={"dryRun": "All"}, body=b"{}", content_type=JSON_PATCH)],
        ids=["a read", "a dry-run"],
    )
    def test_what_changes_nothing_is_sent(self, fenced, call):
        _, transport = fenced

        assert transport.call(call).status == 200

    def test_a_write_is_not_sent_again_once_we_no_longer_may(self):
        open_once = iter([None])

        def fence():
            if next(open_once, "shut") == "shut":
                raise Superseded(Problem(code="NOT_LEADER", stage=Stage.APPLY, message="no"))

        with ScriptedServer([answer(429, {}), OK]) as server:
            transport = server.transport()
            transport.fence = fence
            with pytest.raises(Superseded):
                transport.call(PATCH)

            assert len(server.lines()) == 1


class TestContact:
    def test_writes_are_counted_by_what_they_did(self):
        with ScriptedServer([answer(201, {}), OK, OK, OK]) as server:
            transport = server.transport()
            before = transport.contact.tally("shop")
            for call in (PATCH, PATCH, DELETE, GET):
                transport.send(call, account="shop")
            counted = transport.contact.tally("shop") - before

        assert (counted.creates, counted.patches, counted.deletes, counted.requests) == (1, 1, 1, 4)

    def test_a_dry_run_is_a_request_and_no_write(self):
        with ScriptedServer([answer(201, {})]) as server:
            transport = server.transport()
            transport.send(Call(method="PATCH", path="/x", query={"dryRun": "All"}, body=b"{}"), account="shop")

        counted = transport.contact.tally("shop")
        assert (counted.requests, counted.creates, counted.patches) == (1, 0, 0)

    def test_an_outage_lasts_from_the_question_to_the_next_answer(self):
        with ScriptedServer([Reply(mute=True), OK]) as server:
            transport = server.transport(total_s=1.0)
            with pytest.raises(ClusterError):
                transport.call(GET)
            assert not transport.contact.is_reachable
            transport.call(GET)

        assert transport.contact.is_reachable
        assert 0.9 < transport.contact.blind_s(60) < 5

    def test_an_outage_that_is_found_out_late_began_with_the_last_sign_of_life(self):
        contact = Contact()
        contact.alive()
        contact.lost(time.monotonic() + 60)

        assert contact.blind_s(60) > 0

    def test_an_outage_before_the_time_in_question_does_not_count(self):
        with ScriptedServer([Reply(mute=True), OK]) as server:
            transport = server.transport(total_s=1.0)
            with pytest.raises(ClusterError):
                transport.call(GET)
            transport.call(GET)

        assert transport.contact.blind_s(0.0) == 0

    def test_a_gateway_without_a_server_is_an_outage(self):
        with ScriptedServer([answer(503, b"", headers="Retry-After: 60\r\n")]) as server:
            transport = server.transport()
            transport.call(GET)

        assert not transport.contact.is_reachable


def test_a_road_that_is_closed_says_so():
    with ScriptedServer([OK]) as server:
        transport = server.transport()
        transport.close()
        with pytest.raises(ClusterError):
            transport.call(GET)

    assert server.asked == []


def test_closing_the_road_ends_a_call_under_way():
    with ScriptedServer([Reply(mute=True)]) as server:
        transport, failures = server.transport(total_s=30.0), []

        def ask() -> None:
            try:
                transport.call(GET)
            except ClusterError as error:
                failures.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        wait_for("the question to arrive", lambda: len(server.asked) == 1)
        transport.close()
        asking.join(5)

    assert len(failures) == 1
    assert len(server.asked) == 1


def test_a_call_that_hangs_when_all_begins_again_is_asked_on_a_new_connection():
    with ScriptedServer([Reply(mute=True), OK]) as server:
        transport, answers = server.transport(total_s=30.0), []
        asking = threading.Thread(target=lambda: answers.append(transport.call(GET)), daemon=True)
        asking.start()
        wait_for("the question to arrive", lambda: len(server.asked) == 1)
        transport.begin_again()
        asking.join(5)

    assert [one.status for one in answers] == [200]
    assert len(server.asked) == 2


@pytest.fixture
def hasty_threads():
    """Threads that take turns all the time: what must not happen at once does so within a moment."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_all_can_begin_again_while_others_begin():
    with ScriptedServer([]) as server:
        transport = server.transport()
    stopped = threading.Event()

    def ask(patience_s: float) -> None:
        while not stopped.wait(patience_s):
            with contextlib.suppress(ClusterError):
                transport.call(GET)

    asking = [threading.Thread(target=ask, args=[one % 10 * 0.001], daemon=True) for one in range(40)]
    for one in asking:
        one.start()
    try:
        for _ in range(1_000):
            transport.begin_again()
    finally:
        stopped.set()
        for one in asking:
            one.join(5)

    assert not any(one.is_alive() for one in asking)

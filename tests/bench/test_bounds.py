"""The bounds that gitopsd promises, at a thousand objects in one environment, on a real API server.

Requests are counted from the API server's audit log, memory from /proc. Run by ``make bench``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

import pytest

from gitopsd.core.verdict import GRACE_S
from rig.waiting import wait_for
from tests.bench.meters import instant, resident_mib, show, spread
from tests.bench.playing_field import LONG_S, Field
from tests.bench.thousand import WORD, Made
from tests.cluster.stage import deployment

pytestmark = [pytest.mark.bench, pytest.mark.cluster, pytest.mark.rig_power, pytest.mark.timeout(900)]

PASSES = 20
CHANGES = 10
ROUNDS = 3
EDITED = ("ConfigMap", "Service", "Role", "NetworkPolicy", "Deployment")
EDITS_PER_KIND = 3

# From the fetch to the last write, on two cores that have other work too; a request takes 2 to 20 ms there.
CHANGE_S_MAX = 2.0
# Each is read, tried and written; the record is saved before and after and when all is kept, the snapshot once.
CHANGE_REQUESTS_MAX = 3 * CHANGES + 10
RESIDENT_MIB_MAX = 150.0
REVERT_S_MAX = 2.0
CORRECTED_S_MAX = 1.0


def test_a_pass_costs_no_request_while_nothing_happens(thousand_kept: Field):
    thousand_kept.await_passes(1)
    begin, fetches = thousand_kept.stage.audit.position(), thousand_kept.arrivals.fetches

    thousand_kept.await_passes(PASSES)

    asked = thousand_kept.requests(begin)
    assert thousand_kept.lease_renewals(begin), "the audit log does not show this daemon at all"
    fetches = thousand_kept.arrivals.fetches - fetches
    beside = f"over {PASSES} passes and {fetches} fetches, watches and the lease not counted"
    show("steady state", len(asked), "requests", bound=0, beside=beside)


def test_a_change_of_ten_writes_ten(thousand_kept: Field):
    seconds, requests = [], []
    for number in range(1, ROUNDS + 1):
        # A stride that meets objects of many kinds.
        changed = thousand_kept.made[number::109]
        begin, mark = thousand_kept.stage.audit.position(), {"bench.example/round": str(number)}
        arrived = thousand_kept.commit(
            {one.file: one.with_annotations(mark).text for one in changed}, f"Change {CHANGES} of them"
        )
        thousand_kept.await_kept()

        writes = thousand_kept.writes(begin)
        assert Counter(f"{one.verb} {one.object}" for one in writes) == Counter(
            f"patch {one.object}" for one in changed
        )
        seconds.append(max(map(instant, writes)) - thousand_kept.arrivals.fetch_that_brought(arrived))
        requests.append(len(thousand_kept.requests(begin)))

    show("a change of 10 among 1,000", max(requests), "requests", bound=CHANGE_REQUESTS_MAX, beside="10 of 10 written")
    show("from the fetch to its last write", median(seconds), "s", bound=CHANGE_S_MAX, beside=spread(seconds))


def test_an_edit_by_hand_is_corrected_within_a_second(thousand_kept: Field):
    seconds = [_corrected_after(thousand_kept, one) for kind in EDITED for one in _some(thousand_kept, kind)]

    show("an edit by hand to its correction", median(seconds), "s", bound=CORRECTED_S_MAX, beside=spread(seconds))


def test_a_commit_that_can_never_start_is_put_back_right_after_the_grace(thousand_kept: Field):
    namespace = thousand_kept.made[0].namespace
    thousand_kept.commit({"web.yaml": _web(namespace, "rig.test/web:1")}, "A web")
    thousand_kept.await_kept()
    seconds = []
    for number in range(ROUNDS):
        begin = thousand_kept.stage.audit.position()
        thousand_kept.commit({"web.yaml": _web(namespace, f"rig.test/web:v{number}-missing")}, "A bad image")
        wait_for("it to be put back", _is_put_back(thousand_kept), deadline_s=LONG_S, every_s=0.5)

        bad, back = [one for one in thousand_kept.writes(begin) if one.object == f"apps/deployments {namespace}/web"]
        shown = _first_status_of_a_pod(thousand_kept, begin, after=instant(bad))
        seconds.append(instant(back) - shown - GRACE_S)

    show(
        f"from a pod's terminal reason to the revert's first write, beyond the grace of {GRACE_S:g} s",
        max(seconds),
        "s",
        bound=REVERT_S_MAX,
        beside=spread(seconds),
    )


def test_the_daemon_stays_small(thousand_kept: Field):
    now, most = resident_mib(thousand_kept.pid)

    show("resident at 1,000 objects, at most so far", most, "MiB", bound=RESIDENT_MIB_MAX, beside=f"now {now:.0f} MiB")


def _some(field: Field, kind: str) -> Sequence[Made]:
    return [one for one in field.made if one.kind == kind][:: len(EDITED)][:EDITS_PER_KIND]


def _corrected_after(field: Field, one: Made) -> float:
    """Edit it by hand; return how long after that edit it was put back."""
    begin = field.stage.audit.position()
    field.stage.kubectl("edit", one.kind, one.name, "-n", one.namespace, editor=f"sed -i s/{WORD}/pink/")
    wait_for(f"{one.object} to be put back", lambda: WORD in json.dumps(field.stage.api.get(one.path)))
    asked = [of for of in field.stage.audit.requests(begin) if of.is_write and of.object == one.object]
    theirs = [instant(of) for of in asked if of.user != field.account.user]
    ours = [instant(of) for of in asked if of.user == field.account.user]
    return min(ours) - max(theirs)


def _first_status_of_a_pod(field: Field, begin: int, *, after: float) -> float:
    """When the played kubelet first said how the new pod is: that it cannot have its image."""
    asked = field.stage.audit.requests(begin, everyone=True)
    said = [one for one in asked if one.object.startswith("pods/status ") and one.user == "system:kwok"]
    return min(at for at in map(instant, said) if at > after)


def _web(namespace: str, image: str) -> str:
    return deployment("web", image).replace("  name: web\n", f"  name: web\n  namespace: {namespace}\n", 1)


def _is_put_back(field: Field) -> Callable[[], bool]:
    """Whether the newest commit is held, and what was there before it is there again."""
    newest = field.stage.repository.head()

    def is_put_back() -> bool:
        status = field.status()
        held = {one["sha"] for one in status.get("held", ())}
        return status["phase"] == "Reverted" and newest in held

    return is_put_back

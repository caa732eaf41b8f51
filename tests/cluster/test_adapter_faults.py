"""A server that is down, hangs or is far away: errors within a deadline, and never an absence."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gitopsd.adapters.cluster import KubernetesCluster, Limits, Transport, credentials
from gitopsd.core.errors import ClusterError
from gitopsd.core.model import Accepted, Deferred, Item
from gitopsd.ports import Call
from rig.accounts import Account, account_kubeconfig, allow_everywhere, create_account
from rig.faults import crashed, delayed, paused
from rig.waiting import wait_for
from tests.cluster.adapter_world import StillClock, desired, manifest
from tests.cluster.dead_group import dead_group

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power]


@pytest.fixture
def hasty(api_cluster):
    """A road that gives up after a second."""
    made = Transport(credentials(str(api_cluster.kubeconfig)), limits=Limits(connect_s=0.5, total_s=1.0))
    yield made
    made.close()


def until_it_fails(transport):
    """A server that is told to stop may answer a moment longer. Return how long the failing call took."""
    for _ in range(1_000):
        began_at = time.monotonic()
        try:
            transport.call(Call(method="GET", path="/version"))
        except ClusterError:
            return time.monotonic() - began_at
    raise AssertionError("it answers for ever")


def test_a_server_that_is_down_is_an_error(on_api, api_cluster):
    on_api.run(on_api.config_map())
    with crashed(api_cluster.powers()), pytest.raises(ClusterError) as failed:
        on_api.observe(desired(on_api.config_map()))

    assert (failed.value.problem.code, failed.value.retry) == ("CLUSTER_UNREACHABLE", True)
    assert on_api.sight(on_api.config_map()).preview is None


def test_a_server_that_hangs_is_an_error_within_the_deadline(api_cluster, hasty):
    hasty.call(Call(method="GET", path="/version"))
    with paused(api_cluster.powers()):
        slowest_s = until_it_fails(hasty)

    assert slowest_s < 3


def test_the_time_in_the_dark_is_known(api_cluster, hasty):
    hasty.call(Call(method="GET", path="/version"))
    with paused(api_cluster.powers()):
        until_it_fails(hasty)

    assert hasty.contact.blind_s(60) >= 1
    hasty.call(Call(method="GET", path="/version"))
    after = hasty.contact.blind_s(60)
    assert hasty.contact.blind_s(60) == pytest.approx(after, abs=0.01)


def test_a_server_far_away_is_only_slow(on_api, api_cluster):
    with delayed(api_cluster.powers(), 0.2) as kubeconfig:
        cluster = KubernetesCluster(Transport(credentials(str(kubeconfig))), StillClock())
        live = cluster.observe(on_api.environment, desired(*(on_api.config_map(f"c{n}") for n in range(8))), {}, None)
        cluster.stop()

    assert all(sight.live is None for sight in live.sights.values())


def test_an_edit_while_the_line_was_cut_is_not_missed(on_api, api_cluster):
    on_api.cluster.start_watches(lambda name: on_api.woken.update([name]))
    body = on_api.config_map(a="1")
    on_api.run(body)
    with crashed(api_cluster.powers()):
        pass
    on_api.edit(body, {"data": {"a": "9"}})

    wait_for("the edit to be seen", lambda: isinstance(on_api.sight(body).preview, Accepted))


def test_what_is_remembered_counts_for_nothing_while_the_line_is_cut(on_api, api_cluster):
    on_api.cluster.start_watches(lambda name: on_api.woken.update([name]))
    body = on_api.config_map()
    on_api.run(body)

    def is_free():
        before = on_api.tally()
        on_api.observe(desired(body))
        return on_api.tally() == before

    wait_for("a look to be free", is_free)
    with crashed(api_cluster.powers()):
        wait_for("looks to fail", lambda: _fails(on_api, body))
    wait_for("a look to be free again", is_free)


def test_a_token_that_was_replaced_is_read_again(on_api, api_cluster, tmp_path):
    account = create_account(on_api.api, Account(on_api.namespace, "reader"))
    allow_everywhere(on_api.api, account, [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
    kubeconfig = account_kubeconfig(api_cluster.kubeconfig, account, tmp_path / "kubeconfig")
    good = kubeconfig.read_text()
    line = next(line for line in good.splitlines() if "token:" in line)
    kubeconfig.write_text(good.replace(line, "    token: stale"))
    transport = Transport(credentials(str(kubeconfig)))
    with pytest.raises(ClusterError) as refused:
        transport.call(Call(method="GET", path="/api/v1/configmaps"))
    kubeconfig.write_text(good)

    assert refused.value.denied
    assert transport.call(Call(method="GET", path="/api/v1/configmaps", query={"limit": "1"})).status == 200
    name = f"{account.namespace}-{account.name}"
    on_api.api.delete(f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}")
    on_api.api.delete(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")


def test_a_missing_right_names_the_verb_and_is_no_absence(on_api, api_cluster, tmp_path):
    account = create_account(on_api.api, Account(on_api.namespace, "poor"))
    kubeconfig = account_kubeconfig(api_cluster.kubeconfig, account, tmp_path / "kubeconfig")
    cluster = KubernetesCluster(Transport(credentials(str(kubeconfig))), StillClock())
    with pytest.raises(ClusterError) as refused:
        cluster.observe(on_api.environment, desired(on_api.config_map()), {}, None)
    cluster.stop()

    assert (refused.value.problem.code, refused.value.denied) == ("FORBIDDEN", True)
    assert 'cannot get resource "configmaps"' in refused.value.problem.cause


def test_a_leftover_that_may_not_be_read_is_unsure(on_api, api_cluster, tmp_path):
    on_api.run(on_api.config_map())
    account = create_account(on_api.api, Account(on_api.namespace, "poor"))
    kubeconfig = account_kubeconfig(api_cluster.kubeconfig, account, tmp_path / "kubeconfig")
    cluster = KubernetesCluster(Transport(credentials(str(kubeconfig))), StillClock())
    live = cluster.observe(on_api.environment, desired(), on_api.record.inventory, None)
    cluster.stop()

    assert (live.unsure, dict(live.leftovers)) == ({manifest(on_api.config_map()).ref}, {})


def test_an_aggregated_group_that_is_down_makes_only_itself_unsure(on_api):
    with dead_group(on_api.api, on_api.namespace) as dead:
        gadget = on_api.named(dead.version, "Gadget", "one")
        wait_for("the group to be unsure", lambda: _is_unsure(on_api.restarted(), gadget))
        assert isinstance(on_api.sight(on_api.config_map()).preview, Accepted)


def test_what_waits_for_a_group_that_its_set_brings_and_that_is_down_keeps_nothing_else_from_being_looked_at(on_api):
    with dead_group(on_api.api, on_api.namespace) as dead:
        gadget = on_api.named(dead.version, "Gadget", "one")
        wait_for("the group to be unsure", lambda: _is_unsure(on_api.restarted(), gadget))
        on_api.cluster.stop()
        world = on_api.restarted()
        world.record = replace(world.record, inventory={manifest(gadget).ref: Item(uid="written")})
        wanted = desired(gadget, dead.service, on_api.config_map())
        sights = [sight.preview for sight in world.observe(wanted).sights.values()]
        world.cluster.stop()

    assert sights[0] == Deferred("its API group does not answer")
    assert isinstance(sights[2], Accepted)


def _fails(world, body):
    try:
        world.observe(desired(body))
    except ClusterError as error:
        return error.problem.code == "CLUSTER_UNREACHABLE"
    return False


def _is_unsure(world, body):
    try:
        world.sight(body)
    except ClusterError as error:
        return error.problem.code == "DISCOVERY_INCOMPLETE"
    finally:
        world.cluster.stop()
    return False

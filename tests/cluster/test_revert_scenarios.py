"""More than fifty reverts on a real API server: whatever fails, whatever else happens, one revert and the right end.

Two oracles: what is there at the end is what was kept (or the good commit) and nothing besides; and gitopsd wrote what
it had to and no more: no second revert, no loop, no delete but of what the bad commit had added.
"""

from __future__ import annotations

import pytest
import yaml

from gitopsd.core import record
from tests.cluster.revert_arena import arena, is_within, playing_widgets
from tests.cluster.revert_manifests import WIDGET_CRD, WIDGETS
from tests.cluster.revert_scenarios import all_pairs, pairs, scenarios

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def played(cluster, tmp_path_factory):
    """The outcomes by scenario; those that meet the same thing are played together, when the first is asked for."""
    cluster.powers()
    known = {}
    api = cluster.api()
    api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(WIDGET_CRD))

    def of(scenario):
        meanwhile = scenario.meanwhile
        if meanwhile not in known:
            # A group that could not be played fails each of its scenarios, and is not played again.
            known[meanwhile] = None
            together = [one for one in scenarios() if one.meanwhile is meanwhile]
            with arena(cluster, tmp_path_factory.mktemp("arena"), together) as made:
                known[meanwhile] = made.play(meanwhile)
        assert known[meanwhile] is not None, f"the scenarios with {meanwhile} could not be played"
        return known[meanwhile][scenario]

    with playing_widgets(api):
        yield of
    api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{WIDGETS}")


def test_the_scenarios_have_every_pair_of_circumstances():
    chosen = scenarios()

    assert len(chosen) >= 50
    assert len(set(chosen)) == len(chosen)
    assert {pair for one in chosen for pair in pairs(one)} == all_pairs()


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_it_ends_as_it_must(played, scenario):
    outcome, end = played(scenario), scenario.end

    unlike = {name for name, body in outcome.wanted.items() if not is_within(body, outcome.there.get(name))}
    assert unlike == ({scenario.breaks} if end.finished else set())
    assert outcome.there.keys() == outcome.wanted.keys() | end.remains
    assert end.held[0] <= len(outcome.record.held) <= end.held[1]
    assert outcome.record.current == outcome.record.last_kept.digest
    failed = [entry.digest for entry in outcome.record.history if entry.outcome is record.Outcome.FAILED]
    assert sorted(failed) == sorted(outcome.record.held), "each bad digest fails once"
    assert record.Outcome.REVERT_FAILED not in {entry.outcome for entry in outcome.record.history}


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_it_writes_what_it_must(played, scenario):
    outcome, end = played(scenario), scenario.end

    if end.exact:
        assert outcome.writes == end.writes
    else:
        assert not outcome.writes - end.writes
    assert not outcome.afterwards, "once it is settled, nothing more is written"

"""A kept set comes back whole with all its settings, whichever gitopsd kept it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from hashlib import sha256

import msgspec
import pytest

from gitopsd.adapters.store.snapshot_codec import Packed, pack, unpack
from gitopsd.core.errors import PlanRefused
from gitopsd.core.manifests.canonical import canonical, digest_of
from gitopsd.core.model import Desired
from gitopsd.core.probes import CelProbe, HttpProbe, JobProbe, NoData, Pace, PrometheusProbe
from gitopsd.core.settings import IgnoreRule, OnFailure, PruneSettings, Settings
from tests.make import desired, manifest

PACE = Pace(failures=5, initial_delay_s=1.5, interval_s=2, timeout_s=0.5)
PROBES = (
    HttpProbe(name="a", service="web", port="http", namespace="shop", path="/x?y", expect=(200, 204), pace=PACE),
    PrometheusProbe(name="b", query="up", minimum=0.5, samples_query="n", samples_min=9, no_data=NoData.PASS),
    JobProbe(name="c", file="smoke/job.yaml", job=b'{"kind":"Job"}', sensitive=True, pace=PACE),
    CelProbe(name="d", kind="Certificate", expression="true", api_version="v1", object_name="web"),
)
SETTINGS = Settings(
    namespace="shop",
    depends_on=("staging/database",),
    deadline_s=60,
    soak_s=1,
    probes=PROBES,
    on_failure=OnFailure.FREEZE,
    prune=PruneSettings(enabled=False, budget_percent=7, budget_count_min=1),
    ignore=(IgnoreRule(kind="Deployment", pointers=("/spec/replicas",)),),
)


def kept(settings: Settings) -> Desired:
    web = manifest("Deployment", "web")
    return desired(replace(web, digest=digest_of(canonical(web.body))), settings=settings)


def edited(packed: Packed, change) -> Packed:
    """The same set as another gitopsd would have written it."""
    plain = msgspec.json.decode(gzip.decompress(b"".join(packed.chunks)))
    change(plain["settings"])
    content = gzip.compress(msgspec.json.encode(plain))
    return Packed(sha256(content).hexdigest(), (content,))


@pytest.mark.parametrize("settings", [Settings(), SETTINGS], ids=["the defaults", "everything that can be said"])
def test_settings_come_back_as_they_were(settings):
    assert unpack("new", pack(kept(settings))).settings == settings


def test_a_set_that_was_kept_before_there_were_probes_has_none():
    older = edited(pack(kept(SETTINGS)), lambda settings: settings.pop("probes"))

    assert unpack("new", older).settings == replace(SETTINGS, probes=())


def test_a_setting_that_is_not_known_here_is_ignored():
    newer = edited(pack(kept(SETTINGS)), lambda settings: settings.update(later=1))

    assert unpack("new", newer).settings == SETTINGS


@pytest.mark.parametrize("probe", [{"grpc": {"name": "a"}}, {"http": {"name": 1}}, {"http": {}}, 7])
def test_a_probe_that_cannot_be_read_is_damage_and_never_left_out(probe):
    odd = edited(pack(kept(SETTINGS)), lambda settings: settings["probes"].append(probe))

    with pytest.raises(PlanRefused) as caught:
        unpack("new", odd)

    assert caught.value.problem.code == "SNAPSHOT_DAMAGED"

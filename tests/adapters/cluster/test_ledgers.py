"""What a watch wrote down, and what may be trusted because of it."""

from __future__ import annotations

import pytest

from gitopsd.adapters.cluster.ledgers import Autoscalers, Item, Metadata, Versions, is_newer
from gitopsd.adapters.cluster.memory import Memory, Remembered
from tests import make

WEB = make.ref("ConfigMap", "web")


def item(version, name="web", **more):
    return Item(metadata=Metadata(name=name, namespace="shop", resourceVersion=version), **more)


def seen(version):
    return make.found(WEB, resource_version=version)


@pytest.fixture
def woken():
    return []


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def versions(memory, woken):
    ledger = Versions(("", "ConfigMap", ""), memory, lambda ref, version: woken.append((ref.name, version)))
    ledger.begin([item("5")], "10")
    woken.clear()
    return ledger


@pytest.mark.parametrize(
    ("version", "unchanged"),
    [("5", True), ("4", False), ("12", True), ("odd", False)],
    ids=["as listed", "older than listed", "newer than the list: our own write", "not to be compared"],
)
def test_an_object_is_unchanged(versions, version, unchanged):
    assert versions.is_unchanged(seen(version)) is unchanged


def test_an_object_that_changed_is_not_unchanged(versions):
    versions.note("MODIFIED", item("11"))

    assert not versions.is_unchanged(seen("5"))
    assert versions.is_unchanged(seen("11"))


def test_an_object_that_was_deleted_is_not_unchanged(versions):
    versions.note("DELETED", item("11"))

    assert not versions.is_unchanged(seen("5"))
    assert not versions.is_unchanged(seen("11"))


def test_an_object_that_was_made_anew_after_its_deletion_is_known_by_its_newer_version(versions):
    versions.note("DELETED", item("11"))

    assert versions.is_unchanged(seen("12"))


def test_an_object_that_is_not_listed_is_not_unchanged(versions):
    versions.begin([], "20")

    assert not versions.is_unchanged(seen("5"))
    assert versions.is_unchanged(seen("21"))


def test_a_bookmark_makes_an_unlisted_object_older(versions):
    versions.begin([], "20")
    versions.reach("30")

    assert not versions.is_unchanged(seen("21"))


def test_each_event_wakes(versions, woken):
    versions.note("MODIFIED", item("11"))
    versions.note("DELETED", item("12"))

    assert woken == [("web", "11"), ("web", "DELETED 12")]


def test_what_is_remembered_and_not_listed_any_more_wakes(versions, memory, woken):
    memory.keep("shop", Remembered(live=make.found(WEB), digest="d"))
    versions.begin([], "20")

    assert woken == [("web", "DELETED 20")]


def test_what_is_remembered_in_another_namespace_is_not_missed(memory, woken):
    memory.keep("shop", Remembered(live=make.found(WEB), digest="d"))
    for namespace in ("elsewhere", WEB.namespace):
        ledger = Versions(("", "ConfigMap", namespace), memory, lambda ref, _: woken.append(ref.name))
        ledger.begin([], "20")
        assert woken == (["web"] if namespace == WEB.namespace else [])


@pytest.mark.parametrize(("one", "other", "newer"), [("2", "1", True), ("10", "9", True), ("1", "1", False)])
def test_versions_are_compared_as_numbers(one, other, newer):
    assert is_newer(one, than=other) is newer


def scaler(name="web", target="web", **spec):
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return item("1", name, spec={"scaleTargetRef": reference, **spec})


class TestAutoscalers:
    @pytest.fixture
    def ledger(self, woken):
        made = Autoscalers(lambda body, _: woken.append(body["spec"]["scaleTargetRef"]["name"]))
        made.begin([scaler()], "1")
        return made

    def test_those_of_a_namespace_are_known(self, ledger):
        assert len(ledger.of("shop")) == 1
        assert ledger.of("elsewhere") == []

    def test_only_a_new_target_is_news(self, ledger, woken):
        ledger.note("MODIFIED", scaler(maxReplicas=7))
        ledger.note("MODIFIED", scaler(target="api"))

        assert woken == ["api"]

    def test_its_end_is_news(self, ledger, woken):
        ledger.note("DELETED", scaler())

        assert (woken, ledger.of("shop")) == (["web"], [])

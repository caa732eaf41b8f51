"""What changes between the reads that prove a pod to be stuck: then it stays."""

from __future__ import annotations

from contextlib import closing

import pytest

from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.adapters.cluster.discovery import Discovery
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.transport import Line
from gitopsd.adapters.cluster.unsticking import unstick
from gitopsd.core.errors import ClusterError
from gitopsd.core.model import Applied, Environment, ObjectRef, Stuck
from tests.adapters.cluster.scripted_server import ScriptedServer, answer

STAGING = Environment(name="staging", source="git", path="p", apply_set="s")
POD = Stuck(
    ref=ObjectRef("", "Pod", "shop", "db-0"),
    uid="p",
    resource_version="7",
    owner=ObjectRef("apps", "StatefulSet", "shop", "db"),
    owner_uid="s",
)


def owner(newest="good", generation=1, uid="s"):
    """A StatefulSet that its controller has looked at, and that is not whole."""
    return answer(
        200,
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "shop", "uid": uid, "generation": generation},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "db"}}},
            "status": {"observedGeneration": generation, "currentRevision": "good", "updateRevision": newest},
        },
    )


def pods(version="8"):
    """Its only pod, which never became ready."""
    metadata = {
        "name": "db-0",
        "namespace": "shop",
        "uid": "p",
        "resourceVersion": version,
        "labels": {"app": "db", "controller-revision-hash": "bad"},
        "ownerReferences": [{"uid": "s", "controller": True}],
    }
    return answer(200, {"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [{"metadata": metadata}]})


GONE = answer(404, {"kind": "Status", "reason": "NotFound", "details": {"name": "db"}, "code": 404})
FORBIDDEN = answer(403, {"kind": "Status", "reason": "Forbidden", "message": "no", "code": 403})
DELETED = answer(200, {"kind": "Status", "status": "Success"})


def unstuck(*replies):
    """Try it; return the answer, and what was asked."""
    with ScriptedServer(replies) as server, closing(server.transport()) as transport:
        deleter = Deleter(Reader(Line(transport, STAGING), Discovery(transport)), lambda _: True)
        return unstick(deleter, POD), server.asked


def test_it_goes_in_the_version_that_proved_it():
    said, asked = unstuck(owner(), pods(version="8"), owner(), DELETED)

    assert said == Applied(ref=POD.ref)
    assert asked[-1].line == "DELETE /api/v1/namespaces/shop/pods/db-0"
    assert b'"preconditions":{"uid":"p","resourceVersion":"8"}' in asked[-1].body


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(owner(newest="bad", generation=2), id="its revision has become the newest"),
        pytest.param(owner(uid="another"), id="its owner was made anew"),
        pytest.param(GONE, id="its owner went"),
    ],
)
def test_it_stays_if_while_the_pods_were_listed(after):
    said, asked = unstuck(owner(), pods(), after, DELETED)

    assert said == Applied(ref=POD.ref)
    assert [one.line.split()[0] for one in asked] == ["GET", "GET", "GET"]


@pytest.mark.parametrize("replies", [(FORBIDDEN,), (owner(), FORBIDDEN), (owner(), pods(), FORBIDDEN)])
def test_what_cannot_be_read_is_an_error_and_no_delete(replies):
    with pytest.raises(ClusterError):
        unstuck(*replies, DELETED)

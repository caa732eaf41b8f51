"""Delete a pod that holds up its own replacement, if fresh reads still prove that it does; or not at all."""

from __future__ import annotations

from dataclasses import replace

from gitopsd.adapters.cluster.below import PODS, STATEFUL_SETS, read_below
from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.core.answers import Meaning, Subject, meaning_of, problem_of
from gitopsd.core.errors import Stage
from gitopsd.core.model import Applied, Stuck


def unstick(deleter: Deleter, pod: Stuck) -> Applied:
    """Delete it. One of which anything else is true by now is left to the next look.

    Raises:
        ClusterError: it could not be known, or there was no answer.
    """
    proven = _read_again(deleter.reader, pod)
    if proven is None:
        return Applied(ref=pod.ref)
    answer = deleter.delete(PODS, pod.ref, uid=proven.uid, version=proven.resource_version)
    meaning = meaning_of(answer.status, answer.body)
    if meaning in (Meaning.DONE, Meaning.NOT_FOUND) or meaning.is_stale_look:
        return Applied(ref=pod.ref)
    problem = problem_of(meaning, answer.body, Subject(ref=pod.ref, stage=Stage.APPLY))
    return Applied(ref=pod.ref, problem=problem, retry=meaning.may_pass)


def _read_again(reader: Reader, pod: Stuck) -> Stuck | None:
    """Return it as it is now; None unless it is the same pod, and still the one that its same owner waits for.

    The owner that proves it is read after the pods: one of its newest revision that was made in between is in no list
    of before, and one that is listed is not taken for an older one. The first read says only which pods to list.
    """
    before = reader.get(STATEFUL_SETS, pod.owner, Stage.APPLY)
    below = read_below(reader, [before] if before else [])
    after = reader.get(STATEFUL_SETS, pod.owner, Stage.APPLY)
    now = below.stuck(after) if after else None
    return now if now and replace(now, resource_version=pod.resource_version) == pod else None

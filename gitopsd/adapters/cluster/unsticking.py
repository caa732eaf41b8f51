"""Delete a pod that holds up its own replacement: exactly as it was read, or not at all."""

from __future__ import annotations

from gitopsd.adapters.cluster.below import PODS
from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.core.answers import Meaning, Subject, meaning_of, problem_of
from gitopsd.core.errors import Stage
from gitopsd.core.model import Applied, Stuck


def unstick(deleter: Deleter, pod: Stuck) -> Applied:
    """Delete it. One that was changed or went in the meantime is left to the next look.

    Raises:
        ClusterError: there was no answer.
    """
    answer = deleter.delete(PODS, pod.ref, uid=pod.uid, version=pod.resource_version)
    meaning = meaning_of(answer.status, answer.body)
    if meaning in (Meaning.DONE, Meaning.NOT_FOUND) or meaning.is_stale_look:
        return Applied(ref=pod.ref)
    problem = problem_of(meaning, answer.body, Subject(ref=pod.ref, stage=Stage.APPLY))
    return Applied(ref=pod.ref, problem=problem, retry=meaning.may_pass)

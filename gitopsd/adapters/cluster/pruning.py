"""Delete what a fresh read still proves to be ours, one by one; never by label, never a collection.

Webhooks and API services go first, so that none is called any more; definitions and namespaces last, because more
goes with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from gitopsd.adapters.cluster.deleting import Deleter
from gitopsd.adapters.cluster.discovery import Discovery
from gitopsd.adapters.cluster.lanes import Lanes
from gitopsd.adapters.cluster.leftovers import why_protected
from gitopsd.adapters.cluster.memory import Memory
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.core.answers import Meaning, Subject, meaning_of, problem_of
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.fields import read, text
from gitopsd.core.model import Applied, Body, Environment, ObjectRef
from gitopsd.core.plan import Prune

GONE_S_MAX = 2.0
_FIRST = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService"})
_LATER = ("CustomResourceDefinition", "Namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Deletes for one environment, on its line."""

    environment: Environment
    reader: Reader
    discovery: Discovery
    memory: Memory
    deleter: Deleter
    lanes: Lanes

    def prune(self, prunes: Sequence[Prune]) -> tuple[Applied, ...]:
        """Delete them; one answer each, in the order given.

        Raises:
            ClusterError: nothing was deleted, because the API server does not answer or we may not write.
        """
        answers: dict[ObjectRef, Applied | ClusterError] = {}
        ordered = sorted(prunes, key=lambda prune: _rank(prune.ref))
        for _, group in groupby(ordered, key=lambda prune: _rank(prune.ref)):
            deleted = list(group)
            written = self.lanes.each(self._pruned, deleted)
            answers.update((prune.ref, answer) for prune, answer in zip(deleted, written, strict=True))
        errors = [answer for answer in answers.values() if isinstance(answer, ClusterError)]
        if errors and len(errors) == len(answers):
            raise errors[0]
        return tuple(_answer(prune.ref, answers[prune.ref]) for prune in prunes)

    def _pruned(self, prune: Prune) -> Applied | ClusterError:
        self.memory.drop(self.environment.name, (prune.ref,))
        try:
            return self._prune(prune)
        except ClusterError as error:
            return error

    def _prune(self, prune: Prune) -> Applied:
        resource = self.discovery.serving(prune.ref.group, prune.ref.kind)
        body = self.reader.get(resource, prune.ref, Stage.PRUNE) if resource else None
        if resource is None or body is None:
            return Applied(ref=prune.ref, gone=True)
        protection = why_protected(self.reader, body, self.environment.apply_set, prune.uid)
        if protection:
            return _kept(prune.ref, "PRUNE_PROTECTED", f"stays: {protection}", "see docs/prune.md")
        answer = self.deleter.delete(
            resource, prune.ref, uid=text(body, "metadata.uid"), version=text(body, "metadata.resourceVersion")
        )
        meaning = meaning_of(answer.status, answer.body)
        if meaning not in (Meaning.DONE, Meaning.NOT_FOUND):
            problem = problem_of(meaning, answer.body, Subject(ref=prune.ref, stage=Stage.PRUNE))
            return Applied(ref=prune.ref, problem=problem, retry=meaning.may_pass)
        rest = self.deleter.remains(resource, prune.ref, prune.uid, GONE_S_MAX)
        return Applied(ref=prune.ref, gone=True) if rest is None else _blocked(prune.ref, rest)


def _rank(ref: ObjectRef) -> int:
    if ref.kind in _FIRST:
        return 0
    return 2 + _LATER.index(ref.kind) if ref.kind in _LATER else 1


def _answer(ref: ObjectRef, answer: Applied | ClusterError) -> Applied:
    if isinstance(answer, Applied):
        return answer
    return Applied(ref=ref, problem=answer.problem, retry=answer.retry)


def _blocked(ref: ObjectRef, body: Body) -> Applied:
    finalizers = read(body, "metadata.finalizers")
    names = ", ".join(str(name) for name in finalizers) if isinstance(finalizers, Sequence) else ""
    if not names or text(body, "kind") == "Namespace":
        return _kept(ref, "PRUNE_PENDING", "is being deleted, and not gone yet", "nothing: it is looked at again", True)
    return _kept(
        ref, "PRUNE_BLOCKED", f"is deleted, but held by its finalizers: {names}", "look at who serves them", True
    )


def _kept(ref: ObjectRef, code: str, message: str, hint: str, retry: bool = False) -> Applied:  # noqa: FBT001, FBT002
    problem = Problem(code=code, stage=Stage.PRUNE, message=message, hint=hint, ref=str(ref))
    return Applied(ref=ref, problem=problem, retry=retry)

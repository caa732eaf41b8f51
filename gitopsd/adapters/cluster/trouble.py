"""How this room says that it could not: every failure to get a whole answer becomes one ``ClusterError``."""

from __future__ import annotations

from gitopsd.core.answers import Meaning, Subject, cause_of, problem_of
from gitopsd.core.errors import ClusterError, Problem, Stage
from gitopsd.core.model import Json
from gitopsd.ports import Answer, Call

_DENIED = frozenset({Meaning.FORBIDDEN, Meaning.CREDENTIALS_REFUSED})


def unreachable(call: Call, cause: str) -> ClusterError:
    """Nobody answered, or not to the end."""
    return ClusterError(
        Problem(
            code="CLUSTER_UNREACHABLE",
            stage=Stage.APPLY,
            message=f"the API server gave no whole answer to {call.method} {call.path}",
            cause=cause,
            hint="nothing is assumed and nothing deleted; the next pass asks again",
        )
    )


def stopping() -> ClusterError:
    """We were told to end while there was more to ask."""
    return ClusterError(
        Problem(code="STOPPING", stage=Stage.APPLY, message="gitopsd is stopping; what was under way was finished")
    )


def bad_answer(call: Call, cause: str) -> ClusterError:
    """Something answered that is not the API server, or it made no sense."""
    return ClusterError(
        Problem(
            code="CLUSTER_BAD_ANSWER",
            stage=Stage.APPLY,
            message=f"what came back for {call.method} {call.path} is not an answer of the API server",
            cause=cause,
            hint="look for a proxy or a portal between gitopsd and the API server",
        )
    )


def credentials_refused(call: Call) -> ClusterError:
    """The server does not know us, even after the credentials were read again."""
    return ClusterError(
        Problem(
            code=Meaning.CREDENTIALS_REFUSED.value,
            stage=Stage.APPLY,
            message=f"the API server refuses our credentials ({call.method} {call.path})",
            hint="renew the token or the certificate that gitopsd uses",
        ),
        denied=True,
    )


def empty_impersonation(call: Call) -> ClusterError:
    """A write would go out under our own, larger rights."""
    return ClusterError(
        Problem(
            code="IMPERSONATION_EMPTY",
            stage=Stage.CONFIG,
            message=f"{call.method} {call.path} was to be sent as somebody, but the account's name is empty or broken",
            hint="name the service account and its namespace in config.yaml",
        ),
        retry=False,
        denied=True,
    )


def unexpected(call: Call, answer: Answer, meaning: Meaning, subject: Subject | None = None) -> ClusterError:
    """The server said no to a question whose answer we need."""
    if subject:
        return failed(meaning, answer.body, subject)
    problem = Problem(
        code=meaning.value,
        stage=Stage.PLAN,
        message=f"the API server answered {answer.status} to {call.method} {call.path}",
        cause=cause_of(answer.body, secret="/secrets" in call.path),
        hint="grant gitopsd's own account this verb" if meaning in _DENIED else "",
    )
    return ClusterError(problem, retry=meaning.may_pass or meaning is Meaning.KIND_UNKNOWN, denied=meaning in _DENIED)


def failed(meaning: Meaning, body: Json, subject: Subject) -> ClusterError:
    """The server said no to something about one object."""
    return ClusterError(problem_of(meaning, body, subject), retry=meaning.may_pass, denied=meaning in _DENIED)

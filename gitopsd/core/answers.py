"""What the API server's answer means, decided in one place from what it was measured to say.

By status, ``reason`` and causes; by its words only where it says nothing else. Of a Secret, no word of the server is
passed on: it quotes values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.fields import part, parts, text, text_of
from gitopsd.core.model import Body, Json, Manifest, ObjectRef, Origin

CAUSE_CHARS_MAX = 600

_ERRORS = 400
_SERVER_ERROR = 500


class Meaning(StrEnum):
    """What to make of an answer; the value is the stable code of the problem."""

    DONE = "DONE"
    FIELD_UNKNOWN = "FIELD_UNKNOWN"
    FIELD_TYPE = "FIELD_TYPE"
    FIELD_INVALID = "FIELD_INVALID"
    LIST_KEY_DUPLICATE = "LIST_KEY_DUPLICATE"
    BASE64_INVALID = "BASE64_INVALID"
    MANIFEST_REFUSED = "MANIFEST_REFUSED"
    OBJECT_TOO_LARGE = "OBJECT_TOO_LARGE"
    IMMUTABLE_FIELD = "IMMUTABLE_FIELD"
    POLICY_DENIED = "POLICY_DENIED"
    FORBIDDEN = "FORBIDDEN"
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    NAMESPACE_ABSENT = "NAMESPACE_ABSENT"
    NAMESPACE_TERMINATING = "NAMESPACE_TERMINATING"
    KIND_UNKNOWN = "KIND_UNKNOWN"
    OBJECT_REPLACED = "OBJECT_REPLACED"
    OBJECT_CHANGED = "OBJECT_CHANGED"
    OBJECT_TERMINATING = "OBJECT_TERMINATING"
    WEBHOOK_UNREACHABLE = "WEBHOOK_UNREACHABLE"
    DRY_RUN_UNSUPPORTED = "DRY_RUN_UNSUPPORTED"
    HISTORY_EXPIRED = "HISTORY_EXPIRED"
    CLUSTER_BUSY = "CLUSTER_BUSY"
    CLUSTER_FLAKY = "CLUSTER_FLAKY"

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later, with nothing changed in Git."""
        return self in _MAY_PASS

    @property
    def is_stale_look(self) -> bool:
        """Whether what we believed of the object was old: look again."""
        return self in (Meaning.OBJECT_REPLACED, Meaning.OBJECT_CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the request was about; ``secret`` = no value of the object may be shown."""

    ref: ObjectRef
    stage: Stage
    origin: Origin = field(default_factory=lambda: Origin(""))
    secret: bool = False


_MAY_PASS = frozenset(
    {
        Meaning.QUOTA_EXCEEDED,
        Meaning.NAMESPACE_TERMINATING,
        Meaning.OBJECT_REPLACED,
        Meaning.OBJECT_CHANGED,
        Meaning.OBJECT_TERMINATING,
        Meaning.WEBHOOK_UNREACHABLE,
        Meaning.HISTORY_EXPIRED,
        Meaning.CLUSTER_BUSY,
        Meaning.CLUSTER_FLAKY,
    }
)

_SAID: Mapping[Meaning, tuple[str, str]] = {
    Meaning.FIELD_UNKNOWN: ("has a field that its kind does not have", "check the spelling and the indentation"),
    Meaning.FIELD_TYPE: ("has a value of the wrong type", "quote what must be text, unquote what must be a number"),
    Meaning.FIELD_INVALID: ("has a value that is not allowed", "correct the field named here"),
    Meaning.LIST_KEY_DUPLICATE: ("names the same entry of a list twice", "keep one of the two"),
    Meaning.BASE64_INVALID: ("has data that is not base64", "encode it, or write it under stringData"),
    Meaning.MANIFEST_REFUSED: ("was refused by the API server", "correct the manifest"),
    Meaning.OBJECT_TOO_LARGE: ("is too large for the API server", "split it"),
    Meaning.IMMUTABLE_FIELD: (
        "changes a field that cannot be changed once set",
        'rename the object, or allow its replacement with the annotation gitopsd.dev/recreate: "on-immutable"',
    ),
    Meaning.POLICY_DENIED: ("is denied by a policy of the cluster", "change the manifest, or ask who owns the policy"),
    Meaning.FORBIDDEN: ("may not be written with the rights we have", "grant the verb named here to the account"),
    Meaning.CREDENTIALS_REFUSED: ("could not be sent: the credentials are refused", "renew the credentials"),
    Meaning.QUOTA_EXCEEDED: ("does not fit into the quota of its namespace", "raise the quota, or free some of it"),
    Meaning.NOT_FOUND: ("is not there", ""),
    Meaning.NAMESPACE_ABSENT: ("lies in a namespace that does not exist", "add the Namespace to the environment"),
    Meaning.NAMESPACE_TERMINATING: ("lies in a namespace that is being deleted", "wait until it is gone"),
    Meaning.KIND_UNKNOWN: ("is of a kind that the cluster does not serve", "install its CRD, or correct apiVersion"),
    Meaning.OBJECT_REPLACED: ("was deleted or replaced meanwhile", "nothing: the next pass looks again"),
    Meaning.OBJECT_CHANGED: ("was changed by someone else meanwhile", "nothing: the next pass looks again"),
    Meaning.OBJECT_TERMINATING: ("is being deleted", "look at its finalizers if that takes long"),
    Meaning.WEBHOOK_UNREACHABLE: ("waits for an admission webhook that does not answer", "look at that webhook's pods"),
    Meaning.DRY_RUN_UNSUPPORTED: ("cannot be dry-run because of an admission webhook", ""),
    Meaning.HISTORY_EXPIRED: ("could not be read in one piece", "nothing: it is read again"),
    Meaning.CLUSTER_BUSY: ("was not taken: the API server is busy", "nothing: it is tried again"),
    Meaning.CLUSTER_FLAKY: ("was not done: the API server failed", "look at the API server if this stays"),
}

_WARNED = "the server warned of something; its words may hold a secret and are not shown"
_TYPED = ("failed to create typed patch object", "failed to create typed live object", "failed to convert new object")
_WEBHOOK_DOWN = ("failed calling webhook", "failed calling admission webhook", "conversion webhook for")
_IMMUTABLE = re.compile(
    r"immutable|cannot change roleRef|may not change once set|updates to [a-z]+ spec for fields other than"
    r"|may not be unset|can not be unset|cannot be changed|may not be changed",
    re.IGNORECASE,
)
_MAY_BE_IMMUTABLE = frozenset({"FieldValueInvalid", "FieldValueForbidden"})
_FIELD = re.compile(r"(?:: |\s)(\.[A-Za-z][^\s:]*)")


def meaning_of(status: int, body: Json) -> Meaning:
    """Return what the answer to any request means."""
    if status < _ERRORS:
        return Meaning.DONE
    answer: Body = body if isinstance(body, Mapping) else {}
    said = text(answer, "message") or (body if isinstance(body, str) else "")
    match status:
        case 400:
            return _of_bad_request(said)
        case 401:
            return Meaning.CREDENTIALS_REFUSED
        case 403:
            return _of_forbidden(answer, said)
        case 404:
            return _of_not_found(answer)
        case _:
            return _of_others(status, answer, said)


def problem_of(meaning: Meaning, body: Json, subject: Subject) -> Problem:
    """Put a refusal into words. For a Secret, the cause is the names of fields and nothing else."""
    message, hint = _SAID[meaning]
    return Problem(
        code=meaning.value,
        stage=subject.stage,
        message=message,
        cause=cause_of(body, secret=subject.secret or subject.ref.kind == "Secret"),
        hint=hint,
        ref=str(subject.ref),
        file=subject.origin.file,
        line=subject.origin.line,
    )


def about(manifest: Manifest, stage: Stage) -> Subject:
    """Return the subject of a request that sends this manifest."""
    return Subject(ref=manifest.ref, stage=stage, origin=manifest.origin, secret=manifest.is_secret)


def warnings_about(manifest: Manifest, warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the server warned of; of what may not be shown, only that it did."""
    return (_WARNED,) if warnings and manifest.is_secret else warnings


def cause_of(body: Json, *, secret: bool) -> str:
    """Return what the server said, bounded; only the fields it names when the object is a Secret."""
    said = text(body, "message") if isinstance(body, Mapping) else str(body or "")
    if secret:
        fields = _fields_named(body, said)
        return f"fields: {', '.join(fields)}" if fields else ""
    return said if len(said) <= CAUSE_CHARS_MAX else f"{said[:CAUSE_CHARS_MAX]}…"


def _fields_named(body: Json, said: str) -> list[str]:
    named = [text_of(cause, "field") for cause in _causes(body)] if isinstance(body, Mapping) else []
    found = [field for field in named if field] or [match.lstrip(".") for match in _FIELD.findall(said)]
    return sorted({re.sub(r"\[.*?\]", "[…]", field) for field in found})


def _causes(answer: Body) -> Sequence[Body]:
    return parts(part(answer, "details"), "causes")


def _of_bad_request(said: str) -> Meaning:
    if "does not support dry run" in said:
        return Meaning.DRY_RUN_UNSUPPORTED
    if _is_denied(said):
        return Meaning.POLICY_DENIED
    if "unknown field" in said:
        return Meaning.FIELD_UNKNOWN
    return Meaning.MANIFEST_REFUSED


def _of_forbidden(answer: Body, said: str) -> Meaning:
    if any(text_of(cause, "reason") == "NamespaceTerminating" for cause in _causes(answer)):
        return Meaning.NAMESPACE_TERMINATING
    if "exceeded quota" in said:
        return Meaning.QUOTA_EXCEEDED
    if "violates PodSecurity" in said or _is_denied(said):
        return Meaning.POLICY_DENIED
    return Meaning.FORBIDDEN


def _of_not_found(answer: Body) -> Meaning:
    if text(answer, "reason") != "NotFound":
        return Meaning.KIND_UNKNOWN
    if text(answer, "details.kind") == "namespaces" and not text(answer, "details.group"):
        return Meaning.NAMESPACE_ABSENT
    return Meaning.NOT_FOUND


def _of_others(status: int, answer: Body, said: str) -> Meaning:
    match status:
        case 409:
            return Meaning.OBJECT_REPLACED if "uid mismatch" in said.lower() else Meaning.OBJECT_CHANGED
        case 410:
            return Meaning.HISTORY_EXPIRED
        case 413:
            return Meaning.OBJECT_TOO_LARGE
        case 422:
            return _of_invalid(answer, said)
        case 429:
            return Meaning.CLUSTER_BUSY
        case 500:
            return _of_server_error(answer, said)
        case _:
            return Meaning.CLUSTER_FLAKY if status > _SERVER_ERROR else Meaning.MANIFEST_REFUSED


def _of_invalid(answer: Body, said: str) -> Meaning:
    causes = _causes(answer)
    reasons = {text_of(cause, "reason") for cause in causes}
    if _is_denied(said):
        return Meaning.POLICY_DENIED
    if any(text_of(cause, "field") == "metadata.finalizers" for cause in causes) and "FieldValueForbidden" in reasons:
        return Meaning.OBJECT_TERMINATING
    if reasons & _MAY_BE_IMMUTABLE and _IMMUTABLE.search(said):
        return Meaning.IMMUTABLE_FIELD
    if "FieldValueTooLong" in reasons and "must have at most" in said:
        return Meaning.OBJECT_TOO_LARGE
    if not causes and "the server rejected our request due to an error in our request" in said:
        return Meaning.OBJECT_CHANGED
    return Meaning.FIELD_INVALID


def _of_server_error(answer: Body, said: str) -> Meaning:
    if any(words in said for words in _WEBHOOK_DOWN):
        return Meaning.WEBHOOK_UNREACHABLE
    if text(answer, "reason") or not said:
        return Meaning.CLUSTER_FLAKY
    if "field not declared in schema" in said:
        return Meaning.FIELD_UNKNOWN
    if "duplicate entries for key" in said:
        return Meaning.LIST_KEY_DUPLICATE
    if "illegal base64" in said:
        return Meaning.BASE64_INVALID
    if any(words in said for words in _TYPED):
        return Meaning.FIELD_TYPE if "expected " in said else Meaning.MANIFEST_REFUSED
    return Meaning.CLUSTER_FLAKY


def _is_denied(said: str) -> bool:
    return "denied the request" in said or "denied request" in said

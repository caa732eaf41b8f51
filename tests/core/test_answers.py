"""Each answer that the API server was seen to give, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from gitopsd.core.answers import CAUSE_CHARS_MAX, Meaning, Subject, about, meaning_of, problem_of
from gitopsd.core.errors import Stage
from gitopsd.core.model import Json
from tests import make


def status(
    reason: str, message: str, *causes: Mapping[str, str], details: Mapping[str, Json] | None = None
) -> Mapping[str, Json]:
    body: dict[str, Json] = {"kind": "Status", "status": "Failure", "message": message}
    if reason:
        body["reason"] = reason
    named: Sequence[Json] = list(causes)
    body["details"] = {**(details or {}), "causes": named}
    return body


def cause(reason: str, field: str = "spec.x", message: str = "") -> Mapping[str, str]:
    return {"reason": reason, "field": field, "message": message}


TYPED = "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): "

ANSWERS: Mapping[str, tuple[int, Json, Meaning]] = {
    "an object, created or updated": (200, {"kind": "ConfigMap"}, Meaning.DONE),
    "an unknown field is a 500 without a reason": (
        500,
        status("", f"{TYPED}.spec.replcas: field not declared in schema"),
        Meaning.FIELD_UNKNOWN,
    ),
    "a wrong type is a 500 without a reason": (
        500,
        status("", f"{TYPED}.spec.replicas: expected numeric (int or float), got string"),
        Meaning.FIELD_TYPE,
    ),
    "a duplicate key of a keyed list is a 500 without a reason": (
        500,
        status("", f'{TYPED}errors:\n  .spec…env: duplicate entries for key [name="A"]'),
        Meaning.LIST_KEY_DUPLICATE,
    ),
    "data that is not base64 is a 500 without a reason": (
        500,
        status("", "failed to convert new object (shop/s; /v1, Kind=Secret): illegal base64 data at input byte 4"),
        Meaning.BASE64_INVALID,
    ),
    "a webhook that is down is worth another try": (
        500,
        status("InternalError", 'Internal error occurred: failed calling webhook "a.b.c": connection refused', {}),
        Meaning.WEBHOOK_UNREACHABLE,
    ),
    "a conversion webhook that is down is worth another try": (
        500,
        status("", "conversion webhook for example.com/v1, Kind=Widget failed: Post …: connection refused"),
        Meaning.WEBHOOK_UNREACHABLE,
    ),
    "any other internal error is worth another try": (
        500,
        status("InternalError", "etcdserver: leader changed"),
        Meaning.CLUSTER_FLAKY,
    ),
    "a 500 that says nothing at all is worth another try": (500, "", Meaning.CLUSTER_FLAKY),
    "a 500 without a reason and with unknown words is worth another try": (
        500,
        status("", "rpc error: code = Unavailable"),
        Meaning.CLUSTER_FLAKY,
    ),
    "an invalid value is the commit's fault": (
        422,
        status("Invalid", "Required value", cause("FieldValueRequired", "spec.template.spec.containers[0].image")),
        Meaning.FIELD_INVALID,
    ),
    "a ValidatingAdmissionPolicy says no": (
        422,
        status("Invalid", "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", {"message": "no"}),
        Meaning.POLICY_DENIED,
    ),
    "an admission webhook says no": (
        400,
        status("BadRequest", 'admission webhook "a.b.c" denied the request: no'),
        Meaning.POLICY_DENIED,
    ),
    "an admission webhook says no with 403": (
        403,
        status("Forbidden", 'admission webhook "a.b.c" denied the request: no'),
        Meaning.POLICY_DENIED,
    ),
    "an immutable selector": (
        422,
        status("Invalid", "spec.selector: field is immutable", cause("FieldValueInvalid", "spec.selector")),
        Meaning.IMMUTABLE_FIELD,
    ),
    "an immutable roleRef": (
        422,
        status("Invalid", "roleRef: cannot change roleRef", cause("FieldValueInvalid", "roleRef")),
        Meaning.IMMUTABLE_FIELD,
    ),
    "an immutable clusterIP": (
        422,
        status("Invalid", "may not change once set", cause("FieldValueInvalid", "spec.clusterIPs[0]")),
        Meaning.IMMUTABLE_FIELD,
    ),
    "an immutable StatefulSet spec": (
        422,
        status(
            "Invalid",
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
            cause("FieldValueForbidden", "spec"),
        ),
        Meaning.IMMUTABLE_FIELD,
    ),
    "an immutable PersistentVolumeClaim spec": (
        422,
        status("Invalid", "spec is immutable after creation except…", cause("FieldValueForbidden", "spec")),
        Meaning.IMMUTABLE_FIELD,
    ),
    "an immutable ConfigMap": (
        422,
        status("Invalid", "field is immutable when `immutable` is set", cause("FieldValueForbidden", "data")),
        Meaning.IMMUTABLE_FIELD,
    ),
    "a forbidden value that has nothing to do with immutability": (
        422,
        status(
            "Invalid", "may not be specified when type is 'Recreate'", cause("FieldValueForbidden", "spec.strategy")
        ),
        Meaning.FIELD_INVALID,
    ),
    "a finalizer for an object that is being deleted": (
        422,
        status("Invalid", "no new finalizers can be added", cause("FieldValueForbidden", "metadata.finalizers")),
        Meaning.OBJECT_TERMINATING,
    ),
    "a ConfigMap over 1 MiB": (
        422,
        status("Invalid", "Too long: must have at most 1048576 bytes", cause("FieldValueTooLong", "")),
        Meaning.OBJECT_TOO_LARGE,
    ),
    "a body over 3 MiB": (413, status("RequestEntityTooLarge", "limit is 3145728"), Meaning.OBJECT_TOO_LARGE),
    "a quota that is used up": (
        403,
        status("Forbidden", 'pods "a" is forbidden: exceeded quota: q, requested: pods=1'),
        Meaning.QUOTA_EXCEEDED,
    ),
    "a pod that violates Pod Security": (
        403,
        status("Forbidden", 'pods "a" is forbidden: violates PodSecurity "restricted:latest"'),
        Meaning.POLICY_DENIED,
    ),
    "a right that is missing": (
        403,
        status("Forbidden", 'configmaps "a" is forbidden: User "u" cannot patch resource "configmaps"'),
        Meaning.FORBIDDEN,
    ),
    "a namespace that is being deleted": (
        403,
        status("Forbidden", "because it is being terminated", cause("NamespaceTerminating", "metadata.namespace")),
        Meaning.NAMESPACE_TERMINATING,
    ),
    "a namespace that is absent": (
        404,
        status("NotFound", 'namespaces "x" not found', details={"name": "x", "kind": "namespaces"}),
        Meaning.NAMESPACE_ABSENT,
    ),
    "an object that is absent": (
        404,
        status("NotFound", 'configmaps "x" not found', details={"name": "x", "kind": "configmaps"}),
        Meaning.NOT_FOUND,
    ),
    "a path that is not served is plain text": (404, "404 page not found\n", Meaning.KIND_UNKNOWN),
    "a 404 of something else than the API server": (404, {"error": "no such page"}, Meaning.KIND_UNKNOWN),
    "managedFields in the body": (
        400,
        status("BadRequest", "metadata.managedFields must be nil"),
        Meaning.MANIFEST_REFUSED,
    ),
    "a webhook that does not know dry-run": (
        400,
        status("BadRequest", 'admission webhook "a" does not support dry run'),
        Meaning.DRY_RUN_UNSUPPORTED,
    ),
    "another uid than the one that was sent": (
        409,
        status("Conflict", 'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object…'),
        Meaning.OBJECT_REPLACED,
    ),
    "a resourceVersion of yesterday": (
        409,
        status("Conflict", "the object has been modified; please apply your changes to the latest version"),
        Meaning.OBJECT_CHANGED,
    ),
    "a JSON patch whose test fails": (
        422,
        status("Invalid", "the server rejected our request due to an error in our request"),
        Meaning.OBJECT_CHANGED,
    ),
    "credentials that are refused": (401, status("Unauthorized", "Unauthorized"), Meaning.CREDENTIALS_REFUSED),
    "history that is compacted away": (410, status("Expired", "too old resource version"), Meaning.HISTORY_EXPIRED),
    "too many requests": (429, status("TooManyRequests", "try again later"), Meaning.CLUSTER_BUSY),
    "a gateway without a server behind it": (503, "<html>", Meaning.CLUSTER_FLAKY),
    "a gateway that gave up": (504, status("Timeout", "request did not complete"), Meaning.CLUSTER_FLAKY),
}

PERMANENT = {
    Meaning.FIELD_UNKNOWN,
    Meaning.FIELD_TYPE,
    Meaning.FIELD_INVALID,
    Meaning.LIST_KEY_DUPLICATE,
    Meaning.BASE64_INVALID,
    Meaning.MANIFEST_REFUSED,
    Meaning.OBJECT_TOO_LARGE,
    Meaning.IMMUTABLE_FIELD,
    Meaning.POLICY_DENIED,
    Meaning.FORBIDDEN,
}

SECRET_VALUE = "aHVudGVyMg"


@pytest.mark.parametrize(("code", "body", "meaning"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_means(code, body, meaning):
    assert meaning_of(code, body) is meaning


@pytest.mark.parametrize("meaning", sorted(PERMANENT))
def test_a_bad_commit_is_not_tried_again(meaning):
    assert not meaning.may_pass


@pytest.mark.parametrize("meaning", [meaning for meaning in Meaning if meaning is not Meaning.DONE])
def test_every_refusal_has_a_sentence(meaning):
    problem = problem_of(meaning, "", Subject(ref=make.ref("ConfigMap", "web"), stage=Stage.APPLY))

    assert (problem.code, problem.ref) == (meaning.value, "ConfigMap shop/web")
    assert problem.message


def test_a_problem_says_where_the_manifest_is_written():
    problem = problem_of(Meaning.FIELD_TYPE, "", about(make.manifest("Deployment", "web"), Stage.VALIDATE))

    assert (problem.where, problem.stage) == ("web.yaml:3", Stage.VALIDATE)


def test_the_servers_words_are_the_cause():
    body = status("Invalid", "spec.replicas: must be positive")
    problem = problem_of(Meaning.FIELD_INVALID, body, Subject(ref=make.ref("Deployment", "web"), stage=Stage.APPLY))

    assert problem.cause == "spec.replicas: must be positive"


def test_the_servers_words_are_bounded():
    problem = problem_of(
        Meaning.FIELD_INVALID, "x" * 10_000, Subject(ref=make.ref("Deployment", "web"), stage=Stage.APPLY)
    )

    assert len(problem.cause) == CAUSE_CHARS_MAX + 1


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            status(
                "",
                "failed to create typed patch object (shop/db; /v1, Kind=Secret): .data.password: expected string, "
                f"got &value.valueUnstructured{{Value:{SECRET_VALUE}}}",
            ),
            "fields: data.password",
        ),
        (
            status("Invalid", f'data[a]: Invalid value: "{SECRET_VALUE}"', cause("FieldValueInvalid", "data[a]")),
            "fields: data[…]",
        ),
        (f"what {SECRET_VALUE}", ""),
    ],
    ids=["a typed patch", "an invalid value", "plain text"],
)
def test_of_a_secret_only_field_names_are_told(body, shown):
    problem = problem_of(Meaning.FIELD_TYPE, body, Subject(ref=make.ref("Secret", "db"), stage=Stage.APPLY))

    assert problem.cause == shown
    assert SECRET_VALUE not in repr(problem)

"""What is wrong with one object, judged from its text alone, before anything is written anywhere.

Each check yields faults with their place in the object. No fault repeats a value: values may be secrets.
Only what the API server would surely refuse, or what would surely do harm, is a fault here.
"""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitopsd.core.manifests import naming
from gitopsd.core.manifests.keyed_lists import duplicates
from gitopsd.core.manifests.lines import Place
from gitopsd.core.model import Body, Json

_OUR_LABELS = ("applyset.kubernetes.io/", "gitopsd.dev/")

_QUOTE_IT = "put its value in quotes"
_SERVER_FIELDS = {
    "creationTimestamp": "the server writes it",
    "deletionGracePeriodSeconds": "the server writes it",
    "deletionTimestamp": "the server writes it",
    "generation": "the server writes it",
    "managedFields": "the server writes it",
    "ownerReferences": "an owner with another uid makes the garbage collector delete the object",
    "resourceVersion": "the server writes it",
    "selfLink": "the server writes it",
    "uid": "the server writes it",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an object, and where in it."""

    code: str
    message: str
    place: Place = ()
    hint: str = ""


def identity_faults(body: Body) -> Iterator[Fault]:
    """Yield what keeps the object from having an identity, all that is missing in one fault."""
    missing = [name for name in ("apiVersion", "kind") if body.get(name) in (None, "")]
    metadata = body.get("metadata")
    named = isinstance(metadata, Mapping) and metadata.get("name") not in (None, "")
    if not named and isinstance(metadata, Mapping) and metadata.get("generateName"):
        hint = "give it a metadata.name; with generateName every pass would create one more"
        yield Fault("GENERATE_NAME", "metadata.generateName gives no fixed name", ("metadata", "generateName"), hint)
    elif not named:
        missing.append("metadata.name")
    if missing:
        hint = "every document must be one Kubernetes object"
        yield Fault("FIELDS_MISSING", f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", (), hint)
    elif named:
        yield from _identity_text_faults(body)


def faults(group: str, kind: str, body: Body) -> Iterator[Fault]:
    """Yield everything else that is wrong with an object that has an identity."""
    metadata = body["metadata"]
    if isinstance(metadata, Mapping):
        yield from _server_field_faults(metadata)
        yield from _name_faults(group, kind, metadata)
        yield from _label_faults(metadata)
        yield from _annotation_faults(metadata)
    yield from _encryption_faults(body)
    if not group and kind in {"Secret", "ConfigMap"}:
        yield from _binary_faults(kind, body)
    for duplicate in duplicates(group, kind, body):
        first = "/".join(str(step) for step in duplicate.first)
        message = f"a second entry with {duplicate.key}; the first is {first}"
        yield Fault("LIST_DUPLICATE_ENTRY", message, duplicate.place, "keep one of the two")


def is_base64(text: str) -> bool:
    """Return whether Go would decode it."""
    try:
        a2b_base64(_without_line_ends(text), strict_mode=True)
    except (NotBase64, ValueError):
        return False
    return True


def _without_line_ends(text: str) -> str:
    return text.replace("\n", "").replace("\r", "")


def _identity_text_faults(body: Body) -> Iterator[Fault]:
    metadata = body["metadata"]
    written: dict[Place, Json] = {("apiVersion",): body["apiVersion"], ("kind",): body["kind"]}
    if isinstance(metadata, Mapping):
        written["metadata", "name"] = metadata.get("name")
        if metadata.get("namespace") is not None:
            written["metadata", "namespace"] = metadata["namespace"]
    for place, value in written.items():
        if not isinstance(value, str):
            yield Fault("FIELD_NOT_TEXT", f"{'.'.join(map(str, place))} must be text", place, "put it in quotes")
    version = body["apiVersion"]
    if isinstance(version, str) and (version.count("/") > 1 or not all(version.split("/"))):
        yield Fault("API_VERSION_INVALID", "apiVersion must be version or group/version", ("apiVersion",))


def _server_field_faults(metadata: Body) -> Iterator[Fault]:
    for name in metadata.keys() & _SERVER_FIELDS.keys():
        if metadata[name] is not None:
            hint = "take it out; kubectl get -o yaml prints more than belongs in Git"
            yield Fault("SERVER_FIELD", f"metadata.{name}: {_SERVER_FIELDS[name]}", ("metadata", name), hint)
    if metadata.get("generateName"):
        yield Fault("GENERATE_NAME", "metadata.generateName beside a name", ("metadata", "generateName"), "take it out")


def _name_faults(group: str, kind: str, metadata: Body) -> Iterator[Fault]:
    name, namespace = metadata["name"], metadata.get("namespace")
    if isinstance(name, str) and (fault := naming.name_fault(group, kind, name)):
        yield Fault("NAME_INVALID", f"metadata.name {fault}", ("metadata", "name"))
    if isinstance(namespace, str) and namespace and (fault := naming.namespace_fault(namespace)):
        yield Fault("NAME_INVALID", f"metadata.namespace {fault}", ("metadata", "namespace"))


def _label_faults(metadata: Body) -> Iterator[Fault]:
    for key, value in _texts(metadata, "labels").items():
        place = ("metadata", "labels", key)
        if key.startswith(_OUR_LABELS):
            hint = "take it out; gitopsd marks what it applies by itself"
            yield Fault("APPLY_SET_LABEL", f"the label {key} is for the tool that applies", place, hint)
        elif not isinstance(value, str):
            if value is not None:
                yield Fault("LABEL_INVALID", f"the label {key} must be text", place, _QUOTE_IT)
        elif fault := naming.label_fault(key, value):
            yield Fault("LABEL_INVALID", f"the label {key}: {fault}", place)


def _annotation_faults(metadata: Body) -> Iterator[Fault]:
    annotations = _texts(metadata, "annotations")
    for key, value in annotations.items():
        place = ("metadata", "annotations", key)
        if not isinstance(value, str):
            if value is not None:
                yield Fault("ANNOTATION_INVALID", f"the annotation {key} must be text", place, _QUOTE_IT)
        elif fault := naming.key_fault(key.lower()):
            yield Fault("ANNOTATION_INVALID", f"the annotation {key}: {fault}", place)
    if fault := naming.annotations_fault(annotations):
        yield Fault("ANNOTATION_INVALID", f"the annotations {fault}", ("metadata", "annotations"))


def _texts(metadata: Body, name: str) -> Body:
    found = metadata.get(name)
    return found if isinstance(found, Mapping) else {}


def _encryption_faults(body: Body) -> Iterator[Fault]:
    envelope = body.get("sops")
    if isinstance(envelope, Mapping) and "mac" in envelope:
        hint = "let the whole file be as sops writes it, with its metadata"
        yield Fault("ENCRYPTED", "encrypted by SOPS and not opened; ciphertext is never applied", (), hint)


def _binary_faults(kind: str, body: Body) -> Iterator[Fault]:
    field = "data" if kind == "Secret" else "binaryData"
    for key, value in _texts(body, field).items():
        if not _is_binary(value):
            hint = "write plain text under stringData" if kind == "Secret" else "write plain text under data"
            yield Fault("NOT_BASE64", f"{field}.{key} is not base64", (field, key), hint)
    for key, text in _texts(body, "stringData").items():
        if kind == "Secret" and not isinstance(text, str) and text is not None:
            yield Fault("FIELD_NOT_TEXT", f"stringData.{key} must be text", ("stringData", key), "put it in quotes")


def _is_binary(value: Json) -> bool:
    return value is None or (isinstance(value, str) and is_base64(value))

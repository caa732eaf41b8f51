"""An object as written becomes the object as sent: without what has no place in an apply, secrets in one form.

Nothing is added that the file does not say.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping

from gitopsd.core.model import Body, Json

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def tidy(group: str, kind: str, body: Body) -> Body:
    """Return the object without status, without empty server fields, and with ``stringData`` turned into ``data``."""
    tidied = {name: value for name, value in body.items() if name != "status"}
    metadata = body["metadata"]
    if isinstance(metadata, Mapping):
        tidied["metadata"] = _tidy_metadata(metadata)
    if not group and kind == "Secret":
        return _one_form(tidied)
    return tidied


def _tidy_metadata(metadata: Body) -> Body:
    tidied = {name: value for name, value in metadata.items() if value is not None}
    annotations = tidied.get("annotations")
    if isinstance(annotations, Mapping) and LAST_APPLIED in annotations:
        tidied["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    if tidied.get("namespace") == "":
        del tidied["namespace"]
    return tidied


def _one_form(secret: dict[str, Json]) -> Body:
    """``stringData`` is write-only: a key taken out of it would stay in the cluster for ever. It wins over ``data``."""
    data, texts = secret.get("data"), secret.pop("stringData", None)
    merged: dict[str, Json] = {}
    if isinstance(data, Mapping):
        merged.update({key: _without_line_ends(value) for key, value in data.items()})
    if isinstance(texts, Mapping):
        merged.update({key: _encoded(value) for key, value in texts.items()})
    if data is not None or texts is not None:
        secret["data"] = merged
    return secret


def _without_line_ends(value: Json) -> Json:
    """Write base64 of several lines as the server will return it."""
    if isinstance(value, str) and ("\n" in value or "\r" in value):
        return b64encode(b64decode(value)).decode()
    return value


def _encoded(value: Json) -> str:
    return b64encode(value.encode() if isinstance(value, str) else b"").decode()

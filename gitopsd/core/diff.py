"""What is sent, whether the live object already is that, and how a difference is shown.

The server alone says what a manifest means, so equality is never computed from manifests: an object is settled when
nothing of it changed since the server's own answer, or when all that we send is there and nobody added by hand.
A difference of a Secret is shown as the names of its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import jsonpatch
import msgspec

from gitopsd.core.applyset import slug
from gitopsd.core.fields import part, parts, text, text_of
from gitopsd.core.fieldsets import tokens_of
from gitopsd.core.model import Body, Environment, Json, Manifest
from gitopsd.core.ownership import ENVIRONMENT, MANAGER, PART_OF

PATCH_COUNT_MAX = 200
REVISION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_NOT_SENT = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"})
_SERVERS_OWN = _NOT_SENT
_LIST_KEYS = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "key", "topologyKey", "type")
_SECRET_PARTS = ("data", "stringData")
_ENCODER = msgspec.json.Encoder(order="sorted")


def payload(manifest: Manifest, environment: Environment, omit: Sequence[str] = (), uid: str = "") -> Body:
    """Return the body to send: labelled as ours, without the omitted fields; with the UID it can only update."""
    metadata = {name: value for name, value in part(manifest.body, "metadata").items() if name not in _NOT_SENT}
    ours = {PART_OF: environment.apply_set, ENVIRONMENT: slug(environment.name)}
    identity = {"uid": uid} if uid else {}
    body = {name: value for name, value in manifest.body.items() if name != "status"}
    body["metadata"] = {**metadata, **identity, "labels": {**part(manifest.body, "metadata.labels"), **ours}}
    return drop(body, omit)


def drop(body: Body, pointers: Iterable[str]) -> Body:
    """Return the body without what is at the pointers."""
    for pointer in pointers:
        body = _as_body(_dropped(body, tokens_of(pointer)))
    return body


def borrow(sent: Body, live: Body, pointers: Iterable[str]) -> Body:
    """Return the body with the live object's values at the pointers: what it will be when they are given up."""
    for pointer in pointers:
        found, value = _at(live, tokens_of(pointer))
        sent = _as_body(_put(sent, tokens_of(pointer), value)) if found else drop(sent, (pointer,))
    return sent


def overlay(live: Body, sent: Body) -> Body:
    """Return the live object with what we send laid over it: a guess, for a server that cannot be asked."""
    merged = dict(live)
    for name, value in sent.items():
        below = live.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = overlay(_as_body(below), _as_body(value)) if both else value
    return merged


def fingerprint(body: Body) -> str:
    """Return a digest of all but status and what the server alone writes."""
    metadata = {name: value for name, value in part(body, "metadata").items() if name not in _SERVERS_OWN}
    annotations = {n: v for n, v in part(metadata, "annotations").items() if n != REVISION}
    metadata["annotations"] = annotations or None
    content = {name: value for name, value in body.items() if name not in ("status", "metadata", "apiVersion", "kind")}
    return blake2b(_ENCODER.encode([metadata, content]), digest_size=16).hexdigest()


def covers(live: Json, sent: Json) -> bool:
    """Return whether all that is sent is in the live object, value for value; what else it has does not matter."""
    if isinstance(sent, Mapping):
        if not isinstance(live, Mapping):
            return False
        return all(_has(live, name, value) for name, value in sent.items())
    if isinstance(sent, str) or not isinstance(sent, Sequence):
        return bool(live == sent) and isinstance(live, bool) == isinstance(sent, bool)
    if not isinstance(live, Sequence) or isinstance(live, str) or len(live) != len(sent):
        return False
    return all(covers(there, wanted) for there, wanted in zip(live, sent, strict=True))


def explain(live: Body, after: Body, *, secret: bool = False) -> tuple[Json, ...]:
    """Return what would change, as RFC 6902; list entries are named by their key.

    Secrets, and what is said to be ``secret``, show key names only.
    """
    before, after = _quiet(live), _quiet(after)
    if before == after:
        return ()
    if secret or "Secret" in (text(before, "kind"), text(after, "kind")):
        return tuple(_masked(before, after))[:PATCH_COUNT_MAX]
    operations = _patch(_keyed(before), _keyed(after)) or _patch(before, after)
    return operations[:PATCH_COUNT_MAX]


def last_writer(live: Body) -> str:
    """Name who, of all others, wrote the object last; "somebody" when nothing tells."""
    entries = [
        entry
        for entry in parts(live, "metadata.managedFields")
        if not text_of(entry, "subresource") and text_of(entry, "manager") not in ("", MANAGER)
    ]
    newest = max(entries, key=lambda entry: text_of(entry, "time"), default=None)
    return text_of(newest, "manager") if newest else "somebody"


def _has(live: Body, name: str, value: Json) -> bool:
    if value is None:
        return live.get(name) is None
    return name in live and covers(live[name], value)


def _dropped(value: Json, tokens: Sequence[str]) -> Json:
    found, below = _at(value, tokens[:1])
    if not found:
        return value
    changed = _dropped(below, tokens[1:])
    if isinstance(value, Mapping):
        others = {name: entry for name, entry in value.items() if name != tokens[0]}
        return {**value, tokens[0]: changed} if len(tokens) > 1 else others
    entries = list(_as_list(value))
    entries[int(tokens[0]) : int(tokens[0]) + 1] = [changed] if len(tokens) > 1 else []
    return entries


def _put(value: Json, tokens: Sequence[str], wanted: Json) -> Json:
    if not tokens:
        return wanted
    _, below = _at(value, tokens[:1])
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not tokens[0].isdecimal() or int(tokens[0]) >= len(value):
            return value
        return [_put(entry, tokens[1:], wanted) if n == int(tokens[0]) else entry for n, entry in enumerate(value)]
    return {**_as_body(value), tokens[0]: _put(below, tokens[1:], wanted)}


def _at(value: Json, tokens: Sequence[str]) -> tuple[bool, Json]:
    for token in tokens:
        if isinstance(value, Mapping) and token in value:
            value = value[token]
        elif token.isdecimal() and int(token) < len(_as_list(value)):
            value = _as_list(value)[int(token)]
        else:
            return False, None
    return bool(tokens), value


def _as_body(value: Json) -> Body:
    return value if isinstance(value, Mapping) else {}


def _as_list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _patch(before: Json, after: Json) -> tuple[Json, ...]:
    return tuple(jsonpatch.make_patch(before, after).patch)


def _quiet(body: Body) -> Body:
    """The body without what changes by itself."""
    metadata = {name: value for name, value in part(body, "metadata").items() if name not in _SERVERS_OWN}
    if "annotations" in metadata:
        annotations = part(metadata, "annotations")
        metadata["annotations"] = {n: v for n, v in annotations.items() if n not in (REVISION, LAST_APPLIED)}
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": metadata}


def _keyed(value: Json) -> Json:
    """Turn lists whose entries have a key into objects by that key, so that a path says which entry it means."""
    if isinstance(value, Mapping):
        return {name: _keyed(below) for name, below in value.items()}
    entries = _as_list(value)
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        return value
    for key in _LIST_KEYS:
        names = [_as_body(entry).get(key) for entry in entries]
        if all(isinstance(name, str | int) for name in names) and len(set(names)) == len(names):
            return {str(name): _keyed(entry) for name, entry in zip(names, entries, strict=True)}
    return [_keyed(entry) for entry in entries]


def _masked(before: Body, after: Body) -> Iterable[Json]:
    """What changes in a Secret: which keys, never what is in them; of all else, that it changes."""
    for name in _SECRET_PARTS:
        yield from _key_names(f"/{name}", part(before, name), part(after, name))
    for name in ("labels", "annotations"):
        yield from _key_names(f"/metadata/{name}", part(before, f"metadata.{name}"), part(after, f"metadata.{name}"))
    others = (set(before) | set(after)) - {*_SECRET_PARTS, "metadata"}
    yield from _key_names("", _only(before, others), _only(after, others))


def _key_names(above: str, before: Body, after: Body) -> Iterable[Json]:
    for name in sorted(before.keys() | after.keys()):
        path = f"{above}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in after:
            yield {"op": "remove", "path": path}
        elif name not in before:
            yield {"op": "add", "path": path, "value": "***"}
        elif before[name] != after[name]:
            yield {"op": "replace", "path": path, "value": "***"}


def _only(body: Body, names: Iterable[str]) -> Body:
    return {name: body[name] for name in sorted(names) if name in body}

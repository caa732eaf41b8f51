"""An environment's record in a ConfigMap, which is also the parent of its apply set.

Written by compare-and-swap. When an answer is lost, what is stored says whether the write happened; it is sent at most
twice. What is not surely ours is never written over.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import replace

from gitopsd import __version__
from gitopsd.adapters.store.objects import MANAGED_BY, Exists, Objects, Unsure
from gitopsd.core.applyset import TOOL, foreign_to, parent_annotations, parent_labels, parent_name, slug
from gitopsd.core.errors import ClusterError, PlanRefused, Problem, Stage, Superseded
from gitopsd.core.fields import part, text
from gitopsd.core.model import Body, Json
from gitopsd.core.ownership import ENVIRONMENT
from gitopsd.core.record import Record
from gitopsd.core.record_codec import Written, decode, encode
from gitopsd.ports import Api

STATE = "record.json"
OBJECTS = "objects.json.gz"


class Records:
    """The records in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._namespace = namespace
        self._objects = Objects(api, "ConfigMap", namespace)
        self._namespaces = Objects(api, "Namespace")

    def load(self, environment: str) -> Record:
        """Return the record; an empty one when there is surely none.

        Raises:
            ClusterError: it could not be read.
            PlanRefused: it is damaged, newer than us, or not ours.
        """
        live = self._objects.find(parent_name(environment))
        if live is None:
            self._require_lasting_namespace()
            return Record()
        return self._record(environment, live)

    def save(self, environment: str, record: Record) -> Record:
        """Write it over the version that was loaded; return it with its new one.

        Raises:
            Superseded: somebody else wrote since.
            ClusterError: it could not be written, or nobody knows whether it was.
        """
        body = self._body(environment, record)
        try:
            return self._sent(record, body)
        except Unsure as lost:
            found = self._looked_again(environment, record, lost)
        if found is not None:
            return found
        try:
            return self._sent(record, body)
        except (Unsure, Superseded) as lost:
            # The first one may have arrived late, before this one.
            found = self._looked_again(environment, record, lost)
            if found is None:
                raise
            return found

    def _sent(self, record: Record, body: Body) -> Record:
        try:
            live = self._objects.merge(body) if record.version else self._objects.create(body)
        except Exists as other:
            raise Superseded(*other.problems) from None
        if _written(live) != _written(body):
            raise ClusterError(self._altered(text(body, "metadata.name")), retry=False)
        return replace(record, version=text(live, "metadata.resourceVersion"))

    def _require_lasting_namespace(self) -> None:
        """A namespace on its way out loses its objects one by one: that there is no record then says nothing."""
        namespace = self._namespaces.find(self._namespace)
        if namespace is not None and text(namespace, "metadata.deletionTimestamp"):
            raise ClusterError(
                Problem(
                    code="NAMESPACE_TERMINATING",
                    stage=Stage.RECORD,
                    message="the namespace of the records is being deleted",
                    hint="wait until it is gone: gitopsd then makes it anew, and takes up what it applied",
                    ref=f"Namespace {self._namespace}",
                )
            )

    def _altered(self, name: str) -> Problem:
        return Problem(
            code="RECORD_NOT_STORED",
            stage=Stage.RECORD,
            message="the cluster did not store the record as it was sent",
            hint="look for an admission webhook that changes ConfigMaps in gitopsd's namespace",
            ref=f"ConfigMap {self._namespace}/{name}",
        )

    def _looked_again(self, environment: str, record: Record, lost: ClusterError) -> Record | None:
        """Return what is stored if it is what was meant; None if it is still what was there before.

        Raises:
            Superseded: it is something else.
        """
        live = self._objects.find(parent_name(environment))
        found = Record() if live is None else self._record(environment, live)
        if found.version == record.version:
            return None
        if replace(found, version=record.version) == record:
            return found
        raise Superseded(*lost.problems) from None

    def _body(self, environment: str, record: Record) -> Body:
        written = encode(record)
        metadata: dict[str, Json] = {
            "name": parent_name(environment),
            "namespace": self._namespace,
            "labels": {
                **parent_labels(environment, self._namespace),
                MANAGED_BY: TOOL,
                ENVIRONMENT: slug(environment),
            },
            "annotations": {
                **parent_annotations(__version__, record.inventory, self._namespace),
                ENVIRONMENT: environment,
            },
        }
        if record.version:
            metadata["resourceVersion"] = record.version
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {STATE: written.state.decode()},
            "binaryData": {OBJECTS: b64encode(written.objects).decode()},
        }

    def _record(self, environment: str, live: Body) -> Record:
        self._require_ours(environment, live)
        record = decode(_written(live))
        return replace(record, version=text(live, "metadata.resourceVersion"))

    def _require_ours(self, environment: str, live: Body) -> None:
        labels, annotations = _texts(live, "metadata.labels"), _texts(live, "metadata.annotations")
        why = foreign_to(environment, self._namespace, labels, annotations)
        if annotations.get(ENVIRONMENT, environment) != environment:
            why = f"it is the record of environment {annotations[ENVIRONMENT][:80]}"
        if why:
            raise PlanRefused(
                Problem(
                    code="RECORD_FOREIGN",
                    stage=Stage.RECORD,
                    message=f"the object that should hold this environment's record is not gitopsd's: {why}",
                    hint="whose is it? rename the environment, or remove that object",
                    ref=f"ConfigMap {self._namespace}/{parent_name(environment)}",
                )
            )


def _written(live: Body) -> Written:
    data, binary = _texts(live, "data"), _texts(live, "binaryData")
    try:
        objects = b64decode(binary.get(OBJECTS, ""), validate=True)
    except binascii.Error:
        objects = b""
    return Written(data.get(STATE, "").encode(), objects)


def _texts(body: Body, path: str) -> Mapping[str, str]:
    return {key: value for key, value in part(body, path).items() if isinstance(value, str)}

"""What the cluster says of a Job, and the last words of its pod: without what the environment keeps secret."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from gitopsd.adapters.probes import objects
from gitopsd.core.errors import ClusterError
from gitopsd.core.fields import parts, read, text, text_of
from gitopsd.core.manifests.probe_jobs import job_of
from gitopsd.core.model import Body, Desired, Json
from gitopsd.core.probes import JobProbe
from gitopsd.core.secrecy import MASK, Secrecy
from gitopsd.ports import Api, Call

LINES_MAX = 10
CHARS_MAX = 1_024
READ_BYTES_MAX = 64 * 1024

_OK = 200
_OPEN_KEYS = frozenset({"apiVersion", "kind", "metadata", "type"})
# What stands between such signs was said alone.
_WORD = re.compile(r"[^\s\"'`=:,;()\[\]{}<>]+")


def log_tail(api: Api, pods: Sequence[Body], desired: Desired) -> str:
    """Return the end of the log of the pod that failed last; empty when there is none to be had."""
    ended = sorted(
        pods, key=lambda pod: (text(pod, "status.phase") == "Failed", text(pod, "metadata.creationTimestamp"))
    )
    for pod in ended[-1:]:
        try:
            return _tail(masked(_whole_lines(_log(api, pod)), desired))
        except ClusterError:
            # The verdict does not hang on it.
            return ""
    return ""


def masked(said: str, desired: Desired) -> str:
    """Return what was said without what the set keeps secret; short values go where they are a word of their own."""
    secrecy = Secrecy.of(_secret_values(desired)) if said else Secrecy()
    return _WORD.sub(lambda word: MASK if word[0] in secrecy.wholes else word[0], secrecy.masked(said))


def _log(api: Api, pod: Body) -> str:
    namespace, name = text(pod, "metadata.namespace"), text(pod, "metadata.name")
    path = f"{objects.pods(api).collection(namespace)}/{quote(name, safe='')}/log"
    query = {"tailLines": str(LINES_MAX), "limitBytes": str(READ_BYTES_MAX)}
    query |= {"container": failed} if (failed := _failed_container(pod)) else {}
    answer = api.call(Call(method="GET", path=path, query=query))
    return answer.body if answer.status == _OK and isinstance(answer.body, str) else ""


def _whole_lines(log: str) -> str:
    """Leave out what may have been cut: half of a secret is not known by its whole."""
    return log if len(log.encode()) < READ_BYTES_MAX else log.rpartition("\n")[0]


def _failed_container(pod: Body) -> str:
    statuses = (*parts(pod, "status.initContainerStatuses"), *parts(pod, "status.containerStatuses"))
    failed = (one for one in statuses if read(one, "state.terminated.exitCode") not in (None, 0))
    return next((text_of(one, "name") for one in (*failed, *statuses)), "")


def _tail(log: str) -> str:
    lines = " / ".join(line.strip() for line in log.splitlines()[-LINES_MAX:] if line.strip())
    return lines if len(lines) <= CHARS_MAX else "…" + lines[-CHARS_MAX:]


def _secret_values(desired: Desired) -> Iterator[str]:
    for body in _secret_bodies(desired):
        for written in _texts([value for key, value in body.items() if key not in _OPEN_KEYS]):
            yield from (written, _decoded(written))


def _secret_bodies(desired: Desired) -> Iterator[Body]:
    yield from (manifest.body for manifest in desired.manifests if manifest.is_secret)
    for probe in desired.settings.probes:
        if isinstance(probe, JobProbe) and probe.sensitive:
            yield job_of(probe)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for inner in value.values() for text in _texts(inner))
    elif isinstance(value, Sequence):
        yield from (text for inner in value for text in _texts(inner))


def _decoded(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""

"""What kwok plays: each stage waits for a moment in a pod's life and writes the status a kubelet would write next."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rig.behaviours import AFTER_ANNOTATION, BACK_OFF_S, BEHAVIOURS, FADES_S, ORDINARY, STARTS_S

Json = dict[str, Any]
_PATTERN = {behaviour.word: behaviour.pattern for behaviour in BEHAVIOURS}
_RUNNING, _PENDING, _SUCCEEDED = (json.dumps(phase) for phase in ("Running", "Pending", "Succeeded"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the odd container and its pod look after a stage; every part is template text."""

    state: str
    ready: str = "false"
    phase: str = _RUNNING
    restarts: str = "0"
    last: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step: pods of these behaviours, at this moment, look so after a while."""

    name: str
    words: Sequence[str]
    moment: str
    look: Look
    after_ms: int = 0
    adjustable: bool = False
    wants: tuple[str, str, tuple[str, ...]] | None = None
    event: tuple[str, str] | None = None


_PROBED = "(not .readinessProbe)"
_STARTED = '{running: {startedAt: "{{ $now }}"}}'
_PHASE_AFTER_FAILURE = '(ternary "Failed" "Running" (eq .spec.restartPolicy "Never"))'
_ONE_MORE = "{{ add1 $was.restartCount }}"
_AS_MANY = "{{ $was.restartCount }}"
_NOT_NEVER = (".spec.restartPolicy", "In", ("Always", "OnFailure"))
_OF_A_JOB = (".metadata.ownerReferences[]?.kind", "In", ("Job",))
_IN_BACK_OFF = (
    f'"back-off {BACK_OFF_S}s restarting '
    "failed container={{ .name }} "
    'pod={{ $pod.metadata.name }}_{{ $pod.metadata.namespace }}({{ $pod.metadata.uid }})"'
)


def _waiting(reason: str, message: str) -> str:
    return f"{{waiting: {{reason: {reason}, message: {message}}}}}"


def _exited(reason: str, code: int) -> str:
    began = "{{ dig `state` `running` `startedAt` $now $was }}"
    return (
        f'{{terminated: {{reason: {reason}, exitCode: {code}, startedAt: "{began}", '
        'finishedAt: "{{ $now }}", containerID: "{{ $id }}"}}'
    )


def _crashes(word: str, reason: str, code: int) -> list[Stage]:
    backing_off = ("BackOff", "Back-off restarting failed container")
    exited = _exited(reason, code)
    was_state = "{{ toJson $was.state }}"
    return [
        Stage(name="starts", words=[word], moment="new", look=Look(state=_STARTED, ready=_PROBED)),
        Stage(
            name="fails",
            words=[word],
            moment="running-0",
            after_ms=1000,
            look=Look(state=exited, phase=_PHASE_AFTER_FAILURE),
        ),
        Stage(
            name="restarts",
            words=[word],
            moment="terminated",
            after_ms=300,
            wants=_NOT_NEVER,
            look=Look(state=_STARTED, ready=_PROBED, restarts=_ONE_MORE, last=was_state),
        ),
        Stage(
            name="backs-off",
            words=[word],
            moment="running-more",
            after_ms=1000,
            event=backing_off,
            look=Look(state=_waiting("CrashLoopBackOff", _IN_BACK_OFF), restarts=_AS_MANY, last=exited),
        ),
        Stage(
            name="tries-again",
            words=[word],
            moment="CrashLoopBackOff",
            after_ms=BACK_OFF_S * 1000,
            look=Look(state=_STARTED, ready=_PROBED, restarts=_ONE_MORE, last="{{ toJson $was.lastState }}"),
        ),
    ]


def _pulls() -> list[Stage]:
    not_found = (
        '"failed to pull and unpack image \\"{{ .image }}\\": failed to resolve reference '
        '\\"{{ .image }}\\": {{ .image }}: not found"'
    )
    back_off = '"Back-off pulling image \\"{{ .image }}\\": ErrImagePull: {{ .image }}: not found"'
    no_such = '"secret \\"{{ .name }}\\" not found"'
    return [
        Stage(
            name="cannot-pull",
            words=["missing"],
            moment="new",
            look=Look(state=_waiting("ErrImagePull", not_found), phase=_PENDING),
            event=("Failed", "Error: ErrImagePull"),
        ),
        Stage(
            name="stops-pulling",
            words=["missing"],
            moment="ErrImagePull",
            after_ms=2000,
            look=Look(state=_waiting("ImagePullBackOff", back_off), phase=_PENDING),
            event=("Failed", "Error: ImagePullBackOff"),
        ),
        Stage(
            name="cannot-create",
            words=["misconfigured"],
            moment="new",
            look=Look(state=_waiting("CreateContainerConfigError", no_such), phase=_PENDING),
            event=("Failed", "Error: CreateContainerConfigError"),
        ),
    ]


def _runs() -> list[Stage]:
    is_since = '{{ toJson (default (dict "running" (dict "startedAt" $now)) $was.state) }}'
    return [
        Stage(
            name="starts",
            words=[ORDINARY, "ready-then-not", "never-stops"],
            moment="new",
            look=Look(state=_STARTED, ready="true"),
        ),
        Stage(name="starts-unready", words=["never-ready", "slow"], moment="new", look=Look(state=_STARTED)),
        Stage(
            name="becomes-ready",
            words=["slow"],
            moment="unready",
            after_ms=STARTS_S * 1000,
            adjustable=True,
            look=Look(state=is_since, ready="true"),
        ),
        Stage(
            name="fades",
            words=["ready-then-not"],
            moment="ready",
            after_ms=FADES_S * 1000,
            adjustable=True,
            event=("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
            look=Look(state=is_since),
        ),
        Stage(
            name="completes",
            words=[ORDINARY, "slow"],
            moment="ready",
            after_ms=1000,
            wants=_OF_A_JOB,
            look=Look(state=_exited("Completed", 0), phase=_SUCCEEDED),
        ),
    ]


def pod_stages() -> list[Json]:
    """The whole set; a configuration with any stage for pods replaces kwok's own."""
    stages = [*_runs(), *_pulls(), *_crashes("crash", "Error", 1), *_crashes("oom", "OOMKilled", 137)]
    return [*(_document(stage, word) for stage in stages for word in stage.words), *_deletions()]


def _document(stage: Stage, word: str) -> Json:
    spec: Json = {
        "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
        "selector": {"matchExpressions": _selector(stage, word)},
        "next": {"statusTemplate": _status(stage.look, word)},
    }
    if stage.after_ms:
        spec["delay"] = {"durationMilliseconds": stage.after_ms}
    if stage.adjustable:
        spec["delay"]["durationFrom"] = {"expressionFrom": f'.metadata.annotations["{AFTER_ANNOTATION}"]'}
    if stage.event:
        reason, message = stage.event
        spec["next"]["event"] = {"type": "Warning", "reason": reason, "message": message}
    return _named(f"{word}-{stage.name}", spec)


def _deletions() -> list[Json]:
    going = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    spec: Json = {"resourceRef": {"apiGroup": "v1", "kind": "Pod"}, "next": {"delete": True}}
    stubborn = _behaves(["never-stops"])
    until_then = {"durationMilliseconds": 30000, "durationFrom": {"expressionFrom": ".metadata.deletionTimestamp"}}
    others = {**stubborn, "operator": "NotIn"}
    return [
        _named("deleted", {**spec, "selector": {"matchExpressions": [going, others]}}),
        _named("deleted-late", {**spec, "selector": {"matchExpressions": [going, stubborn]}, "delay": until_then}),
    ]


def _named(name: str, spec: Json) -> Json:
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def _selector(stage: Stage, word: str) -> list[Json]:
    expressions = [
        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
        {"key": ".spec.nodeName", "operator": "Exists"},
        _behaves([word]),
        *_at_moment(stage.moment, word),
    ]
    if stage.wants:
        key, operator, values = stage.wants
        expressions.append({"key": key, "operator": operator, "values": list(values)})
    return expressions


def _behaves(words: Sequence[str]) -> Json:
    """The first container with a telling image decides."""
    telling = " ".join(f'elif test({json.dumps(pattern)}) then "{word}"' for word, pattern in _PATTERN.items())
    key = f'[.spec.containers[].image | if . == "" then empty {telling} else empty end][0] // "{ORDINARY}"'
    return {"key": key, "operator": "In", "values": list(words)}


def _at_moment(moment: str, word: str) -> list[Json]:
    if moment == "new":
        return [{"key": ".status.containerStatuses[]?", "operator": "DoesNotExist"}]
    odd = f"[.status.containerStatuses[]? | select(.image | test({json.dumps(_PATTERN.get(word, ''))}))][0]"
    tests = {
        "ready": "select(.state.running and .ready)",
        "unready": "select(.state.running and (.ready | not))",
        "running-0": "select(.state.running and .restartCount == 0)",
        "running-more": "select(.state.running and .restartCount > 0)",
        "terminated": "select(.state.terminated)",
    }
    test = tests.get(moment, f'select(.state.waiting.reason == "{moment}")')
    return [{"key": f"{odd} | select(. != null) | {test} | .name", "operator": "Exists"}]


def _status(look: Look, word: str) -> str:
    parts = {
        "state": look.state,
        "ready": look.ready,
        "phase": look.phase,
        "restarts": look.restarts,
        "last": look.last,
        "started": "true" if look.state.startswith(("{running", "{{ toJson")) else "false",
        "pulled": "false" if look.phase == _PENDING else "true",
        "odd": _PATTERN.get(word, ""),
    }
    return re.sub("@([a-z]+)@", lambda part: parts[part[1]], _STATUS)


# `$was` is the container's status so far; a condition keeps its time while its status stays.
_STATUS = """
{{ $now := Now }}{{ $pod := . }}{{ $phase := @phase@ }}{{ $began := .status.startTime | default $now }}
{{ $unready := list }}
{{ range .spec.containers }}{{ if and (regexMatch "@odd@" .image) (not @ready@) -}}
{{ $unready = append $unready .name }}{{ end }}{{ end }}
{{ $ready := ternary "False" "True" (gt (len $unready) 0) }}
{{ $why := "" }}{{ $message := "" }}
{{ if $unready }}{{ $why = "ContainersNotReady" -}}
{{ $message = printf "containers with unready status: [%s]" (join " " $unready) }}{{ end }}
{{ if eq $phase "Failed" }}{{ $why = "PodFailed" }}{{ $message = "" }}{{ end }}
{{ if eq $phase "Succeeded" }}{{ $why = "PodCompleted" }}{{ $message = "" }}{{ end }}
{{ $sandbox := ternary "False" "True" (or (eq $phase "Failed") (eq $phase "Succeeded")) }}
phase: {{ $phase }}
observedGeneration: {{ .metadata.generation }}
startTime: {{ $began | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
hostIPs: [{ip: {{ NodeIPWith .spec.nodeName | Quote }}}]
{{ $ip := .status.podIP }}{{ if not $ip -}}
{{ $ip = PodIPWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name .metadata.namespace }}
{{ end }}
podIP: {{ $ip | Quote }}
podIPs: [{ip: {{ $ip | Quote }}}]
conditions:
{{ range list
  (dict "type" "PodReadyToStartContainers" "status" $sandbox)
  (dict "type" "Initialized" "status" "True")
  (dict "type" "Ready" "status" $ready "reason" $why "message" $message)
  (dict "type" "ContainersReady" "status" $ready "reason" $why "message" $message)
}}
{{ $new := . }}{{ $since := $now }}
{{ range $pod.status.conditions -}}
{{ if and (eq .type $new.type) (eq .status $new.status) }}{{ $since = .lastTransitionTime }}{{ end }}{{ end }}
- {{ toJson (merge (dict "lastTransitionTime" $since "observedGeneration" $pod.metadata.generation) $new) }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}{{ $name := .name }}
{{ $was := dict "restartCount" 0 "lastState" dict "state" (dict "running" (dict "startedAt" $now)) }}
{{ range $pod.status.containerStatuses }}{{ if eq .name $name }}{{ $was = . }}{{ end }}{{ end }}
{{ $id := printf "containerd://%s" (sha256sum (printf "%s %s %v" $pod.metadata.uid .name $was.restartCount)) }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
{{ if regexMatch "@odd@" .image }}
  state: @state@
  lastState: @last@
  restartCount: @restarts@
  ready: {{ @ready@ }}
  started: {{ @started@ }}
{{ if @pulled@ }}
  imageID: {{ printf "%s@sha256:%s" .image (sha256sum .image) | Quote }}
  containerID: {{ $id | Quote }}
{{ else }}
  imageID: ""
{{ end }}
{{ else }}
  state: {{ toJson $was.state }}
  lastState: {{ toJson $was.lastState }}
  restartCount: {{ $was.restartCount }}
  ready: true
  started: true
  imageID: {{ printf "%s@sha256:%s" .image (sha256sum .image) | Quote }}
  containerID: {{ $id | Quote }}
{{ end }}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ printf "%s@sha256:%s" .image (sha256sum .image) | Quote }}
  lastState: {}
  restartCount: 0
  ready: true
{{ if eq (default "" .restartPolicy) "Always" }}
  started: true
  state: {running: {startedAt: {{ $began | Quote }}}}
{{ else }}
  started: false
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: "{{ $began }}", finishedAt: "{{ $began }}"}}
{{ end }}
{{ end }}
"""

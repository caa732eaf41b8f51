"""Kinds we do not know: one row a rule, on made-up kinds."""

import pytest

from gitopsd.core.health import Reason, assess
from gitopsd.core.health.words import Tone, tone_of
from gitopsd.core.model import HealthStatus

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
PAUSED, UNKNOWN, NOT_FOUND = HealthStatus.PAUSED, HealthStatus.UNKNOWN, HealthStatus.NOT_FOUND


def widget(status=None, spec=None, kind="Widget", **metadata):
    body = {"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "x", **metadata}}
    return body | {key: value for key, value in (("spec", spec), ("status", status)) if value is not None}


def says(*conditions, **status):
    return widget({"conditions": [_condition(*condition) for condition in conditions], **status})


def _condition(kind, status, reason="", message="", **more):
    return {"type": kind, "status": status, "reason": reason, "message": message, **more}


READY = ("Ready", "True", "AllGood")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(says(READY), CURRENT, id="ready is current"),
        pytest.param(says(("Ready", "False", "NotReadyYet")), IN_PROGRESS, id="not ready takes time"),
        pytest.param(says(("Ready", "Unknown", "UpdateFailed")), IN_PROGRESS, id="ready unknown takes time"),
        pytest.param(says(("Ready", "False", "UpdateFailed")), FAILED, id="not ready for a failure is failed"),
        pytest.param(
            says(("Ready", "False", "", "invalid credentials")), FAILED, id="a message speaks when no reason does"
        ),
        pytest.param(
            says(("Ready", "False", "WaitingForNode", "last error: connection refused")),
            IN_PROGRESS,
            id="a reason comes first",
        ),
        pytest.param(says(READY, ("Degraded", "True", "TwoDown")), FAILED, id="degraded is failed, ready or not"),
        pytest.param(says(("Degraded", "False", "AsExpected")), CURRENT, id="not degraded is good news"),
        pytest.param(says(("Degraded", "Unknown")), CURRENT, id="degraded unknown says nothing"),
        pytest.param(says(READY, ("Progressing", "True", "Upgrading")), IN_PROGRESS, id="progressing is not there yet"),
        pytest.param(says(READY, ("Progressing", "True", "UpgradeCompleted")), CURRENT, id="progressed and done"),
        pytest.param(
            says(("Issuing", "True", "DoesNotExist"), ("Ready", "False", "DoesNotExist")),
            IN_PROGRESS,
            id="what is still being made is not missing for good",
        ),
        pytest.param(
            says(("Scheduled", "False", "FailedScheduling"), ("Applied", "False", "ApplyFailed")),
            IN_PROGRESS,
            id="what waits for room has not failed",
        ),
        pytest.param(
            says(READY, ("Active", "False", "NothingToDo")), CURRENT, id="ready outweighs an aspect that is not"
        ),
        pytest.param(says(READY, ("Synced", "False", "ReconcileError")), FAILED, id="ready of old, the change refused"),
        pytest.param(says(("NotReady", "True", "Creating")), IN_PROGRESS, id="a denial that is true takes time"),
        pytest.param(says(("NotReady", "True", "TimeoutException")), FAILED, id="a denial with a failure is failed"),
        pytest.param(says(("SomeAspect", "False")), CURRENT, id="an aspect in no vocabulary says nothing"),
        pytest.param(says(("Paused", "True")), PAUSED, id="paused by a condition"),
        pytest.param(says(("Synced", "False", "ReconcilePaused")), PAUSED, id="paused by a reason"),
        pytest.param(widget(spec={"suspend": True}), PAUSED, id="paused by its spec"),
        pytest.param(widget(spec={"updateStrategy": {"paused": True}}), PAUSED, id="paused by how it is updated"),
        pytest.param(widget(annotations={"example.com/paused": "true"}), PAUSED, id="paused by an annotation"),
        pytest.param(
            widget({"phase": "Ready"}, annotations={"example.com/paused": "false"}),
            CURRENT,
            id="an annotation that does not pause it",
        ),
        pytest.param(widget({"compliant": "NonCompliant"}), IN_PROGRESS, id="not compliant takes time"),
        pytest.param(widget({"phase": "Ready"}), CURRENT, id="a phase that is good"),
        pytest.param(widget({"phase": "Provisioning volume"}), IN_PROGRESS, id="a phase that is an activity"),
        pytest.param(widget({"phase": "CreateFailed"}), FAILED, id="a phase that is a failure"),
        pytest.param(widget({"phase": "Frobnicated"}), IN_PROGRESS, id="a phase in no vocabulary is in doubt"),
        pytest.param(widget({"state": "Unknown"}), UNKNOWN, id="a state that is not known"),
        pytest.param(widget({"state": "NotFound"}), NOT_FOUND, id="what it stands for is not there"),
        pytest.param(widget({"widgetStatus": "Failed"}), FAILED, id="a word named for the kind"),
        pytest.param(widget({"previousState": "Failed", "state": "Ok"}), CURRENT, id="the past does not count"),
        pytest.param(widget({"backupStatus": "Failed", "state": "Ok"}), CURRENT, id="a part's word does not count"),
        pytest.param(widget({"phase": "Running"}), CURRENT, id="running, for what stays"),
        pytest.param(widget({"phase": "Running"}, kind="WidgetRun"), IN_PROGRESS, id="running, for what ends"),
        pytest.param(widget({"phase": "Ready", "health": "red"}), FAILED, id="the worst of two words"),
        pytest.param(says(READY, state="open"), CURRENT, id="ready outweighs a word in no vocabulary"),
        pytest.param(says(READY, phase="Pending"), IN_PROGRESS, id="ready does not outweigh a word that says not yet"),
        pytest.param(widget({"jobStatus": {"state": "FAILED"}}), FAILED, id="the word of its only part"),
        pytest.param(
            widget({"domainStatus": [{"status": "Ok"}, {"status": "Failed"}]}), FAILED, id="the words of its parts"
        ),
        pytest.param(widget({"statuses": {"edge": {"state": "Rejected"}}}), FAILED, id="the words of who reports"),
        pytest.param(says(READY, partStatus=[{"state": "Failed"}]), CURRENT, id="ready outweighs its parts' words"),
        pytest.param(says(("Failed", "True", "MinimumAvailable")), CURRENT, id="a bad condition with a good reason"),
        pytest.param(widget({"conditions": [_condition("Ready", True)]}), CURRENT, id="a status that is no word"),
        pytest.param(
            widget({"ingress": [{"conditions": [_condition("Admitted", "Unknown")]}]}), IN_PROGRESS, id="nested"
        ),
        pytest.param(widget({"ready": False}), IN_PROGRESS, id="an answer that is no"),
        pytest.param(widget({"failureMessage": "quota"}), FAILED, id="a failure message that is final"),
        pytest.param(
            widget({"updatedReplicas": 1, "readyReplicas": 3, "replicas": 3}, {"replicas": 3}),
            IN_PROGRESS,
            id="replicas behind",
        ),
        pytest.param(
            widget({"updatedReplicas": 3, "replicas": 4}, {"replicas": 3}), IN_PROGRESS, id="old replicas to go"
        ),
        pytest.param(
            widget({"conditions": [_condition("Available", "False", "None")]}, {"replicas": 0}),
            CURRENT,
            id="scaled to zero",
        ),
        pytest.param(
            widget({"conditions": [_condition("Ready", "False", "Error", observedGeneration=1)]}, generation=2),
            IN_PROGRESS,
            id="a condition of an older generation",
        ),
        pytest.param(
            widget({"conditions": [_condition("DiskReady", "False", "Broken", severity="Info")]}),
            CURRENT,
            id="for information",
        ),
        pytest.param(
            widget({"conditions": [_condition("Ready", "False", "QuotaExceeded", severity="Warning")]}),
            IN_PROGRESS,
            id="a controller that only warns goes on trying",
        ),
        pytest.param(
            says(("Recoverable", "True", "", "request failed"), ("Synced", "False", "", "unable to tell")),
            IN_PROGRESS,
            id="what its controller calls recoverable",
        ),
        pytest.param(widget({"revision": 0, "nodes": []}), IN_PROGRESS, id="a status that is laid out and not written"),
        pytest.param(widget({"error": "no such bucket"}), IN_PROGRESS, id="an error and nothing else is in doubt"),
        pytest.param(says(READY, ("Warning", "True", "DeprecatedFields")), CURRENT, id="a warning holds nothing back"),
        pytest.param(says(("Done", "True"), ("Started", "False")), CURRENT, id="what is done no longer runs"),
        pytest.param(
            says(("DeadLetterSinkResolved", "True", "DeadLetterSinkNotConfigured")), CURRENT, id="named for its outcome"
        ),
        pytest.param(says(("Ready", "False", "RetryingAfterError")), IN_PROGRESS, id="what is tried again takes time"),
        pytest.param(says(("Ready", "False", "", "1 ready, 0 failed")), IN_PROGRESS, id="none failed"),
        pytest.param(
            widget({"cluster": {"status": "ONLINE_PARTIAL"}}), IN_PROGRESS, id="the word of the whole, inside"
        ),
        pytest.param(
            widget({"observedGeneration": "4"}, generation=5), IN_PROGRESS, id="a generation written as text, behind"
        ),
        pytest.param(
            widget({"observedGeneration": "7d9f", "state": "Ok"}, generation=5), CURRENT, id="a hash is no generation"
        ),
    ],
)
def test_a_kind_nobody_told_us_about(body, expected):
    assert assess(body).status is expected


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="no status"),
        pytest.param({}, id="an empty status"),
        pytest.param({"conditions": []}, id="no conditions"),
        pytest.param({"conditions": [], "observedGeneration": 1}, id="no conditions, but seen"),
    ],
)
def test_what_has_said_nothing_may_be_silent_for_ever(status):
    health = assess(widget(status))
    assert (health.status, health.reason) == (IN_PROGRESS, Reason.NO_STATUS)


def test_replicas_that_are_all_there_say_so():
    counts = {"updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    assert assess(widget({**counts, "conditions": []}, {"replicas": 2})).message == "2/2 ready"


def test_a_controllers_own_reason_and_message_are_passed_on():
    health = assess(says(("Ready", "False", "IssuerError", "no such issuer: acme")))
    assert (health.reason, health.message) == ("IssuerError", "no such issuer: acme")


def test_a_reason_that_is_a_sentence_becomes_one_word():
    assert assess(says(("Ready", "False", "bucket in CREATING state"))).reason == "BucketInCREATINGState"


@pytest.mark.parametrize(
    ("phrase", "tone"),
    [
        ("UpdateFailed", Tone.FAILURE),
        ("PodDecommissioningNotAllowed", Tone.FAILURE),
        ("could not create it", Tone.FAILURE),
        ("NotReady", Tone.PROGRESS),
        ("NoErrors", Tone.NEUTRAL),
        ("HTTPServerReady", Tone.WELL),
        ("StepPaused", Tone.REST),
        ("Inconclusive", Tone.UNKNOWN),
        ("RecoveringFromFailure", Tone.PROGRESS),
        ("RetryLimitExceeded", Tone.FAILURE),
        ("FailedToBecomeReady", Tone.FAILURE),
        ("ErrorHandlerReady", Tone.WELL),
        ("RedHatOperators", Tone.NEUTRAL),
        ("HealthRed", Tone.FAILURE),
        ("TimedOut", Tone.FAILURE),
        ("failed: 0", Tone.NEUTRAL),
        ("In-progress", Tone.PROGRESS),
        ("", Tone.NEUTRAL),
    ],
)
def test_a_phrase_is_judged_by_its_words(phrase, tone):
    assert tone_of(phrase) is tone

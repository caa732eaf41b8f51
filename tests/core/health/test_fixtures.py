"""Agreement with what others say of the same objects. The fixtures lie beside the repository."""

import json
import sys
from pathlib import Path

import pytest

from gitopsd.core.health import assess, public_word

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "health"

# name: (kstatus's word, ours, why)
KSTATUS_DELTAS = {
    "podCompletedFail": ("Current", "Failed", "a pod of its own that ended in failure is not what was wanted"),
    "jobInProgress": ("Current", "InProgress", "a Job is wanted done, not begun"),
    "serviceLBok": ("Current", "InProgress", "a load balancer without an address serves nobody"),
}


def _load(name):
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"no fixtures: ../shared/fixtures/health/{name} is absent")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _wrongs(cases):
    said = [(case, public_word(assess(case["object"]).status)) for case in cases]
    differing = [(case, word) for case, word in said if word != case["expected"]]
    missed = sum(case["expected"] == "Degraded" for case, word in differing)
    false = sum(
        word == "Degraded" and case["expected"] in {"Healthy", "Progressing", "Missing"} for case, word in differing
    )
    return differing, missed, false


def test_every_kstatus_object_is_as_kstatus_says_but_for_the_deltas_we_mean():
    differing = {}
    for case in _load("kstatus.jsonl"):
        ours = assess(case["object"]).status
        if ours != case["expected"]:
            differing[case["name"]] = (case["expected"], ours)
    assert differing == {name: (theirs, ours) for name, (theirs, ours, _) in KSTATUS_DELTAS.items()}


def test_built_in_kinds_agree_with_argo_cd(capsys):
    cases = _load("core-kinds.jsonl")
    differing, missed, false = _wrongs(cases)
    lines = [f"  {case['source']}: {case['expected']}, ours {word}" for case, word in differing]
    _tell(capsys, "core-kinds", len(cases), (differing, missed, false), lines)
    assert len(cases) - len(differing) >= 41
    assert false == 0


def test_custom_resources_agree_with_argo_cd_and_none_is_called_failed_falsely(capsys):
    cases = _load("custom-resources.jsonl")
    differing, missed, false = _wrongs(cases)
    _tell(capsys, "custom-resources", len(cases), (differing, missed, false), [])
    assert (len(cases) - len(differing)) / len(cases) >= 0.855
    assert missed <= 38
    assert false == 0


def _tell(capsys, name, count, wrongs, lines):
    differing, missed, false = wrongs
    agreed = count - len(differing)
    head = f"{name}: {agreed}/{count} agree ({agreed / count:.1%}), {missed} missed Degraded, {false} false Degraded"
    with capsys.disabled():
        sys.stdout.write("\n".join(["", head, *lines, ""]))

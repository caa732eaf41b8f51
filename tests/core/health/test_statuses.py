"""Statuses as the field's controllers write them, and as they might: what each means, and what we make of it.

Each line of ``statuses.jsonl`` was written down for what it means to a reader, not for what the rules say of it.
"""

import json
import sys
from pathlib import Path

import pytest

from gitopsd.core.health import assess, public_word

LINES = (Path(__file__).parent / "statuses.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [json.loads(line) for line in LINES]
AGREED_MIN = 0.93


def _word(row):
    spec = {"spec": row["spec"]} if "spec" in row else {}
    metadata = {"name": "x", "generation": 1}
    body = {"apiVersion": "example.com/v1", "kind": row["kind"], "metadata": metadata, "status": row["status"], **spec}
    return public_word(assess(body).status)


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{at}-{row['kind']}") for at, row in enumerate(ROWS, 1)])
def test_what_has_not_failed_is_never_called_failed(row):
    assert _word(row) != "Degraded" or row["means"] == "Degraded"


def test_most_are_understood(capsys):
    agreed = sum(_word(row) == row["means"] for row in ROWS)
    with capsys.disabled():
        sys.stdout.write(f"\nstatuses: {agreed}/{len(ROWS)} agree ({agreed / len(ROWS):.1%})\n")
    assert agreed / len(ROWS) >= AGREED_MIN

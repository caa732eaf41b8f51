"""How long gitopsd takes to come up and find that there is nothing to do."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import pytest

from tests.bench.meters import run_to_the_end, show, spread
from tests.bench.playing_field import playing_field

pytestmark = [pytest.mark.bench, pytest.mark.cluster, pytest.mark.rig_power]

ROUNDS = 5
ONCE_S_MAX = 10.0


def test_once_with_nothing_to_do_ends_soon(api_cluster, tmp_path: Path):
    with playing_field(api_cluster, tmp_path / "field") as field:
        config = field.stage.config(kubeconfig=str(field.kubeconfig))
        once = (sys.executable, "-m", "gitopsd", "once", "--config", config, "--output", "json")
        run_to_the_end(once)
        begin = field.stage.audit.position()

        ran = [run_to_the_end(once) for _ in range(ROUNDS)]
        imported = [run_to_the_end((sys.executable, "-c", "import gitopsd.daemon")) for _ in range(ROUNDS)]

        assert field.writes(begin) == []
        seconds, processor_s = zip(*ran, strict=True)
        of_it = median(cpu for _, cpu in imported) / median(processor_s)
        beside = f"{spread(seconds)}; {median(processor_s):.2f} s CPU, {of_it:.0%} of that for imports"
        show("gitopsd once with nothing to do", median(seconds), "s", bound=ONCE_S_MAX, beside=beside)

"""``python -m demo``: the whole job in five steps. Non-zero if a step did not show what it should."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

from demo.manifests import DIRECTORY, extras, shop
from demo.stage import NotShown, Stage, set_up
from rig.errors import RigError

GOOD, BAD, FIXED = "registry.example/shop/web:1.0", "rig.test/shop/web:1.1-missing", "registry.example/shop/web:1.2"
_BEGAN = time.monotonic()


def main() -> int:
    """Play every step; on a terminal, stay up afterwards for the visitor."""
    try:
        with set_up(_say) as stage:
            for number, (title, step) in enumerate(STEPS, start=1):
                _say(f"── {number} of {len(STEPS)}: {title}")
                step(stage)
            _say("everything was shown")
            if sys.stdin.isatty() and sys.stdout.isatty():
                _stay(stage)
    except (NotShown, RigError) as failure:
        _say(f"NOT SHOWN: {failure}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def a_good_commit(stage: Stage) -> None:
    """From nothing to healthy."""
    began = _commit(stage, shop(GOOD), "The shop opens")
    _tell(stage.wait("the good commit healthy", _is_ready_at(stage.repository.head()), 60), began)


def an_edit_by_hand(stage: Stage) -> None:
    """Drift is put back."""
    began = time.monotonic()
    stage.run_kubectl("-n", "shop", "set", "env", "deployment/web", "DEBUG=1")
    stage.run_kubectl("-n", "shop", "scale", "deployment/web", "--replicas=1")
    _say("   kubectl set env deployment/web DEBUG=1; kubectl scale deployment/web --replicas=1")
    while _web(stage)["replicas"] != 3 or "DEBUG" in json.dumps(_web(stage)):  # noqa: PLR2004 — as Git says
        if time.monotonic() - began > 30:  # noqa: PLR2004 — seconds
            raise NotShown("the edit is still there after 30 s")
    _say(f"   back to what Git says {time.monotonic() - began:.1f} s later: 3 replicas, no DEBUG")
    stage.wait("healthy again", _is_ready_at(stage.repository.head()), 30)


def a_bad_commit(stage: Stage) -> None:
    """Pods that can never start: detected below the Deployment, put back once, held, additions removed."""
    good = stage.repository.head()
    began = _commit(stage, {**shop(BAD), **extras()}, "Version 1.1, with a sale banner")
    seen = stage.wait("the missing image noticed", lambda status: "image not found" in status["message"], 30)
    _tell(seen, began)
    progressing = stage.run_kubectl(
        "-n", "shop", "get", "deployment/web", "-o", "jsonpath={.status.conditions[?(@.type=='Progressing')].reason}"
    )
    _say(f"   (the Deployment itself still says {progressing}, and would for 600 s)")
    back = stage.wait("put back", lambda status: status["phase"] == "Reverted", 90)
    _tell(back, began)
    _must(_web(stage)["template"]["spec"]["containers"][0]["image"] == GOOD, f"the image is {GOOD} again")
    _must(not _names(stage, "configmaps") & {"banner"}, "the banner that came with the bad commit is gone")
    _must(len(back["held"]) == 1, "the bad revision is held")
    _must(back["revision"]["applied"]["sha"] == good, "the cluster is at the commit before")


def a_fix(stage: Stage) -> None:
    """A new commit goes through at once; the hold is no obstacle."""
    began = _commit(stage, {**shop(FIXED), **dict.fromkeys(extras())}, "Version 1.2, without the banner")
    _tell(stage.wait("the fix healthy", _is_ready_at(stage.repository.head()), 60), began)
    _must(_web(stage)["template"]["spec"]["containers"][0]["image"] == FIXED, f"the image is {FIXED}")


def a_bad_file(stage: Stage) -> None:
    """A commit that cannot be read changes nothing, and says where it is wrong."""
    before = _web(stage)
    broken = {f"{DIRECTORY}/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n\tname: web\n"}
    began = _commit(stage, broken, "A tab")
    _tell(stage.wait("the error shown", lambda status: status.get("lastError"), 30), began)
    _must(_web(stage) == before, "nothing was written")
    stage.repository.commit(shop(FIXED), "No tab")
    stage.wait("healthy after the tab", _is_ready_at(stage.repository.head()), 60)


STEPS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("a good commit becomes healthy", a_good_commit),
    ("an edit by hand is put back", an_edit_by_hand),
    ("a commit whose pods can never start is put back, once, and held", a_bad_commit),
    ("a fixing commit goes through", a_fix),
    ("a file that cannot be read harms nothing", a_bad_file),
)


def _commit(stage: Stage, files: dict[str, Any], message: str) -> float:
    commit = stage.repository.commit(files, message)
    _say(f"   git commit {commit[:8]} “{message}”")
    return time.monotonic()


def _is_ready_at(commit: str) -> Callable[[dict[str, Any]], object]:
    return lambda status: status["phase"] == "Ready" and status["revision"]["applied"]["sha"] == commit


def _tell(status: dict[str, Any], began: float) -> None:
    _say(f"   /status after {time.monotonic() - began:.1f} s: {status['phase']}: {status['message']}")
    error = status.get("lastError")
    if error:
        where = f" {error.get('file', '')}:{error.get('line', '')}".rstrip(" :")
        _say(f"   {error['code']}{where}: {error.get('hint', '')}")


def _web(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stage.run_kubectl("-n", "shop", "get", "deployment/web", "-o", "json"))["spec"]
    return found


def _names(stage: Stage, kind: str) -> set[str]:
    return set(stage.run_kubectl("-n", "shop", "get", kind, "-o", "jsonpath={.items[*].metadata.name}").split())


def _must(holds: object, what: str) -> None:
    if not holds:
        raise NotShown(what)
    _say(f"   ✓ {what}")


def _stay(stage: Stage) -> None:
    _say("it stays up until you press Enter. To play with it:")
    for line in (
        f"export KUBECONFIG={stage.kubeconfig}",
        f"git clone {stage.repository_url}   # commit below environments/staging, and push",
        f"curl -s {stage.server}/status/staging",
        f".venv/bin/gitopsd status --config {stage.config}",
    ):
        sys.stdout.write(f"    {line}\n")
    sys.stdin.readline()


def _say(line: str) -> None:
    when = f"{time.monotonic() - _BEGAN:6.1f} s  "
    sys.stdout.write("\n".join(_broken(when + line, " " * len(when) + "   ")) + "\n")
    sys.stdout.flush()


def _broken(line: str, indent: str) -> list[str]:
    """Break it between words for a terminal; for a pipe it stays one line."""
    if not sys.stdout.isatty():
        return [line]
    width = shutil.get_terminal_size().columns
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())

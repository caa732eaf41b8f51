"""Whatever is said on standard error is an event: one JSON line."""

from __future__ import annotations

import json
import subprocess
import sys

RUN = """
import logging, sys, threading, warnings
from gitopsd.daemon.log import configure_logging

def stumble():
    raise RuntimeError("over a stone")

configure_logging(only_errors=sys.argv[1:] == ["errors"])
logging.getLogger("apscheduler.scheduler").warning('Execution of job "%s" skipped', "tick")
chatty = logging.getLogger("chatty")
chatty.setLevel(logging.DEBUG)
chatty.info("hello")
chatty.log(35, "mind the gap")
try:
    stumble()
except RuntimeError:
    logging.getLogger("uvicorn.error").exception("in the application")
warnings.warn("old ways")
thread = threading.Thread(target=stumble, name="pass-0")
thread.start()
thread.join()
leaver = threading.Thread(target=sys.exit)
leaver.start()
leaver.join()
logging.getLogger("sloppy").error("%d pods", "three")
"""


def test_what_libraries_say_and_what_ends_a_thread_are_events():
    job, gap, web, warned, ended, slip = said()

    assert [(one["level"], one["library"], one["said"]) for one in (job, gap, web)] == [
        ("WARNING", "apscheduler.scheduler", 'Execution of job "tick" skipped'),
        ("WARNING", "chatty", "mind the gap"),
        ("ERROR", "uvicorn.error", "in the application"),
    ]
    assert "over a stone" in web["traceback"]
    assert (warned["level"], warned["library"], "old ways" in warned["said"]) == ("WARNING", "py.warnings", True)
    assert (ended["level"], ended["message"], ended["thread"]) == ("ERROR", "a bug of ours ended a thread", "pass-0")
    assert "in stumble" in ended["traceback"]
    assert (slip["level"], slip["said"]) == ("ERROR", "%d pods")


def test_where_only_errors_are_asked_for_no_less_is_said():
    ended = "a bug of ours ended a thread"
    assert [one["message"] for one in said("errors")] == ["a library says", ended, "a library says"]


def said(*argv: str):
    ran = subprocess.run([sys.executable, "-c", RUN, *argv], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ran.stderr.splitlines()]

"""The only place that sets up logging. Constant messages, values as fields, never a variable's value in a traceback.

One JSON line per event on standard error; on a terminal, a line for people. What libraries say, what Python warns of
and what ends a thread are events too: nothing else writes there.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message


def configure_logging(*, only_errors: bool = False) -> None:
    """Send events to standard error, secrets out: no ``diagnose``, no ``backtrace``."""
    logger.remove()
    sink = _for_people if sys.stderr.isatty() else _as_json
    logger.add(
        sink, level="ERROR" if only_errors else "INFO", diagnose=False, backtrace=False, catch=True, format="{message}"
    )
    logging.basicConfig(handlers=[_FromLibraries(logging.WARNING)], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


class _FromLibraries(logging.Handler):
    """Makes an event of what a library says."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 — a slip in what a library says must not end what it does
            said = str(record.msg)
        level = "ERROR" if record.levelno >= logging.ERROR else "WARNING"
        logger.bind(library=record.name, said=said).opt(exception=record.exc_info).log(level, "a library says")


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit:
        return
    name = ended.thread.name if ended.thread else ""
    logger.bind(thread=name).opt(exception=ended.exc_value or True).error("a bug of ours ended a thread")


def _as_json(message: Message) -> None:
    record = message.record
    line = {
        "at": record["time"].isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        **record["extra"],
    }
    if record["exception"]:
        line["traceback"] = str(message)
    sys.stderr.write(json.dumps(line, default=str) + "\n")


def _for_people(message: Message) -> None:
    record = message.record
    fields = " ".join(f"{name}={value}" for name, value in record["extra"].items() if value not in ("", None))
    sys.stderr.write(
        f"{record['time']:HH:mm:ss} {record['level'].name[0]} {record['message']} {fields}".rstrip() + "\n"
    )
    if record["exception"]:
        sys.stderr.write(str(message))

"""HTTP: the status, the probes and the metrics, read from immutable snapshots. Reads only; nothing here can write."""

from gitopsd.web.app import create_app
from gitopsd.web.server import Server

__all__ = ["Server", "create_app"]

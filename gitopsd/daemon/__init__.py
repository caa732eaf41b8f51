"""Builds the adapters, keeps every environment on its way, catches at the pass boundary, stops cleanly."""

from gitopsd.daemon.daemon import Daemon, build

__all__ = ["Daemon", "build"]

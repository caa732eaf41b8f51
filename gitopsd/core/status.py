"""What people see: one snapshot becomes the v1 status, and nothing else says how things are."""

from __future__ import annotations

from gitopsd.core.status_view import DaemonView, EnvironmentView, SourceView, View

__all__ = ["DaemonView", "EnvironmentView", "SourceView", "View"]

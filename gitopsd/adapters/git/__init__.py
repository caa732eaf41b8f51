"""Follows one branch of one repository in a bare mirror, by git's plumbing; never a work tree."""

from gitopsd.adapters.git.settings import GitSourceSettings
from gitopsd.adapters.git.source import GitSource, Head, SourceState

__all__ = ["GitSource", "GitSourceSettings", "Head", "SourceState"]

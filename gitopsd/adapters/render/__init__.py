"""Turns a directory of a revision into its objects: as it is, by kustomize or by helm. Nothing else runs those."""

from gitopsd.adapters.render.plain import PlainRenderer

__all__ = ["PlainRenderer"]

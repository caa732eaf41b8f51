"""Turns a directory of a revision into its objects: as it is, by kustomize or by helm. Nothing else runs those."""

from gitopsd.adapters.render.ingredients import Directories, Larder
from gitopsd.adapters.render.programs import UNUSABLE
from gitopsd.adapters.render.remembered import Storage
from gitopsd.adapters.render.renderer import DirectoryRenderer, Room
from gitopsd.adapters.render.shelf import Shelf
from gitopsd.adapters.render.turns import Turns
from gitopsd.adapters.render.workshop import Workshop

__all__ = [
    "UNUSABLE",
    "Directories",
    "DirectoryRenderer",
    "Larder",
    "Room",
    "Shelf",
    "Storage",
    "Turns",
    "Workshop",
]

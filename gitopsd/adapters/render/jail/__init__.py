"""The one road to a tool that reads what a repository holds: no network, no token, no other file, no other program."""

from gitopsd.adapters.render.jail.jail import Jail
from gitopsd.adapters.render.jail.model import Bounds, Measure, Ran, Surroundings

__all__ = ["Bounds", "Jail", "Measure", "Ran", "Surroundings"]

"""The operator's file → frozen values. Bounds come only from here; nothing in a repository can widen them."""

from gitopsd.config.model import Config, SourceConfig
from gitopsd.config.names import expand, literal
from gitopsd.config.reading import load_config

__all__ = ["Config", "SourceConfig", "expand", "literal", "load_config"]

"""From the operator's paths to environments: names, patterns, and what may not overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from gitopsd.config.model import Config, EnvironmentConfig
from gitopsd.core.applyset import apply_set
from gitopsd.core.model import Environment

_ANY = "*"


def expand(config: Config, source: str, directories: Callable[[str], Sequence[str]]) -> tuple[Environment, ...]:
    """Return the environments of one source; ``directories`` says which ones match a pattern.

    Raises:
        SourceError: from ``directories``: which ones there are is not known.
    """
    prefix = _common_prefix(config)
    return tuple(
        _environment(config, one, path, prefix)
        for one in config.environments
        if (one.source or config.sources[0].name) == source
        for path in (directories(one.path) if _ANY in one.path else (one.path,))
    )


def literal(config: Config, source: str) -> tuple[Environment, ...]:
    """Return the environments that are known without asking Git."""
    return expand(config, source, lambda _: ())


def overlaps(config: Config) -> Iterator[tuple[int, str]]:
    """Yield the number of each environment whose directory or name another one has as well, and what is wrong."""
    seen: list[tuple[str, str, str]] = []
    prefix = _common_prefix(config)
    for number, one in enumerate(config.environments):
        source, name = one.source or config.sources[0].name, _name(one, one.path, prefix)
        for other_source, path, other_name in seen:
            if source == other_source and _within(one.path, path):
                yield number, f"{one.path} and {path} overlap"
            elif name == other_name:
                yield number, f"two environments would be called {name}"
        seen.append((source, one.path, name))


def _within(one: str, other: str) -> bool:
    first, second = PurePosixPath(one.removesuffix("/*")), PurePosixPath(other.removesuffix("/*"))
    return first == second or first in second.parents or second in first.parents


def _common_prefix(config: Config) -> tuple[str, ...]:
    """Return the parts with which every path begins, but never a whole path."""
    paths = [PurePosixPath(one.path).parts for one in config.environments]
    shortest = min(len(parts) for parts in paths) - 1
    common = 0
    while common < shortest and len({parts[common] for parts in paths}) == 1:
        common += 1
    return paths[0][:common]


def _name(one: EnvironmentConfig, path: str, prefix: tuple[str, ...]) -> str:
    if one.name:
        return f"{one.name}/{PurePosixPath(path).name}" if _ANY in one.path else one.name
    return "/".join(PurePosixPath(path).parts[len(prefix) :])


def _environment(config: Config, one: EnvironmentConfig, path: str, prefix: tuple[str, ...]) -> Environment:
    name = _name(one, path, prefix)
    return Environment(
        name=name,
        source=one.source or config.sources[0].name,
        path=path,
        namespaces=one.namespaces,
        deny=one.deny,
        service_account=one.serviceAccount,
        service_account_namespace=config.namespace if one.serviceAccount else "",
        apply_set=apply_set(name, config.namespace),
    )

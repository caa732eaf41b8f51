"""From the operator's paths to environments: names, patterns, and what may not overlap.

An environment's name is its path without the first directory, whatever else the file says: its record and its objects
are marked with it, so no new entry may change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from gitopsd.config.model import Config, EnvironmentConfig
from gitopsd.core.applyset import apply_set
from gitopsd.core.model import Environment

_ANY = "*"
_PATTERN = frozenset("*?")


def expand(config: Config, source: str, directories: Callable[[str], Sequence[str]]) -> tuple[Environment, ...]:
    """Return the environments of one source; ``directories`` says which ones match a pattern.

    Raises:
        SourceError: from ``directories``: which ones there are is not known.
    """
    return tuple(
        _environment(config, one, path)
        for one in config.environments
        if (one.source or config.sources[0].name) == source
        for path in (directories(one.path) if _ANY in one.path else (one.path,))
    )


def literal(config: Config, source: str) -> tuple[Environment, ...]:
    """Return the environments that are known without asking Git."""
    return expand(config, source, lambda _: ())


def overlaps(config: Config) -> Iterator[tuple[int, str]]:
    """Yield the number of each environment whose directory or name another one may have as well, and what is wrong."""
    seen: list[tuple[str, str, str]] = []
    for number, one in enumerate(config.environments):
        source, name = one.source or config.sources[0].name, _name(one, one.path)
        for other_source, path, other_name in seen:
            if source == other_source and _within(one.path, path):
                yield number, f"{one.path or 'the whole repository'} and {path or 'the whole repository'} overlap"
            elif _may_be_same(name, other_name):
                yield number, f"two environments could be called {name if _ANY in other_name else other_name}"
        seen.append((source, one.path, name))


def unbounded(config: Config) -> Iterator[tuple[int, str]]:
    """Yield the number of each environment that may be where nobody can have given rights, and what is wrong."""
    for number, one in enumerate(config.environments):
        if not one.namespaces:
            yield number, "is missing, and scope: namespaces leaves no rights elsewhere"
        for glob in one.namespaces:
            if _PATTERN & set(glob):
                yield number, f"{glob} is a pattern, and rights are given in one namespace after the other"


def _within(one: str, other: str) -> bool:
    first, second = _base(one), _base(other)
    return first == second or first in second.parents or second in first.parents


def _base(path: str) -> PurePosixPath:
    return PurePosixPath(path).parent if _ANY in path else PurePosixPath(path)


def _may_be_same(one: str, other: str) -> bool:
    first, second = one.split("/"), other.split("/")
    return len(first) == len(second) and all(a == b or _ANY in (a, b) for a, b in zip(first, second, strict=True))


def _name(one: EnvironmentConfig, path: str) -> str:
    if one.name:
        return f"{one.name}/{PurePosixPath(path).name}" if _ANY in one.path else one.name
    parts = PurePosixPath(path).parts
    return "/".join(parts[1:] or parts)


def _environment(config: Config, one: EnvironmentConfig, path: str) -> Environment:
    name = _name(one, path)
    return Environment(
        name=name,
        source=one.source or config.sources[0].name,
        path=path,
        namespaces=one.namespaces,
        deny=one.deny,
        cluster_scoped=not config.is_namespaced,
        service_account=one.serviceAccount,
        service_account_namespace=config.namespace if one.serviceAccount else "",
        apply_set=apply_set(name, config.namespace),
        age_key_files=tuple(str(file) for file in one.decryption.ageKeyFiles),
        pgp_key_files=tuple(str(file) for file in one.decryption.pgpKeyFiles),
        key_services=one.decryption.keyServices.allowed,
    )

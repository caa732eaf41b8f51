"""Every field of a kustomization, and of kustomize's own plugins, that names a file or a directory, and how.

Of kustomize 5, its deprecated fields with it. Go reads keys in any case, so they are looked for in any case here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from gitopsd.core.manifests.lines import Place
from gitopsd.core.manifests.yaml import Value


class Names(Enum):
    """What an entry of a field names."""

    FILE = auto()
    KEYED_FILE = auto()  # key=file
    DIRECTORY = auto()
    RESOURCE = auto()  # a file or a directory
    PATCH = auto()  # a file, or the patch itself
    PLUGIN = auto()  # a file or a directory, or the plugin's configuration itself


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry: where it stands in the file, what it says and what that names."""

    place: Place
    path: str
    names: Names


# Steps into the file; * = every entry of a list.
_FIELDS = {
    ("resources", "*"): Names.RESOURCE,
    ("bases", "*"): Names.RESOURCE,
    ("components", "*"): Names.DIRECTORY,
    ("crds", "*"): Names.FILE,
    ("configurations", "*"): Names.FILE,
    ("openapi", "path"): Names.FILE,
    ("patches", "*", "path"): Names.FILE,
    ("patchesjson6902", "*", "path"): Names.FILE,
    ("patchesstrategicmerge", "*"): Names.PATCH,
    ("replacements", "*", "path"): Names.FILE,
    ("configmapgenerator", "*", "files", "*"): Names.KEYED_FILE,
    ("configmapgenerator", "*", "envs", "*"): Names.FILE,
    ("configmapgenerator", "*", "env"): Names.FILE,
    ("secretgenerator", "*", "files", "*"): Names.KEYED_FILE,
    ("secretgenerator", "*", "envs", "*"): Names.FILE,
    ("secretgenerator", "*", "env"): Names.FILE,
    ("generators", "*"): Names.PLUGIN,
    ("transformers", "*"): Names.PLUGIN,
    ("validators", "*"): Names.PLUGIN,
}
_FIELDS_OF_PLUGINS = {
    ("files", "*"): Names.KEYED_FILE,
    ("envs", "*"): Names.FILE,
    ("env",): Names.FILE,
    ("path",): Names.FILE,
    ("paths", "*"): Names.PATCH,
    ("replacements", "*", "path"): Names.FILE,
    ("targetfilepath",): Names.FILE,
}
_HELM = ("helmcharts", "helmchartinflationgenerator", "helmglobals")
_HELM_PLUGIN = "HelmChartInflationGenerator"
_BUILTIN = "builtin"
_ADDRESS = re.compile(r"https?:|.*://", re.IGNORECASE)
_REPOSITORY = re.compile(r"git::|github\.com[/:]|[a-z][a-z0-9-]*@", re.IGNORECASE)


def references(fields: Mapping[str, Value]) -> Iterator[Reference]:
    """Yield every file and directory that a kustomization names."""
    yield from _found(fields, _FIELDS)


def references_of_plugin(configuration: Mapping[str, Value]) -> Iterator[Reference]:
    """Yield every file that the configuration of one of kustomize's own plugins names."""
    yield from _found(configuration, _FIELDS_OF_PLUGINS)


def foreign_power(fields: Mapping[str, Value]) -> Iterator[tuple[Place, str]]:
    """Yield each field that would make kustomize run another program, and what that is."""
    for key in fields:
        if key.casefold() in _HELM:
            yield (key,), "lets kustomize run helm"


def foreign_plugin(configuration: Mapping[str, Value]) -> str:
    """Say what a plugin's configuration would run besides kustomize itself; empty = nothing."""
    if entry(configuration, "kind") == _HELM_PLUGIN:
        return "lets kustomize run helm"
    is_own = entry(configuration, "apiVersion") == _BUILTIN
    return "" if is_own else "is for a plugin, a container or a program, none of which is run"


def entry(fields: Mapping[str, Value], key: str) -> Value:
    """Return what a key has, whatever its case; None when it is not there."""
    return next((value for name, value in fields.items() if name.casefold() == key.casefold()), None)


def is_remote(reference: Reference) -> bool:
    """Return whether kustomize would look for this on the network."""
    may_be_cloned = reference.names in {Names.DIRECTORY, Names.RESOURCE, Names.PLUGIN}
    return bool(_ADDRESS.match(reference.path) or (may_be_cloned and _REPOSITORY.match(reference.path)))


def _found(fields: Mapping[str, Value], table: Mapping[tuple[str, ...], Names]) -> Iterator[Reference]:
    for steps, names in table.items():
        for place, value in _at(fields, steps, ()):
            if isinstance(value, str):
                yield Reference(place, _file_of(value) if names is Names.KEYED_FILE else value, names)


def _at(
    value: Value | Mapping[str, Value], steps: tuple[str, ...], place: Place
) -> Iterator[tuple[Place, Value | Mapping[str, Value]]]:
    if not steps:
        yield place, value
    elif steps[0] == "*" and isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _at(item, steps[1:], (*place, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key.casefold() == steps[0]:
                yield from _at(item, steps[1:], (*place, key))


def _file_of(source: str) -> str:
    key, equals, path = source.partition("=")
    return path if equals else key

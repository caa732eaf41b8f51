"""``render`` of ``gitopsd.yaml`` becomes a recipe: every key known, every path one that can lie in the repository.

Only the words are judged here. Whether what they name is there is the renderer's question, and it asks for the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.lines import Lines, Place
from gitopsd.core.manifests.naming import namespace_fault
from gitopsd.core.manifests.section import Section
from gitopsd.core.manifests.text import read_text
from gitopsd.core.model import File, Origin
from gitopsd.core.recipes import Helm, Kustomize, Plain, Recipe

KEY = "render"
VALUES_FILES_MAX = 50
API_VERSIONS_MAX = 500
RELEASE_LENGTH_MAX = 53

_PLAIN = "plain"
_WAYS = ("kustomize", "helm")
_HELM_KEYS = ("chart", "release", "namespace", "valuesFiles", "values", "kubeVersion", "apiVersions")
_PATH_LENGTH_MAX = 1_000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_RELEASE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_KUBE_VERSION = re.compile(r"v?[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?([-+][-+.0-9A-Za-z]{1,60})?", re.ASCII)
_API_VERSION = re.compile(r"[A-Za-z0-9][-.A-Za-z0-9]{0,252}(/[A-Za-z0-9][-.A-Za-z0-9]{0,62}){0,2}", re.ASCII)


def recipe_written(settings: File) -> Recipe | None:
    """Return the recipe that ``gitopsd.yaml`` writes down; None when it writes none.

    Raises:
        RenderError: with everything that is wrong with what it writes.
    """
    text = read_text(settings.path, settings.content)
    documents = yaml.parse(text)
    if len(documents) != 1:
        return None
    root = Section.of(text, documents[0])
    recipe = recipe_in(root)
    if root.problems:
        raise RenderError(*root.problems)
    return recipe


def recipe_in(root: Section) -> Recipe | None:
    """Return the recipe below the file's ``render``; what is wrong with it is noted in the section."""
    wish = root.value(KEY)
    if wish is None or wish == _PLAIN:
        return None if wish is None else Plain()
    if isinstance(wish, dict) and len(wish) == 1 and _WAYS[0] in wish:
        return _kustomize(root.section(KEY).section(_WAYS[0]))
    if isinstance(wish, dict) and len(wish) == 1 and _WAYS[1] in wish:
        return _helm(root.section(KEY).section(_WAYS[1]))
    if isinstance(wish, dict) and not wish.keys() <= set(_WAYS):
        root.section(KEY).allow(_WAYS)
    else:
        root.fault(KEY, f"must be {_PLAIN}, or a mapping with either {' or '.join(_WAYS)}")
    return None


def origin_of(settings: File, *steps: str | int) -> Origin:
    """Return where ``gitopsd.yaml`` writes what these keys and indices below ``render`` lead to."""
    text = read_text(settings.path, settings.content)
    documents = yaml.parse(text)
    place: Place = (KEY, *steps)
    return Origin(settings.path, Lines(text.content).at(documents[0].line, place) if documents else 0)


def release_fault(name: str) -> str:
    """Say what is wrong with a release's name, as helm would."""
    if len(name) > RELEASE_LENGTH_MAX:
        return f"has {len(name)} characters; {RELEASE_LENGTH_MAX} are the most"
    return "" if _RELEASE.fullmatch(name) else "must be of a-z, 0-9, - and ., and begin and end with a letter or digit"


def path_fault(path: str) -> str:
    """Say what is wrong with a path that is to lead from one directory of the repository to another place in it."""
    if _SCHEME.match(path):
        return "must be a path in the repository, not an address: nothing is fetched"
    if path.startswith("/"):
        return "must be relative"
    if len(path) > _PATH_LENGTH_MAX or "\\" in path or not path.isprintable():
        return "must be a plain path"
    return "must not lead into .git" if ".git" in path.lower().split("/") else ""


def _kustomize(section: Section) -> Kustomize:
    section.allow(("path",))
    return Kustomize(path=_path(section, "path"))


def _helm(section: Section) -> Helm:
    section.allow(_HELM_KEYS)
    return Helm(
        chart=_path(section, "chart"),
        release=_checked(section, "release", release_fault),
        namespace=_checked(section, "namespace", namespace_fault),
        values_files=_paths(section, "valuesFiles"),
        values=section.mapping("values"),
        kube_version=_checked(section, "kubeVersion", _kube_version_fault),
        api_versions=_api_versions(section),
    )


def _path(section: Section, key: str) -> str:
    return _checked(section, key, path_fault)


def _paths(section: Section, key: str) -> tuple[str, ...]:
    paths = section.texts(key, VALUES_FILES_MAX)
    _note_first(section, key, ((path, path_fault(path)) for path in paths))
    return paths


def _api_versions(section: Section) -> tuple[str, ...]:
    versions = section.texts("apiVersions", API_VERSIONS_MAX)
    _note_first(section, "apiVersions", ((version, _api_version_fault(version)) for version in versions))
    return versions


def _checked(section: Section, key: str, fault_of: Callable[[str], str]) -> str:
    value = section.text(key)
    if value:
        _note_first(section, key, [(value, fault_of(value))])
    return value


def _note_first(section: Section, key: str, judged: Iterable[tuple[str, str]]) -> None:
    for value, fault in judged:
        if fault:
            section.fault(key, f"{value[:100]!r} {fault}")
            return


def _kube_version_fault(version: str) -> str:
    return "" if _KUBE_VERSION.fullmatch(version) else "must be a version like 1.35 or v1.35.4"


def _api_version_fault(version: str) -> str:
    return "" if _API_VERSION.fullmatch(version) else "must be version, group/version or group/version/Kind"

"""``gitopsd.yaml`` becomes settings: every key known, every value within its bounds, or an error with path and line.

A wish that this build cannot grant is refused by name. It is never silently ignored: whoever wrote it relies on it.
"""

from __future__ import annotations

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.naming import namespace_fault
from gitopsd.core.manifests.pointers import pointer_fault
from gitopsd.core.manifests.probe_section import probes_in
from gitopsd.core.manifests.recipe_section import recipe_in
from gitopsd.core.manifests.section import Section
from gitopsd.core.manifests.text import read_text
from gitopsd.core.model import File
from gitopsd.core.recipes import Helm
from gitopsd.core.settings import IgnoreRule, OnFailure, PruneSettings, Settings

API_VERSION = "gitopsd.dev/v1"
KIND = "Environment"
DAY_S = 86_400.0
LIST_MAX = 100

_KEYS = ("apiVersion", "kind", "namespace", "dependsOn", "health", "onFailure", "prune", "ignore", "render")
_LATER = ("promote", "rollout")


def parse_settings(file: File) -> Settings:
    """Return the settings that the file asks for.

    Raises:
        RenderError: with everything that is wrong with it.
    """
    text = read_text(file.path, file.content)
    documents = yaml.parse(text)
    if len(documents) != 1:
        message = f"must hold one document, not {len(documents)}"
        raise RenderError(text.problem("SETTINGS_INVALID", message, hint=f"begin with apiVersion: {API_VERSION}"))
    root = Section.of(text, documents[0])
    settings = _settings(root)
    if root.problems:
        raise RenderError(*root.problems)
    return settings


def _settings(root: Section) -> Settings:
    root.allow(_KEYS, later=_LATER)
    for key, value in (("apiVersion", API_VERSION), ("kind", KIND)):
        if root.text(key) != value:
            root.fault(key, f"must be {value}")
    health = root.section("health")
    deadline_s, soak_s = _health(health)
    return Settings(
        namespace=_namespace(root),
        depends_on=root.texts("dependsOn", LIST_MAX),
        deadline_s=deadline_s,
        soak_s=soak_s,
        probes=probes_in(health),
        on_failure=OnFailure(root.choice("onFailure", [choice.value for choice in OnFailure], OnFailure.REVERT)),
        prune=_prune(root.section("prune")),
        ignore=tuple(_ignore_rule(rule) for rule in root.sections("ignore", LIST_MAX)),
    )


def _namespace(root: Section) -> str:
    """What names no namespace goes where the chart is told to be. What is wrong with ``render`` is noted here too."""
    namespace, recipe = root.text("namespace"), recipe_in(root)
    of_chart = recipe.namespace if isinstance(recipe, Helm) else ""
    if namespace and (fault := namespace_fault(namespace)):
        root.fault("namespace", fault)
    elif namespace and of_chart not in ("", namespace):
        root.fault("namespace", f"is {namespace}, and render.helm.namespace is {of_chart}: write one of them")
    return namespace or of_chart


def _health(section: Section) -> tuple[float, float]:
    section.allow(("timeout", "soak", "probes"))
    defaults = Settings()
    deadline_s = section.seconds("timeout", defaults.deadline_s, (1.0, DAY_S))
    soak_s = section.seconds("soak", min(defaults.soak_s, deadline_s / 2), (0.0, DAY_S))
    if soak_s >= deadline_s:
        section.fault("soak", "must be shorter than the timeout, or nothing is ever kept")
    return deadline_s, soak_s


def _prune(section: Section) -> PruneSettings:
    section.allow(("enabled", "budget"))
    defaults = PruneSettings()
    return PruneSettings(
        enabled=section.flag("enabled", default=defaults.enabled),
        budget_percent=section.percent("budget", defaults.budget_percent),
    )


def _ignore_rule(section: Section) -> IgnoreRule:
    section.allow(("kind", "name", "namespace", "pointers"))
    kind, pointers = section.text("kind"), section.texts("pointers", LIST_MAX)
    if not kind:
        section.fault("kind", "is missing: which objects is this about?")
    if not pointers:
        section.fault("pointers", "is missing: which fields is this about?")
    for pointer in pointers:
        if fault := pointer_fault(pointer):
            section.fault("pointers", f"{pointer} {fault}")
    return IgnoreRule(kind=kind, name=section.text("name"), namespace=section.text("namespace"), pointers=pointers)

"""The files that the pages show are files that gitopsd takes: whole ones as they are, parts in their place."""

from __future__ import annotations

import pytest
import yaml

from gitopsd.config import load_config
from gitopsd.core.manifests.settings_file import parse_settings
from gitopsd.core.model import File
from tests.docs.pages import blocks, pages

SHOWN = [block for page in pages() for block in blocks(page) if block.language == "yaml"]
SETTINGS = {"kind": "Environment", "apiVersion": "gitopsd.dev/v1"}
OPERATORS = {"sources", "environments"}
SOURCE = {"name": "environments", "url": "https://git.example.com/acme/environments.git"}
ENVIRONMENT = {"path": "environments/somewhere", "source": "environments"}


def _content(block) -> dict[str, object]:
    return yaml.safe_load(block.body)


def _operators_file(content) -> dict[str, object]:
    """The whole file that the page shows a part of; one in the chart's values is below ``config``."""
    shown = content.get("config", content)
    named = {one.get("source", "environments") for one in shown.get("environments", ())}
    sources = [{**SOURCE, **one} for one in shown.get("sources", ())]
    missing = named - {one["name"] for one in sources}
    environments = shown.get("environments") or [ENVIRONMENT]
    whole = [*sources, *({**SOURCE, "name": name} for name in sorted(missing))] or [SOURCE]
    default = {"source": "environments"} if len(whole) > 1 else {}
    return {**shown, "sources": whole, "environments": [{**default, **one} for one in environments]}


@pytest.mark.parametrize(
    "block",
    [one for one in SHOWN if OPERATORS & _content(one).get("config", _content(one)).keys()],
    ids=lambda one: one.where,
)
def test_an_operators_file_is_taken(block, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(_operators_file(_content(block))))
    load_config(file)


@pytest.mark.parametrize(
    "block", [one for one in SHOWN if SETTINGS.items() <= _content(one).items()], ids=lambda one: one.where
)
def test_the_settings_of_an_environment_are_taken(block):
    parse_settings(File("env/gitopsd.yaml", "1", block.body.encode()))


@pytest.mark.parametrize(
    "block", [one for one in SHOWN if _content(one).keys() == {"render"}], ids=lambda one: one.where
)
def test_a_part_of_the_settings_is_taken(block):
    content = {**SETTINGS, **_content(block)}
    parse_settings(File("env/gitopsd.yaml", "1", yaml.safe_dump(content).encode()))

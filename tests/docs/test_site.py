"""The pages become a site: every link leads somewhere, every page is in the table of contents, no host is asked."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SETTINGS = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
PAGES = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
# What a browser fetches by itself, by tag; a link that a person may follow is none of these.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data", "link": "href"}
NOT_FETCHED = {"canonical", "next", "prev"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", made / "docs")
    shutil.copy(ROOT / "zensical.toml", made)
    return made


@pytest.fixture(scope="module")
def site(project: Path) -> Path:
    done = _built(project)
    assert done.returncode == 0, done.stdout + done.stderr
    return project / SETTINGS["site_dir"]


def test_every_page_is_in_the_table_of_contents_once():
    listed = list(_leaves(SETTINGS["nav"]))
    assert sorted(listed) == sorted(PAGES)


def test_the_readme_leads_to_what_is_there_and_to_every_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", readme)}
    assert {link for link in links if not (ROOT / link).exists()} == set()
    assert {page for page in PAGES if "/" not in page} - {link.removeprefix("docs/") for link in links} == set()


def test_every_alert_has_its_line_for_whoever_it_calls():
    alerts = re.findall(r"- alert: (\w+)", (ROOT / "charts" / "gitopsd" / "alerts.yaml").read_text(encoding="utf-8"))
    told = re.findall(
        r"^\| `(\w+)` \|", (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert told == alerts


def test_every_page_is_built(site):
    assert {page for page in PAGES if not (site / page).with_suffix(".html").is_file()} == set()


def test_every_link_of_the_site_leads_to_a_file_of_it(site):
    broken = [
        (str(page.relative_to(site)), link)
        for page in site.rglob("*.html")
        if page.name != "404.html"
        for link in _links(page)
        if not link.startswith(("http", "#", "mailto:")) and not (page.parent / link.partition("#")[0]).exists()
    ]
    assert broken == []


def test_no_page_asks_another_host_for_anything(site):
    asked = [(page.name, address) for page in site.rglob("*.html") for address in _fetched(page)]
    assert [one for one in asked if re.match(r"(https?:)?//", one[1])] == []
    styles = [style for style in site.rglob("*.css") if re.search(r"url\(\s*['\"]?(https?:)?//", style.read_text())]
    assert styles == []


@pytest.mark.parametrize("link", ["nowhere.md", "cli.md#nowhere"])
def test_a_link_that_leads_nowhere_fails_the_build(project, tmp_path, link):
    broken = tmp_path / "broken"
    shutil.copytree(project, broken, ignore=shutil.ignore_patterns("build"))
    with (broken / "docs" / "prune.md").open("a") as page:
        page.write(f"\n[nowhere]({link})\n")
    assert _built(broken).returncode != 0


def _built(project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)


def _leaves(nav: object) -> Iterator[str]:
    match nav:
        case str(page):
            yield page
        case dict(named):
            for inner in named.values():
                yield from _leaves(inner)
        case list(entries):
            for entry in entries:
                yield from _leaves(entry)


class _Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def _tags(page: Path) -> list[tuple[str, dict[str, str]]]:
    parser = _Tags()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def _links(page: Path) -> Iterator[str]:
    return (attributes["href"] for tag, attributes in _tags(page) if tag == "a" and attributes.get("href"))


def _fetched(page: Path) -> Iterator[str]:
    for tag, attributes in _tags(page):
        if tag in FETCHED and attributes.get("rel") not in NOT_FETCHED:
            yield attributes.get(FETCHED[tag], "")

"""The image's bill of materials: to what cyclonedx-py found of Python come Debian's packages and Go's modules.

    python sbom.py PYTHON.json OS_RELEASE DPKG_STATUS PROGRAM...

Each part is read from what its own builder left: dpkg's list, and the list that Go's linker writes into a program.
"""

import json
import re
import sys
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

Component = dict[str, Any]

# As Go's debug/buildinfo reads it: a magic word, the size of a pointer, and 2 where the texts follow in place.
_BUILD_INFO = re.compile(rb"\xff Go buildinf:.\x02.{16}", re.DOTALL)
_FRAME = 16


def bill(python: Path, os_release: Path, dpkg_status: Path, *programs: Path) -> str:
    """Return the whole as CycloneDX."""
    document = json.loads(python.read_text())
    system = _system(os_release.read_text())
    debian = [_debian(package, system) for package in dpkg_status.read_text().strip().split("\n\n")]
    linked = [_go(program) for program in programs]
    go = {one["bom-ref"]: one for program in linked for one in program}
    document["components"] += [system, *debian, *(go[ref] for ref in sorted(go))]
    document["dependencies"] += [
        {"ref": program["bom-ref"], "dependsOn": sorted(one["bom-ref"] for one in parts)} for program, *parts in linked
    ]
    return _checked(json.dumps(document, indent=2), document["specVersion"])


def _system(os_release: str) -> Component:
    said = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    name, version = said["ID"], said["VERSION_ID"].strip('"')
    return {"type": "operating-system", "bom-ref": f"{name}-{version}", "name": name, "version": version}


def _debian(package: str, system: Component) -> Component:
    """Advisories speak of source packages, so the one that it was built from is named as well."""
    said = HeaderParser().parsestr(package)
    source, _, version = said.get("Source", said["Package"]).partition(" ")
    about = {
        "arch": said["Architecture"],
        "distro": system["bom-ref"],
        "upstream": f"{source}@{version.strip('()') or said['Version']}",
    }
    return _component(PackageURL("deb", system["name"], said["Package"], said["Version"], about))


def _go(program: Path) -> list[Component]:
    """Return the program itself, then Go's library and the modules that are linked into it."""
    content = program.read_bytes()
    found = _BUILD_INFO.search(content)
    if found is None:
        raise SystemExit(f"{program} does not say what it is linked from")
    go, after = _text(content, found.end())
    parts = [("stdlib", go.decode().removeprefix("go"))]
    for kind, *words in (line.split("\t") for line in _text(content, after)[0][_FRAME:-_FRAME].decode().splitlines()):
        if kind == "mod":
            itself = {**_module(*words[:2]), "type": "application"}
        if kind == "=>":
            parts.pop()
        if kind in {"dep", "=>"}:
            parts.append((words[0], words[1]))
    return [itself, *(_module(*part) for part in parts)]


def _text(content: bytes, at: int) -> tuple[bytes, int]:
    """Return a text and where it ends. Before it stands its length, in groups of seven bits, the lowest first."""
    length, shift = content[at] & 0x7F, 7
    while content[at] & 0x80:
        at += 1
        length, shift = length | (content[at] & 0x7F) << shift, shift + 7
    return content[at + 1 : at + 1 + length], at + 1 + length


def _module(path: str, version: str) -> Component:
    namespace, _, name = path.rpartition("/")
    return {**_component(PackageURL("golang", namespace, name, version)), "name": path}


def _component(url: PackageURL) -> Component:
    return {
        "type": "library",
        "bom-ref": url.to_string(),
        "name": url.name,
        "version": url.version,
        "purl": url.to_string(),
    }


def _checked(document: str, version: str) -> str:
    fault = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(document)
    if fault is not None:
        raise SystemExit(f"not CycloneDX {version}: {fault}")
    return document + "\n"


if __name__ == "__main__":
    sys.stdout.write(bill(*map(Path, sys.argv[1:])))

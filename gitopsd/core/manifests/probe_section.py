"""``health.probes`` of ``gitopsd.yaml`` becomes probes: each of one type, each with a name of its own.

Only the words are judged here. Whether a Service, a file or a kind is there is asked later, by whoever looks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests import yaml
from gitopsd.core.manifests.naming import name_fault, namespace_fault
from gitopsd.core.manifests.section import Section
from gitopsd.core.manifests.text import read_text
from gitopsd.core.model import File
from gitopsd.core.probes import (
    PROBES_MAX,
    CelProbe,
    HttpProbe,
    JobProbe,
    NoData,
    Pace,
    Probe,
    PrometheusProbe,
)

KEY = "probes"
NAME_LENGTH_MAX = 100
QUERY_LENGTH_MAX = 10_000
PATH_LENGTH_MAX = 2_000
CODES_MAX = 20

_PORT_MAX = 65_535
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", re.ASCII)
_PATH = re.compile(r"/[!-~]*", re.ASCII)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_API_VERSION = re.compile(r"[a-z0-9][-.a-z0-9]{0,252}(/[a-z0-9]{1,63})?", re.ASCII)
_STEP = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_FILE = re.compile(rf"({_STEP}/)*{_STEP}\.(yaml|yml|json)", re.ASCII)
_NAME_KEYS = ("name", "initialDelay", "timeout")
_PACE_KEYS = (*_NAME_KEYS, "failures", "interval")
_DELAY_S = (0.0, 3_600.0)
_INTERVAL_S = (1.0, 3_600.0)
_TIMEOUT_S = (0.1, 60.0)
_JOB_TIMEOUT_S = (1.0, 3_600.0)
_FAILURES = (1, 100)
_JOB_PACE = Pace(failures=1, timeout_s=300.0)


def probes_in(health: Section) -> tuple[Probe, ...]:
    """Return the probes below ``health``; what is wrong with them is noted in the section."""
    found = [(section, _probe(section)) for section in health.sections(KEY, PROBES_MAX)]
    return _distinct([(section, probe) for section, probe in found if probe])


def job_files(settings: File) -> frozenset[str]:
    """Name the files, relative to the directory, that hold a Job to test with: they are no manifests of the set.

    What is wrong with ``gitopsd.yaml`` is told by whoever parses it.
    """
    try:
        text = read_text(settings.path, settings.content)
        documents = yaml.parse(text)
    except RenderError:
        return frozenset()
    sections = [Section.of(text, document).section("health") for document in documents]
    probes = [probe for section in sections for probe in probes_in(section)]
    return frozenset(probe.file for probe in probes if isinstance(probe, JobProbe))


def _probe(section: Section) -> Probe | None:
    keys = [key for key in _TYPES if section.value(key) is not None]
    section.allow(tuple(_TYPES))
    if len(keys) == 1:
        return _TYPES[keys[0]](section, keys[0])
    section.fault("", f"must have one of {', '.join(_TYPES)}, and no more than one")
    return None


def _http(around: Section, key: str) -> Probe:
    section = around.section(key)
    section.allow((*_PACE_KEYS, "service", "port", "namespace", "path", "scheme", "expect"))
    service, port, path = section.text("service"), _port(section), section.text("path", "/")
    namespace = section.text("namespace")
    _require(section, "service", name_fault("", "Service", service) if service else "is missing: who is to be asked?")
    _require(section, "namespace", namespace_fault(namespace) if namespace else "")
    is_path = _PATH.fullmatch(path) and len(path) <= PATH_LENGTH_MAX
    _require(section, "path", "" if is_path else "must begin with / and have no spaces")
    return HttpProbe(
        name=_name(section, f"http {service}:{port}{path}"),
        service=service,
        port=port,
        namespace=namespace,
        path=path,
        tls=section.choice("scheme", ("http", "https"), "http") == "https",
        expect=_expected(section),
        pace=_pace(section),
    )


def _port(section: Section) -> str:
    value = section.value("port")
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _PORT_MAX:
        return str(value)
    if isinstance(value, str) and _PORT_NAME.fullmatch(value):
        return value
    section.fault("port", f"must be a number from 1 to {_PORT_MAX}, or the name of a port of the Service")
    return ""


def _expected(section: Section) -> tuple[int, ...]:
    value = section.value("expect")
    codes = [200] if value is None else value if isinstance(value, list) else [value]
    found = tuple(code for code in codes if isinstance(code, int) and 100 <= code <= 599)  # noqa: PLR2004 — statuses
    if len(found) != len(codes) or not 1 <= len(codes) <= CODES_MAX:
        section.fault("expect", "must be a status such as 200, or a list of them")
    return found


def _prometheus(around: Section, key: str) -> Probe:
    section = around.section(key)
    section.allow((*_PACE_KEYS, "query", "min", "max", "minSamples", "noData"))
    samples = section.section("minSamples")
    samples.allow(("query", "min"))
    minimum, maximum = section.number("min"), section.number("max")
    if section.value("min") is None and section.value("max") is None:
        section.fault("max", "is missing: which value is still well? Give min, max or both")
    if minimum is not None and maximum is not None and minimum > maximum:
        section.fault("min", "must not be more than max")
    query = _query(section)
    return PrometheusProbe(
        name=_name(section, f"prometheus {' '.join(query.split())}"),
        query=query,
        minimum=minimum,
        maximum=maximum,
        samples_query=_query(samples) if section.value("minSamples") is not None else "",
        samples_min=samples.number("min") or 0.0,
        no_data=NoData(section.choice("noData", [word.value for word in NoData], NoData.WAIT)),
        pace=_pace(section),
    )


def _query(section: Section) -> str:
    query = section.text("query")
    _require(section, "query", "" if query.strip() else "is missing: what is to be asked?")
    _require(section, "query", "is too long" if len(query) > QUERY_LENGTH_MAX else "")
    return query


def _job(around: Section, key: str) -> Probe:
    is_short = isinstance(around.value(key), str)
    section = around if is_short else around.section(key)
    if not is_short:
        section.allow((*_NAME_KEYS, "file"))
    where = key if is_short else "file"
    file = section.text(where)
    is_file = _FILE.fullmatch(file) and ".." not in file.split("/")
    _require(section, where, "" if is_file else "must be a YAML or JSON file below the environment's directory")
    if is_short:
        return JobProbe(name=f"job {file}"[:NAME_LENGTH_MAX], file=file, pace=_JOB_PACE)
    pace = replace(
        _JOB_PACE,
        initial_delay_s=section.seconds("initialDelay", _JOB_PACE.initial_delay_s, _DELAY_S),
        timeout_s=section.seconds("timeout", _JOB_PACE.timeout_s, _JOB_TIMEOUT_S),
    )
    return JobProbe(name=_name(section, f"job {file}"), file=file, pace=pace)


def _cel(around: Section, key: str) -> Probe:
    section = around.section(key)
    section.allow((*_PACE_KEYS, "kind", "apiVersion", "object", "expr"))
    kind, api_version, expression = section.text("kind"), section.text("apiVersion"), section.text("expr")
    _require(section, "kind", "" if _KIND.fullmatch(kind) else "must be a kind, such as Certificate")
    is_version = not api_version or _API_VERSION.fullmatch(api_version)
    _require(section, "apiVersion", "" if is_version else "must be a group and version, such as cert-manager.io/v1")
    is_expression = expression.strip() and len(expression) <= QUERY_LENGTH_MAX
    _require(section, "expr", "" if is_expression else "must be an expression that is true of what is well")
    wanted = section.text("object")
    return CelProbe(
        name=_name(section, f"cel {kind}{'/' if wanted else ''}{wanted}"),
        kind=kind,
        expression=expression,
        api_version=api_version,
        object_name=wanted,
        pace=_pace(section),
    )


_TYPES: Mapping[str, Callable[[Section, str], Probe]] = {
    "http": _http,
    "prometheus": _prometheus,
    "job": _job,
    "cel": _cel,
}


def _pace(section: Section) -> Pace:
    usual = Pace()
    return Pace(
        failures=section.integer("failures", usual.failures, _FAILURES),
        initial_delay_s=section.seconds("initialDelay", usual.initial_delay_s, _DELAY_S),
        interval_s=section.seconds("interval", usual.interval_s, _INTERVAL_S),
        timeout_s=section.seconds("timeout", usual.timeout_s, _TIMEOUT_S),
    )


def _name(section: Section, default: str) -> str:
    name = section.text("name", default[:NAME_LENGTH_MAX])
    is_name = name.isprintable() and name.strip() == name and 0 < len(name) <= NAME_LENGTH_MAX
    _require(section, "name", "" if is_name or name == default else f"must be 1 to {NAME_LENGTH_MAX} printable signs")
    return name


def _require(section: Section, key: str, fault: str) -> None:
    if fault:
        section.fault(key, fault)


def _distinct(found: Sequence[tuple[Section, Probe]]) -> tuple[Probe, ...]:
    """Names that nobody chose are numbered where they are alike; chosen ones must differ."""
    named: dict[str, Probe] = {}
    for section, probe in found:
        name = probe.name
        if name in named and _is_chosen(section):
            section.fault("", f"has the name of another probe: {name}")
        if name in named:
            name = next(other for number in count(2) if (other := f"{probe.name} ({number})") not in named)
        named[name] = replace(probe, name=name)
    return tuple(named.values())


def _is_chosen(section: Section) -> bool:
    wishes = [section.value(key) for key in _TYPES]
    return any(isinstance(wish, Mapping) and "name" in wish for wish in wishes)

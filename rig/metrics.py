"""The oracle of load: how many requests the API server says it answered, of which kind."""

import re
from collections import Counter
from dataclasses import dataclass

from rig.api import Api

_LINE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request, as the API server tells them apart."""

    verb: str
    resource: str
    subresource: str
    dry_run: bool
    code: int


def request_counts(api: Api) -> Counter[Kind]:
    """All requests since the API server started; subtract an earlier count from a later one."""
    _, text = api.exchange("GET", "/metrics")
    counts: Counter[Kind] = Counter()
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        counts[_kind(labels)] += int(float(line["count"]))
    return counts


def _kind(labels: dict[str, str]) -> Kind:
    group, resource = labels.get("group", ""), labels.get("resource", "")
    return Kind(
        verb=labels["verb"],
        resource=f"{group}/{resource}" if group else resource,
        subresource=labels.get("subresource", ""),
        dry_run=bool(labels.get("dry_run")),
        code=int(labels.get("code") or 0),
    )

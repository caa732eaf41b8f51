"""A plan in words: what would be done to which object, why, where it is written, and which fields change.

Of a Secret only the names of keys are ever shown; the plan itself holds no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from gitopsd.cli.output import emit_line, emit_table, tell
from gitopsd.core.fields import text
from gitopsd.core.model import Body, Json
from gitopsd.core.passes import Look, Prospect
from gitopsd.core.plan import Action, Change
from gitopsd.core.status.shown import present, problem_json, short

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.RECREATE: "±"}
_STYLES = {"+": "green", "~": "yellow", "±": "red", "-": "red"}
_VALUE_MAX = 200
_KEYS = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "key", "topologyKey", "type")


def count_changes(look: Look) -> int:
    """Return how many objects are not what they should be."""
    plan = look.plan
    blocked = len(plan.waiting) + len(plan.rejections) + len(plan.conflicts) + len(plan.fighting)
    return len(plan.changes) + len(plan.prunes) + blocked


def plan_json(prospect: Prospect) -> Mapping[str, Json]:
    """Return the plan, and what keeps it from being that of Git's newest commit."""
    plan = prospect.look.plan
    of_git = (problem for trouble in prospect.troubles for problem in trouble.problems)
    problems = (*of_git, *plan.rejections, *plan.conflicts, *plan.fighting, *plan.kept_back)
    return {
        "revision": str(plan.revision),
        "digest": plan.digest,
        "changes": [_change_json(change) for change in plan.changes],
        "deletes": [{"ref": str(prune.ref), "uid": prune.uid} for prune in plan.prunes],
        "waiting": list(plan.waiting),
        "problems": [problem_json(problem) for problem in problems],
        "unchanged": plan.unchanged_count,
        "held": _held(prospect.look) or None,
    }


def show_plan(name: str, look: Look) -> None:
    """Print the plan, one line per object."""
    plan = look.plan
    emit_line(f"{name}  {short(plan.revision)}  digest {plan.digest[:12]}", "bold")
    rows = [
        (
            _SIGNS[change.action],
            change.action.value,
            str(change.ref),
            change.cause.value,
            str(change.manifest.origin),
            _counted_fields(len(change.patch)),
        )
        for change in plan.changes
    ]
    rows += [("-", "delete", str(prune.ref), "not in Git", "", "") for prune in plan.prunes]
    if rows:
        emit_table(("", "ACTION", "OBJECT", "CAUSE", "WRITTEN", "PATCH"), rows)
    for waiting in plan.waiting:
        emit_line(f"  {waiting}", "cyan")
    if held := _held(look):
        emit_line(f"  {held} is held; lift that with: gitopsd release {name}", "cyan")
    tell(*plan.rejections, *plan.conflicts, *plan.fighting, to_stdout=True)
    tell(*plan.kept_back, kind="warning", to_stdout=True)
    emit_line(_counted(look))


def show_diff(name: str, look: Look) -> None:
    """Print every field that would change."""
    plan = look.plan
    for change in plan.changes:
        sign = _SIGNS[change.action]
        emit_line(f"{sign} {name}: {change.ref} ({change.cause.value}, {change.manifest.origin})", _STYLES[sign])
        for line in _lines(change):
            emit_line(f"    {line}")
    for prune in plan.prunes:
        emit_line(f"- {name}: {prune.ref} (not in Git)", _STYLES["-"])
    for waiting in plan.waiting:
        emit_line(f"  {name}: {waiting}", "cyan")
    tell(*plan.rejections, *plan.conflicts, *plan.fighting, to_stdout=True)


def _held(look: Look) -> str:
    """Name what Git wants and is not allowed to be; what is shown is the way back then."""
    hold = look.target.hold
    return str(hold.revision) if hold else ""


def _counted_fields(count: int) -> str:
    return f"{count} field{'s' if count > 1 else ''}" if count else ""


def _counted(look: Look) -> str:
    plan = look.plan
    creates = sum(change.action is Action.CREATE for change in plan.changes)
    counts = (
        (creates, "to create"),
        (len(plan.changes) - creates, "to update"),
        (len(plan.prunes), "to delete"),
        (len(plan.waiting), "waiting"),
        (len(plan.rejections) + len(plan.conflicts) + len(plan.fighting), "blocked"),
        (len(plan.kept_back), "kept although not in Git"),
        (plan.unchanged_count, "unchanged"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing"


def _change_json(change: Change) -> Mapping[str, Json]:
    return present(
        ref=str(change.ref),
        action=change.action.value,
        cause=change.cause.value,
        wave=change.wave,
        file=change.manifest.origin.file,
        line=change.manifest.origin.line or None,
        patch=list(change.patch),
    )


def _lines(change: Change) -> Iterator[str]:
    live = change.sight.live.body if change.sight.live else None
    is_secret = change.secret or change.manifest.is_secret
    for operation in change.patch:
        if isinstance(operation, Mapping):
            yield _line(operation, {} if is_secret or live is None else live, is_secret=is_secret)


def _line(operation: Body, live: Body, *, is_secret: bool) -> str:
    path, deed = text(operation, "path"), text(operation, "op")
    old = "***" if is_secret else _said(_at(live, path))
    new = _said(operation.get("value"))
    match deed:
        case "add":
            return f"{path}: {new}"
        case "remove":
            return f"{path}: {old} → (gone)"
        case "replace":
            return f"{path}: {old} → {new}"
        case _:
            return f"{path}: {deed} from {text(operation, 'from')}"


def _said(value: Json) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= _VALUE_MAX else f"{written[: _VALUE_MAX - 1]}…"


def _at(body: Json, path: str) -> Json:
    """Find the old value; a step into a list may be the key of one of its entries."""
    found = body
    for step in path.split("/")[1:]:
        token = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(token)
        elif isinstance(found, Sequence) and not isinstance(found, str):
            found = _entry(found, token)
    return found


def _entry(entries: Sequence[Json], token: str) -> Json:
    for entry in entries:
        if isinstance(entry, Mapping) and token in (str(entry.get(key)) for key in _KEYS if key in entry):
            return entry
    return entries[int(token)] if token.isdecimal() and int(token) < len(entries) else None

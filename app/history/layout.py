"""Whether objects are laid out as ``docs/history-format.md`` says: what each tree may hold, what each blob is.

Every function raises ``ValueError`` with what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from app.errors import StackVMError
from app.history.canonical import RECORD_DEPTH, canonical, parse_canonical
from app.history.codec import FORMAT, MEMBER_FIELDS, WHOLE_FIELDS
from app.history.commits import KINDS, Commit
from app.history.names import unescape_name
from app.history.trees import Entry, parse_tree, sort_key
from app.history.values import FAN_OUT_NAMES
from app.plan.parse import plan_from_json

_STATUSES: Final = ("running", "completed", "failed", "cancelled")
_LIMITS: Final = ("steps", "seconds", "value_bytes", "revisions")


class Part(NamedTuple):
    """An entry of a tree: its name, its id, and as what it is there, a key of :data:`ROLES`."""

    name: str
    oid: bytes
    role: str


_TOP: Final = {
    "format": "format",
    "goal.json": "goal",
    "plan.json": "plan",
    "state.json": "state",
    "record.json": "record",
    "record": "record tree",
    "vars": "folder tree",
    "errors.d": "list tree",
    "messages.d": "list tree",
    "workspace": "any tree",
}
_NEEDED: Final = ("format", "goal.json", "state.json", "record.json")


def top_parts(data: bytes) -> list[Part]:
    """The entries of a commit's tree."""
    return [_part(entry, _TOP.get(entry.name)) for entry in _entries(data)]


def pushed_parts(data: bytes) -> list[Part]:
    """The same of a commit that a client made: its plan need not be canonical."""
    return [part._replace(role="pushed plan") if part.role == "plan" else part for part in top_parts(data)]


def check_commit(
    commit: Commit, names: Collection[str], blobs: Mapping[str, bytes], task_id: str
) -> Iterator[str]:
    """What is wrong with a commit as such: its tree has everything, its message says what its record says."""
    for name in _NEEDED:
        if name not in names:
            yield f"has no {name}"
    trailers = commit.trailers
    if commit.kind not in KINDS:
        yield f"is of kind {commit.kind!r}, which there is not"
    if trailers.get("Task") != task_id:
        yield f"is of task {trailers.get('Task')!r}"
    if len(commit.parents) != {"goal": 0, "push": 2}.get(commit.kind, 1):
        yield f"of kind {commit.kind} has {len(commit.parents)} parents"
    record = _object_or_none(blobs.get("record.json"))
    if record is None:
        return
    if record.get("kind") != commit.kind:
        yield f"of kind {commit.kind} has a record of kind {record.get('kind')!r}"
    seq_no = record.get("seq_no")
    if trailers.get("Step") != (None if seq_no is None else str(seq_no)):
        yield f"names step {trailers.get('Step')}, its record step {seq_no}"


def _object_or_none(data: bytes | None) -> dict[str, Any] | None:
    """Of a blob that has its own turn, where more is said about it."""
    try:
        value = parse_canonical(data) if data is not None else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _entries(data: bytes) -> list[Entry]:
    entries = parse_tree(data)
    order = [sort_key(entry.name, entry.is_tree) for entry in entries]
    if order != sorted(set(order)):
        raise ValueError("is a tree whose entries are not in order")
    return entries


def _part(entry: Entry, role: str | None) -> Part:
    if role is None:
        raise ValueError(f"has an entry {entry.name!r}, which the format doesn't know")
    if entry.is_tree != role.endswith("tree"):
        raise ValueError(f"has {entry.name!r} as a {'tree' if entry.is_tree else 'blob'}")
    return Part(entry.name, entry.oid, role)


def _value(entry: Entry) -> Part:
    """A value by the end of its name; the rest must be a key's."""
    stem, dot, suffix = entry.name.rpartition(".")
    if not dot or suffix not in ("json", "d"):
        raise ValueError(f"has an entry {entry.name!r}, which is no name of a value")
    unescape_name(stem)
    return _part(entry, "value" if suffix == "json" else "value tree")


def _folder(data: bytes) -> list[Part]:
    return [
        _part(entry, "folder tree") if entry.name in FAN_OUT_NAMES else _value(entry)
        for entry in _entries(data)
    ]


def _list(data: bytes) -> list[Part]:
    """A node of a list: packs of items, long items, nodes; numbered without a gap."""
    parts = []
    for number, entry in enumerate(_entries(data)):
        stem, _, suffix = entry.name.partition(".")
        if stem != f"@{number:02d}":
            raise ValueError(f"has an entry {entry.name!r} where @{number:02d} follows")
        role = {"json": "items", "d": "value tree", "": "list tree"}.get(suffix)
        parts.append(_part(entry, role))
    return parts


def _long_value(data: bytes) -> list[Part]:
    entries = _entries(data)
    if not entries:
        raise ValueError("is an empty tree")
    return _list(data) if entries[0].name.startswith("@") else _folder(data)


def _record_folder(data: bytes) -> list[Part]:
    parts = []
    for entry in _entries(data):
        name = entry.name.rpartition(".")[0]
        if entry.name in MEMBER_FIELDS:
            parts.append(_part(entry, "folder tree"))
        elif name in WHOLE_FIELDS:
            parts.append(_value(entry))
        else:
            raise ValueError(f"has an entry {entry.name!r}, which is no part of a record")
    return parts


def _any_tree(data: bytes) -> list[Part]:
    parse_tree(data)
    return []


def _json(data: bytes, max_depth: int = RECORD_DEPTH) -> Any:
    """What a blob of canonical JSON holds."""
    try:
        value = parse_canonical(data)
        is_canonical = canonical(value, max_depth) == data
    except (ValueError, RecursionError, StackVMError) as error:
        raise ValueError(f"is no JSON: {error}") from None
    if not is_canonical:
        raise ValueError("is JSON that is not in its canonical form")
    return value


def _format(data: bytes) -> list[Part]:
    if data != b"%d\n" % FORMAT:
        raise ValueError(f"says layout {data[:20]!r}, not {FORMAT}")
    return []


def _goal(data: bytes) -> list[Part]:
    goal = _object(data)
    limits = _field(goal, "limits", dict)
    _field(goal, "goal", str)
    _field(goal, "namespace", str, optional=True)
    _field(goal, "response_format", dict, optional=True)
    for name, limit in limits.items():
        if name not in _LIMITS or type(limit) is not int:
            raise ValueError(f"has a limit {name!r} of {limit!r}")
    return []


def _plan(data: bytes) -> list[Part]:
    try:
        plan_from_json(_object(data))
    except StackVMError as error:
        raise ValueError(f"is no plan: {error.message}") from None
    return []


def _pushed_plan(data: bytes) -> list[Part]:
    try:
        plan_from_json(parse_canonical(data))
    except (ValueError, RecursionError, StackVMError) as error:
        raise ValueError(f"is no plan: {error}") from None
    return []


def _state(data: bytes) -> list[Part]:
    state = _object(data)
    if state.get("status") not in _STATUSES:
        raise ValueError(f"has the status {state.get('status')!r}")
    if "pc" not in state or (state["pc"] is not None and type(state["pc"]) is not int):
        raise ValueError("has no pc")
    _field(state, "steps", int)
    for name, kind in (("visits", dict), ("worked_ms", int), ("error", dict), ("usage", dict)):
        _field(state, name, kind, optional=True)
    for seq_no, count in state.get("visits", {}).items():
        if not seq_no.isdigit() or type(count) is not int:
            raise ValueError(f"counts {count!r} visits of step {seq_no!r}")
    return []


def _record(data: bytes) -> list[Part]:
    record = _object(data)
    if record.get("kind") not in KINDS:
        raise ValueError(f"is a record of kind {record.get('kind')!r}, which there is not")
    _field(record, "seq_no", int, optional=record["kind"] not in ("step", "failure"))
    for name in ("visit", "started_ms", "ended_ms", "decided_ms", "attempts", "count"):
        _field(record, name, int, optional=True)
    for name in ("model_calls", "origins", "rounds"):
        _field(record, name, list, optional=True)
    return []


def _items(data: bytes) -> list[Part]:
    if type(_json(data)) is not list:
        raise ValueError("is not a list of items")
    return []


def _any_value(data: bytes) -> list[Part]:
    _json(data)
    return []


def _object(data: bytes) -> dict[str, Any]:
    value = _json(data)
    if type(value) is not dict:
        raise ValueError("is no JSON object")
    return value


def _field(document: dict[str, Any], name: str, kind: type, *, optional: bool = False) -> Any:
    value = document.get(name)
    if value is None and optional:
        return value
    if type(value) is not kind:
        raise ValueError(f"has no {name}" if value is None else f"has a {name} that is no {kind.__name__}")
    return value


ROLES: Final[Mapping[str, Callable[[bytes], list[Part]]]] = {
    "format": _format,
    "goal": _goal,
    "plan": _plan,
    "pushed plan": _pushed_plan,
    "state": _state,
    "record": _record,
    "items": _items,
    "value": _any_value,
    "value tree": _long_value,
    "list tree": _list,
    "folder tree": _folder,
    "record tree": _record_folder,
    "any tree": _any_tree,
}
"""As what an object may be named by another → what checks it and gives its parts. Trees end in ``tree``."""

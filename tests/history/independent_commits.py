"""Commits of the history format a second time, from ``docs/history-format.md`` alone; nothing of app is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha1
from typing import Any

import independent_format as fmt

_PART_BYTES = 1_024


_BLANKS = frozenset(
    map(
        chr,
        [
            *range(0x21),
            *range(0x7F, 0xA1),
            0x200E,
            0x200F,
            *range(0x2028, 0x202F),
            *range(0x2066, 0x206A),
        ],
    )
)


def record_folder(record: Mapping[str, Any]) -> tuple[dict[str, Any], fmt.Folder]:
    """What stays in ``record.json``, and the folder ``record/``."""
    flat, parts = dict(record), fmt.Folder()
    for field in ("calls", "errors", "value", "values"):
        if field in flat and len(fmt.canonical(flat[field])) > _PART_BYTES:
            fmt.put(parts, field, flat.pop(field))
    for field in ("inputs", "item_inputs"):
        members = flat.get(field, {})
        if len(fmt.canonical(members)) > _PART_BYTES and fmt.fit(list(members)):
            large = {key for key in members if len(fmt.canonical(members[key])) > _PART_BYTES}
            flat[field] = {key: value for key, value in members.items() if key not in large}
            inside: fmt.Folder = {}
            for key in large:
                fmt.put(inside, fmt.escape(key), members[key])
            parts[field] = inside
    return flat, {name: part for name, part in parts.items() if part}


def commit_folder(
    goal: Any,
    plan: Any,
    control: Any,
    record: Mapping[str, Any],
    variables: Mapping[str, Any],
    errors: list[Any],
) -> fmt.Folder:
    """The whole tree of a commit."""
    flat, parts = record_folder(record)
    folder: fmt.Folder = {
        "format": b"1\n",
        "goal.json": fmt.canonical(goal),
        "record.json": fmt.canonical(flat),
    }
    folder["state.json"] = fmt.canonical(control)
    if plan is not None:
        folder["plan.json"] = fmt.canonical(plan)
    if variables:
        folder["vars"] = fmt.keys_folder(variables, fmt.names_of_variables(list(variables)))
    if errors:
        folder["errors.d"] = fmt.long_list(errors)
    if parts:
        folder["record"] = parts
    return folder


def one_line(text: str, limit: int) -> str:
    """Text on one line of ``limit`` characters."""
    text = "".join(" " if char in _BLANKS else char for char in text)
    text = " ".join(word for word in text.split(" ") if word)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def signature(name: str) -> str:
    """A person as author."""
    clean = "".join(char for char in one_line(name, 100) if char not in "<>,").strip(" .;:'\"\\") or "unknown"
    return f"{clean} <{re.sub('[^A-Za-z0-9._-]', '-', clean).lower()}@localhost>"


def commit_object(
    tree: str, parent: str | None, author: str, time: int, line: str, record: Mapping[str, Any], task: str
) -> bytes:
    """The bytes of a commit, git's header apart. ``parent`` is the one on the line of the run."""
    trailers = {"Kind": record["kind"]}
    if "seq_no" in record:
        trailers["Step"] = str(record["seq_no"])
    if record.get("tool"):
        trailers["Tool"] = record["tool"]
    trailers["Task"] = task
    parents = [oid for oid in (record.get("pushed"), parent) if oid]
    head = [f"tree {tree}"] + [f"parent {oid}" for oid in parents]
    head += [f"author {signature(author)} {time} +0000", f"committer {signature('StackVM')} {time} +0000"]
    foot = [f"{name}: {one_line(value, 200)}" for name, value in trailers.items()]
    return "\n".join([*head, "", one_line(line, 120), "", *foot, ""]).encode()


def commit_id(data: bytes) -> str:
    return sha1(b"commit %d\0" % len(data) + data).hexdigest()


def commit_time(record: Mapping[str, Any], parent_time: int) -> int:
    """Whole seconds since the epoch; not for the first commit."""
    milliseconds = record.get("ended_ms", record.get("decided_ms"))
    return parent_time if milliseconds is None else max(parent_time, milliseconds // 1000)


def possible_lines(
    record: Mapping[str, Any], goal: Any, plan: Any, control: Any, errors: list[Any]
) -> list[str]:
    """What the line of the message may be: the answer of a jump is in no record, so there may be several."""
    kind = record["kind"]
    if kind == "goal":
        return [f"goal: {goal['goal']}"]
    if kind in ("plan", "revision", "push"):
        count = len(plan["steps"])
        return [f"{kind}: {count} step{'s' * (count != 1)}"]
    if kind == "edit":
        return [f"edit: {', '.join(sorted(record['variables']))}"]
    if kind == "stop":
        return [f"stop: {record['message']}"]
    if kind == "decision":
        return [f"decision: {_decided(record)}"]
    step = next(step for step in plan["steps"] if step["seq_no"] == record["seq_no"])
    start = f"step {step['seq_no']}: "
    if kind == "failure":
        what = step["parameters"]["tool_name"] if step["type"] == "calling" else step["type"]
        return [f"{start}{what} failed: {one_line(errors[-1]['message'], 160)}"]
    return [start + line for line in _LINES[step["type"]](step["parameters"], record, control)]


def _decided(record: Mapping[str, Any]) -> str:
    if "limits" in record:
        return ", ".join(
            f"limit of {name} is now {record['limits'][name]}" for name in sorted(record["limits"])
        )
    item = "" if record.get("item") is None else f" item {record['item']}"
    return f"{record['choice']} step {record['seq_no']}{item}"


def _assigned(parameters: Any, record: Mapping[str, Any], control: Any) -> list[str]:
    names = sorted(parameters)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return [f"assign -> {', '.join(names[:5])}{more}"]


def _jumped(parameters: Any, record: Mapping[str, Any], control: Any) -> list[str]:
    target = "the end" if control["pc"] is None else control["pc"]
    if "condition" in parameters or "condition_prompt" in parameters:
        return [f"jmp: {answer} -> {target}" for answer in ("true", "false")]
    return [f"jmp -> {target}"]


def _called(parameters: Any, record: Mapping[str, Any], control: Any) -> list[str]:
    tool, outputs = parameters["tool_name"], parameters.get("output_vars") or []
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    line = tool + (f" -> {', '.join(names)}" if names else "")
    failed = [f"{tool} failed, continue", f"{tool} failed, goto {control['pc']}"]
    if "tool" not in record or "error" in record:
        return failed
    if "count" not in record:
        return [line]
    count, bad = len(record["values"]), len(record.get("errors", {}))
    return [f"{line} ({count} items, {bad} failed)", failed[1]] if bad else [f"{line} ({count} items)"]


_LINES: dict[str, Callable[[Any, Mapping[str, Any], Any], list[str]]] = {
    "assign": _assigned,
    "jmp": _jumped,
    "calling": _called,
    "reasoning": lambda parameters, record, control: ["reasoning"],
}

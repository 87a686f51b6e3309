"""A task for a person: who it is, its plan, its variables, what went wrong, what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from app.cli.screen import BAD, GOOD, ID, NAME, QUIET, STATUS_STYLES, WARN, Line, cells, width
from app.cli.texts import (
    byte_size,
    count,
    error_text,
    kind_and_size,
    moment,
    preview,
    short_commit,
    usage_text,
)
from app.cli.waiting_text import waiting_lines
from app.history.commits import one_line
from app.plan.model import Json
from app.services.inspect import StepView, TaskView

_STATE_MARKS: Final = {
    "done": ("✓", GOOD),
    "failed": ("✗", BAD),
    "next": ("→", NAME),
    "waiting": ("?", WARN),
    "pending": ("·", QUIET),
}
_LIMIT_TEXTS: Final[Mapping[str, Callable[[int], str]]] = {
    "steps": lambda number: count(number, "step"),
    "seconds": lambda number: count(number, "second"),
    "value_bytes": lambda number: f"values of {byte_size(number)}",
    "revisions": lambda number: count(number, "revision"),
}
_NAMED_VARIABLES: Final = 200
_TEXT_CHARACTERS: Final = 400


def task_lines(view: TaskView) -> Iterator[Line]:
    """All there is to say; a section for each part, those that are empty left out."""
    yield from _header(view)
    yield from _plan(view.steps)
    yield from _variables(view.variables)
    if view.error is not None:
        yield []
        yield [("error", BAD), f"  {error_text(view.error)}"]
    if view.waiting is not None:
        yield []
        named = None if view.branch == view.task.current_branch else view.branch
        yield from waiting_lines(view.waiting, view.task.id, named)


def _header(view: TaskView) -> Iterator[Line]:
    yield _field("task", (view.task.id, NAME))
    yield _field("goal", one_line(view.task.goal, _TEXT_CHARACTERS))
    status = (view.status, STATUS_STYLES.get(view.status, ""))
    yield _field("status", status, f"  {count(view.steps_executed, 'step')} executed")
    at = f"  {one_line(view.commit.subject, 100)}"
    yield _field(
        "commit", (short_commit(view.commit.id), ID), *([f" {view.branch}"] if view.branch else []), at
    )
    if view.usage["model_calls"]:
        yield _field("models", usage_text(view.usage))
    if len(view.branches) > 1:
        yield _field(
            "branches", ", ".join(f"{each.name}{'*' if each.is_current else ''}" for each in view.branches)
        )
    if view.task.namespace is not None:
        yield _field("namespace", view.task.namespace)
    limits = view.goal.get("limits")
    if isinstance(limits, Mapping):
        yield _field("limits", _limits_text(limits))
    if view.goal.get("response_format") is not None:
        yield _field("format", preview(view.goal["response_format"], _TEXT_CHARACTERS))
    yield _field("created", moment(view.task.created_ms), (f"  history in {view.task.store}", QUIET))


def _field(name: str, *parts: str | tuple[str, str]) -> Line:
    return [(f"{name:<10}", QUIET), *parts]


def _limits_text(limits: Mapping[str, Json]) -> str:
    texts = [text(limits[name]) for name, text in _LIMIT_TEXTS.items() if name in limits]
    return ", ".join([*texts, *(f"{name} {limits[name]}" for name in limits.keys() - _LIMIT_TEXTS.keys())])


def _plan(steps: list[StepView]) -> Iterator[Line]:
    yield []
    yield [("plan", NAME), (f"  {count(len(steps), 'step')}", QUIET)]
    if not steps:
        return
    number_wide = max(len(str(step.seq_no)) for step in steps)
    titles = [_title(step) for step in steps]
    title_wide = min(48, max(map(cells, titles)))
    for step, title in zip(steps, titles, strict=True):
        mark = _STATE_MARKS.get(step.state, (step.state, ""))
        line: Line = ["  ", mark, f" {step.seq_no:>{number_wide}} {title}"]
        if step.commit is not None or step.description is not None:
            line = [*line, " " * (title_wide - cells(title)), *_step_notes(step)]
        yield line


def _step_notes(step: StepView) -> Line:
    """The newest commit of the step, how often it was done, and what its author says of it."""
    commit = short_commit(step.commit) if step.commit is not None else short_commit(" " * 40)
    visits = f" ×{step.visits:,}" if step.visits > 1 else ""
    description = f"  {one_line(step.description, 100)}" if step.description else ""
    return [(f"  {commit}{visits}", ID), (description, QUIET)]


def _title(step: StepView) -> str:
    """What the step does, in a few words: ``read_file -> text``, ``assign -> a, b``, ``jmp -> 3 or 7``."""
    parameters = step.parameters if isinstance(step.parameters, Mapping) else {}
    if step.type == "calling":
        outputs = parameters.get("output_vars") or []
        named = [outputs] if isinstance(outputs, str) else list(outputs)
        fan = " (for_each)" if parameters.get("for_each") is not None else ""
        return f"{step.tool}{fan}" + (f" -> {', '.join(named)}" if named else "")
    if step.type == "assign":
        return one_line("assign -> " + ", ".join(parameters), 60)
    if step.type == "jmp":
        targets = [
            parameters[name]
            for name in ("target_seq", "jump_if_true", "jump_if_false")
            if parameters.get(name) is not None
        ]
        condition = parameters.get("condition") or parameters.get("condition_prompt")
        why = f"jmp if {one_line(str(condition), 30)}" if condition else "jmp"
        return f"{why} -> {' or '.join(map(str, targets))}"
    return step.type


def _variables(variables: Mapping[str, Json]) -> Iterator[Line]:
    if not variables:
        return
    yield []
    yield [("variables", NAME), (f"  {len(variables):,}", QUIET)]
    shown = dict(sorted(variables.items())[:_NAMED_VARIABLES])
    sizes = {name: kind_and_size(value) for name, value in shown.items()}
    name_wide, size_wide = min(32, max(map(len, shown))), max(map(len, sizes.values()))
    room = max(20, width() - name_wide - size_wide - 6)
    for name, value in shown.items():
        yield [
            f"  {name:<{name_wide}}  ",
            (f"{sizes[name]:<{size_wide}}", QUIET),
            f"  {preview(value, room)}",
        ]
    if len(variables) > len(shown):
        yield [(f"  … {count(len(variables) - len(shown), 'more variable')}", QUIET)]

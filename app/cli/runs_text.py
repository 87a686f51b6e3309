"""Two runs side by side for a person: what each has used, then the steps that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app.cli.change_text import ADDED, CHANGED, REMOVED, change_lines, variable_lines
from app.cli.screen import NAME, QUIET, STATUS_STYLES, Line, Segment, cells, crop, table, width
from app.cli.texts import count, duration, short_commit, short_task
from app.history.commits import one_line
from app.plan.dataflow import FINAL_ANSWER
from app.plan.diff import ABSENT
from app.plan.model import Json
from app.services.comparisons import SAME, Divergence, RunComparison, RunSide, StepPair, StepSide

_WORDS: Final = {
    "inputs": ("~", CHANGED, "inputs"),
    "output": ("~", CHANGED, "output"),
    "step": ("~", CHANGED, "step"),
    "removed": ("-", REMOVED, "left only"),
    "added": ("+", ADDED, "right only"),
}
"""Kind of change → its mark, its style, and the word for what differs."""

_WORD_WIDE: Final = 10
_TIME_WIDE: Final = 8
_COST_WIDE: Final = 7
_TITLE_LEAST: Final = 16
_SHOWN_CHANGES: Final = 10


def run_lines(runs: RunComparison) -> Iterator[Line]:
    """Both runs, and the steps that differ, with those that don't counted only."""
    yield []
    yield [("runs", NAME)]
    for line in table(["", "LEFT", "RIGHT"], _sides(runs.left, runs.right)):
        yield ["  ", *line]
    yield []
    yield [("steps", NAME), ("  the same" if runs.first_divergence is None else "", QUIET)]
    if runs.first_divergence is not None:
        yield from _steps(runs, runs.first_divergence)


def end_lines(runs: RunComparison) -> Iterator[Line]:
    """What the runs came to: the variables that differ, and the final answers."""
    variables = [change for change in runs.variables if change.name != FINAL_ANSWER]
    yield []
    yield [("variables", NAME), ("" if variables else "  the same", QUIET)]
    yield from variable_lines(variables)
    yield []
    yield from _answers(runs)


def _sides(left: RunSide, right: RunSide) -> list[list[Segment]]:
    sides = (left, right)
    rows: list[list[Segment]] = [
        [("run", QUIET), *(_name(side, with_task=left.task_id != right.task_id) for side in sides)],
        [("status", QUIET), *((side.status, STATUS_STYLES.get(side.status, "")) for side in sides)],
        [("steps", QUIET), *(f"{side.steps:,}" for side in sides)],
        [("time", QUIET), *(duration(side.worked_ms / 1000) for side in sides)],
    ]
    if any(side.usage["model_calls"] for side in sides):
        for title, name in (("model calls", "model_calls"), ("tokens in", "input_tokens")):
            rows.append([(title, QUIET), *(_amount(side.usage[name]) for side in sides)])
        rows.append([("tokens out", QUIET), *(_amount(side.usage["output_tokens"]) for side in sides)])
        rows.append([("cost", QUIET), *(_cost(side.usage["cost"]) for side in sides)])
    return rows


def _name(side: RunSide, *, with_task: bool) -> Segment:
    words = [short_task(side.task_id)] if with_task else []
    return " ".join([*words, side.branch or short_commit(side.head.id)]), NAME


def _amount(number: Json) -> str:
    return "unknown" if number is None else f"{number:,}"


def _cost(cost: Json) -> str:
    return "unknown" if cost is None else f"{cost:.4f}"


@dataclass(frozen=True, slots=True)
class _Columns:
    """How wide the columns of the steps are; costs have one where any step has one."""

    number: int
    title: int
    with_costs: bool


def _steps(runs: RunComparison, first: Divergence) -> Iterator[Line]:
    columns = _columns([pair for pair in runs.steps if pair.change != SAME])
    yield _row(
        columns, "  ", "LEFT", "RIGHT", "STEP", "DIFFERS", ["LEFT", "RIGHT", "COST", "COST"], QUIET, QUIET
    )
    for same, group in groupby(enumerate(runs.steps), lambda numbered: numbered[1].change == SAME):
        if same:
            yield [(f"    … {_same_text(list(group), runs.shared_steps)}", QUIET)]
            continue
        for index, pair in group:
            yield _pair(columns, pair)
            if index == first.index:
                yield from _divergence(first)


def _same_text(group: list[tuple[int, StepPair]], shared: int) -> str:
    text = f"{count(len(group), 'step')} the same"
    return f"{text}, {shared:,} of them shared" if shared and group[0][0] == 0 else text


def _columns(pairs: list[StepPair]) -> _Columns:
    sides = [side for pair in pairs for side in (pair.left, pair.right) if side is not None]
    number = max(len("RIGHT"), *(len(_number(side)) for side in sides))
    with_costs = any(side.trace is not None and side.trace.model_calls for side in sides)
    used = 4 + 2 * (number + 2) + (_WORD_WIDE + 2) + 2 * (_TIME_WIDE + 1)
    used += 2 * (_COST_WIDE + 1) if with_costs else 0
    return _Columns(number, max(_TITLE_LEAST, min(48, width() - used - 2)), with_costs)


def _number(side: StepSide | None) -> str:
    """``20``, ``20×3`` where it had come round, the kind of a commit that is no step."""
    if side is None:
        return ""
    if side.commit.seq_no is None:
        return one_line(side.commit.kind or "commit", 12)
    return f"{side.commit.seq_no}×{side.visit:,}" if (side.visit or 1) > 1 else str(side.commit.seq_no)


def _pair(columns: _Columns, pair: StepPair) -> Line:
    mark, style, word = _WORDS[pair.change]
    traces = [side.trace if side is not None else None for side in (pair.left, pair.right)]
    times = [
        "" if each is None or each.duration_ms is None else duration(each.duration_ms / 1000)
        for each in traces
    ]
    costs = ["" if each is None or not each.model_calls else _cost(each.cost) for each in traces]
    left, right = _number(pair.left), _number(pair.right)
    return _row(columns, f"  {mark} ", left, right, _title(pair), word, [*times, *costs], style, "")


def _row(
    columns: _Columns,
    mark: str,
    left: str,
    right: str,
    title: str,
    word: str,
    amounts: list[str],
    style: str,
    title_style: str,
) -> Line:
    text = crop(title, columns.title)
    line = f"{text}{' ' * (columns.title - cells(text))}  "
    wide = [_TIME_WIDE, _TIME_WIDE] + ([_COST_WIDE, _COST_WIDE] if columns.with_costs else [])
    used = " ".join(f"{amount:>{size}}" for amount, size in zip(amounts, wide, strict=False))
    return [
        (f"{mark:<4}", style),
        (f"{left:>{columns.number}}  {right:>{columns.number}}  ", QUIET),
        (line, title_style),
        (f"{word:<{_WORD_WIDE}}" if used.strip() else word, style),
        (f"  {used}".rstrip(), QUIET),
    ]


def _title(pair: StepPair) -> str:
    """What the step did, without its number; of two that differ in it, both."""
    titles = [
        one_line(side.commit.subject, 200).partition(": ")[2] or side.commit.subject
        for side in (pair.left, pair.right)
        if side is not None
    ]
    return " | ".join(dict.fromkeys(titles))


def _divergence(first: Divergence) -> Iterator[Line]:
    yield [("      ↑ the first divergence", NAME)]
    for change in first.changes[:_SHOWN_CHANGES]:
        yield from change_lines("        ", change.path or "value", change.old, change.new)
    if len(first.changes) > _SHOWN_CHANGES:
        yield [(f"        … {count(len(first.changes) - _SHOWN_CHANGES, 'more change')}", QUIET)]


def _answers(runs: RunComparison) -> Iterator[Line]:
    if runs.same_answer:
        yield [("final_answer", NAME), ("  the same" if runs.answers else "  none", QUIET)]
        return
    left, right = (runs.answers.get(name, ABSENT) for name in ("left", "right"))
    yield from change_lines("", "final_answer", left, right, NAME)

"""Progress: what is said about a step, and that a quick run is not slowed down by saying it."""

from __future__ import annotations

from typing import Any

import pytest
from command_line import call

from app.cli.progress import BURST_LINES, LineLimiter, PlainProgress, step_line
from app.cli.screen import Line, cells, crop, plain
from app.cli.texts import byte_size, count, duration, elapsed, kind_and_size, preview
from app.plan.model import Step
from app.plan.parse import plan_from_json
from app.vm.events import ItemDone, StepCommitted, StepStarted, ToolSaid


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def step(document: dict[str, Any], seq_no: int = 3) -> Step:
    return plan_from_json([{"seq_no": seq_no, **document}]).steps[0]


def committed(
    error: str | None = None, kind: str = "step", milliseconds: int | None = 12, **values: Any
) -> StepCommitted:
    return StepCommitted(
        "c0ffee", step(call("read_file", "text")), kind, "read_file -> text", milliseconds, values, error
    )


class Screen:
    """Takes what is written."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, lines: list[Line]) -> None:
        self.lines += [plain(line) for line in lines]


def test_a_finished_step_is_a_line() -> None:
    line = plain(step_line(committed(text="first line\nsecond " + "x" * 100)))
    assert line == '✓ 3 read_file -> text  0.012 s  "first line\\nsecond xxxxxxxxxxxxxxxxxxx…'


def test_a_failure_says_why() -> None:
    line = plain(step_line(committed(error="no file\n'x'", kind="failure")))
    assert line == "✗ 3 read_file -> text  0.012 s  no file 'x'"


def test_a_handled_failure_has_a_mark_of_its_own() -> None:
    assert plain(step_line(committed(error="no file", error_={}))).startswith("! 3 ")


def test_many_steps_are_counted_instead_of_shown() -> None:
    clock, screen = Clock(), Screen()
    progress = PlainProgress(screen, clock)
    for _ in range(5_000):
        progress.listen(committed(milliseconds=None))
    assert len(screen.lines) == BURST_LINES
    clock.now += 0.125
    progress.listen(committed(milliseconds=None))
    assert screen.lines[BURST_LINES].strip() == f"… {5_000 - BURST_LINES:,} more steps"
    progress.listen(committed(milliseconds=None))
    progress.end()
    assert screen.lines[-1].strip() == "… 1 more step"


def test_a_failure_is_shown_however_many_steps_there_were() -> None:
    screen = Screen()
    progress = PlainProgress(screen, Clock())
    for _ in range(BURST_LINES + 5):
        progress.listen(committed())
    progress.listen(committed(error="broken", kind="failure"))
    assert screen.lines[-2:] == ["  … 5 more steps", "✗ 3 read_file -> text  0.012 s  broken"]


def test_the_limiter_earns_lines_with_time() -> None:
    clock = Clock()
    limiter = LineLimiter(burst=2, lines_a_second=4, clock=clock)
    assert [limiter.admits() for _ in range(4)] == [True, True, False, False]
    clock.now += 0.25
    assert [limiter.admits() for _ in range(2)] == [True, False]
    clock.now += 60
    assert [limiter.admits() for _ in range(4)] == [True, True, False, False]


def test_messages_of_a_running_step_come_once_a_second() -> None:
    clock, screen = Clock(), Screen()
    progress = PlainProgress(screen, clock)
    running = step(call("read_file", "text"))
    progress.listen(StepStarted(running, 1, 400))
    progress.listen(ItemDone(running, 1, 400))
    clock.now += 1.1
    progress.listen(ItemDone(running, 120, 400))
    progress.listen(ToolSaid(3, None, "too soon", None))
    clock.now += 1.1
    progress.listen(ToolSaid(3, None, "half\nway", 0.5))
    assert screen.lines == ["  3 120 of 400 items", "  3 half way (50%)"]


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        ("short", 20, '"short"'),
        ("long" * 100, 10, '"longlong…'),
        ([1, {"a": None}], 40, '[1, {"a": null}]'),
        (list(range(1_000_000)), 12, "[0, 1, 2, 3…"),
        ("ünïcode", 40, '"ünïcode"'),
        ("\x1b[31m\x00", 40, '"\\u001b[31m\\u0000"'),
        (None, 10, "null"),
        (True, 10, "true"),
    ],
)
def test_a_value_is_shown_by_its_beginning(value: Any, limit: int, expected: str) -> None:
    assert preview(value, limit) == expected


def test_sizes_and_times_have_units() -> None:
    assert [kind_and_size(value) for value in ("ab", [1], {"a": 1}, True, None, 1.5)] == [
        "2 characters", "1 item", "1 key", "boolean", "null", "number",
    ]  # fmt: skip
    assert [duration(seconds) for seconds in (0.0123, 4.21, 185, 7_440)] == [
        "0.012 s",
        "4.2 s",
        "3 min 5 s",
        "2 h 4 min",
    ]
    assert elapsed(0.0123) == "0.0 s"
    assert [byte_size(number) for number in (512, 1_536, 16 * 1024**2)] == ["512 B", "1.5 KiB", "16 MiB"]
    assert count(1, "step") == "1 step"
    assert count(2_000, "step") == "2,000 steps"


def test_wide_characters_take_two_columns() -> None:
    assert cells("a世界") == 5
    assert crop("a世界b", 4) == "a世…"
    assert crop("abc", 3) == "abc"

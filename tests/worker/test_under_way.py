from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from app.db.feed import LiveRow
from app.errors import StorageError
from app.plan.model import Plan, Step
from app.plan.parse import plan_from_json
from app.vm.events import (
    ItemDone,
    ModelRetried,
    PlanningStarted,
    RevisionMade,
    StepCommitted,
    StepStarted,
    TokenSaid,
    ToolSaid,
)
from app.worker import under_way
from app.worker.live import LiveWatcher
from app.worker.under_way import TEXT_CHARS, UnderWay


class Table:
    """Keeps what is written down; fails when told."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}
        self.writes = 0
        self.fails = False

    def put_live(self, rows: list[LiveRow], gone: list[tuple[str, str]] = []) -> None:  # noqa: B006
        if self.fails:
            raise StorageError("away")
        self.writes += 1
        for key in gone:
            self.rows.pop(key, None)
        self.rows |= {(row.task_id, row.branch): row.data for row in rows}

    def clear_live(self) -> None:
        pass


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What begins is shown at once."""
    monkeypatch.setattr(under_way, "SHOWN_AFTER_MS", 0)


def step(seq_no: int = 1, **more: Any) -> Step:
    parameters = {"tool_name": "llm_generate", "tool_params": {"prompt": "x"}, "output_vars": "a", **more}
    plan: Plan = plan_from_json({"steps": [{"seq_no": seq_no, "type": "calling", "parameters": parameters}]})
    return plan.steps[0]


def committed(done: Step) -> StepCommitted:
    return StepCommitted("c" * 40, done, "step", "done", 1, {})


def run() -> UnderWay:
    return UnderWay("t", "main", lambda text: text.replace("secret", "***"))


@pytest.mark.usefixtures("at_once")
def test_a_step_shows_its_items_its_message_and_the_text_of_its_model() -> None:
    seen = run()
    seen.hear(StepStarted(step(), 1, 40))
    seen.hear(ItemDone(step(), 12, 40))
    seen.hear(ToolSaid(1, 3, "half of\nthe secret", 0.5))
    for token in ("Once ", "upon"):
        seen.hear(TokenSaid(1, 3, token))
    document = seen.to_json()
    [shown], [text] = document["steps"], document["texts"]
    assert (shown["done"], shown["count"], shown["message"], shown["fraction"]) == (
        12,
        40,
        "half of the ***",
        0.5,
    )
    assert (text["seq_no"], text["item"], text["text"], text["chars"]) == (1, 3, "Once upon", 9)
    seen.hear(committed(step()))
    assert seen.to_json() == {}


@pytest.mark.usefixtures("at_once")
def test_a_retry_voids_the_text_and_says_why() -> None:
    seen = run()
    seen.hear(StepStarted(step(), 1))
    seen.hear(TokenSaid(1, None, "wrong"))
    seen.hear(ModelRetried(1, None, "rate_limit", "slow down", 2.0))
    [text] = seen.to_json()["texts"]
    assert (text["text"], text["chars"], text["retry"]["kind"]) == ("", 0, "rate_limit")
    seen.hear(TokenSaid(1, None, "right"))
    [text] = seen.to_json()["texts"]
    assert (text["text"], text["retry"]) == ("right", None)


@pytest.mark.usefixtures("at_once")
def test_of_a_long_text_the_end_is_kept_and_its_length() -> None:
    seen = run()
    seen.hear(PlanningStarted("m", False))
    for _ in range(TEXT_CHARS):
        seen.hear(TokenSaid(None, None, "ab\ud800"))
    [text] = seen.to_json()["texts"]
    assert len(text["text"]) == TEXT_CHARS and text["chars"] == 3 * TEXT_CHARS
    text["text"].encode()


def test_what_is_quick_is_never_shown() -> None:
    seen = run()
    seen.hear(StepStarted(step(), 1))
    assert seen.to_json() == {}


def wait_for(what: Any, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_fast_steps_write_nothing_down() -> None:
    table = Table()
    watcher = LiveWatcher(table, str)  # type: ignore[arg-type]
    listener = watcher.open("t", "main")
    until = time.monotonic() + 0.8
    while time.monotonic() < until:
        listener(StepStarted(step(), 1))
        listener(committed(step()))
    watcher.close("t", "main")
    watcher.stop()
    assert table.writes == 0


def test_a_slow_step_is_written_once_while_nothing_changes_and_goes_at_its_end() -> None:
    table = Table()
    watcher = LiveWatcher(table, str)  # type: ignore[arg-type]
    listener = watcher.open("t", "main")
    listener(StepStarted(step(), 1))
    wait_for(lambda: table.rows)
    time.sleep(0.6)
    assert table.writes == 1
    watcher.close("t", "main")
    wait_for(lambda: not table.rows)
    watcher.stop()


def test_a_revision_moves_the_run_to_its_branch_and_trouble_of_the_database_passes() -> None:
    table = Table()
    watcher = LiveWatcher(table, str)  # type: ignore[arg-type]
    listener = watcher.open("t", "main")
    listener(StepStarted(step(), 1))
    wait_for(lambda: ("t", "main") in table.rows)
    table.fails = True
    listener(RevisionMade("revision-1", "c" * 40, 0, Plan(())))
    listener(StepStarted(step(2), 1))
    time.sleep(0.6)
    table.fails = False
    wait_for(lambda: set(table.rows) == {("t", "revision-1")})
    watcher.close("t", "main")
    watcher.stop()
    assert table.rows == {}
    assert not [thread for thread in threading.enumerate() if thread.name == "live"]

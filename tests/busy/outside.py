"""Runs whose tools write to a file outside: what was really done, however often somebody asks."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from plans import assign, call, jump

from app.bootstrap import build_workplace, open_presence
from app.config import Settings
from app.db.session import Database, open_database
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import ToolContext, tool
from app.tools.base import Tool
from app.tools.registry import Registry
from app.vm.interrupts import Interrupts

ROUNDS = 3
NAP_SECONDS = 0.01


class Outside:
    """The world beyond the database: one line a call in ``file``."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    def tools(self) -> list[Tool]:
        def said(kind: str, what: str, context: ToolContext) -> str:
            line = json.dumps([context.task_id, kind, what, context.idempotency_key])
            handle = os.open(self.file, os.O_WRONLY | os.O_APPEND)
            os.write(handle, line.encode() + b"\n")
            os.close(handle)
            time.sleep(NAP_SECONDS)
            return f"{kind} {what}"

        @tool(effect="write")
        def put(what: str, context: ToolContext) -> str:
            """Write."""
            return said("put", what, context)

        @tool(effect="irreversible")
        def send(what: str, context: ToolContext) -> str:
            """Send."""
            return said("send", what, context)

        @tool(effect="read")
        def look(what: str, context: ToolContext) -> str:
            """Look."""
            return said("look", what, context)

        return [put, send, look]

    def counts(self, task_id: str) -> Counter[tuple[str, str]]:
        """How often each call of a task was made."""
        return Counter((kind, what) for task, kind, what, _ in self._lines() if task == task_id)

    def keys(self, task_id: str) -> dict[tuple[str, str], int]:
        """Under how many keys each was written."""
        found: dict[tuple[str, str], set[str]] = {}
        for task, kind, what, key in self._lines():
            if task == task_id and kind == "put":
                found.setdefault((kind, what), set()).add(key)
        return {what: len(keys) for what, keys in found.items()}

    def _lines(self) -> list[list[str]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]


def plan() -> str:
    """A loop of writes, sends, and calls side by side."""
    steps = [
        assign(1, i=0, all=[]),
        call(2, "put", "a", {"what": "${{ str(i) }}"}),
        call(3, "send", "b", {"what": "${{ str(i) }}"}),
        call(4, "look", "c", {"what": "${{ str(i) + '-' + item }}"}, for_each=list("abcd")),
        call(5, "put", "d", {"what": "${{ str(i) + '-' + item }}"}, for_each=list("abcd")),
        call(6, "send", "e", {"what": "${{ str(i) + '-' + item }}"}, for_each=list("ab")),
        assign(7, i="${{ i + 1 }}", all="${{ all + [a, b, c, d, e] }}"),
        jump(8, condition=f"i < {ROUNDS}", jump_if_true=2),
        assign(9, final_answer="${{ len(all) }}"),
    ]
    return json.dumps(steps)


EXPECTED = Counter(
    [(kind, str(i)) for i in range(ROUNDS) for kind in ("put", "send")]
    + [(kind, f"{i}-{item}") for i in range(ROUNDS) for kind in ("look", "put") for item in "abcd"]
    + [("send", f"{i}-{item}") for i in range(ROUNDS) for item in "ab"]
)


def open_place(url: str, folder: Path, outside: Outside, **settings: Any) -> tuple[Workplace, Database]:
    """A workplace on a database that has its tables."""
    chosen = Settings(_env_file=None, database_uri=url, var_dir=folder, tools_root=folder, **settings)  # type: ignore[call-arg]
    database = open_database(url, chosen.database_patience)
    registry = Registry()
    for each in outside.tools():
        registry.add(each)
    place = replace(
        build_workplace(chosen, database, open_presence(chosen)),
        load_registry=lambda: registry,
        person="tester",
    )
    return place, database


def run(place: Workplace, width: int) -> RunReport:
    """A task from its submission to its end."""
    task = submit_task(place, NewTask(goal="a goal", plan=plan()))
    return run_branch(place, task, "main", RunOptions(Interrupts(), parallel=width))


def resume(place: Workplace, task_id: str, width: int) -> RunReport:
    """Go on, when the lease has run out that could not be given back."""
    task = find_task(place, task_id)
    options = RunOptions(Interrupts(), parallel=width, on_held=lambda held: None)
    return run_branch(place, task, "main", options)


def end(place: Workplace, outside: Outside, report: RunReport, width: int) -> RunReport:
    """Decide as a person does who looks outside, until the run has ended."""
    while report.waiting is not None:
        what = report.waiting.inputs["what"]
        happened = outside.counts(report.task_id)["send", what]
        choice = Decision("skip", f"send {what}") if happened else Decision("run")
        decide(place, find_task(place, report.task_id), "main", choice)
        report = resume(place, report.task_id, width)
    return report


def check(place: Workplace, outside: Outside, report: RunReport, *, stopped: bool = False) -> None:
    """It ended right, did everything once, and its replay is identical. ``stopped``: it was stopped while calls were
    made, so what it read it may have read again, and what it wrote written again under the same key."""
    assert (report.status, report.final_answer) == ("completed", 5 * ROUNDS), report
    counts = outside.counts(report.task_id)
    assert set(counts) == set(EXPECTED)
    for call_made, number in counts.items():
        assert number == 1 or (stopped and call_made[0] != "send"), (call_made, number)
    assert outside.keys(report.task_id) == {what: 1 for what in EXPECTED if what[0] == "put"}
    task = find_task(place, report.task_id)
    assert (task.status, task.steps) == ("completed", report.steps)
    assert replay_branch(place, task, None)[1].divergence is None
    ledger = place.ledger(report.task_id)
    assert ledger.branch_effects("main") == []
    if not stopped:
        keyed = sum(number for (kind, _), number in EXPECTED.items() if kind != "look")
        assert len(ledger.branch_attempts("main")) == keyed, "an attempt was begun twice"

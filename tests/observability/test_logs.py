"""Lines: one JSON object each, with the ids of what they are about in whatever thread, and no secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "services"))

from place import make_workplace

from app.errors import BranchMoved
from app.log_fields import RUNS, bound, carried, tell
from app.observability.base import Claimed, HandedBack
from app.observability.logs import hide, make_formatter
from app.observability.run_lines import RunLines
from app.services.observing import observed
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.tools import ToolContext, tool
from app.tools.masks import NO_MASKS, Masks
from app.vm.interrupts import Interrupts

LOG = logging.getLogger("tests.lines")


class Said(io.StringIO):
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == event]


@pytest.fixture
def said() -> Iterator[Said]:
    """What is logged, as in production."""
    yield from _said(pretty=False)


@pytest.fixture
def shown() -> Iterator[Said]:
    yield from _said(pretty=True)


def _said(*, pretty: bool) -> Iterator[Said]:
    kept, root = Said(), logging.getLogger()
    handler = logging.StreamHandler(kept)
    handler.setFormatter(make_formatter(pretty=pretty))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield kept
    root.removeHandler(handler)
    root.setLevel(before)
    hide(NO_MASKS)


def test_a_line_of_ours_and_one_of_a_library_look_the_same(said: Said) -> None:
    with bound(request_id="r1", trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01"):
        tell(LOG, logging.INFO, "thing.happened", "it did", size=3, absent=None)
        logging.getLogger("gunicorn.error").warning("worker %s timed out", 7)
    tell(LOG, logging.INFO, "thing.happened")
    tell(LOG, logging.DEBUG, "thing.happened", "not this")
    ours, theirs, bare = said.lines()
    assert ours.pop("timestamp") and theirs.pop("timestamp")
    about = {"request_id": "r1", "trace_id": "a" * 32}
    assert ours == {
        "event": "thing.happened",
        "message": "it did",
        "size": 3,
        "level": "info",
        "logger": "tests.lines",
        **about,
    }
    assert theirs == {
        "event": "worker 7 timed out",
        "level": "warning",
        "logger": "gunicorn.error",
        **about,
    }
    assert "request_id" not in bare and "message" not in bare


def test_an_exception_is_in_its_line(said: Said) -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        LOG.exception("a fault")
    [line] = said.lines()
    assert line["event"] == "a fault" and "ValueError: wrong" in line["exception"]


def test_no_line_shows_a_secret_wherever_it_stands(said: Said) -> None:
    hide(Masks({"secret:TOKEN": "s3cr3t-value", "secret:PIN": "4711001"}))
    with bound(task_id="s3cr3t-value"):
        tell(LOG, logging.INFO, "thing.happened", "with s3cr3t-value", number=4711001, parts=["s3cr3t-value"])
    try:
        raise ValueError("s3cr3t-value")
    except ValueError:
        LOG.exception("the value %s", "s3cr3t-value")
    LOG.info("an object", extra={"event": "odd.one", "fields": {"held": Path("/s3cr3t-value")}})
    text = said.getvalue()
    assert "s3cr3t-value" not in text and "4711001" not in text
    assert len(said.lines()) == 3 and said.lines()[0]["number"] == "secret:PIN"


def test_for_a_person_a_line_is_words(shown: Said) -> None:
    hide(Masks({"secret:TOKEN": "s3cr3t-value"}))
    with bound(task_id="t1"):
        tell(LOG, logging.WARNING, "thing.happened", "it s3cr3t-value did", step=3)
    [line] = shown.getvalue().splitlines()
    assert "thing.happened" in line and "task_id" in line and "secret:TOKEN" in line
    assert "s3cr3t-value" not in line


def test_fields_end_with_their_block_and_go_along_into_a_thread(said: Said) -> None:
    with bound(task_id="t1"):
        with bound(branch="b"):
            inner = threading.Thread(target=carried(LOG.info), args=("inside",))
            bare = threading.Thread(target=LOG.info, args=("bare",))
            for thread in (inner, bare):
                thread.start()
                thread.join()
        LOG.info("behind")
    named = {line["event"]: (line.get("task_id"), line.get("branch")) for line in said.lines()}
    assert named == {"inside": ("t1", "b"), "bare": (None, None), "behind": ("t1", None)}


@tool(effect="read")
def say(value: int, context: ToolContext) -> int:
    """Logs, in the thread it runs in."""
    logging.getLogger("some.library").info("asked from %s", threading.current_thread().name)
    context.logger.info("told by its logger")
    if value < 0:
        raise RuntimeError("below zero")
    return value


@tool(effect="read")
async def say_async(value: int) -> int:
    """Logs from the event loop."""
    logging.getLogger("some.library").info("asked from a loop")
    return value


def call(name: str, output: str, **given: Any) -> dict[str, Any]:
    parameters = {"tool_name": name, "tool_params": given, "output_vars": output}
    return {"type": "calling", "parameters": parameters}


def run(folder: Path, *steps: dict[str, Any], beside: bool) -> str:
    place, database = make_workplace(folder, [say, say_async])
    place = replace(place, observers=(RunLines(),))
    answer = {"type": "assign", "parameters": {"final_answer": 1}}
    numbered = [{"seq_no": number, **step} for number, step in enumerate([*steps, answer], 1)]
    task = submit_task(place, NewTask("g", json.dumps(numbered)))
    options = RunOptions(Interrupts(), parallel=4 if beside else 1)
    with bound(request_id="r9"):
        run_branch(place, task, "main", options)
    database.close()
    return task.id


def test_every_line_of_a_run_says_whose_it_is_in_the_threads_of_its_tools_too(
    said: Said, tmp_path: Path
) -> None:
    task_id = run(
        tmp_path,
        call("say", "a", value=1),
        call("say", "b", value=2),
        call("say_async", "c", value=3),
        call("say", "d", value=-1),
        beside=True,
    )
    assert {line.get("task_id") for line in said.lines()} == {task_id}
    assert {line.get("branch") for line in said.lines()} == {"main"}
    assert {line.get("request_id") for line in said.lines()} == {"r9"}
    by_tools = [line for line in said.lines() if line["logger"].startswith(("some.library", "stackvm.tools"))]
    assert sorted({line["step"] for line in by_tools}) == [1, 2, 3, 4]
    threads = {line["event"] for line in by_tools if "asked from stackvm-tool" in line["event"]}
    assert threads, "some ran beside the run's own thread"
    [failed] = said.of("step.failed")
    assert (failed["step"], failed["level"]) == (4, "warning") and "below zero" in failed["message"]
    [started], [ended] = said.of("run.started"), said.of("run.ended")
    assert (ended["status"], ended["steps"]) == ("failed", 4)
    assert "step" not in started


def test_a_retry_is_a_line(said: Said, tmp_path: Path) -> None:
    retry = {"retry": {"max_attempts": 3, "backoff": 0.001}}
    failing = call("say", "a", value=-1)
    failing["parameters"] |= retry
    run(tmp_path, failing, beside=False)
    assert [line["attempt"] for line in said.of("step.retried")] == [2, 3]


def test_what_becomes_of_a_run_on_its_way_is_a_line(said: Said, tmp_path: Path) -> None:
    lines = RunLines()
    for handed in (Claimed(0), Claimed(2), HandedBack("shutdown")):
        lines.note(handed)
    [taken] = said.of("run.taken_over")
    assert (taken["takeovers"], taken["level"]) == (2, "warning")
    assert [line["event"] for line in said.lines()] == ["run.claimed", "run.taken_over", "run.handed_back"]
    assert said.of("run.handed_back")[0]["reason"] == "shutdown"

    place, database = make_workplace(tmp_path, [say])
    task = submit_task(
        place, NewTask("g", '[{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 1}}]')
    )
    with pytest.raises(BranchMoved), observed(place, task, "main", None):
        raise BranchMoved("main", "its lease is no longer ours")
    assert said.of("lease.lost")[0]["task_id"] == task.id
    database.close()


def test_unobserved_nothing_is_said_where_nobody_set_up_logging(capfd: pytest.CaptureFixture[str]) -> None:
    tell(RUNS, logging.WARNING, "lease.lost", "a command says it in its own way")
    assert capfd.readouterr().err == ""

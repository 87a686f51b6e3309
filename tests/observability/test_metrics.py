"""Figures: right under several processes and after one died, named by convention, and all in the documentation."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import ROOT, Served, serving

sys.path.insert(0, str(Path(__file__).parent.parent / "services"))

from place import make_workplace

from app.api.metrics import NONE, queue_figures
from app.config import Settings
from app.db.jobs import SqlJobs
from app.db.serving import Backlog, Depth, Job
from app.errors import ConfigurationError
from app.llm.base import ModelCall
from app.observability.base import Claimed, HandedBack
from app.observability.figures import Figures, RunFigures
from app.observability.metrics import OTHER, REGISTRY, Bounded, serve_metrics
from app.observability.opening import serve_figures
from app.services.planning import plan_goal
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.tools import tool
from app.vm.events import Event, ModelCalled
from app.vm.interrupts import Interrupts

PAGE = ROOT / "docs" / "observing.md"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Grown:
    """How much figures have grown since."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for family in REGISTRY.collect():
            for sample in family.samples:
                self._before[sample.name, tuple(sorted(sample.labels.items()))] = sample.value

    def by(self, name: str, **labels: str) -> float:
        return value(name, **labels) - self._before.get((name, tuple(sorted(labels.items()))), 0.0)


@tool(effect="read")
def look(value: int) -> int:
    """Fails below zero."""
    if value < 0:
        raise RuntimeError("below zero")
    return value


def call(output: str, given: int, **more: Any) -> dict[str, Any]:
    parameters = {"tool_name": "look", "tool_params": {"value": given}, "output_vars": output, **more}
    return {"type": "calling", "parameters": parameters}


def run(folder: Path, *steps: dict[str, Any], observers: tuple[Any, ...] = (Figures(),)) -> str:
    place, database = make_workplace(folder, [look])
    answer = {"type": "assign", "parameters": {"final_answer": 1}}
    numbered = [{"seq_no": number, **step} for number, step in enumerate([*steps, answer], 1)]
    task = submit_task(place, NewTask("g", json.dumps(numbered)))
    report = run_branch(replace(place, observers=observers), task, "main", RunOptions(Interrupts()))
    database.close()
    return report.status


def test_a_run_is_counted(tmp_path: Path) -> None:
    grown = Grown()
    retry = {"retry": {"max_attempts": 3, "backoff": 0.001}}
    assert run(tmp_path, call("a", 1), call("b", 2), call("c", -1, **retry)) == "failed"
    assert grown.by("stackvm_runs_total", status="failed") == 1
    assert grown.by("stackvm_run_duration_seconds_count", status="failed") == 1
    assert grown.by("stackvm_steps_total", instruction="calling", outcome="ok") == 2
    assert grown.by("stackvm_steps_total", instruction="calling", outcome="failed") == 1
    assert grown.by("stackvm_step_duration_seconds_count", instruction="calling") == 3
    assert grown.by("stackvm_calls_made_total") == 3
    assert grown.by("stackvm_tool_call_duration_seconds_count", tool="look", outcome="ok") == 2
    assert grown.by("stackvm_tool_call_duration_seconds_count", tool="look", outcome="raised") == 3
    assert grown.by("stackvm_flush_duration_seconds_count") >= 1
    assert value("stackvm_runs_under_way") == 0


def test_model_calls_are_counted_as_far_as_somebody_counted_them() -> None:
    grown, watch = Grown(), RunFigures()
    known = ModelCall("generate", "p", "m1", None, None, 70, 30, 0.5, 1, None, (), 1_000, 3_000)
    unknown = replace(known, input_tokens=None, output_tokens=None, cost=None)
    watch.hear(ModelCalled(1, None, known, None))
    watch.hear(ModelCalled(1, None, unknown, "timeout"))
    assert grown.by("stackvm_model_tokens_total", model="m1", kind="input") == 70
    assert grown.by("stackvm_model_tokens_total", model="m1", kind="output") == 30
    assert grown.by("stackvm_model_cost_total", model="m1") == 0.5
    took = {"model": "m1", "purpose": "generate"}
    assert grown.by("stackvm_model_call_duration_seconds_sum", **took, outcome="ok") == 2.0
    assert grown.by("stackvm_model_call_duration_seconds_count", **took, outcome="timeout") == 1


def test_what_comes_from_the_queue_and_goes_back_is_counted() -> None:
    grown, figures = Grown(), Figures()
    for handed in (Claimed(0), Claimed(3), HandedBack("shutdown")):
        figures.note(handed)
    assert grown.by("stackvm_lease_takeovers_total") == 1
    assert grown.by("stackvm_runs_handed_back_total", reason="shutdown") == 1


class Broken:
    """An observer with a fault in each of its parts."""

    def __init__(self, begins: bool) -> None:
        self._begins = begins

    def open(self, subject: object) -> Broken:
        if not self._begins:
            raise RuntimeError("a fault")
        return self

    def hear(self, event: Event) -> None:
        raise RuntimeError("a fault")

    def end(self, status: str) -> None:
        raise RuntimeError("a fault")

    def note(self, handed: object) -> None:
        raise RuntimeError("a fault")


def test_models_that_are_asked_outside_of_runs_are_counted_too(tmp_path: Path) -> None:
    replies = tmp_path / "replies.yaml"
    plan = '[{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 1}}]'
    replies.write_text(json.dumps([{"purpose": "plan", "reply": plan, "usage": {"input": 11, "output": 5}}]))
    place, database = make_workplace(
        tmp_path, [look], llm_provider="scripted", llm_model="outside", scripted_replies=replies
    )
    grown = Grown()
    plan_goal(replace(place, observers=(Broken(True), Figures())), "a goal", None)
    [model] = [
        sample.labels["model"]
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "stackvm_model_call_duration_seconds_count" and sample.labels["purpose"] == "plan"
    ]
    assert grown.by("stackvm_model_tokens_total", model=model, kind="input") == 11
    database.close()


@pytest.mark.parametrize("begins", [True, False])
def test_an_observer_with_a_fault_breaks_no_run(tmp_path: Path, begins: bool) -> None:
    grown = Grown()
    assert run(tmp_path, call("a", 1), observers=(Broken(begins), Figures())) == "completed"
    assert grown.by("stackvm_steps_total", instruction="calling", outcome="ok") == 1


def test_labels_that_others_choose_are_bounded() -> None:
    bounded = Bounded(3)
    assert [bounded.label(name) for name in "abcdae"] == ["a", "b", "c", OTHER, "a", OTHER]


def test_the_queue_is_told_by_namespace_and_the_smallest_are_told_together() -> None:
    class Jobs:
        def waiting(self) -> dict[str | None, Depth]:
            return {f"n{number:03}": Depth(number, 1_000 * number) for number in range(1, 101)}

        def backlog(self) -> Backlog:
            return Backlog(0, 0, {"n100": 7, None: 2})

    figures = {
        family.name: {sample.labels["namespace"]: sample.value for sample in family.samples}
        for family in queue_figures(Jobs())  # type: ignore[arg-type]
    }
    depth, running = figures["stackvm_queue_depth"], figures["stackvm_queue_running"]
    assert len(depth) == 52 and sum(depth.values()) == sum(range(1, 101))
    assert (depth["n100"], depth["n051"], depth[NONE]) == (100, 51, 0)
    assert depth[OTHER] == sum(range(1, 51))
    assert figures["stackvm_queue_oldest_seconds"][OTHER] == 50
    assert (running["n100"], running[NONE], running[OTHER]) == (7, 2, 0)


def test_what_waits_is_read_by_namespace(tmp_path: Path) -> None:
    _, database = make_workplace(tmp_path)
    jobs = SqlJobs(database)
    assert jobs.waiting() == {}
    for task, namespace in (("a", "billing"), ("b", "billing"), ("c", None)):
        jobs.put(Job(task, "main", namespace))
    jobs.claim("me", 30, namespaces=["billing"])
    time.sleep(0.01)
    waiting = jobs.waiting()
    assert {name: each.depth for name, each in waiting.items()} == {"billing": 1, None: 1}
    assert all(5 <= each.oldest_ms < 60_000 for each in waiting.values())
    database.close()


def test_a_plain_process_serves_what_it_counts() -> None:
    port, stop = serve_metrics(0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        stop()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"stackvm_runs", "stackvm_flush_duration_seconds"} <= names


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    port, stop = serve_metrics(0)
    try:
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            serve_figures(Settings(_env_file=None, metrics_port=port))  # type: ignore[call-arg]
    finally:
        stop()
    serve_figures(Settings(_env_file=None, metrics_port=port))()  # type: ignore[call-arg]
    serve_figures(Settings(_env_file=None))()  # type: ignore[call-arg]


NAP = {"type": "calling", "parameters": {"tool_name": "nap", "tool_params": {}, "output_vars": "a"}}
END = {"type": "assign", "parameters": {"final_answer": "${a}"}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), workers=2, RUN_THREADS=2) as served:
        yield served


def families(served: Served) -> dict[str, Any]:
    answer = served.client.get("/metrics")
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def total(served: Served, name: str, **labels: str) -> float:
    samples = families(served)[name.removesuffix("_total")].samples
    return sum(
        sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
    )


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_whichever_process_answers_the_sum_is_right_after_one_was_killed_too(served: Served) -> None:
    before = total(served, "stackvm_runs_total", status="completed")
    for _ in range(6):
        served.wait(served.submit(NAP, END))
    until(lambda: total(served, "stackvm_runs_total", status="completed") == before + 6)
    assert {total(served, "stackvm_runs_total", status="completed") for _ in range(10)} == {before + 6}
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    assert len(children) == 2
    os.kill(int(children[0]), signal.SIGKILL)
    until(lambda: _children(served) not in (children, children[1:]) and len(_children(served)) == 2)
    assert total(served, "stackvm_runs_total", status="completed") == before + 6
    for _ in range(4):
        served.wait(served.submit(NAP, END))
    until(lambda: total(served, "stackvm_runs_total", status="completed") == before + 10)
    assert total(served, "stackvm_calls_made_total") >= 10
    until(lambda: total(served, "stackvm_runs_under_way") == 0)


def _children(served: Served) -> list[str]:
    return Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()


def test_names_are_as_prometheus_wants_them(served: Served) -> None:
    found = families(served)
    for name, family in found.items():
        assert re.fullmatch(r"stackvm_[a-z]+(_[a-z]+)*", name), name
        assert family.documentation and family.type != "unknown", name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|percent)$", name)
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{name}_total", f"{name}_created"}
        if family.type == "histogram":
            assert name.endswith("_seconds")
        for sample in family.samples:
            assert "task_id" not in sample.labels and "pid" not in sample.labels


def test_the_documentation_has_every_figure_and_no_other(served: Served) -> None:
    rows = re.findall(r"^\| (`stackvm_[^|]*)\|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    told = {
        name: set(re.findall(r"`([a-z]+)`", labels))
        for names, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    collected = {family.name: family.type for family in REGISTRY.collect()}
    stored = {name: family.type for name, family in families(served).items() if name not in collected}
    there = {f"{name}_total" if kind == "counter" else name for name, kind in {**collected, **stored}.items()}
    assert set(told) == there
    for name, family in families(served).items():
        for sample in family.samples:
            labels = set(sample.labels) - {"le"}
            assert labels == told[f"{name}_total" if family.type == "counter" else name], name


def test_what_the_documentation_asks_prometheus_is_there(served: Served) -> None:
    known = set(re.findall(r"`(stackvm_\w+)`", PAGE.read_text()))
    for name in re.findall(r"(stackvm_\w+)[\[{)]", PAGE.read_text()):
        assert re.sub(r"_(bucket|count|sum)$", "", name) in known, name

"""Two runs compared: their executed steps aligned by what they do, also across tasks and numberings."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace

from app.db.base import TaskRow
from app.errors import DamagedHistory, NotFound
from app.history.base import Kind
from app.history.codec import Snapshot, SnapshotWriter
from app.history.commits import format_message
from app.history.journal import Journal
from app.history.memory_store import MemoryStoreFactory
from app.history.repository import HEADS
from app.llm.budget import Budget, Limits
from app.llm.gateway import Gateway
from app.llm.prices import load_prices
from app.llm.scripted import ScriptedModel
from app.services.branches import fork_branch
from app.services.comparisons import RunComparison, StepSide
from app.services.diffs import diff_revisions
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, open_repository, submit_task
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.tools import tool
from app.tools.llm import llm_generate
from app.vm.interrupts import Interrupts

Steps = list[tuple[str, dict[str, Any]]]
answers: dict[str, Any] = {}
"""What ``ask`` says, where it is not what it was asked; an exception is raised."""


@tool(effect="read")
def ask(question: Any) -> Any:
    """Answers."""
    answer = answers.get(str(question), question)
    if isinstance(answer, Exception):
        raise answer
    return answer


@tool(effect="read")
def ask_again(question: Any) -> Any:
    """Answers, too."""
    return question


@tool(effect="pure")
def reckon(question: int) -> Any:
    """Answers at no cost: nothing is made durable before and after it."""
    return answers.get(str(question), question)


@pytest.fixture(params=["memory", "sql", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workplace]:
    answers.clear()
    kind = "sql" if request.param == "memory" else request.param
    workplace, database = make_workplace(tmp_path, [ask, ask_again], history_backend=kind)
    if request.param == "memory":
        workplace = replace(workplace, stores={"sql": MemoryStoreFactory()})
    yield workplace
    database.close()


def assign(**values: Any) -> tuple[str, dict[str, Any]]:
    return "assign", values


def call(question: Any, outputs: Any, name: str = "ask", **more: Any) -> tuple[str, dict[str, Any]]:
    parameters = {"tool_name": name, "tool_params": {"question": question}, "output_vars": outputs}
    return "calling", {**parameters, **more}


def jump(condition: str, target: int) -> tuple[str, dict[str, Any]]:
    return "jmp", {"condition": condition, "jump_if_true": target}


def run(place: Workplace, steps: Steps, first: int = 1) -> TaskRow:
    """A task that has run; its steps are numbered from ``first`` on."""
    plan = [
        {"seq_no": first + number, "type": kind, "parameters": _shifted(parameters, first - 1)}
        for number, (kind, parameters) in enumerate(steps)
    ]
    task = submit_task(place, NewTask(goal="compare", plan=json.dumps(plan)))
    run_branch(place, task, "main", RunOptions(Interrupts()))
    return find_task(place, task.id)


def _shifted(parameters: dict[str, Any], by: int) -> dict[str, Any]:
    return (
        {**parameters, "jump_if_true": parameters["jump_if_true"] + by}
        if "jump_if_true" in parameters
        else parameters
    )


def compare(place: Workplace, left: TaskRow, right: TaskRow) -> RunComparison:
    runs = diff_revisions(place, left, "main", f"{right.id}:main", ["runs"]).runs
    assert runs is not None
    document = runs.to_json()
    assert json.loads(json.dumps(document)) == document
    return runs


def changes(runs: RunComparison) -> list[tuple[int | None, int | None, str]]:
    """Of each pair the numbers of both steps and how they differ."""

    def number(side: StepSide | None) -> int | None:
        return side.commit.seq_no if side is not None else None

    return [(number(pair.left), number(pair.right), pair.change) for pair in runs.steps]


LOOP: Steps = [
    assign(i=0, seen=[]),
    call("${i}", "x"),
    assign(seen="${{ seen + [x] }}", i="${{ i + 1 }}"),
    jump("i < 3", 2),
    assign(final_answer="${seen}"),
]


def test_equal_runs_are_the_same_whatever_their_steps_are_called(place: Workplace) -> None:
    runs = compare(place, run(place, LOOP), run(place, LOOP, first=50))
    assert runs.first_divergence is None
    assert {change for _, _, change in changes(runs)} == {"same"}
    assert len(runs.steps) == 11
    assert runs.shared is None
    assert runs.variables == []
    assert runs.to_json()["final_answer"] == {"same": True, "left": [0, 1, 2], "right": [0, 1, 2]}
    assert [pair.left.visit for pair in runs.steps if pair.left][1:7] == [1, 1, 1, 2, 2, 2]


def test_another_output_is_the_first_divergence_and_what_follows_has_other_inputs(place: Workplace) -> None:
    left = run(place, LOOP)
    answers["1"] = "one"
    runs = compare(place, left, run(place, LOOP))
    first = runs.first_divergence
    assert first is not None
    assert (first.index, first.pair.change) == (4, "output")
    assert [change.to_json() for change in first.changes] == [{"path": "value", "old": 1, "new": "one"}]
    assert changes(runs)[3:] == [
        (4, 4, "same"), (2, 2, "output"), (3, 3, "inputs"), (4, 4, "same"),
        (2, 2, "same"), (3, 3, "inputs"), (4, 4, "same"), (5, 5, "inputs"),
    ]  # fmt: skip
    assert [change.name for change in runs.variables] == ["final_answer", "seen"]
    assert runs.to_json()["final_answer"] == {"same": False, "left": [0, 1, 2], "right": [0, "one", 2]}
    assert runs.steps[4].to_json()["left"].keys() == {
        "commit", "seq_no", "visit", "subject", "duration_ms", "model_calls", "cost",
    }  # fmt: skip
    assert runs.steps[4].to_json()["left"]["duration_ms"] == 10


def test_other_arguments_are_named(place: Workplace) -> None:
    left = run(place, [call({"of": ["a", "b"]}, "x"), assign(final_answer=1)])
    first = compare(
        place, left, run(place, [call({"of": ["a", "c"]}, "x"), assign(final_answer=1)])
    ).first_divergence
    assert first is not None
    assert first.pair.change == "inputs"
    assert [change.to_json() for change in first.changes] == [
        {"path": "question.of[1]", "old": "b", "new": "c"}
    ]


def test_steps_that_only_one_run_has_are_added_or_removed(place: Workplace) -> None:
    short = run(place, [assign(a=1), call("q", "x"), assign(final_answer="${x}")])
    long = run(
        place, [assign(a=1), assign(extra=2), call("q", "x"), call("r", "y"), assign(final_answer="${x}")]
    )
    assert changes(compare(place, short, long)) == [
        (1, 1, "same"), (None, 2, "added"), (2, 3, "same"), (None, 4, "added"), (3, 5, "same"),
    ]  # fmt: skip
    runs = compare(place, long, short)
    assert [change for _, _, change in changes(runs)] == ["same", "removed", "same", "removed", "same"]
    assert runs.first_divergence is not None
    assert runs.first_divergence.to_json()["right"] is None


def test_a_step_that_another_stands_for_is_named_so(place: Workplace) -> None:
    left = run(place, [call("q", "x"), assign(y=1), assign(final_answer="${x}")])
    right = run(place, [call("q", "x", "ask_again"), assign(y=1), assign(final_answer="${x}")])
    assert changes(compare(place, left, right)) == [(1, 1, "step"), (2, 2, "same"), (3, 3, "same")]
    right = run(place, [assign(x="q"), assign(y=1), assign(final_answer="${x}")])
    assert changes(compare(place, left, right))[0] == (1, 1, "step")


def test_a_step_that_failed_gave_another_output(place: Workplace) -> None:
    left = run(place, LOOP)
    answers["2"] = ValueError("two is too much")
    right = run(place, LOOP)
    runs = compare(place, left, right)
    first = runs.first_divergence
    assert first is not None
    assert (first.pair.change, runs.right.status) == ("output", "failed")
    assert {change.path for change in first.changes} == {"value", "error"}
    assert [change for _, _, change in changes(runs)][7:] == ["output", "removed", "removed", "removed"]
    answers.clear()
    run_branch(place, right, "main", RunOptions(Interrupts()))  # goes on: the failure stays in its history
    again = compare(place, left, right)
    assert [change for _, _, change in changes(again)] == [*["same"] * 7, "added", *["same"] * 4]


def test_a_failure_that_the_plan_handles_is_compared_by_what_it_says(place: Workplace) -> None:
    def steps(question: str) -> Steps:
        return [call(question, "x", on_error="continue"), assign(final_answer="${x}")]

    answers["q"] = ValueError("no")
    left, same = run(place, steps("q")), run(place, steps("q"), first=7)
    assert compare(place, left, same).first_divergence is None
    answers["q"] = ValueError("never")
    assert changes(compare(place, left, run(place, steps("q")))) == [(1, 1, "output"), (2, 2, "same")]


def test_a_step_that_fails_for_another_reason_gave_another_output(place: Workplace) -> None:
    def steps(index: int) -> Steps:
        return [assign(rows=[0], i=index), assign(final_answer="${{ rows[i] }}")]

    left = run(place, steps(5))
    assert changes(compare(place, left, run(place, steps(5), first=3))) == [(1, 3, "same"), (2, 4, "same")]
    runs = compare(place, left, run(place, steps(6)))
    assert changes(runs) == [(1, 1, "inputs"), (2, 2, "output")]


def test_a_loop_over_items_that_an_error_cut_short_was_asked_the_same(place: Workplace) -> None:
    def steps(last: int) -> Steps:
        return [call("${item}", "x", for_each=[1, 2, last]), assign(final_answer="${x}")]

    left = run(place, steps(3))
    answers["2"] = ValueError("no")
    right = run(place, steps(3))
    assert changes(compare(place, left, right))[0] == (1, 1, "output")
    answers.clear()
    assert changes(compare(place, left, run(place, steps(4))))[0] == (1, 1, "inputs")


def test_a_condition_that_goes_elsewhere_gave_another_output(place: Workplace) -> None:
    def steps(limit: int, spelling: str) -> Steps:
        return [
            assign(i=0),
            assign(i="${{ i + 1 }}"),
            jump(f"i {spelling} {limit}", 2),
            assign(final_answer=1),
        ]

    left = run(place, steps(3, "<"))
    assert compare(place, left, run(place, steps(2, "<="))).first_divergence is None
    first = compare(place, left, run(place, steps(2, "<"))).first_divergence
    assert first is not None
    assert first.pair.change == "output"
    assert [change.to_json() for change in first.changes] == [{"path": "answer", "old": True, "new": False}]


def test_a_long_text_is_compared_by_its_id(place: Workplace) -> None:
    long = "word " * 5_000
    left = run(place, [call(long, "x"), assign(final_answer=1)])
    assert (
        compare(place, left, run(place, [call(long, "x"), assign(final_answer=1)])).first_divergence is None
    )
    answers[long] = long + "."
    assert (
        changes(compare(place, left, run(place, [call(long, "x"), assign(final_answer=1)])))[0][2] == "output"
    )
    answers.clear()
    right = run(place, [call(long + ".", "x"), assign(final_answer=1)])
    assert changes(compare(place, left, right))[0][2] == "inputs"


def edit(place: Workplace, task: TaskRow, branch: str, **variables: Any) -> None:
    """A commit as a person's edit leaves it."""
    with open_repository(place, task) as repository:
        head = repository.commit(repository.head(branch))
        was = repository.reader.snapshot(head.tree)
        record = {"kind": "edit", "variables": variables, "who": "ann"}
        state = Snapshot(was.goal, record, was.control, was.plan, {**was.variables, **variables})
        journal = Journal(repository.store, HEADS + branch, head.oid)
        writer = SnapshotWriter.of(state, journal.sink)
        writer.set_record(record)
        message = format_message("edit", {"Kind": "edit", "Task": task.id})
        journal.append(writer.tree(was.control), head.time, message, "ann")
        journal.flush()


def test_branches_share_what_lies_before_the_fork(place: Workplace) -> None:
    task = run(place, LOOP)
    fork_branch(place, task, "main~5", "try")
    edit(place, task, "try", seen=["a", "b"])
    run_branch(place, task, "try", RunOptions(Interrupts()))
    difference = diff_revisions(place, task, "main", "try")
    runs = difference.runs
    assert runs is not None
    assert runs.shared is not None
    assert runs.shared_steps == 6
    assert runs.first_divergence is not None
    first = runs.first_divergence.to_json()
    assert (first["index"], first["change"], first["right"]["seq_no"]) == (6, "added", None)
    assert changes(runs)[7:] == [
        (4, 4, "same"),
        (2, 2, "same"),
        (3, 3, "inputs"),
        (4, 4, "same"),
        (5, 5, "inputs"),
    ]
    assert runs.steps[0].to_json()["left"] == runs.steps[0].to_json()["right"]
    assert difference.to_json().keys() == {"from", "to", "plan", "state", "text", "runs"}


def test_one_line_is_one_run(place: Workplace) -> None:
    task = run(place, LOOP)
    assert diff_revisions(place, task, "main~3", "main").runs is None
    assert diff_revisions(place, task, "main", "main~3").to_json()["runs"] is None
    runs = diff_revisions(place, task, "main~3", "main", ["runs"]).runs
    assert runs is not None
    assert [change for _, _, change in changes(runs)] == [*["same"] * 8, "added", "added", "added"]
    assert diff_revisions(place, task, "main", "main", ["runs"]).to_json()["runs"]["first_divergence"] is None


def test_plans_states_and_texts_of_two_tasks_are_compared_too(place: Workplace) -> None:
    left, right = run(place, LOOP), run(place, [*LOOP[:3], jump("i < 2", 2), *LOOP[4:]])
    document = diff_revisions(place, left, "main", f"{right.id[:8]}:main~1").to_json()
    assert [step["kind"] for step in document["plan"]["steps"]] == [
        *["unchanged"] * 3,
        "changed",
        "unchanged",
    ]
    names = {each["name"]: each["change"] for each in document["state"]["variables"]}
    assert names == {"final_answer": "removed", "i": "changed", "seen": "changed", "x": "changed"}
    assert "-3\n+2\n" in document["text"]
    turned = diff_revisions(place, left, f"{right.id}:", "main~2").to_json()
    assert turned["state"]["variables"][0]["change"] == "removed"


def test_a_revision_that_is_a_task_is_told_how_to_be_written(place: Workplace) -> None:
    left, right = run(place, [assign(final_answer=1)]), run(place, [assign(final_answer=1)])
    with pytest.raises(NotFound, match="no revision") as caught:
        diff_revisions(place, left, "main", right.id)
    assert caught.value.hint == f"it is a task: write {right.id}: for its current branch"
    with pytest.raises(NotFound, match="no task 'ffff'"):
        diff_revisions(place, left, "main", "ffff:main")
    with pytest.raises(NotFound, match="no revision 'nowhere'"):
        diff_revisions(place, left, "main", f"{right.id}:nowhere")
    with pytest.raises(NotFound, match="no revision 'x:y'"):
        diff_revisions(place, left, "main", ":x:y")
    assert diff_revisions(place, left, ":", ":main", ["runs"]).runs is not None


def test_a_run_without_an_answer_is_compared(place: Workplace) -> None:
    task = submit_task(
        place,
        NewTask(
            goal="new", plan=json.dumps([{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 1}}])
        ),
    )
    done = run(place, [assign(final_answer=1)])
    runs = compare(place, task, done)
    assert changes(runs) == [(None, 1, "added")]
    assert (runs.left.status, runs.right.status) == ("queued", "completed")
    assert runs.to_json()["final_answer"] == {"same": False, "right": 1}
    assert compare(place, task, task).to_json()["final_answer"] == {"same": True}


def test_what_both_have_is_not_read(tmp_path: Path) -> None:
    workplace, database = make_workplace(tmp_path, [ask])
    stores = MemoryStoreFactory()
    place = replace(workplace, stores={"sql": stores})
    task = run(place, LOOP)
    fork_branch(place, task, "main~2", "try")
    edit(place, task, "try", x="other")
    with open_repository(place, task) as repository:
        shared = list(repository.log(repository.resolve("main~4").oid))
        objects = repository.store._repository.objects  # type: ignore[attr-defined]
        # That of the plan's commit is looked at: a commit that is no step may change variables.
        for commit in shared:
            if commit.kind == "step":
                objects[commit.tree] = objects[commit.tree]._replace(kind=Kind.BLOB)
    runs = diff_revisions(place, task, "main", "try", ["runs"]).runs
    assert runs is not None
    assert [change for _, _, change in changes(runs)] == [*["same"] * 9, "removed", "removed", "added"]
    with pytest.raises(DamagedHistory):
        diff_revisions(place, task, "main~4", "main")
    database.close()


def test_a_thousand_steps_against_a_thousand_take_no_time(tmp_path: Path) -> None:
    answers.clear()
    place, database = make_workplace(tmp_path, [reckon])
    steps = [LOOP[0], call("${i}", "x", "reckon"), LOOP[2], jump("i < 332", 2), LOOP[4]]
    left = run(place, steps)
    answers.update({str(n): "other" for n in range(0, 332, 5)})
    right = run(place, steps, first=5)
    started = time.monotonic()
    runs = compare(place, left, right)
    assert time.monotonic() - started < 5  # 0.25 s, but the machine may be busy
    assert len(runs.steps) == 998
    assert sum(pair.change == "output" for pair in runs.steps) == 67
    database.close()


def test_model_calls_and_costs_stand_side_by_side(tmp_path: Path) -> None:
    place, database = make_workplace(tmp_path, [llm_generate])
    (tmp_path / "prices.json").write_text('{"scripted": {"input": 1000, "output": 0}}')
    prices = load_prices(tmp_path / "prices.json")

    def told(verdict: bool, explanation: str, tokens: int) -> TaskRow:
        script = [
            {"purpose": "judge", "reply": json.dumps({"result": verdict, "explanation": explanation}),
             "usage": {"input": tokens, "output": 1}},
            {"purpose": "generate", "reply": "hello", "usage": {"input": 50, "output": 1}},
        ]  # fmt: skip
        (tmp_path / "script.yaml").write_text(json.dumps(script))
        model = ScriptedModel.from_file(tmp_path / "script.yaml", name="scripted")

        def open_askers(usage: Any) -> Askers:
            gateway = Gateway(model, prices=prices, budget=Budget(Limits()), clock_ms=place.clock_ms)
            return Askers(gateway, gateway, "scripted", True)

        jumps = {"condition_prompt": "Is it so?", "jump_if_true": 2, "jump_if_false": 3}
        generated = {
            "tool_name": "llm_generate",
            "tool_params": {"prompt": "Greet."},
            "output_vars": "greeting",
        }
        steps: Steps = [
            ("jmp", jumps),
            ("reasoning", {"why": "so"}),
            ("calling", generated),
            assign(final_answer=1),
        ]
        return run(replace(place, open_askers=open_askers), steps)

    left, same, other = told(True, "because", 10), told(True, "for a reason", 20), told(False, "because", 10)
    runs = compare(place, left, same)
    assert runs.first_divergence is None  # how a model explains its answer is no part of it
    pair = runs.steps[0].to_json()
    assert [(pair[side]["model_calls"], pair[side]["cost"]) for side in ("left", "right")] == [
        (1, 0.01),
        (1, 0.02),
    ]
    assert [round(side.usage["cost"], 6) for side in (runs.left, runs.right)] == [0.06, 0.07]
    runs = compare(place, left, other)
    assert changes(runs)[:2] == [(1, 1, "output"), (2, None, "removed")]
    database.close()

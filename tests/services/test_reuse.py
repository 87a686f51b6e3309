"""After a fork, what was answered before in the task is not asked again; and why not, where it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from plans import assign, call, jump
from scripting import Script, records, reply

from app.db.base import TaskRow
from app.errors import Conflict, InputError, NotFound, PlanRejected
from app.plan.parse import plan_from_json
from app.services.branches import delete_branch, fork_branch
from app.services.explain import Explanation, explain_run
from app.services.inspect import show_task
from app.services.namespaces import create_namespace, update_namespace
from app.services.replays import replay_branch
from app.services.reports import Revised, RunReport
from app.services.revise import (
    RevisionOptions,
    accept_revision,
    propose_revision,
    set_in_step,
)
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import tool
from app.tools.base import Tool
from app.tools.registry import Registry
from app.vm.events import Event, StepCommitted
from app.vm.interrupts import Interrupts

Plan = list[dict[str, Any]]


class World:
    """Cells that tools read and write, and every call they got."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.calls: list[str] = []

    def tools(self, version: str = "1") -> list[Tool]:
        calls, cells = self.calls, self.cells

        @tool(effect="pure", version=version)
        def double(n: int) -> int:
            """Twice the number."""
            calls.append(f"double {n}")
            return 2 * n

        @tool(effect="read", version=version)
        def ask(word: Any, odd: Any = None) -> str:
            """An answer that counts how often anything was asked; none to "bad"."""
            calls.append(f"ask {word}")
            if word == "bad":
                raise ValueError("no answer")
            return f"{word}: {len(calls)}"

        @tool(effect="read", version="1", reuse=False)
        def clock() -> int:
            """The time, which is never the same."""
            calls.append("clock")
            return len(calls)

        @tool(effect="read", version="1")
        def get(cell: str) -> Any:
            """What a cell holds."""
            calls.append(f"get {cell}")
            if cell == "boom":
                raise LookupError("no such cell")
            return cells.get(cell)

        @tool(effect="write", version="1")
        def put(cell: str, value: Any) -> str:
            """Sets a cell."""
            calls.append(f"put {cell}={value}")
            cells[cell] = value
            return "done"

        @tool(effect="irreversible", version="1")
        def send(text: str) -> str:
            """Sends a text."""
            calls.append(f"send {text}")
            if text == "to nobody":
                raise OSError("connection lost")
            return f"sent {text}"

        return [double, ask, clock, get, put, send]

    def new_calls(self) -> list[str]:
        """Those since the last look."""
        made = self.calls[:]
        self.calls.clear()
        return made


class Bench:
    """One task that is run, revised, and looked at."""

    def __init__(self, place: Workplace, world: World) -> None:
        self.place = place
        self.world = world
        self.task: TaskRow

    def run(self, plan: Plan, **more: Any) -> RunReport:
        self.task = submit_task(self.place, NewTask(goal="test", plan=json.dumps(plan), **more))
        return self.go("main")

    def go(self, branch: str, **options: Any) -> RunReport:
        return run_branch(self.place, self.task, branch, RunOptions(Interrupts(), **options))

    def revise(self, plan: Plan, branch: str = "main", **options: Any) -> tuple[Revised, RunReport]:
        self.world.calls.clear()
        proposal = propose_revision(
            self.place, self.task, branch, plan_from_json(plan), RevisionOptions(**options)
        )
        self.foreseen = {each.seq_no: each for each in proposal.foreseen}
        self.beyond = proposal.beyond
        assert not self.world.calls, "a proposal calls nothing"
        revised = accept_revision(self.place, proposal)
        self.latest = revised.branch
        report = self.go(revised.branch)
        if report.status != "waiting":
            assert replay_branch(self.place, self.task, revised.branch)[1].divergence is None
        return revised, report

    def explain(self, branch: str | None = None) -> dict[int, Explanation]:
        _, _, steps = explain_run(self.place, self.task, branch or self.latest)
        return {each.seq_no: each for each in steps}

    def with_tools(self, tools: Sequence[Tool]) -> None:
        """As after an upgrade of the tools."""
        registry = Registry()
        for each in tools:
            registry.add(each)
        self.place = replace(self.place, load_registry=lambda: registry)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    world = World()
    place, database = make_workplace(tmp_path, world.tools())
    yield Bench(place, world)
    database.close()


def hundred(changed: int | None = None) -> Plan:
    """A hundred independent calls and a summary."""
    calls = [
        call(n, "ask", f"v{n}", {"word": "other" if n == changed else f"word {n}"}) for n in range(1, 101)
    ]
    names = ", ".join(f"v{n}" for n in range(1, 101))
    return [
        *calls,
        call(200, "ask", "all", {"word": f"${{{{ [{names}] }}}}"}),
        assign(201, final_answer="${all}"),
    ]


class TestOneOfAHundred:
    def test_edited_asks_that_one_and_the_summary(self, bench: Bench) -> None:
        bench.run(hundred())
        revised, _ = bench.revise(hundred(changed=50))
        assert len(bench.world.calls) == 2 and bench.world.calls[0] == "ask other"
        assert revised.kept == 49
        assert [seq for seq, each in bench.foreseen.items() if each.will == "run"] == [50]
        assert bench.foreseen[200].will == "depends" and bench.foreseen[51].will == "reuse"

    def test_a_step_in_front_and_new_numbers_ask_nothing(self, bench: Bench) -> None:
        bench.run(hundred())
        moved = [{**step, "seq_no": step["seq_no"] * 10} for step in hundred()]
        bench.revise([assign(1, note="in front"), *moved])
        assert bench.world.calls == []

    def test_in_another_order_they_ask_nothing_but_the_summary(self, bench: Bench) -> None:
        bench.run(hundred())
        plan = hundred()
        numbers = [step["seq_no"] for step in plan]
        turned = [
            {**step, "seq_no": n} for step, n in zip([*plan[:100][::-1], *plan[100:]], numbers, strict=True)
        ]
        bench.revise(turned)
        assert bench.world.calls == []

    def test_as_one_for_each_they_ask_nothing(self, bench: Bench) -> None:
        bench.run(hundred())
        words = [f"word {n}" for n in range(1, 101)]
        fan = [call(1, "ask", "all", {"word": "${item}"}, for_each=words), assign(2, final_answer="${all}")]
        _, report = bench.revise(fan)
        assert bench.world.calls == [] and len(report.final_answer) == 100
        assert bench.explain()[1].items == (100, 0)

    def test_one_item_of_a_for_each_is_asked_alone(self, bench: Bench) -> None:
        def fan(words: list[str]) -> Plan:
            return [
                call(1, "ask", "all", {"word": "${item}"}, for_each=words),
                assign(2, final_answer="${all}"),
            ]

        bench.run(fan(["a", "b", "c"]))
        bench.revise(fan(["a", "x", "c"]))
        assert bench.world.calls == ["ask x"]
        explained = bench.explain()[1]
        assert explained.items == (2, 1) and explained.outcome == "ran"
        assert [part.part for part in explained.changed] == ["items[1].word"]


class TestWhatCounts:
    PLAN: Plan = [  # noqa: RUF012
        call(1, "ask", "a", {"word": "one"}),
        call(2, "double", "b", {"n": 4}),
        assign(3, final_answer="${a} ${b}"),
    ]

    def test_an_unchanged_output_cuts_off_what_follows(self, bench: Bench) -> None:
        plan = [
            call(1, "double", "n", {"n": 3}),
            call(2, "ask", "a", {"word": "${n}"}),
            assign(3, final_answer="${a}"),
        ]
        bench.run(plan)
        other = [assign(1, n=6), *plan[1:]]
        bench.revise(other)
        assert bench.world.calls == []
        explained = bench.explain()
        assert explained[2].outcome == "reused" and explained[1].outcome == "none"

    def test_another_version_of_a_tool(self, bench: Bench) -> None:
        bench.run(self.PLAN)
        bench.with_tools(bench.world.tools(version="2"))
        bench.revise([assign(0, x=1), *self.PLAN])
        assert sorted(bench.world.calls) == ["ask one", "double 4"]
        changed = bench.explain()[1].changed
        assert [(part.part, part.old, part.new) for part in changed] == [("version", "1", "2")]

    def test_no_reuse_asks_everything_behind_the_fork_point(self, bench: Bench) -> None:
        bench.run(self.PLAN)
        bench.revise([assign(0, x=1), *self.PLAN], reuse=False)
        assert sorted(bench.world.calls) == ["ask one", "double 4"]
        assert [part.part for part in bench.explain()[1].changed] == ["reuse"]

    def test_a_tool_may_opt_out(self, bench: Bench) -> None:
        plan = [call(1, "clock", "t"), assign(2, final_answer="${t}")]
        bench.run(plan)
        bench.revise([assign(0, x=1), *plan])
        assert bench.world.calls == ["clock"]
        assert [part.part for part in bench.explain()[1].changed] == ["reuse"]

    def test_an_item_that_failed_is_asked_again_and_explain_says_so(self, bench: Bench) -> None:
        items = {"for_each": ["x", "bad"], "on_error": "continue"}
        plan = [call(1, "ask", "a", {"word": "${item}"}, **items), assign(2, final_answer="${a}")]
        bench.run(plan)
        bench.revise([assign(0, x=1), *plan])
        assert bench.world.calls == ["ask bad"] and bench.foreseen[1].reused == 1
        assert [part.part for part in bench.explain()[1].changed] == ["items[1].error"]

    def test_a_for_each_of_nothing_neither_ran_nor_was_reused(self, bench: Bench) -> None:
        plan = [call(1, "ask", "a", {"word": "${item}"}, for_each=[]), assign(2, final_answer="${a}")]
        bench.run(plan)
        bench.revise([assign(0, x=1), *plan])
        assert bench.foreseen == {} and bench.explain()[1].outcome == "none"

    def test_errors_are_never_taken(self, bench: Bench) -> None:
        plan = [
            call(1, "ask", "a", {"word": "bad"}, on_error="continue"),
            call(2, "ask", "b", {"word": "good"}),
            assign(3, final_answer="${b}"),
        ]
        bench.run(plan)
        bench.revise([assign(0, x=1), *plan])
        assert bench.world.calls == ["ask bad"]
        assert [part.part for part in bench.explain()[1].changed] == ["error"]

    def test_the_nth_call_takes_the_nth_answer(self, bench: Bench) -> None:
        def asking(times: int, first: int = 1) -> Plan:
            calls = [call(first + n, "ask", f"v{n}", {"word": "same"}) for n in range(times)]
            values = ", ".join(f"v{n}" for n in range(times))
            return [*calls, assign(90, final_answer=f"${{{{ [{values}] }}}}")]

        first = bench.run(asking(3))
        _, second = bench.revise([assign(0, x=1), *asking(4)])
        assert bench.world.calls == ["ask same"]
        assert second.final_answer[:3] == first.final_answer
        assert [part.part for part in bench.explain()[4].changed] == ["step"]

    def test_items_with_the_same_inputs_take_one_answer_after_the_other(self, bench: Bench) -> None:
        fan = [
            call(1, "ask", "all", {"word": "${item}"}, for_each=["s", "t", "s"]),
            assign(2, final_answer="${all}"),
        ]
        first = bench.run(fan)
        _, second = bench.revise([assign(0, x=1), *fan])
        assert bench.world.calls == [] and second.final_answer == first.final_answer

    def test_another_run_has_it_where_the_forked_one_has_not(self, bench: Bench) -> None:
        other = [call(1, "ask", "a", {"word": "two"}), *self.PLAN[1:]]
        bench.run(self.PLAN)
        bench.revise(other, name="second")
        bench.revise(self.PLAN, branch="second", name="third")
        assert bench.world.calls == []
        assert bench.explain("third")[1].outcome == "reused"

    def test_what_arrived_and_was_never_committed_is_taken(self, bench: Bench) -> None:
        plan = [
            call(1, "ask", "a", {"word": "${item}"}, for_each=["x", "y", "bad", "z"]),
            assign(2, final_answer=1),
        ]
        assert bench.run(plan).status == "failed"
        arrived = set(bench.world.calls) - {"ask bad"}
        _, report = bench.revise(
            [call(1, "ask", "a", {"word": "${item}"}, for_each=["x", "y", "z"]), plan[1]]
        )
        assert report.status == "completed"
        assert set(bench.world.calls) == {"ask x", "ask y", "ask z"} - arrived
        explained = bench.explain()[1]
        assert explained.origin is not None and explained.origin.commit is None
        assert explained.origin.place == {"branch": "main", "seq_no": 1, "visit": 1, "item": 0}

    def test_what_arrived_behind_a_later_write_is_not_taken(self, bench: Bench) -> None:
        plan = [
            call(1, "ask", "w", {"word": "now"}, for_each=["x"]),
            call(2, "put", None, {"cell": "a", "value": 1}),
            call(3, "get", "g", {"cell": "${item}"}, for_each=["a", "boom", "a"]),
            assign(4, final_answer="${g}"),
        ]
        bench.run(plan, max_steps=1)
        other = plan_from_json([plan[0], plan[2], plan[3]])
        revised = accept_revision(
            bench.place, propose_revision(bench.place, bench.task, "main", other, RevisionOptions())
        )
        assert bench.go("main", max_steps=9).status == "failed"  # only now the cell is written, and read
        bench.world.calls.clear()
        bench.go(revised.branch, max_steps=9)
        assert "get a" in bench.world.calls


class TestReadsAndWrites:
    def plan(self, value: Any, cell: str = "a") -> Plan:
        return [
            call(1, "get", "before", {"cell": cell}),
            call(2, "put", None, {"cell": "a", "value": value}),
            call(3, "get", "after", {"cell": cell}),
            assign(4, final_answer="${{ [before, after] }}"),
        ]

    def test_a_read_behind_another_write_is_asked_again(self, bench: Bench) -> None:
        bench.run(self.plan(1))
        _, report = bench.revise(self.plan(2))
        assert bench.world.calls == ["put a=2", "get a"]
        assert report.final_answer == [None, 2]
        changed = bench.explain()[3].changed
        assert [part.part for part in changed] == ["writes"]
        assert changed[0].old == ["put(cell=a, value=1)"] and changed[0].new == ["put(cell=a, value=2)"]

    def test_what_a_write_gives_is_not_foreseen(self, bench: Bench) -> None:
        plan = [
            assign(0, x=1),
            call(1, "put", "p", {"cell": "a", "value": 1}),
            call(2, "ask", "a", {"word": "${p}"}),
            call(3, "get", "g", {"cell": "a"}),
            assign(4, final_answer="${a} ${g}"),
        ]
        bench.run(plan)
        bench.revise([assign(0, x=2), *plan[1:]])
        foreseen = {seq_no: each.will for seq_no, each in bench.foreseen.items()}
        assert foreseen == {1: "run", 2: "depends", 3: "reuse"}

    def test_a_write_runs_again_and_the_same_write_leaves_the_reads_as_they_are(self, bench: Bench) -> None:
        bench.run(self.plan(1))
        _, report = bench.revise([assign(0, x=1), *self.plan(1)])
        assert bench.world.calls == ["put a=1"]
        assert report.final_answer == [None, 1]
        assert [(each.seq_no, each.tool) for each in bench.beyond] == [(2, "put")]
        assert bench.foreseen[2].will == "run" and bench.foreseen[3].will == "reuse"
        assert [part.part for part in bench.explain()[2].changed] == ["effect"]

    def test_a_write_that_failed_and_was_resumed_counts_once(self, bench: Bench) -> None:
        tools = bench.world.tools()
        fail = [True]

        @tool(name="put", effect="write", version="1")
        def flaky(cell: str, value: Any) -> str:
            """Sets a cell, the second time."""
            if fail.pop() if fail else False:
                raise OSError("trouble")
            bench.world.cells[cell] = value
            return "done"

        bench.with_tools([each for each in tools if each.name != "put"] + [flaky])
        assert bench.run(self.plan(1)).status == "failed"
        assert bench.go("main").status == "completed"
        bench.revise([assign(0, x=1), *self.plan(1)])
        assert bench.world.calls == []


class TestIrreversible:
    PLAN: Plan = [  # noqa: RUF012
        assign(1, who="ann"),
        call(2, "send", "s", {"text": "to ${who}"}),
        assign(3, final_answer="${s}"),
    ]

    def changed(self, who: str = "ann") -> Plan:
        return [assign(0, x=1), assign(1, who=who), *self.PLAN[1:]]

    def test_waits_where_the_same_tool_was_called_beyond_the_fork_point(self, bench: Bench) -> None:
        bench.run(self.PLAN)
        revised, report = bench.revise(self.changed())
        assert report.status == "waiting" and bench.world.calls == []
        assert bench.foreseen[2].will == "ask"
        decide(bench.place, bench.task, revised.branch, Decision("reuse"))
        assert bench.go(revised.branch).final_answer == "sent to ann"
        assert bench.world.calls == []
        assert replay_branch(bench.place, bench.task, revised.branch)[1].divergence is None

    @pytest.mark.parametrize(
        ("choice", "answer", "calls"), [("run", "sent to ann", ["send to ann"]), ("skip", "mine", [])]
    )
    def test_obeys_the_decision(self, bench: Bench, choice: str, answer: str, calls: list[str]) -> None:
        bench.run(self.PLAN)
        revised, _ = bench.revise(self.changed())
        decide(bench.place, bench.task, revised.branch, Decision(choice, "mine"))
        assert bench.go(revised.branch).final_answer == answer
        assert bench.world.calls == calls

    def test_runs_where_the_tool_was_not_called_beyond_the_fork_point(self, bench: Bench) -> None:
        bench.run(self.PLAN)
        changed = [*self.PLAN[:2], assign(3, final_answer="other")]
        bench.revise(changed)
        assert bench.world.calls == []  # the call is before the fork point
        other = [assign(1, who="ann"), assign(2, final_answer="nothing sent")]
        bench.run(other)
        _, report = bench.revise(self.PLAN)
        assert report.final_answer == "sent to ann"

    @pytest.mark.parametrize("choice", [None, "reuse", "skip"])
    def test_waits_in_a_revision_of_the_revision_whatever_was_decided_there(
        self, bench: Bench, choice: str | None
    ) -> None:
        bench.run(self.PLAN)
        first, _ = bench.revise(self.changed())
        if choice is not None:
            decide(bench.place, bench.task, first.branch, Decision(choice, "mine"))
            assert bench.go(first.branch).status == "completed"
        _, report = bench.revise([assign(0, x=2), *self.changed()[1:]], branch=first.branch)
        assert (report.status, bench.world.calls) == ("waiting", [])
        assert bench.foreseen[2].will == "ask"

    def test_waits_where_nobody_knows_whether_the_forked_run_did_it(self, bench: Bench) -> None:
        plan = [assign(1, who="nobody"), *self.PLAN[1:]]
        assert bench.run(plan).status == "waiting"
        _, report = bench.revise(self.changed())
        assert (report.status, bench.world.calls) == ("waiting", [])
        assert bench.foreseen[2].will == "ask"
        assert [(each.commit, each.seq_no, each.tool, each.effect) for each in bench.beyond] == [
            (None, 2, "send", "irreversible")
        ]

    def test_a_policy_to_skip_is_foreseen_where_the_inputs_are_not_known_yet(self, bench: Bench) -> None:
        plan = [
            call(1, "ask", "who", {"word": "${x}"}),
            call(2, "send", "s", {"text": "to ${who}"}),
            assign(3, final_answer="${s}"),
        ]
        bench.run([assign(0, x=1), *plan])
        _, report = bench.revise([assign(0, x=2), *plan], policy="skip")
        assert bench.foreseen[2].will == "skip"
        assert (report.final_answer, bench.world.calls) == (None, ["ask 2"])

    @pytest.mark.parametrize(
        ("policy", "who", "status", "calls"),
        [
            ("reuse", "ann", "completed", []),
            ("reuse", "bob", "waiting", []),
            ("run", "bob", "completed", ["send to bob"]),
            ("skip", "bob", "completed", []),
            ("ask", "ann", "waiting", []),
        ],
    )
    def test_a_policy_decides(
        self, bench: Bench, policy: str, who: str, status: str, calls: list[str]
    ) -> None:
        bench.run(self.PLAN)
        revised, report = bench.revise(self.changed(who), policy=policy)
        assert (report.status, bench.world.calls) == (status, calls)
        if policy == "reuse" and status == "completed":
            assert report.final_answer == "sent to ann"
            assert bench.explain(revised.branch)[2].outcome == "reused"

    def test_the_namespace_may_decide(self, bench: Bench) -> None:
        create_namespace(bench.place, "calm", ["*"], policies={"irreversible": "reuse"})
        bench.run(self.PLAN, namespace="calm")
        _, report = bench.revise(self.changed())
        assert (report.status, report.final_answer, bench.world.calls) == ("completed", "sent to ann", [])
        assert bench.revise(self.changed(), policy="ask")[1].status == "waiting"
        update_namespace(bench.place, "calm", description="asks again", policies={"irreversible": "ask"})
        assert bench.revise(self.changed())[1].status == "waiting"

    def test_waits_after_a_mere_fork_too(self, bench: Bench) -> None:
        report = bench.run(self.PLAN)
        bench.world.calls.clear()
        fork_branch(bench.place, bench.task, f"{report.head}~2", "again")
        waiting = bench.go("again")
        assert waiting.status == "waiting" and bench.world.calls == []
        assert waiting.waiting is not None and waiting.waiting.attempt == 0

    def test_the_first_run_never_waits_for_what_its_forks_did(self, bench: Bench) -> None:
        plan = [
            assign(1, who="ann"),
            call(2, "ask", "a", {"word": "bad"}),
            *[{**s, "seq_no": s["seq_no"] + 1} for s in self.PLAN[1:]],
        ]
        bench.run(plan)
        bench.revise([plan[0], *plan[2:]])
        assert bench.world.calls == ["send to ann"]
        tools = [each for each in bench.world.tools() if each.name != "ask"]

        @tool(name="ask", effect="read", version="1")
        def willing(word: str) -> str:
            """Answers."""
            return "at last"

        bench.with_tools([*tools, willing])
        assert bench.go("main").status == "completed"


class TestForksWithoutARevision:
    def test_take_the_answers_of_the_run_they_left(self, bench: Bench) -> None:
        report = bench.run(hundred())
        bench.world.calls.clear()
        fork_branch(bench.place, bench.task, f"{report.head}~60", "again")
        assert bench.go("again").final_answer == report.final_answer
        assert bench.world.calls == []

    def test_also_when_that_branch_is_gone(self, bench: Bench) -> None:
        report = bench.run(hundred())
        bench.world.calls.clear()
        fork_branch(bench.place, bench.task, f"{report.head}~60", "again")
        delete_branch(bench.place, bench.task, "main")
        assert bench.go("again").final_answer == report.final_answer
        assert bench.world.calls == []


class TestModels:
    PLAN: Plan = [  # noqa: RUF012
        jump(1, condition_prompt="Is it?", jump_if_true=2, jump_if_false=3),
        call(2, "llm_generate", "text", {"prompt": "Write"}),
        assign(3, final_answer="${text}"),
    ]

    def revised(self, place: Workplace, task: TaskRow, branch: str, x: int) -> RunReport:
        plan = plan_from_json([assign(0, x=x), *self.PLAN])
        revised = accept_revision(place, propose_revision(place, task, branch, plan, RevisionOptions()))
        report = run_branch(place, task, revised.branch, RunOptions(Interrupts()))
        assert replay_branch(place, task, revised.branch)[1].divergence is None
        return report

    def first(self, scripted: Script) -> tuple[Workplace, TaskRow]:
        place = scripted(
            reply("judge", {"result": True, "explanation": "so"}),
            reply("generate", "first"),
            reply("judge", {"result": True, "explanation": "again"}),
            reply("generate", "second"),
        )
        task = submit_task(place, NewTask(goal="test", plan=json.dumps(self.PLAN)))
        run_branch(place, task, "main", RunOptions(Interrupts()))
        return place, task

    def test_are_not_asked_again(self, scripted: Script) -> None:
        place, task = self.first(scripted)
        for x, branch in enumerate(["main", "revision-1"]):
            report = self.revised(place, task, branch, x)
            assert report.final_answer == "first" and report.usage["model_calls"] == 0

    def test_another_model_is_asked_and_so_is_the_first_behind_a_reused_answer(
        self, scripted: Script
    ) -> None:
        place, task = self.first(scripted)
        self.revised(place, task, "main", 1)

        def opened(usage: Any) -> Any:
            askers = place.open_askers(usage)
            assert askers is not None
            return replace(askers, answers_as=("scripted", "another"))

        report = self.revised(replace(place, open_askers=opened), task, "revision-1", 2)
        assert report.final_answer == "second" and report.usage["model_calls"] == 2

    def test_one_prompt_that_is_asked_for_other_keys_is_another_call(self, scripted: Script) -> None:
        plan = [
            call(1, "llm_generate", "text", {"prompt": "Write"}),
            call(2, "llm_generate", ["k", "l"], {"prompt": "Write"}),
            assign(3, final_answer="${text} ${k} ${l}"),
        ]
        place = scripted(reply("generate", "first"), reply("generate", {"k": 1, "l": 2}))
        task = submit_task(place, NewTask(goal="test", plan=json.dumps(plan)))
        run_branch(place, task, "main", RunOptions(Interrupts(), parallel=1))
        new = plan_from_json([assign(0, x=1), *plan])
        revised = accept_revision(place, propose_revision(place, task, "main", new, RevisionOptions()))
        report = run_branch(place, task, revised.branch, RunOptions(Interrupts()))
        assert (report.final_answer, report.usage["model_calls"]) == ("first 1 2", 0)

    def test_another_prompt_is_asked(self, scripted: Script, monkeypatch: pytest.MonkeyPatch) -> None:
        place, task = self.first(scripted)
        monkeypatch.setattr("app.services.thinking.prompt_hash", lambda name: "changed")
        assert self.revised(place, task, "main", 1).final_answer == "second"


class TestBadInput:
    def test_a_path_that_is_not_there(self, bench: Bench) -> None:
        document = {"steps": [call(1, "ask", "a", {"word": "x"})]}
        with pytest.raises(InputError, match=r"no parameters\.tool_params\.wrd"):
            set_in_step(document, 1, "parameters.tool_params.wrd", 1)
        with pytest.raises(NotFound):
            set_in_step(document, 2, "parameters.tool_params.word", 1)
        changed = set_in_step(document, 1, "parameters.tool_params.word", "y")
        assert changed["steps"][0]["parameters"]["tool_params"] == {"word": "y"}
        assert document["steps"][0]["parameters"]["tool_params"] == {"word": "x"}

    def test_a_plan_that_does_not_check_is_refused(self, bench: Bench) -> None:
        bench.run(hundred())
        with pytest.raises(PlanRejected):
            bench.revise([call(1, "nothing", "a"), assign(2, final_answer="${b}")])

    def test_a_name_that_is_taken_is_refused(self, bench: Bench) -> None:
        bench.run(hundred())
        with pytest.raises(Conflict):
            bench.revise(hundred(changed=1), name="main")

    def test_a_branch_that_moved_meanwhile_is_not_revised(self, bench: Bench) -> None:
        plan = [call(1, "ask", "a", {"word": "bad"}), assign(2, final_answer="${a}")]
        bench.run(plan)
        better = plan_from_json([call(1, "ask", "a", {"word": "x"}), plan[1]])
        proposal = propose_revision(bench.place, bench.task, "main", better, RevisionOptions())
        bench.go("main")
        with pytest.raises(Conflict, match="has moved"):
            accept_revision(bench.place, proposal)

    def test_a_name_that_was_taken_meanwhile_is_refused(self, bench: Bench) -> None:
        bench.run(hundred())
        plan = plan_from_json(hundred(changed=1))
        one, other = (
            propose_revision(bench.place, bench.task, "main", plan, RevisionOptions()) for _ in range(2)
        )
        accept_revision(bench.place, one)
        with pytest.raises(Conflict, match="meanwhile"):
            accept_revision(bench.place, other)

    def test_a_running_branch_is_revised_only_under_a_name(self, bench: Bench) -> None:
        bench.run(hundred())
        bench.place.leases.acquire(bench.task.id, "main", "somebody", 30)
        with pytest.raises(Conflict, match="being run by somebody"):
            bench.revise(hundred(changed=1))
        assert bench.revise(hundred(changed=1), name="mine")[1].status == "completed"


def test_a_revision_by_a_person_says_who(bench: Bench) -> None:
    bench.run(TestWhatCounts.PLAN)
    bench.revise([assign(0, x=1), *TestWhatCounts.PLAN], policy="skip", reuse=False)
    record = records(bench.place, bench.task, "revision-1")[2]
    assert (record["kind"], record["who"], record["irreversible"], record["reuse"]) == (
        *("revision", "tester"),
        *("skip", False),
    )


def test_a_revised_task_is_shown_by_the_numbers_of_its_new_plan(bench: Bench) -> None:
    plan = TestWhatCounts.PLAN
    bench.run(plan)
    moved = [{**step, "seq_no": step["seq_no"] * 10} for step in plan]
    bench.revise([*moved[:2], assign(30, final_answer="other")])
    view = show_task(bench.place, bench.task, "revision-1")
    assert [(step.seq_no, step.state, step.visits) for step in view.steps] == [
        (10, "done", 1),
        (20, "done", 1),
        (30, "done", 1),
    ]


def test_who_watches_is_told_what_was_reused(bench: Bench) -> None:
    plan = [
        call(1, "ask", "a", {"word": "one"}),
        call(2, "ask", "b", {"word": "${item}"}, for_each=["x", "y"]),
        assign(3, final_answer="${a}"),
    ]
    bench.run(plan)
    new = plan_from_json([assign(0, x=1), *plan])
    revised = accept_revision(
        bench.place, propose_revision(bench.place, bench.task, "main", new, RevisionOptions())
    )
    events: list[Event] = []
    run_branch(bench.place, bench.task, revised.branch, RunOptions(Interrupts(), events.append))
    assert [event.reused for event in events if isinstance(event, StepCommitted)] == [0, 1, 2, 0]

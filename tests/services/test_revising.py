"""A step fails, a model revises the plan, the run goes on from the fork point; or it says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripting import Script, records, reply

from app.db.base import TaskRow
from app.llm.budget import Limits
from app.services.branches import list_branches
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.workplace import Workplace
from app.tools import NotPerformed, tool
from app.tools.base import Tool
from app.vm.events import Event, NotRevised, PlanChecked, RevisionMade, RevisionStarted
from app.vm.interrupts import Interrupts


def call(seq_no: int, name: str, out: str | None = None, **more: Any) -> dict[str, Any]:
    params = {key: more.pop(key) for key in list(more) if key not in ("for_each", "on_error", "retry")}
    parameters = {"tool_name": name, "tool_params": params, **more}
    if out is not None:
        parameters["output_vars"] = out
    return {"seq_no": seq_no, "type": "calling", "parameters": parameters}


def answer(seq_no: int, value: Any) -> dict[str, Any]:
    return {"seq_no": seq_no, "type": "assign", "parameters": {"final_answer": value}}


class Outside:
    """What tools did, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def tools(self) -> list[Tool]:
        calls = self.calls

        @tool(effect="read")
        def ask(word: str) -> str:
            """Answers, but not to "bad"."""
            calls.append(f"ask {word}")
            if word.startswith("bad"):
                raise ValueError(f"no answer to {word}")
            return f"about {word}"

        @tool(effect="write")
        def save(text: str) -> str:
            """Saves a text, but not "bad"."""
            calls.append(f"save {text}")
            if text.startswith("bad"):
                raise OSError("disk trouble")
            return "saved"

        @tool(effect="irreversible")
        def send(text: str) -> str:
            """Sends a text; says so where it surely was not sent."""
            calls.append(f"send {text}")
            if text.startswith("bad"):
                raise NotPerformed("no such address")
            return "sent"

        return [ask, save, send]


@pytest.fixture
def outside() -> Outside:
    return Outside()


FAILS = [call(1, "ask", "a", word="one"), call(2, "ask", "b", word="bad"), answer(3, "${a}, ${b}")]
WORKS = [call(1, "ask", "a", word="one"), call(2, "ask", "b", word="two"), answer(3, "${a}, ${b}")]


def run(place: Workplace, task: TaskRow, branch: str = "main", **options: Any) -> RunReport:
    return run_branch(place, task, branch, RunOptions(Interrupts(), **options))


def submit(place: Workplace, **more: Any) -> TaskRow:
    return submit_task(place, NewTask(goal="find the answer", **more))


class TestARevision:
    def test_goes_on_from_the_fork_point_on_a_branch_of_its_own(
        self, scripted: Script, outside: Outside
    ) -> None:
        place = scripted(reply("plan", FAILS), reply("revise", WORKS), tools=outside.tools())
        task = submit(place)
        report = run(place, task)
        assert (report.status, report.final_answer) == ("completed", "about one, about two")
        assert report.branch == "revision-1"
        assert sorted(outside.calls) == ["ask bad", "ask one", "ask two"]
        (revised,) = report.revisions
        assert (revised.revises, revised.kept) == ("main", 1)
        assert find_task(place, task.id).current_branch == "revision-1"
        assert {view.name: view.status for view in list_branches(place, task)} == {
            "main": "failed",
            "revision-1": "completed",
        }

    def test_is_a_commit_that_says_what_led_to_it_and_what_it_cost(
        self, scripted: Script, outside: Outside
    ) -> None:
        place = scripted(reply("plan", FAILS), reply("revise", WORKS), tools=outside.tools())
        task = submit(place)
        report = run(place, task)
        kinds = [record["kind"] for record in records(place, task, "revision-1")]
        assert kinds == ["goal", "plan", "step", "revision", "step", "step"]
        record = records(place, task, "revision-1")[3]
        assert record["who"] is None and record["number"] == 1 and record["pc"] == 2
        assert record["prompt"] == "revise" and len(record["rounds"]) == 1
        assert record["error"]["message"] == "ValueError: no answer to bad"
        assert record["revises"]["branch"] == "main"
        assert report.usage == {"model_calls": 2, "input_tokens": 200, "output_tokens": 20, "cost": None}

    def test_replays_on_both_branches(self, scripted: Script, outside: Outside) -> None:
        place = scripted(reply("plan", FAILS), reply("revise", WORKS), tools=outside.tools())
        task = submit(place)
        run(place, task)
        for branch in ("main", "revision-1"):
            assert replay_branch(place, task, branch)[1].divergence is None

    def test_is_told_of(self, scripted: Script, outside: Outside) -> None:
        place = scripted(reply("plan", FAILS), reply("revise", WORKS), tools=outside.tools())
        events: list[Event] = []
        run(place, submit(place), listener=events.append)
        told = [e for e in events if isinstance(e, RevisionStarted | PlanChecked | RevisionMade)]
        assert [type(event).__name__ for event in told] == [
            "PlanChecked",
            "RevisionStarted",
            "PlanChecked",
            "RevisionMade",
        ]

    def test_goes_through_rounds_of_findings_as_a_plan_does(self, scripted: Script, outside: Outside) -> None:
        broken = [*WORKS[:2], answer(3, "${c}")]
        place = scripted(
            reply("plan", FAILS), reply("revise", broken), reply("revise", WORKS), tools=outside.tools()
        )
        task = submit(place)
        assert run(place, task).final_answer == "about one, about two"
        rounds = records(place, task, "revision-1")[3]["rounds"]
        assert [[finding["code"] for finding in each["findings"]] for each in rounds] == [["P005"], []]

    def test_may_be_revised_again_but_not_more_often_than_allowed(
        self, scripted: Script, outside: Outside
    ) -> None:
        worse = [call(1, "ask", "a", word="one"), call(2, "ask", "b", word="bad too"), answer(3, "${b}")]
        # This one forks before the first revision: the count must not start anew.
        other = [call(1, "ask", "a", word="bad start"), answer(3, "${a}")]
        place = scripted(
            reply("plan", FAILS), reply("revise", worse), reply("revise", other), tools=outside.tools()
        )
        task = submit(place)
        events: list[Event] = []
        report = run(place, task, listener=events.append)
        assert report.status == "failed" and report.branch == "revision-2"
        assert sorted(outside.calls) == ["ask bad", "ask bad start", "ask bad too", "ask one"]
        assert [revised.number for revised in report.revisions] == [1, 2]
        assert report.error is not None and "bad start" in report.error["message"]
        assert isinstance(events[-1], NotRevised) and "2 times" in events[-1].message
        assert report.usage["model_calls"] == 3

    def test_counts_what_was_used_beyond_the_fork_point_against_the_budget(
        self, scripted: Script, outside: Outside
    ) -> None:
        other = [call(1, "ask", "a", word="bad start"), answer(3, "${a}")]
        place = scripted(
            reply("plan", FAILS),
            reply("revise", other),
            reply("revise", WORKS),
            tools=outside.tools(),
            limits=Limits(model_calls=2),
        )
        task = submit(place)
        report = run(place, task)
        assert report.status == "failed" and report.usage["model_calls"] == 2
        assert report.error is not None
        assert "no revision" in report.error["message"] and "limit" in report.error["message"]

    def test_is_not_made_for_a_plan_that_was_given(self, scripted: Script, outside: Outside) -> None:
        place = scripted(reply("revise", WORKS), tools=outside.tools())
        report = run(place, submit(place, plan=json.dumps(FAILS)))
        assert report.status == "failed" and report.revisions == ()

    def test_is_made_for_a_plan_that_was_given_where_that_was_asked_for(
        self, scripted: Script, outside: Outside
    ) -> None:
        place = scripted(reply("revise", WORKS), tools=outside.tools())
        report = run(place, submit(place, plan=json.dumps(FAILS), revise=True))
        assert report.final_answer == "about one, about two"

    def test_is_never_made_where_none_is_allowed(self, scripted: Script, outside: Outside) -> None:
        place = scripted(reply("plan", FAILS), reply("revise", WORKS), tools=outside.tools(), max_revisions=0)
        assert run(place, submit(place)).status == "failed"

    def test_follows_the_resumed_run_that_fails_again(self, scripted: Script, outside: Outside) -> None:
        place = scripted(
            reply("plan", FAILS),
            *[reply("revise", "no plan at all")] * 3,
            reply("revise", WORKS),
            tools=outside.tools(),
        )
        task = submit(place)
        first = run(place, task)
        assert first.status == "failed" and first.branch == "main"
        stop = records(place, task)[-1]
        assert stop["reason"] == "revision" and len(stop["rounds"]) == len(stop["model_calls"]) == 3
        assert "no answer to bad" in stop["message"]
        second = run(place, task)
        assert second.final_answer == "about one, about two"
        assert second.usage["model_calls"] == 5
        assert replay_branch(place, task, "main")[1].divergence is None


class TestWhatChangedTheOutside:
    def test_is_kept_when_it_lies_before_the_fork_point(self, scripted: Script, outside: Outside) -> None:
        saved = [call(1, "save", text="x"), *FAILS[1:2], answer(3, "${b}")]
        place = scripted(
            reply("plan", saved),
            reply("revise", [saved[0], call(2, "ask", "b", word="two"), answer(3, "${b}")]),
            tools=outside.tools(),
        )
        assert run(place, submit(place)).final_answer == "about two"
        assert outside.calls == ["save x", "ask bad", "ask two"]

    def test_sends_a_plan_back_that_would_do_it_again(self, scripted: Script, outside: Outside) -> None:
        sent = [call(1, "ask", "a", word="one"), call(2, "send", text="${a}"), *FAILS[1:2], answer(4, "${b}")]
        sent[2] = {**sent[2], "seq_no": 3}
        again = [call(1, "ask", "a", word="uno"), sent[1], call(3, "ask", "b", word="two"), answer(4, "${b}")]
        good = [*sent[:2], call(3, "ask", "b", word="two"), answer(4, "${b}")]
        place = scripted(
            reply("plan", sent), reply("revise", again), reply("revise", good), tools=outside.tools()
        )
        task = submit(place)
        assert run(place, task).final_answer == "about two"
        assert outside.calls.count("send about one") == 1
        rounds = records(place, task, "revision-1")[4]["rounds"]
        assert rounds[0]["findings"][0]["code"] == "R001"
        assert "send" in rounds[0]["findings"][0]["message"]

    def test_ends_the_run_where_the_failed_step_itself_did_it(
        self, scripted: Script, outside: Outside
    ) -> None:
        saved = [call(1, "save", text="bad"), answer(2, "done")]
        place = scripted(
            reply("plan", saved),
            reply("revise", [call(1, "save", text="good"), answer(2, "done")]),
            tools=outside.tools(),
        )
        task = submit(place)
        events: list[Event] = []
        report = run(place, task, listener=events.append)
        assert report.status == "failed" and report.revisions == ()
        assert isinstance(events[-1], NotRevised) and "outside" in events[-1].message
        assert outside.calls == ["save bad"]

    def test_ends_the_run_where_an_item_of_the_failed_step_did_it(
        self, scripted: Script, outside: Outside
    ) -> None:
        saved = [call(1, "save", "s", text="${item}", for_each=["good", "bad"]), answer(2, "done")]
        place = scripted(reply("plan", saved), reply("revise", [answer(2, "done")]), tools=outside.tools())
        report = run(place, submit(place))
        assert report.status == "failed" and report.revisions == ()

    def test_does_not_count_where_it_surely_did_not_happen(self, scripted: Script, outside: Outside) -> None:
        sent = [call(1, "send", "s", text="bad address"), answer(2, "${s}")]
        place = scripted(
            reply("plan", sent),
            reply("revise", [call(1, "send", "s", text="good address"), answer(2, "${s}")]),
            tools=outside.tools(),
        )
        report = run(place, submit(place))
        assert report.final_answer == "sent"
        assert outside.calls == ["send bad address", "send good address"]

    def test_waits_for_a_decision_as_without_revisions(self, scripted: Script, outside: Outside) -> None:
        @tool(effect="irreversible")
        def explode() -> None:
            """Raises."""
            raise ValueError("boom")

        place = scripted(
            reply("plan", [call(1, "explode"), answer(2, 1)]),
            reply("revise", [answer(2, 1)]),
            tools=[explode],
        )
        report = run(place, submit(place))
        assert report.status == "waiting" and report.revisions == ()

    def test_in_a_loop_stays_done_while_the_failing_step_changes(
        self, scripted: Script, outside: Outside
    ) -> None:
        def loop(word: str) -> list[dict[str, Any]]:
            return [
                {"seq_no": 1, "type": "assign", "parameters": {"n": 0, "words": ["one", "bad"]}},
                call(2, "ask", "got", word=word),
                call(3, "save", text="${got}"),
                {"seq_no": 4, "type": "assign", "parameters": {"n": "${{ n + 1 }}"}},
                {"seq_no": 5, "type": "jmp", "parameters": {"condition": "n < 2", "jump_if_true": 2}},
                answer(6, "done"),
            ]

        place = scripted(
            reply("plan", loop("${{ words[n] }}")),
            reply("revise", loop("${{ 'two' if words[n] == 'bad' else words[n] }}")),
            tools=outside.tools(),
        )
        task = submit(place)
        assert run(place, task).final_answer == "done"
        assert outside.calls == ["ask one", "save about one", "ask bad", "ask two", "save about two"]
        assert replay_branch(place, task, "revision-1")[1].divergence is None

"""Golden runs: run again with what there is now; what changed is shown, and nothing outside is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from plans import assign, call, jump
from scripting import Script, reply

from app.db.base import TaskRow
from app.errors import Conflict, InputError, NotFound
from app.plan.parse import plan_from_json
from app.services.edits import set_variables
from app.services.golden import GoldenResult, check_golden, choose_golden, golden_names, record_golden
from app.services.revise import RevisionOptions, accept_revision, propose_revision
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, submit_task
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import tool
from app.tools.base import Tool
from app.tools.registry import Registry
from app.vm.interrupts import Interrupts

CALLS: list[str] = []


def tools(version: str = "1", answer: str = "about") -> list[Tool]:
    @tool(effect="read", version=version)
    def ask(word: Any) -> str:
        """An answer, but not to "bad"."""
        CALLS.append(f"ask {word}")
        if word == "bad":
            raise ValueError("no answer")
        return f"{answer} {word}"

    @tool(effect="write", version=version)
    def save(text: str) -> str:
        """Saves."""
        CALLS.append(f"save {text}")
        return f"saved {text}"

    @tool(effect="irreversible", version=version)
    def send(text: str) -> str:
        """Sends, or fails without a word of whether it did."""
        CALLS.append(f"send {text}")
        if text == "lost":
            raise OSError("connection lost")
        return f"sent {text}"

    return [ask, save, send]


PLAN = [
    call(1, "ask", "a", {"word": "one"}),
    call(2, "ask", "b", {"word": "bad"}, on_error="continue"),
    call(3, "ask", "c", {"word": "${item}"}, for_each=["x", "y", "x"]),
    call(4, "save", "s", {"text": "${a}"}),
    call(5, "send", "t", {"text": "${item}"}, for_each=["p", "q"]),
    assign(6, n=0),
    assign(7, n="${{ n + 1 }}"),
    jump(8, condition="n < 3", jump_if_true=7),
    assign(9, final_answer="${s} ${t} ${c}"),
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    CALLS.clear()
    workplace, database = make_workplace(tmp_path, tools(), golden_dir=tmp_path / "golden")
    yield workplace
    database.close()


def upgraded(place: Workplace, new: Sequence[Tool]) -> Workplace:
    registry = Registry()
    for each in new:
        registry.add(each)
    CALLS.clear()
    return replace(place, load_registry=lambda: registry)


def run(place: Workplace, plan: list[dict[str, Any]] = PLAN, **more: Any) -> TaskRow:
    task = submit_task(place, NewTask(goal="test", plan=json.dumps(plan), **more))
    run_branch(place, task, "main", RunOptions(Interrupts()))
    return find_task(place, task.id)


def golden(place: Workplace, plan: list[dict[str, Any]] = PLAN, **more: Any) -> None:
    record_golden(place, run(place, plan, **more), None, "it")
    CALLS.clear()


class TestTheSame:
    def test_a_run_of_everything_is_the_same_and_nothing_is_called(self, place: Workplace) -> None:
        golden(place)
        assert check_golden(place, "it") == GoldenResult("it", "same")
        assert CALLS == []

    def test_a_new_version_that_answers_alike_is_the_same(self, place: Workplace) -> None:
        golden(place)
        result = check_golden(upgraded(place, tools(version="2")), "it")
        assert (result.verdict, result.made) == ("same", 5)
        assert set(CALLS) == {"ask one", "ask bad", "ask x", "ask y"}

    def test_a_failed_run_is_the_same_when_it_fails_alike(self, place: Workplace) -> None:
        golden(place, [call(1, "ask", "a", {"word": "bad"}), assign(2, final_answer="${a}")])
        assert check_golden(place, "it").verdict == "same" and CALLS == []

    def test_a_run_that_was_resumed_decided_edited_and_revised(self, place: Workplace) -> None:
        plan = [
            assign(0, word="lost"),
            call(1, "send", "a", {"text": "${word}"}),
            assign(2, final_answer="${a}"),
        ]
        task = run(place, plan)
        decide(place, task, "main", Decision("skip", "given"))
        run_branch(place, task, "main", RunOptions(Interrupts()))
        edited = set_variables(place, find_task(place, task.id), {"word": "w"}, at="main~2")
        run_branch(place, task, edited.branch, RunOptions(Interrupts()))
        better = plan_from_json([*plan[:2], call(3, "ask", "b", {"word": "z"}), assign(4, final_answer=1)])
        revised = accept_revision(place, propose_revision(place, task, "main", better, RevisionOptions()))
        run_branch(place, task, revised.branch, RunOptions(Interrupts()))
        CALLS.clear()
        for branch in ("main", revised.branch):
            record_golden(place, task, branch, branch)
            assert check_golden(place, branch) == GoldenResult(branch, "same")
        assert CALLS == []

    def test_a_run_that_was_stopped_by_a_limit(self, place: Workplace) -> None:
        golden(place, max_steps=3)
        assert check_golden(place, "it") == GoldenResult("it", "same")


class TestDifferences:
    def test_a_tool_that_answers_otherwise_shows_where(self, place: Workplace) -> None:
        golden(place, [call(1, "ask", "a", {"word": "one"}), assign(2, final_answer="${a}")])
        result = check_golden(upgraded(place, tools("2", answer="nothing of")), "it")
        assert result.verdict == "different" and result.comparison is not None
        divergence = result.comparison.first_divergence
        assert divergence is not None and divergence.pair.change == "output"
        assert result.comparison.answers == {"left": "about one", "right": "nothing of one"}

    def test_a_write_with_other_inputs_is_never_made(self, place: Workplace) -> None:
        golden(place)
        result = check_golden(upgraded(place, tools("2", answer="nothing of")), "it")
        assert result.verdict == "different"
        assert not any(each.startswith(("save", "send")) for each in CALLS)
        document = result.to_json()
        assert document["comparison"]["right"]["status"] == "failed"

    def test_another_interpreter_shows(self, place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
        golden(place, [assign(1, a=2), assign(2, final_answer="${{ a + 2 }}")])
        monkeypatch.setattr("app.plan.expressions.Expression.evaluate", lambda *given: 5)
        assert check_golden(place, "it").verdict == "different"

    def test_another_prompt_asks_the_model_and_without_one_is_a_difference(
        self, scripted: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = [call(1, "llm_generate", "a", {"prompt": "Write"}), assign(2, final_answer="${a}")]
        place = scripted(
            reply("generate", "first"), reply("generate", "second"), golden_dir=tmp_path / "golden"
        )
        golden(place, plan)
        assert check_golden(place, "it").verdict == "same"
        monkeypatch.setattr("app.services.thinking.prompt_hash", lambda name: "other")
        result = check_golden(place, "it")
        assert result.verdict == "different" and result.made == 1
        without = check_golden(replace(place, open_askers=lambda usage: None), "it")
        assert without.verdict == "different"


class TestBadInput:
    def test_a_tool_that_is_gone_is_one_clear_error(self, place: Workplace) -> None:
        golden(place)
        result = check_golden(upgraded(place, tools()[:2]), "it")
        assert result.verdict == "error"
        assert result.error is not None and "'send'" in result.error

    def test_a_file_that_is_damaged_is_one_clear_error(self, place: Workplace, tmp_path: Path) -> None:
        golden(place)
        path = tmp_path / "golden" / "it.bundle"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        result = check_golden(place, "it")
        assert result.verdict == "error" and result.error is not None and "bundle" in result.error

    @pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b", "x" * 200])
    def test_names_that_no_file_should_have(self, place: Workplace, name: str) -> None:
        with pytest.raises(InputError):
            record_golden(place, run(place), None, name)

    def test_a_name_that_is_taken_is_kept(self, place: Workplace) -> None:
        golden(place)
        other = run(place, [assign(1, final_answer=1)])
        with pytest.raises(Conflict):
            record_golden(place, other, None, "it")
        record_golden(place, other, None, "it", replace=True)
        assert golden_names(place.golden_folder) == ["it"]

    def test_a_run_that_has_not_ended_is_refused(self, place: Workplace) -> None:
        task = submit_task(place, NewTask(goal="test", plan=json.dumps(PLAN)))
        with pytest.raises(Conflict, match="not ended"):
            record_golden(place, task, None, "it")

    def test_names_that_are_not_there_are_named(self, place: Workplace) -> None:
        with pytest.raises(NotFound):
            choose_golden(place, [])
        golden(place)
        assert choose_golden(place, []) == ["it"]
        with pytest.raises(NotFound, match="nix"):
            choose_golden(place, ["nix"])

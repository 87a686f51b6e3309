"""Calls that change the outside: attempts, keys, and a person's word where nobody knows what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rig import Rig, assign, call

from app.tools import NotPerformed, Tool, ToolContext, tool
from app.vm.state import State


class ProcessDied(BaseException):
    """Stands for the kernel's kill: nothing after it runs."""


class Outside:
    """The world that tools change. ``dies`` and ``raises`` say what happens at which call."""

    def __init__(self) -> None:
        self.entries: list[tuple[Any, str | None]] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def tool(self, effect: Any, **options: Any) -> Tool:
        @tool(name="send", effect=effect, **options)
        def send(what: Any, context: ToolContext) -> str:
            """Changes the outside."""
            self.before()
            self.entries.append((what, context.idempotency_key))
            self.after()
            return f"sent {what}"

        return send


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def die_once(outside: Outside, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies when the call has changed the outside and nothing of it is recorded."""
    from app.vm.caller import AttemptKeeper

    with monkeypatch.context() as patch:
        patch.setattr(AttemptKeeper, "after_attempt", raising(ProcessDied()))
        with pytest.raises(ProcessDied):
            rig.run()


PLAN = [assign(0, x=1), call(1, "send", "receipt", {"what": "${x}"}), assign(2, final_answer="${receipt}")]


def test_an_attempt_is_durable_before_the_call_starts() -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("write")])
    seen: list[Any] = []
    outside.before = lambda: seen.extend(rig.ledger.branch_attempts("main"))
    rig.run()
    assert [(attempt.seq_no, attempt.state, attempt.number) for attempt in seen] == [(1, "begun", 1)]
    assert seen[0].key == outside.entries[0][1] == rig.records()[3]["key"]


def test_what_is_committed_before_a_call_is_durable_when_it_starts() -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("read")])
    kinds: list[str] = []
    outside.before = lambda: kinds.extend(rig.kinds())
    rig.run()
    assert kinds == ["goal", "plan", "step"]


@pytest.mark.parametrize("effect", ["pure", "read"])
def test_calls_that_change_nothing_have_no_key_and_no_attempts(effect: str) -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool(effect)])
    rig.run()
    assert outside.entries == [(1, None)]
    assert rig.ledger.branch_attempts("main") == []


def test_a_write_that_died_in_flight_is_repeated_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("write")])
    die_once(outside, rig, monkeypatch)
    assert rig.run().status == "completed"
    assert len(outside.entries) == 2
    assert len({key for _, key in outside.entries}) == 1


def test_a_write_keeps_its_key_after_a_failure_was_committed() -> None:
    outside = Outside()
    outside.after = raising(OSError("no answer"))
    rig = Rig(PLAN, [outside.tool("write")])
    assert rig.run().status == "failed"
    assert rig.run().status == "failed"
    outside.after = lambda: None
    assert rig.run().status == "completed"
    assert len(outside.entries) == 3
    assert len({key for _, key in outside.entries}) == 1
    assert [attempt.number for attempt in rig.ledger.branch_attempts("main")] == [1, 2, 3]
    assert rig.replay().divergence is None


def test_a_write_is_retried_within_its_policy() -> None:
    outside = Outside()
    failures = iter([OSError("once"), OSError("twice")])

    def fail_twice() -> None:
        error = next(failures, None)
        if error is not None:
            raise error

    outside.before = fail_twice
    rig = Rig(PLAN, [outside.tool("write", retry=3)])
    assert rig.run().status == "completed"
    assert rig.records()[3]["attempts"] == 3


def test_each_visit_and_item_has_a_key_of_its_own() -> None:
    outside = Outside()
    plan = [
        assign(0, n=0),
        assign(1, n="${{ n + 1 }}"),
        call(2, "send", "r", {"what": "${item}"}, for_each=["same", "same"]),
        {"seq_no": 3, "type": "jmp", "parameters": {"condition": "n < 3", "jump_if_true": 1}},
    ]
    rig = Rig(plan, [outside.tool("write")])
    assert rig.run().status == "completed"
    assert len({key for _, key in outside.entries}) == 6


def test_an_irreversible_call_that_died_in_flight_waits_and_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("irreversible")])
    die_once(outside, rig, monkeypatch)
    for _ in range(3):
        result = rig.run()
        assert result.status == "waiting"
        assert result.waiting is not None
        assert "the process ended" in result.waiting.reason
        assert result.waiting.inputs == {"what": 1}
        assert result.waiting.idempotency_key == outside.entries[0][1]
    assert len(outside.entries) == 1
    assert rig.kinds() == ["goal", "plan", "step"]


def answer_after(choice: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Outside, Rig, State]:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("irreversible")])
    die_once(outside, rig, monkeypatch)
    rig.decide(rig.run(), choice, value)
    assert rig.run().status in ("completed", "failed")
    assert rig.replay().divergence is None
    assert "decision" in rig.kinds()
    return outside, rig, rig.state()


def test_deciding_to_skip_takes_the_given_value(monkeypatch: pytest.MonkeyPatch) -> None:
    outside, rig, state = answer_after("skip", {"id": 7}, monkeypatch)
    assert state.variables["final_answer"] == {"id": 7}
    assert len(outside.entries) == 1
    assert rig.records()[-2]["decision"] == {"choice": "skip", "who": "tester"}


def test_deciding_to_run_repeats_the_call_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    outside, _, state = answer_after("run", None, monkeypatch)
    assert state.variables["final_answer"] == "sent 1"
    assert len(outside.entries) == 2
    assert len({key for _, key in outside.entries}) == 1


def test_deciding_to_fail_fails_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    outside, _, state = answer_after("fail", None, monkeypatch)
    assert state.status == "failed"
    assert state.error is not None
    assert "decided" in state.error["message"]
    assert len(outside.entries) == 1


def test_a_decision_to_run_holds_for_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("irreversible")])
    die_once(outside, rig, monkeypatch)
    rig.decide(rig.run(), "run")
    outside.after = raising(OSError("again"))
    result = rig.run()
    assert result.status == "waiting"
    assert rig.run().status == "waiting"
    assert len(outside.entries) == 2


def test_an_irreversible_call_that_raised_waits_and_says_what_it_raised() -> None:
    outside = Outside()
    outside.after = raising(OSError("line went dead"))
    rig = Rig(PLAN, [outside.tool("irreversible")])
    result = rig.run()
    assert result.status == "waiting"
    assert result.waiting is not None
    assert "OSError: line went dead" in result.waiting.reason
    assert rig.run().status == "waiting"
    assert len(outside.entries) == 1


def test_an_undeclared_tool_is_told_that_declaring_would_help() -> None:
    @tool
    def send(what: Any) -> str:
        """Says nothing about its effect."""
        raise OSError("broken")

    result = Rig(PLAN, [send]).run()
    assert result.waiting is not None
    assert "declaring one avoids this" in result.waiting.reason


def test_not_performed_is_known_and_retried() -> None:
    outside = Outside()
    refusals = iter([NotPerformed("busy"), NotPerformed("busy")])

    def refuse_twice() -> None:
        error = next(refusals, None)
        if error is not None:
            raise error

    outside.before = refuse_twice
    rig = Rig(PLAN, [outside.tool("irreversible", retry=3)])
    assert rig.run().status == "completed"
    assert len(outside.entries) == 1


def test_not_performed_without_retries_fails_and_can_be_resumed() -> None:
    outside = Outside()
    outside.before = raising(NotPerformed("closed"))
    rig = Rig(PLAN, [outside.tool("irreversible")])
    assert rig.run().status == "failed"
    outside.before = lambda: None
    assert rig.run().status == "completed"
    assert len(outside.entries) == 1


def test_wrong_arguments_are_no_attempt() -> None:
    outside = Outside()
    rig = Rig([call(0, "send", None, {"wrong": 1})], [outside.tool("irreversible")])
    assert rig.run().status == "failed"
    assert rig.run().status == "failed"


def test_on_error_goes_for_what_an_irreversible_tool_raised() -> None:
    outside = Outside()
    outside.after = raising(OSError("x"))
    plan = [
        call(0, "send", "receipt", {"what": 1}, on_error="continue"),
        assign(1, final_answer="${error.message}"),
    ]
    rig = Rig(plan, [outside.tool("irreversible")])
    assert rig.run().status == "completed"
    assert rig.variables()["final_answer"] == "OSError: x"
    assert len(outside.entries) == 1


def test_on_error_does_not_go_for_a_timeout() -> None:
    import time

    outside = Outside()
    outside.before = lambda: time.sleep(0.3)
    plan = [call(0, "send", "receipt", {"what": 1}, on_error="continue", timeout=0.05)]
    result = Rig(plan, [outside.tool("irreversible")]).run()
    assert result.status == "waiting"
    assert result.waiting is not None
    assert "overran" in result.waiting.reason


def test_a_raise_that_the_plan_handles_is_not_repeated_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside()
    outside.after = raising(OSError("x"))
    plan = [
        call(0, "send", "receipt", {"what": 1}, on_error="continue"),
        assign(1, final_answer="${error.message}"),
    ]
    rig = Rig(plan, [outside.tool("irreversible")])
    from app.vm.scribe import Scribe

    with monkeypatch.context() as patch:
        patch.setattr(Scribe, "step", raising(ProcessDied()))
        with pytest.raises(ProcessDied):
            rig.run()
    assert rig.run().status == "completed"
    assert rig.variables()["final_answer"] == "OSError: x"
    assert len(outside.entries) == 1


def test_irreversible_items_run_one_after_the_other_and_wait_each_for_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = Outside()
    plan = [
        call(0, "send", "r", {"what": "${item}"}, for_each=["a", "b", "c"]),
        assign(1, final_answer="${r}"),
    ]
    rig = Rig(plan, [outside.tool("irreversible")])

    def fail_at_b() -> None:
        if outside.entries[-1][0] == "b":
            raise OSError("b")

    outside.after = fail_at_b
    result = rig.run()
    assert result.status == "waiting"
    assert result.waiting is not None
    assert result.waiting.place.item == 1
    assert [what for what, _ in outside.entries] == ["a", "b"]
    rig.decide(result, "skip", "b by hand")
    assert rig.run().status == "completed"
    assert rig.variables()["final_answer"] == ["sent a", "b by hand", "sent c"]
    assert [what for what, _ in outside.entries] == ["a", "b", "c"]
    assert rig.replay().divergence is None


def test_a_fork_is_another_call() -> None:
    outside = Outside()
    rig = Rig(PLAN, [outside.tool("write")])
    rig.run()
    rig.repository.fork(rig.repository.resolve("main~2").oid, "other")
    assert rig.run("other").status == "completed"
    assert len({key for _, key in outside.entries}) == 2

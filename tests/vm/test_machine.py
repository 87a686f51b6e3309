"""The machine: steps become commits in program order, failures too, and every run replays to the same ids."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from rig import LIMITS, Clock, Rig, assign, call, jump

from app.tools import ToolContext, tool
from app.vm.events import Event, ItemDone, StepCommitted, StepStarted, ToolSaid
from app.vm.interrupts import Interrupts


@tool(effect="read")
def look(value: Any) -> Any:
    """Give back what it is shown."""
    return value


@tool(effect="pure")
def double(number: int) -> int:
    """Twice the number."""
    return number * 2


@tool(effect="read")
def refuse(message: str = "no") -> str:
    """Always raises."""
    raise ValueError(message)


def done(rig: Rig) -> dict[str, Any]:
    """Run to the end, replay, and give the variables."""
    result = rig.run()
    assert result.status == "completed", rig.state().error
    assert rig.replay().divergence is None
    return rig.variables()


def test_a_plan_runs_step_by_step_and_each_step_is_a_commit() -> None:
    rig = Rig(
        [assign(0, a=1), assign(1, b="${a}", c="${{ a + 1 }}"), assign(2, final_answer="${b} and ${c}")]
    )
    assert done(rig)["final_answer"] == "1 and 2"
    assert rig.kinds() == ["goal", "plan", "step", "step", "step"]
    assert [c.subject for c in rig.repository.log(rig.head())][:2] == [
        "step 2: assign -> final_answer",
        "step 1: assign -> b, c",
    ]


def test_all_values_of_an_assign_come_from_the_state_before_it() -> None:
    rig = Rig([assign(0, a=1, b=2), assign(1, a="${b}", b="${a}"), assign(2, final_answer="${{ [a, b] }}")])
    assert done(rig)["final_answer"] == [2, 1]


def test_setting_final_answer_ends_the_run() -> None:
    rig = Rig([assign(0, final_answer=None), assign(1, never=1)])
    assert "never" not in done(rig)
    assert rig.state().pc is None


def test_a_plan_that_sets_no_answer_completes_after_its_last_step() -> None:
    assert "final_answer" not in done(Rig([assign(0, a=1)]))


def test_a_loop_executes_its_steps_again_and_counts_the_visits() -> None:
    rig = Rig(
        [
            assign(0, n=0, seen=[]),
            assign(1, n="${{ n + 1 }}", seen="${{ seen + [n] }}"),
            jump(2, condition="n < 5", jump_if_true=1),
            assign(3, final_answer="${seen}"),
        ]
    )
    assert done(rig)["final_answer"] == [0, 1, 2, 3, 4]
    assert rig.state().visits == {1: 5, 2: 5}
    assert rig.kinds().count("step") == 1 + 5 + 5 + 1


def test_a_call_gives_its_result_to_one_variable_or_parts_of_it_to_several() -> None:
    rig = Rig(
        [
            call(0, "look", "whole", {"value": {"x": 1, "y": [{"z": "deep"}]}}),
            call(1, "look", ["x", "y"], {"value": "${whole}"}),
            call(2, "look", {"deep": "y[0].z"}, {"value": "${whole}"}),
            call(3, "look", ["p", "q"], {"value": 'Sure: {"p": 1, "q": 2}.'}),
            assign(4, final_answer="${{ [x, deep, p, q] }}"),
        ],
        [look],
    )
    assert done(rig)["final_answer"] == [1, "deep", 1, 2]


def test_the_record_of_a_call_holds_everything_that_came_from_outside() -> None:
    rig = Rig([call(0, "look", "v", {"value": "${{ 1 + 1 }}"}, retry={"max_attempts": 2})], [look])
    done(rig)
    record = rig.records()[-1]
    assert record["kind"] == "step"
    assert record["inputs"] == {"value": 2}
    assert record["value"] == 2
    assert (record["tool"], record["version"], record["effect"]) == ("look", look.version, "read")
    assert record["ended_ms"] > record["started_ms"]


def test_a_pure_call_records_no_time_and_takes_its_parents() -> None:
    rig = Rig([call(0, "look", "v", {"value": 1}), call(1, "double", "w", {"number": 4})], [look, double])
    done(rig)
    head = rig.repository.commit(rig.head())
    assert head.time == rig.repository.commit(head.parents[0]).time
    assert not {"started_ms", "ended_ms", "attempts"} & rig.records()[-1].keys()


def test_the_time_of_a_commit_is_the_end_of_its_effect_and_never_before_its_parents() -> None:
    rig = Rig([call(n, "look", None, {"value": n}) for n in range(5)], [look], clock=Clock(tick_ms=700))
    done(rig)
    times = [commit.time for commit in rig.repository.log(rig.head())][::-1]
    assert times == sorted(times)
    assert times[-1] == max(record.get("ended_ms", 0) for record in rig.records()) // 1000


def test_a_failing_step_is_a_commit_and_the_run_can_try_again() -> None:
    calls = []

    @tool(effect="read")
    def sometimes() -> str:
        """Fails the first time."""
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the door is shut")
        return "open"

    rig = Rig([assign(0, a=1), call(1, "sometimes", "door"), assign(2, final_answer="${door}")], [sometimes])
    result = rig.run()
    assert result.status == "failed"
    assert rig.kinds()[-1] == "failure"
    assert rig.state().error == {
        "step": 1,
        "tool": "sometimes",
        "item": None,
        "message": "OSError: the door is shut",
    }
    assert rig.variables() == {"a": 1}
    assert rig.replay().divergence is None
    assert done(rig)["final_answer"] == "open"
    assert rig.kinds() == ["goal", "plan", "step", "failure", "step", "step"]
    assert rig.state().error is None
    assert len(rig.state().errors) == 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (assign(1, b="${missing}"), "missing"),
        (assign(1, b="${{ 1 / 0 }}"), "zero"),
        (assign(1, b="${a.x}"), "a.x"),
        (jump(1, condition="a", jump_if_true=0), "true or false"),
        (jump(1, condition_prompt="is it so?", jump_if_true=0, jump_if_false=0), "none is configured"),
        (call(1, "nobody"), "nobody"),
        (call(1, "look", None, {"wrong": 1}), "wrong"),
        (call(1, "look", ["p"], {"value": 1}, for_each="${a}"), "for_each needs a list"),
        (call(1, "look", ["p", "q"], {"value": 5}), "'p'"),
        (call(1, "look", ["p", "q"], {"value": "no object"}), "JSON object"),
        (assign(1, b="${{ 'x' * 2000000 }}"), "limit"),
    ],
)
def test_what_goes_wrong_in_a_step_is_that_steps_error(step: dict[str, Any], message: str) -> None:
    rig = Rig([assign(0, a=1), step], [look])
    assert rig.run().status == "failed"
    error = rig.state().error
    assert error is not None
    assert error["step"] == 1
    assert message in error["message"]
    assert rig.replay().divergence is None


@pytest.mark.parametrize(
    "value",
    [float("nan"), b"bytes", "\ud800", {1: 2}, object(), "x" * 2_000_000],
    ids=["nan", "bytes", "surrogate", "key", "object", "large"],
)
def test_a_result_that_json_or_the_limit_cannot_hold_is_the_steps_error(value: object) -> None:
    @tool(effect="read")
    def odd() -> Any:
        """Gives something odd."""
        return value

    rig = Rig([call(0, "odd", "v")], [odd])
    assert rig.run().status == "failed"
    assert rig.replay().divergence is None


def nested(levels: int) -> Any:
    value: Any = "core"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(("levels", "failing"), [(99, None), (100, 3), (101, 1)])
def test_deep_values_are_kept_or_are_the_steps_error(levels: int, failing: int | None) -> None:
    """A hundred levels are the most; the list ``all`` adds one."""
    rig = Rig(
        [
            assign(0, deep=nested(90)),
            assign(1, deep="${{ " + "[" * (levels - 90) + "deep" + "]" * (levels - 90) + " }}"),
            call(2, "look", "seen", {"value": "${deep}"}),
            call(3, "look", "all", {"value": "${item}"}, for_each=["${deep}"]),
            call(4, "look", "more", {"value": ["${deep}"]}),
        ],
        [look],
    )
    rig.run()
    error = rig.state().error
    assert (error["step"] if error is not None else None) == failing
    assert error is None or "deeper than 100 levels" in error["message"]
    assert rig.replay().divergence is None


@pytest.mark.parametrize(
    "step",
    [
        assign(1, b=["${a}"] * 1000),
        assign(1, b="${{ [" + ", ".join(["a"] * 1000) + "] }}"),
        call(1, "look", None, {"value": {"k": ["${a}"] * 1000}}),
        call(1, "look", None, {"value": ["${a}", "${item}"]}, for_each=list(range(1000))),
        call(1, "look", None, {"value": "${a}${item}"}, for_each=list(range(1000))),
    ],
    ids=["template", "expression", "argument", "items", "texts of items"],
)
def test_a_value_that_multiplies_is_refused_before_it_is_written(step: dict[str, Any]) -> None:
    rig = Rig([assign(0, a="${{ 'x' * 900000 }}"), step], [look])
    begun = time.process_time()
    rig.run()
    assert time.process_time() - begun < 2
    error = rig.state().error
    assert error is not None
    assert "limit" in error["message"]
    assert rig.replay().divergence is None


def test_an_error_can_be_continued_or_lead_elsewhere() -> None:
    rig = Rig(
        [
            call(0, "refuse", ["x", "y"], {"message": "first"}, on_error="continue"),
            assign(1, first="${error}"),
            call(2, "refuse", "z", {"message": "second"}, on_error={"goto": 4}),
            assign(3, final_answer="not here"),
            assign(4, final_answer="${{ [x, y, first['message'], error['step']] }}"),
        ],
        [refuse],
    )
    assert done(rig)["final_answer"] == [None, None, "ValueError: first", 2]
    assert "z" not in rig.variables()
    assert rig.kinds().count("failure") == 0
    assert len(rig.state().errors) == 2


def test_for_each_calls_once_an_item_and_keeps_the_order() -> None:
    @tool(effect="read")
    def slow_first(name: str, position: int) -> dict[str, Any]:
        """The first items take longest."""
        time.sleep(0.02 if position == 0 else 0.0)
        return {"upper": name.upper(), "position": position}

    rig = Rig(
        [
            assign(0, names=["a", "b", "c"]),
            call(1, "slow_first", ["upper", "position"], {"name": "${item}", "position": "${index}"},
                 for_each="${names}"),
            assign(2, final_answer="${{ [upper, position] }}"),
        ],
        [slow_first],
    )  # fmt: skip
    assert done(rig)["final_answer"] == [["A", "B", "C"], [0, 1, 2]]
    assert "item" not in rig.variables()


def test_for_each_over_nothing_gives_empty_lists() -> None:
    rig = Rig(
        [call(0, "look", "v", {"value": "${item}"}, for_each=[]), assign(1, final_answer="${v}")], [look]
    )
    assert done(rig)["final_answer"] == []


def test_eight_items_at_once() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    @tool(effect="read")
    def wait(n: int) -> int:
        """Waits a little."""
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return n

    rig = Rig(
        [call(0, "wait", "v", {"n": "${item}"}, for_each="${{ " + str(list(range(24))) + " }}")], [wait]
    )
    assert done(rig)["v"] == list(range(24))
    assert most[0] == 8


def test_a_failed_item_is_null_where_the_step_continues() -> None:
    @tool(effect="read")
    def even(n: int) -> int:
        """Refuses odd numbers."""
        if n % 2:
            raise ValueError(f"{n} is odd")
        return n

    rig = Rig(
        [
            call(0, "even", "v", {"n": "${item}"}, for_each=[0, 1, 2, 3], on_error="continue"),
            assign(1, final_answer="${{ [v, error['item'], error['message']] }}"),
        ],
        [even],
    )
    assert done(rig)["final_answer"] == [[0, None, 2, None], 1, "ValueError: 1 is odd"]


def test_resuming_a_failed_for_each_calls_only_what_has_no_good_outcome() -> None:
    calls: list[int] = []
    broken = [True]

    @tool(effect="read")
    def fetch(n: int) -> int:
        """The third is broken at first."""
        calls.append(n)
        if n == 3 and broken[0]:
            raise OSError("broken")
        return n * 10

    rig = Rig([call(0, "fetch", "v", {"n": "${item}"}, for_each=[1, 2, 3, 4, 5])], [fetch])
    assert rig.run().status == "failed"
    assert rig.state().error == {"step": 0, "tool": "fetch", "item": 2, "message": "OSError: broken"}
    assert rig.replay().divergence is None
    answered = set(calls) - {3}
    broken[0] = False
    calls.clear()
    assert done(rig)["v"] == [10, 20, 30, 40, 50]
    assert set(calls) == {1, 2, 3, 4, 5} - answered
    assert rig.ledger.effects("main", 0, 1) == {}


def test_an_item_whose_arguments_cannot_be_resolved_is_that_items_error() -> None:
    rig = Rig(
        [
            call(
                0, "look", "v", {"value": "${item.name}"}, for_each=[{"name": "a"}, {}], on_error="continue"
            ),
            assign(1, final_answer="${v}"),
        ],
        [look],
    )
    assert done(rig)["final_answer"] == ["a", None]


def test_the_step_limit_stops_the_run_and_says_limit() -> None:
    rig = Rig([assign(0, n=0), jump(1, condition="n == 1", jump_if_true=2, jump_if_false=0), assign(2, z=1)],
              limits={**LIMITS, "steps": 7})  # fmt: skip
    result = rig.run()
    assert result.status == "failed"
    assert rig.kinds()[-1] == "stop"
    assert rig.state().steps == 7
    error = rig.state().error
    assert error is not None
    assert "limit reached: steps" in error["message"]
    assert rig.replay().divergence is None


def test_the_limit_of_seconds_counts_work() -> None:
    rig = Rig([call(n, "look", None, {"value": n}) for n in range(9)], [look],
              limits={**LIMITS, "seconds": 3}, clock=Clock(tick_ms=1_000))  # fmt: skip
    rig.run()
    assert rig.state().worked_ms > 0
    rig.run()
    assert rig.run().status in ("failed", "completed")


def test_a_tool_cannot_change_the_state_through_its_arguments_or_its_result() -> None:
    kept: list[Any] = []

    @tool(effect="read")
    def spoil(rows: list[Any]) -> list[Any]:
        """Changes what it was given and what it gave."""
        rows.append("spoiled")
        kept.append(rows)
        return rows

    rig = Rig(
        [
            assign(0, rows=[1]),
            call(1, "spoil", "out", {"rows": "${rows}"}),
            call(2, "spoil", "again", {"rows": "${out}"}),
            assign(3, final_answer="${{ [rows, out] }}"),
        ],
        [spoil],
    )
    assert done(rig)["final_answer"] == [[1], [1, "spoiled"]]


def test_the_same_plan_gives_the_same_ids_however_often_it_is_flushed() -> None:
    steps = [assign(0, a=1), call(1, "look", "b", {"value": "${a}"}), assign(2, final_answer="${b}")]
    rigs = [Rig(steps, [look]), Rig(steps, [look], every_commit=True)]
    heads = {rig.run().head for rig in rigs}
    assert len(heads) == 1


def test_a_stop_between_steps_leaves_a_run_that_goes_on() -> None:
    interrupts = Interrupts()

    @tool(effect="read")
    def ask_to_stop() -> str:
        """Somebody presses Ctrl-C meanwhile."""
        interrupts.stop_now()
        return "done"

    rig = Rig([call(0, "ask_to_stop", "a"), assign(1, final_answer="${a}")], [ask_to_stop])
    with pytest.raises(KeyboardInterrupt):
        rig.run(interrupts=interrupts)
    assert rig.kinds() == ["goal", "plan", "step"]
    assert done(rig)["final_answer"] == "done"


def test_whoever_watches_is_told() -> None:
    @tool(effect="read")
    def talk(n: int, context: ToolContext) -> int:
        """Says something."""
        context.progress(f"at {n}", 0.5)
        return n

    events: list[Event] = []
    rig = Rig([call(0, "talk", "v", {"n": "${item}"}, for_each=[1, 2]), assign(1, final_answer=1)], [talk])
    with_listener = rig.run(listener=events.append)
    assert with_listener.status == "completed"
    assert [type(event) for event in events if not isinstance(event, ToolSaid)] == [
        StepStarted,
        ItemDone,
        ItemDone,
        StepCommitted,
        StepCommitted,
    ]


def test_replay_finds_a_tampered_record() -> None:
    rig = Rig([call(0, "look", "v", {"value": "truth"}), assign(1, final_answer="${v}")], [look])
    rig.run()
    other = Rig([call(0, "look", "v", {"value": "lie"}), assign(1, final_answer="${v}")], [look])
    other.run()
    # A commit that claims the other run's tree: replay must not believe it.
    from app.history.base import Kind, RawObject, RefMove, object_id
    from app.history.commits import commit_bytes

    head = rig.repository.commit(rig.head())
    forged_tree = other.repository.commit(other.head()).tree
    for oid in list(other.store.object_ids()):
        rig.store.write([other.store.read(oid)])
    data = commit_bytes(forged_tree, head.parents, head.time, head.message)
    forged = RawObject(object_id(Kind.COMMIT, data), Kind.COMMIT, data)
    rig.store.write([forged], [RefMove("refs/heads/main", head.oid, forged.oid)])
    result = rig.replay()
    assert result.divergence is not None
    assert result.divergence.commit == forged.oid.hex()
    assert result.commits == 3

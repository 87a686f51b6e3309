"""Calls that start before their turn: which may, which must not, and what the history shows of it: nothing."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from rig import LIMITS, START_MS, Rig, assign, call, jump
from stage import Models, Stage, act

from app.tools import tool
from app.tools.llm import llm_generate
from app.vm.caller import Answer, Caller, Request
from app.vm.calls import Outcome
from app.vm.events import Event, ItemDone, StepCommitted, StepStarted

ANSWER = assign(99, final_answer="done")


def run(stage: Stage, steps: list[dict[str, Any]], *more: Any, **options: Any) -> Rig:
    """Run to the end, replay, and give the rig."""
    rig = Rig([*steps, ANSWER], [*stage.tools(), *more], limits=options.pop("limits", LIMITS))
    result = rig.run(listener=stage.listen, **options)
    assert result.status == "completed", rig.state().error
    assert rig.replay().divergence is None
    assert rig.ledger.effect_places("main") == set()
    return rig


def test_calls_that_need_nothing_of_each_other_run_side_by_side() -> None:
    stage = Stage()
    rig = run(stage, [act(0, "look", "a", ["begin b"]), act(1, "look", "b", ["begin a", "commit 0"])])
    assert rig.variables()["a"] == "a"
    assert stage.in_order("end a", "commit 0", "end b", "commit 1")


def test_results_are_committed_in_program_order() -> None:
    stage = Stage()
    run(stage, [act(n, "look", f"c{n}", [f"end c{n + 1}"] if n < 4 else []) for n in range(5)])
    assert stage.in_order("end c4", "end c3", "end c2", "end c1", "end c0")
    assert stage.in_order(*(f"commit {n}" for n in range(5)))


def test_a_step_starts_as_soon_as_what_it_reads_is_there() -> None:
    stage = Stage()
    run(
        stage,
        [
            act(0, "look", "slow", ["end third"]),
            act(1, "look", "first"),
            assign(2, between="${first} again"),
            act(3, "mix", "second", after="${between}"),
            act(4, "look", "third", after=["${second}"]),
            act(5, "look", "needs_slow", after="${slow}"),
        ],
    )
    assert stage.in_order("end first", "begin second", "end second", "begin third", "end third", "end slow",
                          "begin needs_slow")  # fmt: skip


def test_no_more_calls_are_under_way_than_the_width() -> None:
    for width in (1, 3):
        stage = Stage()
        steps = [act(n, "look", f"c{n}") for n in range(9)]
        fan = call(9, "look", "fan", {"name": "item ${item}"}, for_each=list(range(9)))
        run(stage, [*steps, fan, *(act(n, "look", f"c{n}") for n in range(10, 19))], width=width)
        assert stage.most <= width
        assert len(stage.calls()) == 27


def test_at_width_one_calls_are_made_in_program_order() -> None:
    stage = Stage()
    run(stage, [act(n, "look", f"c{n}") for n in range(5)], width=1)
    assert stage.calls() == [f"c{n}" for n in range(5)]


def test_a_call_with_nothing_beside_it_runs_in_the_machines_own_thread() -> None:
    stage = Stage()
    run(stage, [act(0, "look", "a"), act(1, "look", "b", after="${a}"), act(2, "look", "c", after="${b}")])
    assert set(stage.threads.values()) == {threading.current_thread()}


def test_a_call_reads_what_the_last_writer_before_it_has_set() -> None:
    stage = Stage()
    rig = run(
        stage,
        [
            assign(0, x="old"),
            act(1, "look", "slow", ["end later"]),
            act(2, "look", "early", after="${x}", gives="${x}"),
            assign(3, x="new"),
            act(4, "look", "later", ["end early"], gives="${x}"),
            act(5, "look", "x", ["end later"], gives="newest"),
            act(6, "look", "last", gives="${x}"),
        ],
    )
    variables = rig.variables()
    assert (variables["early"], variables["later"], variables["last"]) == ("old", "new", "newest")


@pytest.mark.parametrize("change", ["put", "pay"])
def test_what_looks_outside_waits_for_every_change_ahead(change: str) -> None:
    stage = Stage()
    run(
        stage,
        [
            act(0, "look", "slow", ["end free"]),
            act(1, change, "one"),
            act(2, "look", "between"),
            act(3, change, "two"),
            act(4, "look", "behind"),
            act(5, "mix", "free"),
        ],
    )
    assert stage.in_order("begin free", "end slow", "commit 0", "begin one", "commit 1", "begin between",
                          "commit 2", "begin two", "commit 3", "begin behind")  # fmt: skip


@pytest.mark.parametrize("change", ["put", "pay"])
def test_a_change_waits_until_every_step_before_it_is_durable(change: str) -> None:
    stage = Stage()
    steps = [
        act(0, "look", "a", ["begin b"]),
        act(1, "look", "b", ["begin a"]),
        act(2, change, "c", ["begin free"]),
        act(3, "mix", "free", ["end c"]),
        ANSWER,
    ]
    rig = Rig(steps, stage.tools())
    kinds: list[str] = []
    stage.before["c"] = lambda: kinds.extend(rig.kinds())
    assert rig.run().status == "completed"
    assert "begin free" in stage.log
    assert kinds == ["goal", "plan", "step", "step"]


def test_a_read_that_was_made_alone_is_durable_as_soon_as_it_is_committed() -> None:
    stage = Stage()
    rig = Rig([act(0, "look", "a"), act(1, "look", "b", after="${a}"), ANSWER], stage.tools())
    kinds: list[list[str]] = []
    rig.run(listener=lambda event: kinds.append(rig.kinds()) if isinstance(event, StepCommitted) else None)
    assert kinds[:2] == [["goal", "plan", "step"], ["goal", "plan", "step", "step"]]


def test_calls_without_effect_go_on_while_a_change_is_made() -> None:
    stage = Stage()
    run(stage, [act(0, "put", "a", ["end c"]), act(1, "mix", "b"), act(2, "mix", "c", after="${b}")])
    assert stage.in_order("end b", "end c", "end a")


def test_a_model_is_asked_before_changes_ahead_are_made_and_holds_nothing_up() -> None:
    stage = Stage()
    rig = run(
        stage,
        [
            call(0, "llm_generate", "t", {"prompt": "one", "context": ["end b"]}),
            act(1, "look", "a"),
            act(2, "put", "change"),
            call(3, "llm_generate", "u", {"prompt": "two", "context": ["begin one"]}),
            act(4, "mix", "b", after="${u}"),
        ],
        llm_generate,
        thinker=Models(stage),
    )
    assert rig.variables()["u"] == "text of two"
    assert stage.in_order("end two", "end b", "end one", "begin change")


@pytest.mark.parametrize(
    "fork",
    [
        act(1, "look", "fork", on_error={"goto": 99}),
        jump(1, condition="a == 'a'", jump_if_true=2, jump_if_false=99),
    ],
    ids=["goto", "condition"],
)
def test_nothing_starts_behind_a_step_that_may_lead_elsewhere(fork: dict[str, Any]) -> None:
    stage = Stage()
    run(
        stage,
        [act(0, "look", "a"), fork, act(2, "look", "b", ["commit 1"]), act(3, "look", "c", ["commit 1"])],
    )
    assert stage.in_order("commit 0", "commit 1", "begin b")
    assert stage.in_order("commit 1", "begin c")


def test_a_step_that_may_go_elsewhere_starts_early_itself() -> None:
    stage = Stage()
    run(stage, [act(0, "look", "a", ["end b"]), act(1, "look", "b", on_error={"goto": 99})])


def test_nothing_starts_behind_the_answer() -> None:
    stage = Stage()
    rig = Rig([act(0, "look", "a"), act(1, "look", "final_answer"), act(2, "look", "c"), act(3, "look", "d")],
              stage.tools())  # fmt: skip
    assert rig.run().status == "completed"
    assert set(stage.calls()) == {"a", "final_answer"}


def test_an_unconditional_jump_is_followed() -> None:
    stage = Stage()
    run(
        stage,
        [
            act(0, "look", "a", ["begin c"]),
            jump(1, target_seq=3),
            act(2, "look", "never"),
            act(3, "look", "c", ["begin a"]),
        ],
    )


def test_each_turn_of_a_loop_looks_ahead_anew() -> None:
    stage = Stage()
    rig = run(
        stage,
        [
            assign(0, n=0),
            act(1, "look", "a", ["begin b ${n}"]),
            call(2, "look", "b", {"name": "b ${n}"}),
            assign(3, n="${{ n + 1 }}"),
            jump(4, condition="n < 3", jump_if_true=1),
        ],
    )
    assert rig.state().visits == {1: 3, 2: 3, 3: 3, 4: 3}
    assert sorted(stage.calls()) == ["a", "a", "a", "b 0", "b 1", "b 2"]


def test_the_error_of_a_step_that_goes_on_reaches_who_reads_it() -> None:
    stage = Stage()
    rig = run(
        stage,
        [
            act(0, "look", "slow", ["end d"]),
            assign(1, error={"message": "none"}),
            act(2, "look", "a", on_error="continue"),
            act(3, "look", "b", on_error="continue", gives="${error.message}"),
            act(4, "look", "bad", on_error="continue", fails="oh"),
            act(5, "look", "c", on_error="continue", gives="${{ [error['message'], bad] }}"),
            act(6, "look", "d", gives="${error.message}"),
        ],
    )
    variables = rig.variables()
    assert (variables["b"], variables["c"], variables["d"]) == (
        "none",
        ["ValueError: oh", None],
        "ValueError: oh",
    )


def test_no_call_is_made_that_the_step_limit_would_not_let_run() -> None:
    stage = Stage()
    steps = [act(n, "look", f"c{n}", [f"begin c{min(n + 1, 4)}"]) for n in range(9)]
    rig = Rig([*steps, ANSWER], stage.tools(), limits={**LIMITS, "steps": 5})
    assert rig.run().status == "failed"
    assert rig.kinds()[-1] == "stop"
    assert sorted(stage.calls()) == [f"c{n}" for n in range(5)]


def test_no_call_starts_early_once_the_time_is_over() -> None:
    stage = Stage()
    stage.before |= {"slow": lambda: time.sleep(1.3), "a": lambda: time.sleep(1.1)}
    steps = [act(0, "look", "slow"), act(1, "look", "a"), act(2, "look", "b", after="${a}"), ANSWER]
    rig = Rig(steps, stage.tools(), limits={**LIMITS, "seconds": 1})
    events: list[Event] = []
    assert rig.run(listener=events.append).status == "failed"
    assert sorted(stage.calls()) == ["a", "slow"]
    assert sorted(event.step.seq_no for event in events if isinstance(event, StepStarted)) == [0, 1]


def test_a_for_each_and_the_calls_behind_it_share_the_width() -> None:
    stage = Stage()
    until = ["begin i0", "begin i1", "begin b"]
    run(
        stage,
        [
            call(0, "look", "fan", {"name": "i${index}", "until": until}, for_each=[1, 2]),
            act(1, "look", "b", until),
            act(2, "look", "c"),
        ],
        width=3,
    )
    assert stage.most == 3
    assert stage.in_order("begin b", "begin c")


def test_the_items_of_a_for_each_start_early_too() -> None:
    stage = Stage()
    rig = run(
        stage,
        [
            act(0, "look", "slow", ["end i0", "end i1", "end c"]),
            call(1, "look", "fan", {"name": "i${index}", "gives": "${item}"}, for_each=[5, 6]),
            act(2, "look", "c", gives="${{ sum(fan) }}"),
        ],
    )
    assert rig.variables()["c"] == 11


def test_a_failing_step_ends_the_run_and_what_was_answered_behind_it_is_not_asked_again() -> None:
    stage = Stage()
    broken = [True]

    @tool(effect="read")
    def sometimes() -> str:
        """Fails at first, when everything else is over."""
        if broken[0]:
            for name in ("a", "b"):
                stage.wait_for(f"end {name}")
            raise OSError("shut")
        return "open"

    steps = [
        call(0, "sometimes", "door"),
        act(1, "look", "a"),
        act(2, "look", "b", after="${a}"),
        act(3, "mix", "c"),
        act(4, "look", "bad", fails="bad"),
        ANSWER,
    ]
    rig = Rig(steps, [*stage.tools(), sometimes])
    assert rig.run().status == "failed"
    assert rig.kinds() == ["goal", "plan", "failure"]
    assert sorted(stage.calls()) == ["a", "b", "bad", "c"]
    assert rig.ledger.effect_places("main") == {(1, 1), (2, 1)}
    broken[0] = False
    stage.log.clear()
    assert (
        rig.run().status == "failed"
    )  # at the other bad step: an error is not kept, and a pure call costs nothing
    assert sorted(stage.calls()) == ["bad", "c"]
    assert rig.variables()["b"] == "b"
    assert rig.replay().divergence is None


def test_calls_under_way_when_a_step_fails_may_end_and_are_kept() -> None:
    stage = Stage()
    rig = Rig(
        [act(0, "look", "bad", ["begin slow"], fails="no"), act(1, "look", "slow", ["commit 0"]), ANSWER],
        stage.tools(),
    )
    assert rig.run(listener=stage.listen).status == "failed"
    assert stage.in_order("begin slow", "end bad", "commit 0", "end slow")
    assert rig.ledger.effect_places("main") == {(1, 1)}


def test_nothing_more_starts_once_a_step_is_known_to_fail() -> None:
    stage = Stage()
    steps = [act(0, "look", "slow", ["end bad"]), act(1, "look", "bad", fails="no")]
    rig = Rig([*steps, *(act(n, "look", f"c{n}") for n in range(2, 40)), ANSWER], stage.tools())
    assert rig.run(width=2).status == "failed"
    assert rig.kinds() == ["goal", "plan", "step", "failure"]
    assert set(stage.calls()) <= {"slow", "bad", "c2"}


def test_a_step_that_can_not_be_computed_ends_what_starts_early() -> None:
    stage = Stage()
    steps = [act(0, "look", "slow"), assign(1, x="${{ 1 / 0 }}"), act(2, "look", "a", after="${x}")]
    rig = Rig([*steps, act(3, "look", "b"), act(4, "look", "c"), ANSWER], stage.tools())
    assert rig.run().status == "failed"
    error = rig.state().error
    assert error is not None and error["step"] == 1
    assert stage.calls() == ["slow"]
    assert rig.replay().divergence is None


class Timed(Caller):
    """Gives calls the times that a test wants: those of the first step are late, of the others early."""

    def answered(self, request: Request, performed: Outcome) -> Answer:
        started = START_MS + 1_000 * (100 if request.place.seq_no == 0 else request.place.seq_no)
        return super().answered(request, replace(performed, started_ms=started, ended_ms=started + 500))


def test_the_record_of_an_early_call_has_its_own_times_and_commits_never_go_back() -> None:
    stage = Stage()
    rig = Rig([act(0, "look", "a", ["end b"]), act(1, "look", "b"), ANSWER], stage.tools(), caller_type=Timed)
    assert rig.run().status == "completed"
    records = rig.records()
    assert records[3]["started_ms"] == START_MS + 1_000
    assert set(records[3]) == set(records[2])
    times = [commit.time for commit in rig.repository.log(rig.head())][::-1]
    assert times == sorted(times)


def test_an_answer_to_something_else_is_dropped() -> None:
    """Each item can be kept, their list is a level too deep: that shows at the commit, which makes it null."""
    stage = Stage()
    deep: Any = "core"
    for _ in range(100):
        deep = [deep]

    @tool(effect="read", version="1")
    def dig() -> Any:
        """Gives something deep."""
        return deep

    asked = "is null: ${{ found == null }}"
    rig = run(
        stage,
        [
            act(0, "look", "slow", ["end is null: false"]),
            call(1, "dig", "found", for_each=[1, 2], on_error="continue"),
            call(2, "look", "early", {"name": asked}),
        ],
        dig,
    )
    assert rig.variables()["found"] is None
    assert rig.variables()["early"] == "is null: true"
    assert stage.calls() == ["slow", "is null: false", "is null: true"]


def test_whoever_watches_sees_starts_when_they_happen_and_commits_in_order() -> None:
    stage = Stage()
    events: list[Event] = []
    rig = Rig(
        [
            act(0, "look", "a", ["begin i0", "begin c"]),
            call(1, "look", "fan", {"name": "i${index}"}, for_each=[1]),
            act(2, "look", "c"),
            ANSWER,
        ],
        stage.tools(),
    )
    assert rig.run(listener=events.append).status == "completed"
    assert [event.step.seq_no for event in events if isinstance(event, StepCommitted)] == [0, 1, 2, 99]
    started = [event.step.seq_no for event in events if isinstance(event, StepStarted)]
    assert sorted(started) == [0, 1, 2]
    first_commit = next(index for index, event in enumerate(events) if isinstance(event, StepCommitted))
    assert len([event for event in events[:first_commit] if isinstance(event, StepStarted)]) == 3
    assert len([event for event in events if isinstance(event, ItemDone)]) == 1

"""The process dies while calls are under way, anywhere: what was kept is not asked again, and no trace is left."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from rig import Clock, Rig, assign, call
from stage import PATIENCE, Models, Stage, act
from test_any_order import Cells, Dawdling, cell_steps, recorded_rig

from app.db.base import NO_ITEM, FinishedEffect, Ledger
from app.db.memory import MemoryLedger
from app.errors import BranchMoved
from app.history import journal
from app.history.base import RawObject, RefMove, Store
from app.history.repository import Repository
from app.tools import Tool, ToolContext
from app.tools.llm import llm_generate
from app.vm.events import Event, StepCommitted
from app.vm.interrupts import Interrupts

PLANS = max(1, int(os.environ.get("TEST_RANDOM_PLANS", "100")) // 5)

Place = tuple[int, int, int | None]


class ProcessDied(BaseException):
    """Stands for the kernel's kill: nothing after it runs."""


class Life:
    """One process. It dies at its ``last`` crossing of a seam, and then every seam is shut."""

    def __init__(self, last: int | None = None) -> None:
        self._last = last
        self.crossings = 0
        self.called: list[Place] = []
        self._lock = threading.Lock()

    def cross(self, *_: object) -> None:
        self.crossings += 1
        if self._last is not None and self.crossings >= self._last:
            raise ProcessDied

    def tools(self, tools: list[Tool]) -> list[Tool]:
        """The tools, noting which calls are made of them in this life."""
        return [replace(each, function=self._noting(each), context_parameter="_where") for each in tools]

    def _noting(self, made: Tool) -> Any:
        def noting(_where: ToolContext, **arguments: Any) -> Any:
            with self._lock:
                self.called.append((_where.step, _where.visit, _where.item))
            return made.function(**arguments)

        return noting


class MortalLedger:
    """A ledger that a process writes to while it lives."""

    def __init__(self, ledger: Ledger, life: Life) -> None:
        self._ledger = ledger
        self._life = life

    def __getattr__(self, name: str) -> Any:
        def method(*arguments: Any) -> Any:
            self._life.cross()
            given = getattr(self._ledger, name)(*arguments)
            self._life.cross()
            return given

        return method


class MortalStore:
    """A store that a process writes to while it lives."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life

    def write(self, objects: Sequence[RawObject], moves: Sequence[RefMove] = ()) -> None:
        self._life.cross()
        self._store.write(objects, moves)
        self._life.cross()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class MortalClock(Clock):
    """A clock that a process looks at while it lives."""

    def __init__(self, life: Life) -> None:
        super().__init__(tick_ms=0)
        self._life = life

    def __call__(self) -> int:
        self._life.cross()
        return super().__call__()


def live(rig: Rig, tools: list[Tool], last: int | None = None, width: int = 4) -> Life:
    """Run until the end, or until death."""
    life = Life(last)
    store, ledger, catalog, clock = rig.store, rig.ledger, rig.tools, rig.clock
    rig.store, rig.ledger = cast(Store, MortalStore(store, life)), cast(Ledger, MortalLedger(ledger, life))
    rig.repository = Repository(rig.store)
    rig.clock = MortalClock(life)
    rig.use(life.tools(Dawdling(last or 0, longest=0.001).tools(tools)))
    try:
        assert rig.run(width=width, listener=life.cross).status == "completed"
    except ProcessDied:
        pass
    finally:
        rig.store, rig.ledger, rig.tools, rig.clock = store, ledger, catalog, clock
        rig.repository = Repository(store)
    return life


def durable(rig: Rig) -> set[Place]:
    """The calls whose answer survives: committed, or kept."""
    places: set[Place] = set()
    for record in rig.records():
        if record["kind"] == "step" and "tool" in record:
            items = range(record["count"]) if "count" in record else [None]
            places |= {(record["seq_no"], record["visit"], item) for item in items}
    for seq_no, visit in rig.ledger.effect_places("main"):
        for item in rig.ledger.effects("main", seq_no, visit):
            places.add((seq_no, visit, None if item < 0 else item))
    return places


def check(steps: list[dict[str, Any]], deaths: Iterator[int], expected: Any) -> bool:
    """Die as said, life after life, then live to the end; whether the deaths came before the end."""
    cells = Cells()
    rig = recorded_rig(steps, cells.tools())
    died = False
    for last in deaths:
        live(rig, cells.tools(), last)
        if rig.state().status == "completed":
            break
        died = True
    known = durable(rig)
    life = live(rig, cells.tools())
    assert known.isdisjoint(life.called)
    assert len(set(life.called)) == len(life.called)
    assert (rig.head(), cells.cells) == expected
    assert rig.replay().divergence is None
    assert rig.ledger.effect_places("main") == set()
    return died


def undisturbed(steps: list[dict[str, Any]]) -> tuple[bytes, dict[str, int]]:
    cells = Cells()
    rig = recorded_rig(steps, cells.tools())
    assert rig.run(width=1).status == "completed"
    return rig.head(), cells.cells


PLAN = [
    call(0, "get", "a", {"cell": "x"}),
    call(1, "get", "b", {"cell": "y", "after": "${a}"}),
    call(2, "get", "c", {"cell": "z"}),
    call(3, "get", "fan", {"cell": "${item}"}, for_each=["x", "y", "z"]),
    call(4, "mix", "d", {"a": "${a}", "b": "${c}"}),
    call(5, "put", "e", {"cell": "x", "value": "${d}"}),
    call(6, "get", "f", {"cell": "x"}),
    call(7, "get", "g", {"cell": "y", "after": "${e}"}),
    assign(8, final_answer="${{ [a, b, c, fan, d, e, f, g] }}"),
]


def test_dying_at_any_moment_costs_no_answer_and_leaves_no_trace() -> None:
    expected = undisturbed(PLAN)
    last = 0
    while check(PLAN, iter([last := last + 1]), expected):
        assert last < 500
    assert last > 40


@pytest.mark.parametrize("seed", range(PLANS))
def test_dying_again_and_again_in_random_plans(seed: int) -> None:
    chance = random.Random(seed)
    steps = cell_steps(seed)
    check(steps, iter([chance.randrange(1, 120) for _ in range(4)]), undisturbed(steps))


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


ANSWER = assign(99, final_answer="done")


def held_up(stage: Stage, until: str, *more: dict[str, Any]) -> Rig:
    """A rig whose first call takes until something happens, and others behind it that need not wait for it."""
    steps = [
        act(0, "look", "slow", [until]),
        act(1, "look", "a"),
        act(2, "look", "b", after="${a}"),
        act(3, "mix", "free"),
        act(4, "look", "bad", fails="bad", on_error="continue"),
        call(5, "look", "fan", {"name": "i${index}"}, for_each=[1, 2]),
    ]
    return Rig([*steps, *more, ANSWER], stage.tools())


KEPT = {(1, 1), (2, 1), (5, 1)}


def test_an_answer_is_kept_as_it_arrives_while_others_are_waited_for() -> None:
    stage = Stage()
    rig = held_up(stage, "go")
    runner = threading.Thread(target=rig.run)
    runner.start()
    wait_until(lambda: rig.ledger.effect_places("main") == KEPT)
    assert set(rig.ledger.effects("main", 5, 1)) == {0, 1}
    assert rig.kinds() == ["goal", "plan"]
    stage.note("go")
    runner.join(PATIENCE)
    assert rig.state().status == "completed"
    assert rig.ledger.effect_places("main") == set()


def running(rig: Rig) -> threading.Thread:
    """Run it meanwhile."""
    runner = threading.Thread(target=rig.run)
    runner.start()
    return runner


def test_an_answer_that_is_committed_at_once_is_durable_while_others_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "GROUP_SECONDS", 60.0)
    stage = Stage()
    rig = Rig([act(0, "look", "a"), act(1, "look", "slow", ["go"]), ANSWER], stage.tools())
    runner = running(rig)
    wait_until(lambda: rig.kinds() == ["goal", "plan", "step"])
    assert "end slow" not in stage.log
    stage.note("go")
    runner.join(PATIENCE)


def test_what_needs_no_hurry_is_durable_soon_while_others_are_waited_for() -> None:
    stage = Stage()
    steps = [act(0, "mix", "first", ["go"]), act(1, "look", "a"), act(2, "look", "slow", ["go on"]), ANSWER]
    rig = Rig(steps, stage.tools())
    runner = running(rig)
    wait_until(lambda: rig.ledger.effect_places("main") == {(1, 1)})
    stage.note("go")
    wait_until(lambda: rig.kinds() == ["goal", "plan", "step", "step"])
    assert "end slow" not in stage.log
    stage.note("go on")
    runner.join(PATIENCE)


def test_an_interrupt_loses_no_answer_and_waits_for_nobody() -> None:
    stage = Stage()
    rig = held_up(stage, "go")
    interrupts = Interrupts()

    def press() -> None:
        for name in ("b", "i0", "i1"):
            stage.wait_for(f"end {name}")
        time.sleep(0.05)  # until the machine has heard of it
        for _ in range(2):
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.02)

    main = threading.main_thread().ident
    assert main is not None
    threading.Thread(target=press).start()
    began = time.monotonic()
    with interrupts.from_signals(), pytest.raises(KeyboardInterrupt):
        rig.run(interrupts=interrupts)
    assert time.monotonic() - began < 2
    assert rig.ledger.effect_places("main") == KEPT
    stage.note("go")
    stage.wait_for("end slow")
    stage.log[:] = ["go"]
    assert rig.run().status == "completed"
    assert sorted(stage.calls()) == ["bad", "free", "slow"]


def test_a_run_that_has_to_wait_keeps_what_was_answered_behind_it() -> None:
    stage = Stage()
    steps = [
        act(0, "pay", "paid", ["end text"], fails="no answer"),
        call(1, "llm_generate", "text", {"prompt": "text"}),
        call(2, "llm_generate", "again", {"prompt": "${text} again"}),
    ]
    rig = Rig([*steps, ANSWER], [*stage.tools(), llm_generate])
    models = Models(stage)
    result = rig.run(thinker=models)
    assert result.status == "waiting"
    kept = rig.ledger.effect_places("main")
    assert (1, 1) in kept
    rig.decide(result, "skip", "by hand")
    asked = len([line for line in stage.log if line.startswith("begin text")])
    assert rig.run(thinker=models).status == "completed"
    assert rig.variables()["again"] == "text of text of text again"
    assert asked == len(kept)
    assert rig.replay().divergence is None


def test_a_worker_whose_branch_has_moved_stops_and_keeps_what_has_arrived() -> None:
    stage = Stage()
    rig = held_up(stage, "go")

    class Taken(MemoryLedger):
        """While answers are kept, another worker commits to the branch."""

        def save_effects(self, branch: str, finished: Sequence[FinishedEffect]) -> None:
            super().save_effects(branch, finished)
            if rig.kinds() == ["goal", "plan"]:
                scribe = rig.open_scribe()
                scribe.decide({"choice": "limit", "limits": {"steps": 999}, "who": "x"}, author="x")
                scribe.journal.flush()
                stage.note("go")

    rig.ledger = Taken()
    with pytest.raises(BranchMoved):
        rig.run()
    assert (1, 1) in rig.ledger.effect_places("main")


def test_what_is_due_when_the_run_is_cut_off_is_kept_all_the_same() -> None:
    stage = Stage()

    def cut_off(event: Event) -> None:
        if isinstance(event, StepCommitted):
            raise RuntimeError("cut off")

    rig = Rig([act(0, "look", "slow", ["end a"]), act(1, "look", "a"), ANSWER], stage.tools())
    with pytest.raises(RuntimeError, match="cut off"):
        rig.run(listener=cut_off)
    assert rig.ledger.effect_places("main") == {(1, 1)}


def test_what_is_committed_is_not_kept_any_more_however_the_run_ends() -> None:
    stage = Stage()
    rig = held_up(stage, "go", act(6, "look", "final", ["commit 5"], fails="no"))
    runner = threading.Thread(target=rig.run, kwargs={"listener": stage.listen})
    runner.start()
    wait_until(lambda: rig.ledger.effect_places("main") == KEPT)
    stage.note("go")
    runner.join(PATIENCE)
    assert rig.kinds()[-1] == "failure"
    assert rig.ledger.effect_places("main") == set()


def test_an_answer_that_was_kept_for_other_inputs_does_not_count() -> None:
    stage = Stage()
    rig = held_up(stage, "go")
    rig.ledger.save_effects("main", [FinishedEffect(1, 1, NO_ITEM, "0" * 64, b'{"value": "stale"}')])
    stage.note("go")
    assert rig.run().status == "completed"
    assert rig.variables()["a"] == "a"


def test_what_a_call_gave_that_the_step_could_not_use_is_asked_again() -> None:
    """The step failed with it: trying the step again means calling again, whether it had started early or not."""
    stage = Stage()
    unusable = act(1, "look", "x", gives={"p": 1}, output_vars={"q": "q"})
    rig = Rig(
        [act(0, "look", "slow", ["end x"]), unusable, act(2, "look", "b", ["end x"]), ANSWER], stage.tools()
    )
    for _ in range(2):
        assert rig.run().status == "failed"
        assert (1, 1) not in rig.ledger.effect_places("main")
    assert stage.calls().count("x") == 2
    assert stage.calls().count("slow") == 1

from __future__ import annotations

import asyncio
import contextvars
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from app.plan.model import Retry
from app.tools import Cancellation, NotPerformed, Tool, ToolContext, tool
from app.vm import rounds, workers
from app.vm.performer import Call, CallError, Outcome, Performer
from app.vm.workers import Workers

EFFECTS = ["pure", "read", "write", "irreversible"]
PATIENCE = 5.0


@pytest.fixture
def performer():
    ticks = iter(range(1_000, 100_000))
    with Performer(clock=lambda: next(ticks), jitter=lambda: 0.01) as performer:
        yield performer


@dataclass
class Notes:
    """Hooks that write down what they are told, and in which thread."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)

    def before_attempt(self, call: Call, number: int) -> None:
        self.threads.add(threading.current_thread())
        self.lines.append(("before", number))

    def after_attempt(self, call: Call, number: int, state: str, error: CallError | None) -> None:
        self.threads.add(threading.current_thread())
        self.lines.append(("after", number, state, error and error.kind))


class Flaky:
    """Raises what it was given, one a call, then returns how often it was called."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def as_tool(self, effect: str = "read", is_async: bool = False) -> Tool:
        def run() -> int:
            self.calls += 1
            if self.errors:
                raise self.errors.pop(0)
            return self.calls

        def flaky() -> int:
            """Fail sometimes."""
            return run()

        async def flaky_async() -> int:
            """Fail sometimes."""
            return run()

        return tool(name="flaky", effect=effect)(flaky_async if is_async else flaky)


@tool(effect="pure")
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


@tool(effect="pure")
async def add_async(a: int, b: int = 1) -> int:
    """Add, elsewhere."""
    await asyncio.sleep(0)
    return a + b


@tool(effect="read")
def sleep(seconds: float) -> float:
    """Sleep, whatever happens."""
    time.sleep(seconds)
    return seconds


@tool(effect="read")
async def sleep_async(seconds: float) -> float:
    """Sleep until cancelled."""
    await asyncio.sleep(seconds)
    return seconds


ways = pytest.mark.parametrize(
    ("is_async", "timeout"), [(False, None), (False, PATIENCE), (True, None), (True, PATIENCE)]
)


def side_by_side(performer, calls, on_outcome, *, width=8, hooks=None) -> None:
    """Make the calls, so many at once, and hand over each outcome with the call's index."""
    waiting = performer.open_round()
    following = enumerate(calls)
    more = True

    def deliver(index: int) -> Callable[[Outcome], None]:
        return lambda outcome: on_outcome(index, outcome)

    try:
        while more or waiting.under_way:
            while more and waiting.under_way < width:
                index, call = next(following, (0, None))
                more = call is not None
                if call is not None:
                    waiting.start(call, hooks, deliver(index))
            waiting.wait()
            waiting.settle()
    finally:
        waiting.close()


def wait_until(condition) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


@ways
def test_a_call_gives_its_value_and_when(performer, is_async, timeout):
    outcome = performer.perform(Call(add_async if is_async else add, {"a": 2}, timeout=timeout))
    assert outcome == Outcome("ok", 3, None, attempts=1, started_ms=1_000, ended_ms=1_001)


@ways
@pytest.mark.parametrize("effect", EFFECTS)
def test_an_exception_is_an_outcome(performer, effect, is_async, timeout):
    flaky = Flaky(ValueError("two\nlines"))
    outcome = performer.perform(Call(flaky.as_tool(effect, is_async), {}, timeout=timeout))
    assert outcome.error == CallError("raised", "ValueError: two lines")
    assert outcome.state == ("failed" if effect in ("pure", "read") else "unknown")
    assert (outcome.value, outcome.attempts) == (None, 1)


@ways
@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), asyncio.CancelledError("own")])
def test_what_would_end_a_thread_is_only_a_failure(performer, error, is_async, timeout):
    outcome = performer.perform(Call(Flaky(error).as_tool(is_async=is_async), {}, timeout=timeout))
    assert outcome.state == "failed"
    assert performer.perform(Call(add_async, {"a": 1})).value == 2


def test_a_keyboard_interrupt_in_a_tools_thread_is_only_a_failure(performer):
    outcome = performer.perform(Call(Flaky(KeyboardInterrupt()).as_tool(), {}, timeout=PATIENCE))
    assert outcome.error == CallError("raised", "KeyboardInterrupt")


def test_an_error_is_one_line_of_limited_length_that_utf8_can_hold(performer):
    class OddError(Exception):
        def __str__(self):
            raise RuntimeError

    for error, text in [
        (ValueError("x" * 5_000), "ValueError: " + "x" * 1_987 + "…"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (ValueError(), "ValueError"),
        (OddError(), "OddError: (its message can't be shown)"),
    ]:
        outcome = performer.perform(Call(Flaky(error).as_tool(), {}))
        assert outcome.error is not None and outcome.error.message == text


@ways
@pytest.mark.parametrize("effect", EFFECTS)
def test_what_may_be_repeated_depends_on_the_effect(performer, effect, is_async, timeout):
    flaky = Flaky(ValueError(), ValueError())
    notes = Notes()
    call = Call(flaky.as_tool(effect, is_async), {}, timeout=timeout, retry=Retry(3, 0.1))
    outcome = performer.perform(call, notes)
    if effect == "irreversible":
        assert (outcome.state, flaky.calls) == ("unknown", 1)
        assert notes.lines == [("before", 1), ("after", 1, "unknown", "raised")]
    else:
        doubt = "unknown" if effect == "write" else "failed"
        assert (outcome.state, outcome.value, outcome.attempts) == ("ok", 3, 3)
        assert notes.lines == [
            ("before", 1),
            ("after", 1, doubt, "raised"),
            ("before", 2),
            ("after", 2, doubt, "raised"),
            ("before", 3),
            ("after", 3, "ok", None),
        ]
    assert notes.threads == {threading.current_thread()}


@pytest.mark.parametrize("effect", EFFECTS)
def test_not_performed_is_known_and_may_be_repeated_by_any_tool(performer, effect):
    flaky = Flaky(NotPerformed("busy"), NotPerformed("busy"))
    assert performer.perform(Call(flaky.as_tool(effect), {}, retry=Retry(3, 0.1))).value == 3
    outcome = performer.perform(Call(Flaky(NotPerformed("busy")).as_tool(effect), {}))
    assert outcome.state == "failed"
    assert outcome.error == CallError("not_performed", "NotPerformed: busy")


def test_a_write_that_may_have_happened_once_stays_unknown(performer):
    flaky = Flaky(ValueError(), NotPerformed())
    outcome = performer.perform(Call(flaky.as_tool("write"), {}, retry=Retry(2, 0.1)))
    assert (outcome.state, outcome.error and outcome.error.kind) == ("unknown", "not_performed")


def test_the_pause_doubles_and_is_spread():
    pauses: list[float] = []

    class Sleepless(Cancellation):
        def wait(self, seconds: float | None = None) -> bool:
            pauses.append(seconds or 0)
            return False

    performer = Performer(cancellation=Sleepless(), jitter=lambda: 0.5)
    performer.perform(Call(Flaky(*[ValueError()] * 20).as_tool(), {}, retry=Retry(12, 1.0)))
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(pauses) == 150.0


@ways
def test_wrong_arguments_are_never_an_attempt(performer, is_async, timeout):
    notes = Notes()
    outcome = performer.perform(
        Call(add_async if is_async else add, {"a": "x"}, timeout=timeout, retry=Retry(3)), notes
    )
    assert (outcome.state, outcome.attempts, notes.lines) == ("failed", 0, [])
    assert outcome.error is not None and outcome.error.kind == "arguments"
    assert "argument 'a': expected integer, got \"x\"" in outcome.error.message


@ways
@pytest.mark.parametrize(
    ("effect", "state"), [("read", "failed"), ("write", "unknown"), ("irreversible", "unknown")]
)
def test_a_result_that_json_cannot_hold_is_not_tried_again(performer, effect, state, is_async, timeout):
    calls = []

    def raw() -> Any:
        """Give bytes."""
        calls.append(1)
        return {"data": b"x"}

    async def raw_async() -> Any:
        """Give bytes."""
        return raw()

    made = tool(effect=effect)(raw_async if is_async else raw)
    outcome = performer.perform(Call(made, {}, timeout=timeout, retry=Retry(3, 0.1)))
    assert (outcome.state, len(calls)) == (state, 1)
    assert outcome.error is not None and outcome.error.kind == "result"
    assert "bytes, which JSON can't hold at .data" in outcome.error.message


def test_a_result_above_the_limit_is_an_error(performer):
    @tool(effect="pure")
    def big() -> str:
        """Give much."""
        return "x" * 1_000

    outcome = performer.perform(Call(big, {}, max_result_bytes=100))
    assert outcome.error is not None
    assert "above the limit of 100 bytes" in outcome.error.message


def test_each_attempt_gets_arguments_of_its_own(performer):
    seen = []

    @tool(effect="read")
    def spoil(rows: list) -> int:
        """Change what was given."""
        seen.append(list(rows))
        rows.clear()
        raise ValueError

    rows = [1, 2]
    performer.perform(Call(spoil, {"rows": rows}, retry=Retry(2, 0.1)))
    assert seen == [[1, 2], [1, 2]]
    assert rows == [1, 2]


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_the_context_tells_the_tool_where_it_is(timeout):
    heard = []
    seen = []

    @tool(effect="write")
    def look(context: ToolContext) -> None:
        """Look around."""
        context.progress("half", 0.5)
        seen.append(context)

    with Performer(
        watcher=lambda call, message, fraction: heard.append((call.seq_no, message, fraction))
    ) as made:
        made.perform(Call(look, {}, "t1", "b1", 7, 2, 5, "key", timeout=timeout))
    (context,) = seen
    assert (context.task_id, context.branch, context.step, context.visit) == ("t1", "b1", 7, 2)
    assert (context.item, context.idempotency_key, context.workspace) == (5, "key", None)
    assert isinstance(context.logger, logging.LoggerAdapter)
    assert context.logger.extra == {"task_id": "t1", "branch": "b1", "step": 7}
    assert heard == [(7, "half", 0.5)]


@ways
def test_context_variables_are_seen_but_not_changed(performer, is_async, timeout):
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("outside")

    def look() -> str:
        """Look at a context variable."""
        before = variable.get()
        variable.set("inside")
        return before

    async def look_async() -> str:
        """Look at a context variable."""
        return look()

    made = tool(effect="read")(look_async if is_async else look)
    assert performer.perform(Call(made, {}, timeout=timeout)).value == "outside"
    assert variable.get() == "outside"


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_timeout_is_an_outcome_and_its_late_result_is_ignored(performer, effect, is_async):
    released = threading.Event()
    ended = []

    def slow() -> str:
        """Take too long."""
        released.wait(PATIENCE)
        ended.append("late")
        return "late"

    async def slow_async() -> str:
        """Take too long."""
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            ended.append("cleaned up")
        return "late"

    made = tool(name="slow", effect=effect)(slow_async if is_async else slow)
    notes = Notes()
    began = time.monotonic()
    outcome = performer.perform(Call(made, {}, timeout=0.05), notes)
    assert time.monotonic() - began < PATIENCE / 2
    assert outcome.error == CallError("timeout", "slow overran its timeout of 0.05 s")
    assert outcome.state == ("failed" if effect in ("pure", "read") else "unknown")
    assert notes.lines == [("before", 1), ("after", 1, outcome.state, "timeout")]
    released.set()
    wait_until(lambda: ended)
    assert performer.perform(Call(add, {"a": 1}, timeout=PATIENCE)).value == 2


def test_an_overrun_may_be_tried_again(performer):
    naps = [PATIENCE, 0.0]

    @tool(effect="write")
    def sometimes(context: ToolContext) -> str:
        """Be slow the first time."""
        context.cancellation.wait(naps.pop(0))
        return "done"

    outcome = performer.perform(Call(sometimes, {}, timeout=0.1, retry=Retry(2, 0.1)))
    assert (outcome.state, outcome.value, outcome.attempts) == ("ok", "done", 2)


def test_a_tool_that_overruns_is_told_to_stop_and_nobody_else(performer):
    told = []

    @tool(effect="read")
    def cooperative(context: ToolContext) -> None:
        """Stop when asked."""
        told.append(context.cancellation.wait(PATIENCE))

    performer.perform(Call(cooperative, {}, timeout=0.05))
    wait_until(lambda: told)
    assert told == [True]
    assert not performer.cancellation.requested


def test_threads_are_used_again_and_replaced_when_abandoned(performer):
    threads = set()

    @tool(effect="read")
    def who() -> None:
        """Note the thread."""
        threads.add(threading.current_thread())

    for _ in range(5):
        performer.perform(Call(who, {}, timeout=PATIENCE))
    assert len(threads) == 1
    assert all(thread.daemon for thread in threads)
    performer.perform(Call(sleep, {"seconds": 0.2}, timeout=0.01))
    performer.perform(Call(who, {}, timeout=PATIENCE))
    assert len(threads) == 2


def test_abandoned_threads_have_a_limit(monkeypatch):
    monkeypatch.setattr(workers, "_MAX_ABANDONED", 2)
    with Performer() as performer:
        for _ in range(2):
            performer.perform(Call(sleep, {"seconds": 0.5}, timeout=0.01))
        outcome = performer.perform(Call(sleep, {"seconds": 0.0}, timeout=1))
        assert outcome.state == "failed"
        assert outcome.error is not None and "still running" in outcome.error.message
        time.sleep(0.6)
        assert performer.perform(Call(sleep, {"seconds": 0.0}, timeout=1)).state == "ok"


def test_an_async_tool_that_blocks_does_not_stop_the_others(performer, monkeypatch):
    monkeypatch.setattr(rounds, "_GRACE_SECONDS", 0.05)
    monkeypatch.setattr(workers, "_STUCK_LOOP_SECONDS", 0.05)

    @tool(effect="read")
    async def blocks() -> None:
        """Block the event loop."""
        time.sleep(1.0)

    assert performer.perform(Call(blocks, {}, timeout=0.05)).error.kind == "timeout"
    began = time.monotonic()
    assert performer.perform(Call(add_async, {"a": 1}, timeout=PATIENCE)).value == 2
    assert time.monotonic() - began < 0.5


def test_items_run_side_by_side_and_come_as_they_end(performer):
    naps = [0.2, 0.01, 0.05, 0.01]
    order: list[int] = []
    threads = set()

    def take(index: int, outcome: Outcome) -> None:
        order.append(index)
        threads.add(threading.current_thread())
        assert outcome.value == naps[index]

    side_by_side(performer, [Call(sleep, {"seconds": nap}) for nap in naps], take)
    assert sorted(order) == [0, 1, 2, 3]
    assert order[-1] == 0
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("is_async", [False, True])
def test_a_round_holds_as_many_as_are_started(performer, is_async):
    lock = threading.Lock()
    running, highest, read_ahead = 0, 0, 0

    def enter() -> None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)

    def leave() -> None:
        nonlocal running
        with lock:
            running -= 1

    def count(item: int) -> int:
        """Count who is here."""
        enter()
        time.sleep(0.01)
        leave()
        return item

    async def count_async(item: int) -> int:
        """Count who is here."""
        enter()
        await asyncio.sleep(0.01)
        leave()
        return item

    made = tool(effect="read")(count_async if is_async else count)
    outcomes: dict[int, Any] = {}

    def calls():
        nonlocal read_ahead
        for item in range(12):
            read_ahead = max(read_ahead, item - len(outcomes))
            yield Call(made, {"item": item})

    side_by_side(performer, calls(), lambda index, outcome: outcomes.update({index: outcome.value}), width=3)
    assert outcomes == {item: item for item in range(12)}
    assert highest == 3
    assert read_ahead <= 3


def test_items_fail_one_by_one_with_retries_between(performer):
    outcomes: dict[int, Outcome] = {}
    tries: dict[int, int] = {}

    @tool(effect="read")
    def odd(item: int) -> int:
        """Fail for some."""
        tries[item] = tries.get(item, 0) + 1
        if item == 3 or (item == 1 and tries[item] < 3):
            raise ValueError(item)
        return item

    calls = [Call(odd, {"item": item if item != 4 else "x"}, retry=Retry(3, 0.1)) for item in range(6)]
    side_by_side(performer, calls, outcomes.__setitem__)
    assert [outcomes[item].state for item in range(6)] == ["ok", "ok", "ok", "failed", "failed", "ok"]
    assert [outcomes[item].attempts for item in range(6)] == [1, 3, 1, 3, 0, 1]


@pytest.mark.parametrize("where", ["before", "after", "outcome"])
def test_what_a_hook_raises_ends_the_round(performer, where):
    class Broken(Notes):
        def before_attempt(self, call, number):
            if where == "before":
                raise LookupError("moved")

        def after_attempt(self, call, number, state, error):
            if where == "after":
                raise LookupError("moved")

    def deliver(index: int, outcome: Outcome) -> None:
        if where == "outcome":
            raise LookupError("moved")

    calls = [Call(sleep_async, {"seconds": 0.0 if item == 0 else 5.0}) for item in range(8)]
    began = time.monotonic()
    with pytest.raises(LookupError, match="moved"):
        side_by_side(performer, calls, deliver, hooks=Broken())
    assert time.monotonic() - began < 3


def test_a_round_that_stops_hands_over_what_still_ends_and_begins_nothing(performer):
    outcomes: dict[str, Outcome] = {}
    waiting = performer.open_round()
    waiting.start(Call(sleep, {"seconds": 0.1}), None, partial(outcomes.__setitem__, "quick"))
    rests = Call(Flaky(ValueError("first"), ValueError("second")).as_tool(), {}, retry=Retry(2, 3_000.0))
    waiting.start(rests, None, partial(outcomes.__setitem__, "rests"))
    while waiting.under_way > 1 or "rests" not in outcomes:
        waiting.wait()
        waiting.settle()
        waiting.stop()
    waiting.start(Call(add, {"a": 1}), None, partial(outcomes.__setitem__, "late"))
    while waiting.under_way:
        waiting.wait()
        waiting.settle()
    waiting.close()
    assert outcomes["quick"].value == 0.1
    assert outcomes["rests"].error == CallError("raised", "ValueError: first")
    assert (outcomes["late"].attempts, outcomes["late"].state) == (0, "failed")


def test_a_round_that_stops_leaves_behind_what_does_not_end(performer, monkeypatch):
    monkeypatch.setattr(rounds, "_LAST_GRACE_SECONDS", 0.1)
    outcomes: list[Outcome] = []
    waiting = performer.open_round()
    waiting.start(Call(sleep, {"seconds": 3.0}), None, outcomes.append)
    began = time.monotonic()
    waiting.stop()
    while waiting.under_way:
        waiting.wait()
        waiting.settle()
    assert time.monotonic() - began < 2
    assert outcomes[0].error is not None and outcomes[0].error.kind == "cancelled"


@ways
def test_a_cancelled_run_calls_no_tool(performer, is_async, timeout):
    performer.cancellation.request()
    flaky = Flaky()
    outcome = performer.perform(Call(flaky.as_tool("write", is_async), {}, timeout=timeout))
    assert (outcome.state, outcome.attempts, flaky.calls) == ("failed", 0, 0)
    assert outcome.error is not None and outcome.error.kind == "cancelled"
    outcomes: dict[int, Outcome] = {}
    side_by_side(performer, [Call(flaky.as_tool(), {})] * 3, outcomes.__setitem__)
    assert [outcomes[index].attempts for index in range(3)] == [0, 0, 0]
    assert flaky.calls == 0


@pytest.mark.parametrize(("effect", "state"), [("read", "failed"), ("write", "unknown")])
def test_a_cancellation_reaches_an_async_tool(performer, effect, state):
    @tool(effect=effect)
    async def endless() -> None:
        """Never end."""
        await asyncio.sleep(60)

    threading.Timer(0.1, performer.cancellation.request).start()
    outcome = performer.perform(Call(endless, {}))
    assert (outcome.state, outcome.error and outcome.error.kind) == (state, "cancelled")


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_cancellation_reaches_a_tool_that_looks(performer, timeout):
    @tool(effect="read")
    def endless(context: ToolContext) -> None:
        """Look whether to stop."""
        context.cancellation.wait(60)
        context.cancellation.raise_if_requested()

    threading.Timer(0.1, performer.cancellation.request).start()
    outcome = performer.perform(Call(endless, {}, timeout=timeout, retry=Retry(3)))
    assert (outcome.state, outcome.attempts) == ("failed", 1)
    assert outcome.error is not None and outcome.error.kind == "cancelled"


def test_a_tool_that_does_not_look_is_left_behind_when_cancelled(performer, monkeypatch):
    monkeypatch.setattr(rounds, "_LAST_GRACE_SECONDS", 0.1)
    threading.Timer(0.05, performer.cancellation.request).start()
    began = time.monotonic()
    outcome = performer.perform(Call(sleep, {"seconds": 3.0}, timeout=60.0))
    assert outcome.error is not None and outcome.error.kind == "cancelled"
    assert time.monotonic() - began < 2


def test_a_tool_that_still_ends_after_a_cancellation_has_its_outcome(performer):
    threading.Timer(0.05, performer.cancellation.request).start()
    assert performer.perform(Call(sleep, {"seconds": 0.5}, timeout=60.0)).value == 0.5


def test_a_cancellation_ends_the_pause_between_attempts(performer):
    for timeout in (None, 60.0):
        with Performer(jitter=lambda: 1.0) as fresh:
            threading.Timer(0.1, fresh.cancellation.request).start()
            call = Call(Flaky(ValueError("first")).as_tool(), {}, timeout=timeout, retry=Retry(2, 30.0))
            outcome = fresh.perform(call)
            assert outcome.error == CallError("raised", "ValueError: first")


@pytest.mark.parametrize("call", [Call(sleep, {"seconds": 5.0}), Call(sleep, {"seconds": 5.0}, timeout=60.0)])
@pytest.mark.parametrize("many", [False, True])
def test_ctrl_c_ends_the_wait_at_once(performer, call, many):
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        if many:
            side_by_side(performer, [call] * 3, lambda index, outcome: None)
        else:
            performer.perform(call)
            pytest.fail("not reached")
    assert time.monotonic() - began < 2
    assert many or performer.cancellation.requested


def test_a_thread_that_hangs_does_not_delay_the_end_of_the_process():
    program = """
import time
from app.tools import tool
from app.vm.performer import Call, Performer

@tool(effect="read")
def hang():
    "Hang."
    time.sleep(60)

@tool(effect="read")
async def hang_async():
    "Hang."
    time.sleep(60)

performer = Performer()
for each in (hang, hang_async):
    print(performer.perform(Call(each, {}, timeout=0.1)).error.kind)
performer.close()
"""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["timeout", "timeout"]
    assert done.stderr == ""
    assert time.monotonic() - began < 20


def test_workers_can_be_shared():
    shared = Workers()
    for _ in range(2):
        with Performer(workers=shared) as performer:
            assert performer.perform(Call(add, {"a": 1}, timeout=PATIENCE)).value == 2
            assert performer.perform(Call(add_async, {"a": 1})).value == 2
    shared.close()


def test_closing_ends_the_threads():
    before = threading.active_count()
    performer = Performer()
    performer.perform(Call(add, {"a": 1}, timeout=PATIENCE))
    performer.perform(Call(sleep_async, {"seconds": 5.0}, timeout=0.05))
    performer.close()
    wait_until(lambda: threading.active_count() <= before)

"""Who set a variable, every value it had, where an expression turned: against the whole states, read one by one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databases import KINDS, history_opener
from hypothesis import given, settings
from hypothesis import strategies as st
from random_plans import TOOLS, random_steps
from rig import TASK, Clock, Rig, assign, call, jump

from app.errors import InputError, StackVMError, StepError
from app.history.base import Store
from app.history.codec import Snapshot, SnapshotWriter
from app.history.commits import Commit, format_message
from app.history.git_store import GitStoreFactory
from app.history.journal import Journal
from app.history.memory_store import MemoryStoreFactory
from app.history.repository import HEADS, Repository
from app.plan.expressions import compile_expression
from app.plan.parse import plan_from_json
from app.tools import tool
from app.vm.interpreter import Interpreter
from app.vm.moments import Moments
from app.vm.records import recorded_outcome
from app.vm.state import FAILED, RUNNING, State, Transition
from app.vm.turns import Evaluator, find_turn, stretches
from app.vm.writes import Writes

STORES = ["memory", "git", *KINDS]
PLANS = int(os.environ.get("TEST_RANDOM_PLANS", "25"))


@dataclass(frozen=True)
class Seen:
    """A commit with its whole state, and the variables that its step set when it is executed once more."""

    commit: Commit
    variables: Mapping[str, Any]
    set: frozenset[str]


def history(repository: Repository) -> list[Seen]:
    """Every commit of ``main``, oldest first: the slow way, without any of the code under test."""
    seen: list[Seen] = []
    state = State()
    for commit in list(repository.log(repository.head("main")))[::-1]:
        snapshot = repository.reader.snapshot(commit.tree)
        names = set(snapshot.record.get("variables", ()))
        if commit.kind == "step":
            assert snapshot.plan is not None
            names = executed_again(Interpreter(plan_from_json(snapshot.plan)), state, snapshot.record)
        seen.append(Seen(commit, snapshot.variables, frozenset(names)))
        state = State.of(snapshot)
    return seen


def executed_again(interpreter: Interpreter, state: State, record: dict[str, Any]) -> set[str]:
    if state.status == FAILED:
        state.status = RUNNING
    request = interpreter.begin(state)
    if not isinstance(request, Transition):
        request = interpreter.finish(state, request, recorded_outcome(record))
    return set(request.variables)


ABSENT = object()


def expected_writes(seen: list[Seen], name: str) -> list[tuple[bytes, Any]]:
    """Commit and value of every time the variable was set or taken away, oldest first."""
    found = []
    before: Any = ABSENT
    for each in seen:
        now = each.variables.get(name, ABSENT)
        if name in each.set or repr(now) != repr(before):
            found.append((each.commit.oid, now))
        before = now
    return found


def expected_turn(seen: list[Seen], text: str) -> tuple[str, bytes | None]:
    """What is said of the expression, and the commit it is said of."""
    expression = compile_expression(text)
    was_true = False
    for each in seen:
        if not expression.reads <= each.variables.keys():
            continue
        try:
            value = expression.evaluate(each.variables)
        except StepError:
            continue
        if not isinstance(value, bool):
            return "not a boolean", each.commit.oid
        if not value:
            return ("turns false" if was_true else "false from the start"), each.commit.oid
        was_true = True
    return ("true" if was_true else "never decided"), None


def found_turn(repository: Repository, text: str) -> tuple[str, bytes | None]:
    expression = compile_expression(text)
    moments = Moments(repository)
    line, _ = stretches(moments, sorted(expression.reads), repository.head("main"))
    try:
        turn = find_turn(line, Evaluator(moments, expression))
    except InputError as error:
        return meant(repository, error)
    false = turn.first_false
    return ("true", None) if false is None else ("turns false", false.first.commit.oid)


def meant(repository: Repository, error: StackVMError) -> tuple[str, bytes | None]:
    """An error as :func:`expected_turn` says it."""
    if "can't be evaluated" in error.message:
        return "never decided", None
    commit = repository.resolve(error.message.split("at commit ")[1][:8])
    return ("false from the start" if "from the start" in error.message else "not a boolean"), commit.oid


EXPRESSIONS = [
    "round < 2", "len(rows) < 5", "a == 1", "a == b", "a != b and round < 3", "b != 'two'", "len(Big) < 4",
    "len(big) < 10 or a == 1", "rows[0] != 'x'", "not (error['step'] > 50)", "a", "v3 == v4", "1 / round < 2",
]  # fmt: skip


def check(repository: Repository) -> None:
    """Everything that can be asked of the history, against the oracle."""
    seen = history(repository)
    head = repository.head("main")
    writes = Writes(Moments(repository))
    names = sorted({name for each in seen for name in each.variables})
    last = writes.last(head, seen[-1].variables.keys())
    for name in names:
        expected = expected_writes(seen, name)
        found = [
            (write.moment.commit.oid, repository.reader.value(write.new) if write.new is not None else ABSENT)
            for write in writes.of(head, name)
        ]
        assert [(oid, repr(value)) for oid, value in found[::-1]] == [
            (oid, repr(value)) for oid, value in expected
        ]
        if name in seen[-1].variables:
            assert last[name][0].commit.oid == expected[-1][0]
    assert last.keys() == seen[-1].variables.keys()
    for text in EXPRESSIONS:
        assert found_turn(repository, text) == expected_turn(seen, text), text


def random_history(seed: int, store: Store | None = None) -> Rig:
    """A run of a random plan; a failed one is resumed once."""
    rig = Rig(random_steps(seed), TOOLS, store=store, clock=Clock(tick_ms=0))
    if rig.run().status == "failed":
        rig.run()
    return rig


@pytest.mark.parametrize("seed", range(PLANS))
def test_random_runs_are_told_as_they_were(seed: int) -> None:
    check(random_history(seed).repository)


@pytest.mark.parametrize("kind", STORES)
def test_every_store_tells_the_same(kind: str, tmp_path: Path) -> None:
    for seed in (12, 17):
        folder = tmp_path / str(seed)
        folder.mkdir()
        if kind == "memory":
            store: Store = MemoryStoreFactory().create(TASK)
        else:
            factory = GitStoreFactory(folder) if kind == "git" else history_opener(kind, folder)()
            store = factory.create(TASK)
        rig = random_history(seed, store)
        check(rig.repository)
        rig.store.finish()
        check(Repository(rig.store))


def test_the_random_runs_are_worth_looking_at() -> None:
    histories = [history(random_history(seed).repository) for seed in range(12)]
    said = {expected_turn(seen, text)[0] for seen in histories for text in EXPRESSIONS}
    assert said == {"turns false", "true", "false from the start", "never decided", "not a boolean"}


edits = st.lists(
    st.tuples(
        st.sampled_from(["edit", "revision", "something new"]),
        st.dictionaries(st.sampled_from(["a", "b", "rows", "A", "round", "v3", "v4"]), st.integers(0, 3)),
        st.sets(st.sampled_from(["a", "b", "rows", "v3"]), max_size=2),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(edits)
def test_commits_of_other_kinds_count_by_what_they_change(
    drawn: list[tuple[str, dict[str, int], set[str], bool]],
) -> None:
    rig = Rig([assign(1, a=1, b=2), assign(2, final_answer="${a}")])
    rig.run()
    for kind, variables, unset, many in drawn:
        commit_other(
            rig.repository,
            kind,
            variables | (dict.fromkeys(map("w{}".format, range(140)), 1) if many else {}),
            unset,
        )
    check(rig.repository)


def commit_other(repository: Repository, kind: str, variables: dict[str, Any], unset: set[str]) -> None:
    """A commit that no step made. Only an ``edit`` says in its record what it sets."""
    head = repository.commit(repository.head("main"))
    snapshot = repository.reader.snapshot(head.tree)
    kept = {name: value for name, value in snapshot.variables.items() if name not in unset}
    record = {"kind": kind, "who": "ann", **({"variables": variables} if kind == "edit" else {})}
    state = Snapshot(snapshot.goal, record, snapshot.control, snapshot.plan, {**kept, **variables})
    journal = Journal(repository.store, HEADS + "main", head.oid)
    writer = SnapshotWriter.of(state, journal.sink)
    writer.set_record(record)
    message = format_message(f"{kind}: {', '.join(variables)}", {"Kind": kind, "Task": TASK})
    journal.append(writer.tree(state.control), head.time, message, "ann")
    journal.flush()


@tool(effect="read")
def fail(times: int) -> int:
    """Fails for odd numbers."""
    if times % 2:
        raise ValueError("odd")
    return times


def origins(rig: Rig, name: str) -> list[dict[str, Any]]:
    """Where the values of a variable came from, oldest first."""
    writes = Writes(Moments(rig.repository))
    found = list(writes.of(rig.head(), name))[::-1]
    return [writes.origin(write.moment, write.before, name).to_json() for write in found]


def kinds(rig: Rig, name: str) -> list[str]:
    return [origin["kind"] for origin in origins(rig, name)]


def test_a_value_comes_from_the_plan_a_tool_or_a_failure() -> None:
    rig = Rig(
        [
            assign(1, a=0, b=0, c="old"),
            call(2, "fail", "b", {"times": "${a}"}, on_error="continue"),
            call(3, "fail", "c", {"times": 1}, on_error={"goto": 4}),
            call(4, "fail", "d", {"times": "${item}"}, for_each=[1, 2], on_error="continue"),
            assign(5, a="${{ a + 1 }}"),
            jump(6, condition="a < 2", jump_if_true=2),
            assign(7, final_answer=1),
        ],
        [fail],
    )
    assert rig.run().status == "completed"
    assert kinds(rig, "a") == ["plan", "plan", "plan"]
    assert kinds(rig, "b") == ["plan", "tool", "error"]  # 0 succeeds, 1 fails: the output is null
    assert kinds(rig, "c") == ["plan"]  # with goto the outputs are left alone
    assert kinds(rig, "d") == ["tool", "tool"]  # one item failed, the other gave a value
    assert kinds(rig, "error") == ["error"] * 5
    assert origins(rig, "b")[1] == {"kind": "tool", "tool": "fail", "models": [], "who": None}


def test_a_value_that_a_person_gave_or_set_names_the_person() -> None:
    rig = Rig([call(1, "pay", "receipt", {"amount": 1}), assign(2, final_answer="${receipt}")], [losing_line])
    rig.decide(rig.run(), "skip", "paid by hand")
    rig.run()
    assert origins(rig, "receipt") == [{"kind": "person", "tool": "pay", "models": [], "who": "tester"}]
    commit_other(rig.repository, "edit", {"receipt": "lost"}, set())
    commit_other(rig.repository, "revision", {"receipt": "found"}, set())
    assert origins(rig, "receipt")[1:] == [
        {"kind": "edit", "tool": None, "models": [], "who": "ann"},
        {"kind": "revision", "tool": None, "models": [], "who": "ann"},
    ]


@tool(effect="irreversible", name="pay")
def losing_line(amount: int) -> str:
    """Nobody knows what became of it."""
    raise OSError("line went dead")


def test_visits_are_those_of_the_records_however_they_are_counted() -> None:
    for seed in range(PLANS):
        rig = random_history(seed)
        moments = Moments(rig.repository)
        commits = list(rig.repository.log(rig.head()))
        counted = list(moments.visits(commits))
        assert counted == [moments.visit(moments.at(commit)) for commit in commits]
        for commit, visit in zip(commits, counted, strict=True):
            record = rig.repository.reader.record(commit.tree)
            assert record.get("visit", visit) == visit
            assert (visit is None) == (commit.kind not in ("step", "failure"))


def test_what_is_evaluated_once_is_not_evaluated_again() -> None:
    rig = Rig(
        [
            assign(1, i=0, even=True, text="t" * 100),
            assign(2, i="${{ i + 1 }}", even="${{ i % 2 == 1 }}"),
            jump(3, condition="i < 20", jump_if_true=2),
            assign(4, final_answer="${i}"),
        ]
    )
    rig.run()
    moments = Moments(rig.repository)
    expression = compile_expression("even or len(text) == 100")
    line, commits = stretches(moments, sorted(expression.reads), rig.head())
    evaluator = Evaluator(moments, expression)
    turn = find_turn(line, evaluator)
    assert (commits, len(line), turn.evaluated, turn.first_false) == (44, 22, 2, None)

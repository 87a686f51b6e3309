"""Tasks as one file: written, taken in elsewhere, and as they were there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from databases import KINDS, shared_database
from place import START_MS, make_workplace, ticking

from app.db.base import FinishedEffect, TaskRow
from app.db.models import objects
from app.errors import Conflict, DamagedHistory, InputError, NotFound, StorageError
from app.history.sql_store import SqlStore, SqlStoreFactory
from app.services.branches import delete_branch, fork_branch, list_branches
from app.services.deletion import delete_task
from app.services.edits import set_variables
from app.services.exports import export_task
from app.services.imports import import_task
from app.services.inspect import read_log, show_task
from app.services.namespaces import create_namespace
from app.services.replays import replay_branch
from app.services.reports import RunReport
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, list_tasks, submit_task
from app.services.waiting import Decision, decide
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts

CALLS: list[str] = []


@tool(effect="read")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    CALLS.append("look")
    return value


@tool(effect="irreversible")
def send(what: Any) -> str:
    """Loses the line, unless it is asked nicely."""
    CALLS.append("send")
    if what == "please":
        return "sent"
    raise OSError("line went dead")


def plan(*steps: tuple[str, dict[str, Any]]) -> str:
    return json.dumps([{"seq_no": n, "type": kind, "parameters": p} for n, (kind, p) in enumerate(steps)])


def calling(name: str, output: str, **params: Any) -> tuple[str, dict[str, Any]]:
    return "calling", {"tool_name": name, "tool_params": params, "output_vars": output}


SIMPLE = plan(
    ("assign", {"a": 1}), calling("look", "b", value="${a}"), ("assign", {"final_answer": "${{ a + b }}"})
)
SENDS = plan(calling("send", "receipt", what="money"), ("assign", {"final_answer": "${receipt}"}))


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Callable[..., Workplace]]:
    """Makes workplaces, each with a database and a folder of its own."""
    CALLS.clear()
    with ExitStack() as until_end:

        def make(name: str, **settings: Any) -> Workplace:
            folder = tmp_path / name
            (folder / "var").mkdir(parents=True, exist_ok=True)
            if "database_uri" in settings:  # which has its tables
                (folder / "var" / "stackvm.db").touch()
            place, database = make_workplace(folder, [look, send], **settings)
            until_end.callback(database.close)
            return replace(place, clock_ms=ticking(START_MS + len(name) * 1_000_000))

        yield make


@pytest.fixture
def here(places: Callable[..., Workplace]) -> Workplace:
    return places("here")


@pytest.fixture
def there(places: Callable[..., Workplace]) -> Workplace:
    return places("there")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "task.bundle"


def run(place: Workplace, task: TaskRow, branch: str = "main") -> RunReport:
    return run_branch(place, find_task(place, task.id), branch, RunOptions(Interrupts()))


def ran(place: Workplace, text: str = SIMPLE, **more: Any) -> TaskRow:
    task = submit_task(place, NewTask(goal="a goal", plan=text, **more))
    run(place, task)
    return find_task(place, task.id)


def export(place: Workplace, task: TaskRow, file: Path) -> bytes:
    export_task(place, find_task(place, task.id), file, replace=True)
    return file.read_bytes()


def commits(place: Workplace, task: TaskRow) -> dict[str, str]:
    return {view.name: view.commit for view in list_branches(place, task)}


@pytest.mark.parametrize("source", ["sql", "git"])
@pytest.mark.parametrize("target", ["sql", "git"])
def test_a_task_is_there_as_it_was(
    places: Callable[..., Workplace], file: Path, source: str, target: str
) -> None:
    here, there = places("here", history_backend=source), places("there")
    task = ran(here)
    set_variables(here, task, {"a": 5}, at="main~2")
    run(here, task, "edit-1")
    fork_branch(here, task, "main~1", "try/1")
    data = export(here, task, file)
    calls = len(CALLS)
    imported = import_task(there, file, target)
    assert (imported.branches, imported.has_namespace) == (3, True)
    task = find_task(here, task.id)
    row = find_task(there, task.id)
    assert row == replace(task, store=target)
    assert there.tasks.branches(task.id) == here.tasks.branches(task.id)
    assert commits(there, row) == commits(here, task)
    for branch in ("main", "edit-1", "try/1"):
        name, result = replay_branch(there, row, branch)
        assert (name, result.divergence) == (branch, None)
    assert export(there, row, file) == data
    assert run(there, row, "try/1").final_answer == 2
    assert len(CALLS) == calls


def test_through_every_database_it_stays_the_same(
    places: Callable[..., Workplace], file: Path, tmp_path: Path
) -> None:
    here = places("here")
    task = ran(here, SENDS)
    data = export(here, task, file)
    for kind in KINDS:
        for store in ("sql", "git"):
            there = places(f"{kind}-{store}", database_uri=shared_database(kind, tmp_path))
            import_task(there, file, store)
            row = find_task(there, task.id)
            assert replay_branch(there, row, None)[1].divergence is None
            file.unlink()
            assert export(there, row, file) == data
            assert list_tasks(there, "waiting", 5) == [row]
            assert show_task(there, row, None).waiting is not None
            delete_task(there, row)
    assert CALLS == ["send"]


def test_a_waiting_run_is_decided_elsewhere(here: Workplace, there: Workplace, file: Path) -> None:
    task = ran(here, SENDS)
    assert task.status == "waiting"
    waiting = show_task(here, task, None).waiting
    export(here, task, file)
    import_task(there, file)
    row = find_task(there, task.id)
    assert show_task(there, row, None).waiting == waiting
    assert run(there, row).status == "waiting"
    decide(there, row, "main", Decision("skip", "by hand"))
    assert run(there, row).final_answer == "by hand"
    assert CALLS == ["send"]


def test_kept_outcomes_travel(here: Workplace, there: Workplace, file: Path) -> None:
    task = ran(here)
    outcome = {"value": 1, "error": None, "attempts": 1, "started_ms": 1, "ended_ms": 2, "reads": True}
    kept = [
        FinishedEffect(7, 1, item, f"{item % 2}" * 64, json.dumps({**outcome, "value": item % 2}).encode())
        for item in range(5)
    ]
    here.ledger(task.id).save_effects("main", kept)
    data = export(here, task, file)
    assert import_task(there, file).effects == 5
    assert sorted(there.ledger(task.id).branch_effects("main")) == kept
    assert export(there, task, file) == data


@pytest.mark.parametrize("status", ["queued", "planning", "running", "waiting", "failed"])
def test_what_nobody_runs_any_more_is_paused(
    here: Workplace, there: Workplace, file: Path, status: str
) -> None:
    task = submit_task(here, NewTask(goal="a goal", plan=SIMPLE))
    here.tasks.note_run(task.id, "main", status, here.clock_ms(), error="so far")
    data = export(here, task, file)
    import_task(there, file)
    row = find_task(there, task.id)
    expected = status if status in ("waiting", "failed") else "paused"
    assert (row.status, row.error, there.tasks.branches(task.id)[0].status) == (expected, "so far", expected)
    assert export(there, row, file) == data
    assert run(there, row).final_answer == 2


@pytest.mark.parametrize("kind", ["fork", "edit"])
def test_answers_of_a_branch_that_is_gone_are_taken_again(
    here: Workplace, there: Workplace, file: Path, kind: str
) -> None:
    task = ran(here)
    if kind == "fork":
        fork_branch(here, task, "main~2", "later")
    else:
        set_variables(here, task, {"c": 1}, at="main~2", name="later")
    delete_branch(here, find_task(here, task.id), "main")
    data = export(here, task, file)
    import_task(there, file)
    row = find_task(there, task.id)
    assert export(there, row, file) == data
    assert run(there, row, "later").final_answer == 2
    assert CALLS == ["look"]


def test_a_namespace_that_is_not_here_is_said(here: Workplace, there: Workplace, file: Path) -> None:
    create_namespace(here, "mine", ["look"])
    task = submit_task(here, NewTask(goal="a goal", plan=SIMPLE, namespace="mine"))
    export(here, task, file)
    assert not import_task(there, file).has_namespace
    row = find_task(there, task.id)
    assert replay_branch(there, row, None)[1].divergence is None
    assert len(list(read_log(there, row, None))) == 2
    with pytest.raises(InputError, match="no namespace 'mine'"):
        run(there, row)
    create_namespace(there, "mine", ["look"])
    assert run(there, row).final_answer == 2


def test_git_reads_it(here: Workplace, file: Path, tmp_path: Path) -> None:
    task = ran(here)
    fork_branch(here, task, "main~1", "other")
    export(here, task, file)

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=tmp_path)
        return done.stdout

    git("init", "-q", "empty")
    assert "refs/stackvm/task" in git("-C", "empty", "bundle", "verify", str(file))
    git("clone", "-q", str(file), "clone")
    git("-C", "clone", "fsck", "--strict")
    assert git("-C", "clone", "rev-parse", "HEAD").strip() == commits(here, task)["main"]
    assert git("-C", "clone", "branch", "--show-current").strip() == "main"
    git("-C", "clone", "fetch", "-q", str(file), "refs/stackvm/task")
    document = json.loads(git("-C", "clone", "show", "FETCH_HEAD:task.json"))
    assert (document["format"], document["task"]["id"]) == (1, task.id)


def test_nothing_is_exported_of_a_running_task(here: Workplace, file: Path) -> None:
    task = ran(here)
    fork_branch(here, task, "main", "other")
    here.leases.acquire(task.id, "other", "somebody", 30)
    with pytest.raises(Conflict, match="'other' is being run by somebody"):
        export(here, task, file)
    assert not file.exists()


def test_who_runs_the_task_meanwhile_loses_nothing_of_it(
    here: Workplace, there: Workplace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is begun once the heads were looked at travels, and an answer that is committed just before."""
    task = ran(here, SENDS)
    ledger = here.ledger(task.id)
    (begun,) = ledger.branch_attempts("main")
    outcome = {"value": 1, "error": None, "attempts": 1, "started_ms": 1, "ended_ms": 2, "reads": True}
    kept = FinishedEffect(7, 1, -1, "a" * 64, json.dumps(outcome).encode())
    ledger.save_effects("main", [kept])
    looked: list[str] = []
    look_at_effects, look_at_refs = type(ledger).branch_effects, SqlStore.refs

    def effects(self: Any, branch: str) -> list[FinishedEffect]:
        looked.append("effects")
        return look_at_effects(self, branch)

    def refs(self: SqlStore) -> dict[str, bytes]:
        if "effects" in looked and "refs" not in looked:
            ledger.drop_effects("main", [(7, 1)])
        found = look_at_refs(self)
        if "effects" in looked and "refs" not in looked:
            looked.append("refs")
            ledger.begin(begun._replace(key="e" * 64))
        return found

    monkeypatch.setattr(type(ledger), "branch_effects", effects)
    monkeypatch.setattr(SqlStore, "refs", refs)
    export(here, task, file)
    monkeypatch.undo()
    assert looked == ["effects", "refs"]
    import_task(there, file)
    assert {attempt.key for attempt in there.ledger(task.id).branch_attempts("main")} == {begun.key, "e" * 64}
    assert there.ledger(task.id).branch_effects("main") == [kept]


def test_a_damaged_history_is_not_exported(here: Workplace, file: Path) -> None:
    task = ran(here)
    store = here.stores["sql"].open(task.id)
    store.finish()
    with cast("SqlStoreFactory", here.stores["sql"])._database.write() as connection:
        connection.execute(objects.delete().where(objects.c.oid == min(store.object_ids())))
    with pytest.raises(DamagedHistory):
        export(here, task, file)
    assert not file.exists()


def test_where_the_database_fails_nothing_is_left(
    here: Workplace, there: Workplace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = ran(here)
    export(here, task, file)

    def fail(rows: object) -> None:
        raise StorageError("no database")

    monkeypatch.setattr(there.tasks, "restore", fail)
    for store, histories in there.stores.items():
        with pytest.raises(StorageError, match="no database"):
            import_task(there, file, store)
        with pytest.raises(NotFound):
            histories.open(task.id)
    monkeypatch.undo()
    import_task(there, file)


def test_a_file_is_not_overwritten_unasked(here: Workplace, file: Path, tmp_path: Path) -> None:
    task = ran(here)
    file.write_text("mine")
    with pytest.raises(Conflict, match="is there already"):
        export_task(here, task, file)
    assert file.read_text() == "mine"
    assert export(here, task, file).startswith(b"# v2 git bundle")
    for path in (tmp_path, tmp_path / "nowhere" / "x"):
        with pytest.raises(InputError):
            export_task(here, task, path, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "task.bundle"]


def test_what_is_here_already_stays(here: Workplace, there: Workplace, file: Path) -> None:
    task = ran(here)
    export(here, task, file)
    for place in (here, there):
        if place is there:
            import_task(place, file)
        with pytest.raises(Conflict, match="is here already"):
            import_task(place, file, "git")
        assert replay_branch(place, find_task(place, task.id), None)[1].divergence is None
    delete_task(there, find_task(there, task.id))
    import_task(there, file)
    assert run(there, task).final_answer == 2


def test_a_history_of_another_database_is_left_alone(
    places: Callable[..., Workplace], file: Path, tmp_path: Path
) -> None:
    one = places("here", history_backend="git")
    task = ran(one)
    export(one, task, file)
    other = places("here", database_uri=shared_database("sqlite", tmp_path))
    with pytest.raises(Conflict, match="there is a git history of task"):
        import_task(other, file, "git")
    assert list_tasks(other, None, 5) == []
    import_task(other, file, "sql")
    for place in (one, other):
        assert replay_branch(place, find_task(place, task.id), None)[1].divergence is None

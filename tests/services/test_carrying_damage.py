"""Exports that were cut off, changed or crafted: each is refused with one clear error, and nothing is kept."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from exported import BLOB, COMMIT, TREE, Craft
from place import make_workplace

from app.db.base import FinishedEffect
from app.errors import InputError, NotFound
from app.history.commits import commit_bytes
from app.services.branches import fork_branch
from app.services.carried import TASK_REF
from app.services.exports import export_task
from app.services.imports import import_task
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, list_tasks, submit_task
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts

Change: TypeAlias = Callable[[Craft], None]

TASK = "00000001-0000-4000-8000-000000000000"
OUTCOME = {"value": 1, "error": None, "attempts": 1, "started_ms": 1, "ended_ms": 2, "reads": True}


@tool(effect="write")
def write(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A task with two branches, an attempt and a kept outcome."""
    folder = tmp_path_factory.mktemp("here")
    place, database = make_workplace(folder, [write])
    steps = [
        {
            "seq_no": 1,
            "type": "calling",
            "parameters": {"tool_name": "write", "tool_params": {"value": [1] * 9}},
        },
        {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "done", "long": ["x" * 100] * 400}},
    ]
    task = submit_task(place, NewTask(goal="a goal", plan=json.dumps(steps)))
    run_branch(place, task, "main", RunOptions(Interrupts()))
    fork_branch(place, task, "main~1", "other")
    kept = FinishedEffect(9, 1, -1, "a" * 64, json.dumps(OUTCOME).encode())
    place.ledger(task.id).save_effects("other", [kept])
    export_task(place, find_task(place, task.id), folder / "task.bundle")
    database.close()
    return (folder / "task.bundle").read_bytes()


@pytest.fixture
def file(exported: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "task.bundle"
    path.write_bytes(exported)
    return path


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Workplace]:
    (tmp_path / "there").mkdir()
    place, database = make_workplace(tmp_path / "there", [write])
    yield place
    database.close()


def refused(place: Workplace, path: Path) -> str:
    """What the error says. Nothing is here then, in no store."""
    with pytest.raises(InputError) as caught:
        import_task(place, path)
    assert list_tasks(place, None, 5) == []
    for histories in place.stores.values():
        with pytest.raises(NotFound):
            histories.open(TASK)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_as_it_is_it_is_taken(there: Workplace, file: Path) -> None:
    Craft(file).save()
    imported = import_task(there, file)
    assert (imported.branches, imported.attempts, imported.effects) == (2, 1, 1)


def test_a_file_that_is_cut_off_is_refused(there: Workplace, file: Path, exported: bytes) -> None:
    lengths = {0, 1, 15, 16, 17, 40, 60, len(exported) - 1, len(exported) - 20, len(exported) - 21}
    pack = exported.index(b"PACK")
    lengths |= {pack - 1, pack, pack + 3, pack + 4, pack + 8, pack + 12, pack + 13, pack + 40}
    lengths |= set(random.Random(1).sample(range(len(exported)), 40))
    for length in sorted(lengths):
        file.write_bytes(exported[:length])
        assert str(file) in refused(there, file), length


def test_a_byte_that_changed_anywhere_is_noticed(there: Workplace, file: Path, exported: bytes) -> None:
    chance = random.Random(2)
    header = range(exported.index(b"PACK") + 12)
    for position in [*header, *chance.sample(range(len(header), len(exported)), 200), len(exported) - 1]:
        changed = bytearray(exported)
        changed[position] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        assert str(file) in refused(there, file), position


def test_more_behind_the_end_is_refused(there: Workplace, file: Path, exported: bytes) -> None:
    file.write_bytes(exported + b"x")
    refused(there, file)


def test_a_bundle_of_other_things_is_no_export(there: Workplace, file: Path) -> None:
    craft = Craft(file)
    del craft.refs[TASK_REF]
    assert "it has no refs/stackvm/task (`export TASK FILE` makes one)" in refused(there, craft.save())


def lacking(kind: int, number: int) -> Change:
    """An object less; of those that git's own packs would not miss either."""

    def change(craft: Craft) -> None:
        found = [oid for oid, item in sorted(craft.objects.items()) if item.kind == kind]
        kept = set(craft.refs.values())
        del craft.objects[[oid for oid in found if oid not in kept][number]]

    return change


def ref(name: str, kind: int = COMMIT) -> Change:
    def change(craft: Craft) -> None:
        craft.refs[name] = next(oid for oid, item in sorted(craft.objects.items()) if item.kind == kind)

    return change


def row(**changes: Any) -> Change:
    """Fields of the task's row."""

    def change(craft: Craft) -> None:
        with craft.rows() as document:
            document["task"] |= changes

    return change


def document(**changes: Any) -> Change:
    def change(craft: Craft) -> None:
        with craft.rows() as task:
            task.update(changes)

    return change


def listed(name: str, **changes: Any) -> Change:
    """Fields of the first row of a list."""

    def change(craft: Craft) -> None:
        with craft.rows(name) as rows:
            rows[0] |= changes

    return change


def branch(**changes: Any) -> Change:
    def change(craft: Craft) -> None:
        with craft.rows() as task:
            task["branches"][0] |= changes

    return change


def file_of_rows(name: str, data: bytes | None) -> Change:
    return lambda craft: craft.write(name, data)


def commit(name: str, changes: dict[str, bytes | None], message: str = "x\n", first: bool = False) -> Change:
    return lambda craft: craft.commit(name, changes, message, first=first)


def twice(name: str) -> Change:
    def change(craft: Craft) -> None:
        with craft.rows(name) as rows:
            rows.append(rows[0])

    return change


def tree(name: str, mode: bytes = b"100644") -> Change:
    """A commit whose tree has an entry as git never writes one."""

    def change(craft: Craft) -> None:
        blob = next(oid for oid, item in sorted(craft.objects.items()) if item.kind == BLOB)
        layout = craft.entries(craft.refs["refs/heads/other"])["format"].oid
        lines = [b"100644 format\0" + layout, mode + b" " + name.encode() + b"\0" + blob]
        made = craft.put(TREE, b"".join(sorted(lines, key=lambda line: line.split(b" ", 1)[1])))
        craft.refs["refs/heads/other"] = craft.put(COMMIT, commit_bytes(made, (), 0, f"x\n\nTask: {TASK}\n"))

    return change


def without_head(craft: Craft) -> None:
    del craft.refs["refs/heads/main"], craft.refs["HEAD"]


def branch_gone(craft: Craft) -> None:
    del craft.refs["refs/heads/other"]


def outcomes(data: bytes) -> Change:
    """Another kept outcome."""

    def change(craft: Craft) -> None:
        blob = craft.put(BLOB, data)
        with craft.rows("effects.json") as rows:
            rows[0]["outcome"] = blob.hex()
        entries = craft.entries(craft.refs[TASK_REF])
        folder = craft.put(TREE, b"100644 " + blob.hex().encode() + b"\0" + blob)
        entries["outcomes"] = entries["outcomes"]._replace(oid=folder)
        craft.refs[TASK_REF] = craft.put(COMMIT, commit_bytes(craft.tree(entries), (), 0, "rows\n"))

    return change


CRAFTED: dict[str, tuple[Change, str]] = {
    "a blob less": (lacking(BLOB, 0), "is missing, a blob"),
    "a tree less": (lacking(TREE, 1), "is missing, a tree"),
    "a commit less": (lacking(COMMIT, 0), "is missing, a commit"),
    "a branch at a blob": (ref("refs/heads/blob", BLOB), "is no commit"),
    "a branch at a tree": (ref("refs/heads/tree", TREE), "is no commit"),
    "the rows in a blob": (ref(TASK_REF, BLOB), "is no commit"),
    "a ref out of place": (ref("refs/remotes/x"), "a ref that no export has: 'refs/remotes/x'"),
    "a ref with dots": (ref("refs/heads/../../x"), "not a branch name"),
    "a ref as an option": (ref("refs/heads/--help"), "not a branch name"),
    "a ref with a bell": (ref("refs/heads/a\x07"), "not a branch name"),
    "a long ref": (ref("refs/heads/" + "x" * 300), "longer than 240 bytes"),
    "a locked tag": (ref("refs/tags/a.lock"), "not a ref name"),
    "refs within each other": (ref("refs/heads/main/sub"), "exclude each other"),
    "another HEAD": (ref("HEAD"), "its HEAD is not the head"),
    "a source by another name": (ref("refs/stackvm/sources/x"), "a ref that no export has"),
    "no current branch": (without_head, "lacks the task's current branch 'main'"),
    "a branch's row alone": (branch_gone, "lacks the branch 'other'"),
    "another task's rows": (row(id="another"), f"is of task '{TASK}', not 'another'"),
    "another goal": (row(goal="another"), "the goal of its first commit"),
    "another namespace": (row(namespace="another"), "the namespace of its first commit"),
    "an id with a slash": (row(id="../x"), "task.json, task, id: "),
    "an id too long": (row(id="x" * 65), "task.json, task, id: "),
    "a goal too long": (row(goal="x" * 100_001), "task.json, task, goal: "),
    "an unknown status": (row(status="dancing"), "not one of queued, planning"),
    "steps as text": (row(steps="3"), "task.json, task, steps: "),
    "huge steps": (row(steps=2**63), "task.json, task, steps: "),
    "true steps": (row(steps=True), "task.json, task, steps: "),
    "a negative time": (row(created_ms=-1), "task.json, task, created_ms: "),
    "an error with NUL": (row(error="a\0b"), "task.json, task, error: "),
    "a newer format": (document(format=2), "an export of format 2, and this version of StackVM reads 1"),
    "no format": (document(format="1"), "has no format"),
    "no branches": (document(branches=None), "has no list of branches"),
    "no task": (document(task=[]), "task.json, task: "),
    "a branch's status": (branch(status="x"), "task.json, branches, 0, status: "),
    "a branch's source": (branch(source_head="x"), "task.json, branches, 0, source_head: "),
    "a branch twice": (branch(name="other"), "the same branch twice: other"),
    "no rows": (file_of_rows("task.json", None), "it lacks task.json"),
    "rows that are no JSON": (file_of_rows("task.json", b"{"), "task.json is no JSON"),
    "rows in UTF-16": (file_of_rows("task.json", "{}".encode("utf-16")), "task.json is no JSON"),
    "rows nested without end": (file_of_rows("task.json", b"[" * 200_000), "task.json is no JSON"),
    "rows of another kind": (file_of_rows("attempts.json", b"{}"), "attempts.json does not hold"),
    "an attempt's key": (listed("attempts.json", key="x"), "attempts.json, 0, key: "),
    "an attempt's number": (listed("attempts.json", number=2**31), "attempts.json, 0, number: "),
    "an attempt's state": (listed("attempts.json", state="done"), "attempts.json, 0, state: "),
    "an attempt's branch": (listed("attempts.json", branch="a..b"), "attempts.json, 0, branch: "),
    "an attempt twice": (twice("attempts.json"), "the same attempt twice"),
    "an effect's item": (listed("effects.json", item=-2), "effects.json, 0, item: "),
    "an effect's hash": (listed("effects.json", inputs_hash="A" * 64), "effects.json, 0, inputs_hash: "),
    "an effect's outcome": (listed("effects.json", outcome="b" * 40), "there is no outcome bbb"),
    "an effect twice": (twice("effects.json"), "the same effect twice"),
    "an outcome that is none": (outcomes(b"[]"), "outcomes, "),
    "an outcome without a value": (
        outcomes(json.dumps({**OUTCOME, "value": 1} | {"error": 1}).encode()),
        "error: ",
    ),
    "an outcome in bytes": (outcomes(b"\xff\xfe"), "is no JSON"),
    "a newer layout": (
        commit("other", {"format": b"2\n"}),
        "has layout 2, and this version of StackVM reads 1",
    ),
    "an odd layout": (commit("other", {"format": b"one"}), "has no layout that StackVM ever had"),
    "no layout": (commit("other", {"format": None}), "is none of StackVM's: it has no format"),
    "another task's commit": (commit("other", {}, "x\n\nTask: foreign\n"), "is of task 'foreign'"),
    "another beginning": (commit("other", {}, "x\n", first=True), "is of task '', not"),
    "a state that is none": (commit("other", {"state.json": b"[]\n"}), "is not what state.json has to hold"),
    "a status that is none": (commit("other", {"state.json": b"{}\n"}), "there is no status"),
    "a plan that is none": (commit("main", {"plan.json": b"{"}), "is not a value"),
    "a tree with ..": (tree(".."), "can't have an entry '..'"),
    "a tree with .git": (tree(".GIT"), "can't have an entry '.GIT'"),
    "a tree with a path": (tree("a/b"), "can't have an entry 'a/b'"),
    "a tree with a link": (tree("link", b"120000"), "order or modes that no history has"),
    "a tree with a program": (tree("run", b"100755"), "order or modes that no history has"),
    "an entry twice": (tree("format"), "can't have an entry 'format'"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_what_can_t_be_is_refused(there: Workplace, file: Path, name: str) -> None:
    change, expected = CRAFTED[name]
    craft = Craft(file)
    change(craft)
    said = refused(there, craft.save())
    assert expected in said and str(file) in said


def test_refs_are_those_that_the_rows_name(there: Workplace, file: Path) -> None:
    for name, source in {"main": "other", "more": "main"}.items():
        craft = Craft(file)
        craft.refs[f"refs/heads/{name}"] = craft.refs[f"refs/heads/{source}"]
        assert "its refs are not those that task.json names" in refused(there, craft.save(told=False))


@pytest.mark.parametrize("count", [0, 1, 2**31, 2**32 - 1])
def test_a_pack_that_tells_of_more_than_it_has_is_refused(there: Workplace, file: Path, count: int) -> None:
    data = file.read_bytes()
    start = data.index(b"PACK")
    body = data[start : start + 8] + count.to_bytes(4, "big") + data[start + 12 : -20]
    file.write_bytes(data[:start] + body + hashlib.sha1(body).digest())
    refused(there, file)


def test_what_says_that_it_runs_is_paused(there: Workplace, file: Path) -> None:
    craft = Craft(file)
    row(status="running")(craft)
    branch(status="planning")(craft)
    import_task(there, craft.save())
    assert find_task(there, TASK).status == "paused"
    assert {each.status for each in there.tasks.branches(TASK)} == {"paused"}


def test_what_nothing_reaches_is_not_taken(there: Workplace, file: Path) -> None:
    craft = Craft(file)
    stray = craft.put(BLOB, b"stray")
    import_task(there, craft.save())
    assert not there.stores["sql"].open(TASK).has(stray)


def test_tags_travel(there: Workplace, file: Path, tmp_path: Path) -> None:
    craft = Craft(file)
    craft.refs["refs/tags/v1"] = craft.refs["refs/heads/other"]
    import_task(there, craft.save())
    export_task(there, find_task(there, TASK), tmp_path / "again")
    del craft.refs[TASK_REF]
    assert craft.refs.items() <= Craft(tmp_path / "again").refs.items()
